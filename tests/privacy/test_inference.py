"""What could be inferred from the edges of an answer: cursors, keys, limits, batches and the audit log."""

from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from models.account import Role
from resolvers import limits
from settings import Notice
from tests.hub import Answer, Hub, Person, opened, payload, problems
from tests.privacy.markers import Known, Mint
from tests.privacy.overheard import kept_in_redis, logged
from tests.web.reading import everything, exhausted
from tests.world import put_cases, put_feedback, put_token

OWN = "{ me { mediator { feedback%s { totalCount edges { cursor node { id } } pageInfo { hasNextPage } } } } }"


async def own_feedback(hub: Hub, mediator: Person, arguments: str = "") -> Answer:
    return await hub.ask(OWN % arguments, by=mediator)


async def read_origins(hub: Hub, admin: Person, of: Person) -> None:
    origins = 'feedback(first: 5) { nodes { origin(reason: "Ticket 1234") { name } } }'
    document = f"query($id: ID!) {{ mediator(id: $id) {{ {origins} }} }}"
    (await hub.ask(document, {"id": str(of.id)}, by=admin)).data  # noqa: B018 - raises if the request was refused


@pytest.mark.parametrize("notice", Notice)
async def test_what_a_party_wrote_is_in_their_feedback_and_otherwise_only_in_a_named_notice(
    hub: Hub, notice: Notice
) -> None:
    mint = Mint(9)
    name, mailbox, words = mint.word(), mint.word(), mint.word()
    known = Known({name, mailbox, words})
    with logged() as lines:
        async with opened(hub.services, settings=hub.settings, feedback_notice=notice) as now:
            by = {"mediatorId": str((await now.mediator()).id), "name": name, "email": f"{mailbox}@demo.example"}
            answers = [{"question": "impressed", "text": words}]
            facts = by | {"capacity": "PARTY", "actedAs": "MEDIATOR", "answers": answers, "requestKey": "one"}
            payload(await now.change("giveFeedback", facts))
            texts = await everything(now) | {"redis": await kept_in_redis(now)}
            found = {where for where, text in texts.items() if known.found_in(text or "")}
            assert found == {"feedback_answer"}  # the origin is sealed
            assert name in [origin.name for origin in (await now.origins()).values()]
            async with now.later(days=3) as later:
                await later.work()
    assert known.found_in(lines.getvalue()) == set()
    assert known.found_in(str(hub.mails())) == ({name} if notice is Notice.NAMED else set())


AUDIT = "{ auditLog { totalCount nodes { action subjectId } } }"


async def test_the_audit_log_shows_an_administrator_no_trace_of_feedback_about_themselves(hub: Hub) -> None:
    both, other = await hub.person(Role.MEDIATOR, Role.ADMIN), await hub.mediator()
    admin = await hub.person(Role.ADMIN)
    piece = await put_feedback(hub, other, shared=False)
    for shared in (False, True):
        await put_feedback(hub, both, shared=shared)
    await read_origins(hub, admin, both)
    await read_origins(hub, admin, other)
    entry = {"action": "ORIGIN_READ", "subjectId": str(piece)}
    assert (await hub.ask(AUDIT, by=both)).data["auditLog"] == {"totalCount": 1, "nodes": [entry]}
    assert (await hub.ask(AUDIT, by=admin)).data["auditLog"]["totalCount"] == 3
    page = "{ auditLog(first: 1) { pageInfo { hasNextPage } } }"
    assert (await hub.ask(page, by=both)).data["auditLog"]["pageInfo"] == {"hasNextPage": False}


async def test_a_mediator_cannot_probe_days_with_cursors_from_somebody_who_may_read_them(hub: Hub) -> None:
    ann, admin = await hub.mediator(), await hub.person(Role.ADMIN)
    for day in range(3):
        await put_feedback(hub, ann, received_at=datetime(2024, 5, 1 + day, tzinfo=UTC))
    document = "query($id: ID!) { mediator(id: $id) { feedback { edges { cursor } } } }"
    theirs = (await hub.ask(document, {"id": str(ann.id)}, by=admin)).data["mediator"]["feedback"]["edges"]
    made_up = urlsafe_b64encode(orjson.dumps(["received_on", "2024-05-02", str(UUID(int=0))])).decode()
    for cursor in [*(edge["cursor"] for edge in theirs), made_up]:
        for way in ("after", "before"):
            answer = await own_feedback(hub, ann, f'({way}: "{cursor}")')
            assert answer.codes == ["BAD_USER_INPUT"]
            assert "2024" not in str(answer.body)


async def test_a_cursor_at_unshared_feedback_works_like_one_at_an_unknown_id(hub: Hub) -> None:
    ann = await hub.mediator()
    await put_feedback(hub, ann)
    hidden = await put_feedback(hub, ann, shared=False)
    cursor = urlsafe_b64encode(orjson.dumps(["id", None, str(hidden)])).decode()
    with_it = (await own_feedback(hub, ann, f'(after: "{cursor}")')).body
    await hub.rows("DELETE FROM feedback WHERE id = $1", hidden)
    assert (await own_feedback(hub, ann, f'(after: "{cursor}")')).body == with_it


async def test_shared_feedback_is_released_together_in_an_order_that_gives_nothing_away(hub: Hub) -> None:
    ann = await hub.mediator()
    async with opened(hub.services, settings=hub.settings, release_least=3) as daily:
        await daily.work()
        start = daily.database.now()
        ids, seen = [], list[Any]()
        for number in range(6):
            at = start + timedelta(minutes=number)
            ids.append(await put_feedback(daily, ann, released=False, received_at=at))
            await daily.work()
            seen.append((await own_feedback(daily, ann)).body)
        assert seen == seen[:1] * 6, "nothing changes when one arrives"
        async with daily.later(days=1) as night:
            await night.work()
        async with daily.later(days=2, minutes=1) as tomorrow:
            await tomorrow.work()
            found = (await own_feedback(tomorrow, ann)).data["me"]["mediator"]["feedback"]
    assert [UUID(edge["node"]["id"]) for edge in found["edges"]] == sorted(ids, reverse=True)


async def test_somebody_elses_request_key_adds_a_new_entry_and_gives_nothing_away(hub: Hub) -> None:
    ann, bea = await hub.mediator(), await hub.mediator()
    entry = {"kind": "OTHER", "title": "T", "startedOn": "2024-01-01", "endedOn": "2024-01-01", "minutes": 1}
    ids = []
    for title, by in (("Ann's", ann), ("Bea's", bea), ("Bea's", bea)):
        facts = entry | {"title": title, "requestKey": "the same"}
        ids.append(payload(await hub.change("addCpdEntry", facts, "cpdEntry { id title }", by=by))["cpdEntry"])
    assert ids[1]["title"] == "Bea's"
    assert ids[0]["id"] != ids[1]["id"] == ids[2]["id"]
    other = await hub.change("addCpdEntry", entry | {"title": "Ann's", "requestKey": "the same"}, by=bea)
    assert problems(other) == [("requestKey", "REPEATED_KEY")]
    assert "Ann's" not in str(other.body)


async def test_limits_give_the_same_answer_whether_or_not_an_address_has_an_account(hub: Hub) -> None:
    ann = await hub.mediator(email="ann@demo.example")
    answers = []
    for email in (ann.email, "nobody@demo.example"):
        tries = [await hub.change("requestPasswordReset", {"email": email}, "mailSent") for _ in range(7)]
        wrong = [await hub.change("signIn", {"email": email, "password": "wrong words"}) for _ in range(12)]
        answers.append([(one.status, _without_seconds(one)) for one in [*tries, *wrong]])
    assert answers[0] == answers[1]
    assert "RATE_LIMITED" in str(answers[0])


def _without_seconds(answer: Answer) -> str:
    return "".join(c for c in str(answer.body) if not c.isdigit())


async def test_a_limit_that_is_used_up_comes_before_any_answer_about_a_link(hub: Hub) -> None:
    ann = await hub.mediator()
    own = await hub.ask("{ me { mediator { feedbackLink } } }", by=ann)
    link = own.data["me"]["mediator"]["feedbackLink"].rpartition("/")[2]
    await exhausted(hub, limits.LINK_TRIES, 100, "127.0.0.1")
    before = await everything(hub)
    document = "query($link: String) { feedbackSubject(link: $link) { name } }"
    answers = [await hub.ask(document, {"link": one}) for one in (link, "x" * 43)]
    assert [answer.codes for answer in answers] == [["RATE_LIMITED"]] * 2
    assert await everything(hub) == before


async def test_a_token_gives_nothing_away_about_rows_that_its_owner_may_not_read(hub: Hub) -> None:
    directory, ann = await hub.person(Role.DIRECTORY), await hub.mediator()
    token = await put_token(hub, directory)
    document = """query($id: ID!) { mediator(id: $id) {
        logbook(filter: { text: "secret" }) { totalCount edges { cursor } } } }"""
    await put_cases(hub, ann, {"notes": "a secret"}, {"reference": "secret", "country": "Secret"})
    by_token = await hub.ask(document, {"id": str(ann.id)}, token=token)
    assert by_token.data["mediator"]["logbook"] == {"totalCount": 0, "edges": []}
    both = "{ mediators(first: 5) { nodes { name } totalCount } }"
    assert (await hub.ask(both, token=token)).body == (await hub.ask(both, by=directory)).body


async def test_a_search_for_mediators_finds_nobody_by_address_or_profile_text(hub: Hub) -> None:
    ann = await hub.mediator(name="Ann Subject", email="hidden-words@demo.example")
    await hub.rows("UPDATE mediator SET about = 'quixotic' WHERE id = $1", ann.id)
    directory = await hub.person(Role.DIRECTORY)
    for text in ("hidden", ann.email, "quixotic"):
        found = await hub.ask("query($s: String) { mediators(search: $s) { totalCount } }", {"s": text}, by=directory)
        assert found.data["mediators"]["totalCount"] == 0
        open_search = await hub.ask("query($s: String!) { feedbackSubjects(search: $s) { id } }", {"s": text})
        assert open_search.data["feedbackSubjects"] == []
    named = await hub.ask('{ mediators(search: "subj") { totalCount } }', by=directory)
    assert named.data["mediators"]["totalCount"] == 1
