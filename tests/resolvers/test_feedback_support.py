"""Administrators and feedback: a flood that's held, pieces that are removed, and all that one address gave."""

from typing import Any
from uuid import UUID

import pytest

from models.account import Role
from settings import Notice
from tests.hub import Answer, Hub, Person, opened, payload, problems
from tests.resolvers.test_feedback_giving import give, personal_link, requested
from tests.world import put_feedback, put_token

HELD = "{ heldFeedback { totalCount nodes { id mediatorName held answers { rating } } } }"
BY = """query($email: String!) {
    feedbackBy(email: $email, reason: "Ticket 12") { id mediatorName held answers { rating text } }
}"""
OWN = "{ me { mediator { feedback { totalCount nodes { id } } } } }"
AUDIT = "{ auditLog { nodes { action subjectId reason } } }"


async def admissions(hub: Hub) -> list[str]:
    return sorted(row["admission"] for row in await hub.rows("SELECT admission FROM feedback"))


async def held(hub: Hub, by: Person) -> list[UUID]:
    return [UUID(one["id"]) for one in (await hub.ask(HELD, by=by)).data["heldFeedback"]["nodes"]]


async def admit(hub: Hub, piece: object, **who: Any) -> Answer:
    return await hub.change("admitFeedback", {"id": str(piece)}, "admittedId", **who)


async def remove(hub: Hub, piece: object, reason: str = "SPAM", **who: Any) -> Answer:
    return await hub.change("removeFeedback", {"id": str(piece), "reason": reason}, "removedId", **who)


async def read_by_reviewer(hub: Hub, mediator: Person, reviewer: Person) -> tuple[int, int]:
    """How many pieces the reviewer finds: in the list, and in the summary."""
    fields = "feedback { totalCount } feedbackSummary { years { count } }"
    found = (await hub.ask_about(mediator, fields, by=reviewer)).data["mediator"]
    return found["feedback"]["totalCount"], sum(year["count"] for year in found["feedbackSummary"]["years"])


# A flood through the open door.


async def test_a_sixth_piece_in_an_hour_from_one_network_about_one_mediator_is_held(hub: Hub) -> None:
    mediator, other, reviewer = await hub.mediator(), await hub.mediator(), await hub.person(Role.REVIEWER)
    await hub.appointed(mediator, reviewer)
    link = await personal_link(hub, mediator)
    answers = [(await give(hub, link=link, share=True, requestKey=str(number))).body for number in range(8)]
    assert all(answer == answers[0] for answer in answers)
    assert await admissions(hub) == ["ADMITTED"] * 5 + ["HELD"] * 3
    assert (await hub.ask(OWN, by=mediator)).data["me"]["mediator"]["feedback"]["totalCount"] == 5
    assert await read_by_reviewer(hub, mediator, reviewer) == (5, 5)
    await hub.work()
    assert len(hub.mails(mediator.email)) == 5
    payload(await give(hub, mediatorId=str(other.id)))
    payload(await give(hub, token=await requested(hub, mediator)))
    assert (await admissions(hub)).count("HELD") == 3


async def test_sixty_pieces_from_one_network_reach_nobody_but_administrators_after_the_fifth(hub: Hub) -> None:
    mediator, admin = await hub.mediator(), await hub.person(Role.ADMIN)
    for _ in range(60):
        payload(await give(hub, mediatorId=str(mediator.id)))
    found = (await hub.ask(HELD, by=admin)).data["heldFeedback"]
    assert found["totalCount"] == 55
    assert found["nodes"][0]["answers"] == [{"rating": 4}]
    await hub.work()
    assert len(hub.mails(mediator.email)) == 5


async def test_answers_to_requests_are_never_held_and_do_not_count(hub: Hub) -> None:
    mediator = await hub.mediator()
    for _ in range(4):
        payload(await give(hub, token=await requested(hub, mediator)))
    for _ in range(5):
        payload(await give(hub, mediatorId=str(mediator.id)))
    payload(await give(hub, token=await requested(hub, mediator)))
    assert await admissions(hub) == ["ADMITTED"] * 10


async def test_held_feedback_is_listed_only_for_administrators_and_never_what_is_about_themselves(hub: Hub) -> None:
    eve, other = await hub.person(Role.MEDIATOR, Role.ADMIN), await hub.mediator()
    await put_feedback(hub, eve, admission="HELD")
    piece = await put_feedback(hub, other, admission="HELD")
    await put_feedback(hub, other)
    await put_feedback(hub, other, admission="DISCARDED")
    admin = await hub.person(Role.ADMIN)
    assert len(await held(hub, admin)) == 2
    assert await held(hub, eve) == [piece]
    for by in (None, other, await hub.person(Role.REVIEWER)):
        assert (await hub.ask(HELD, by=by)).codes == ["GRAPHQL_VALIDATION_FAILED"]
    assert (await hub.ask(HELD, token=await put_token(hub, admin))).data["heldFeedback"]["totalCount"] == 2


@pytest.mark.parametrize("notice", Notice)
async def test_an_admitted_piece_is_like_any_other_and_the_mediator_is_told_then(hub: Hub, notice: Notice) -> None:
    async with opened(hub.services, settings=hub.settings, feedback_notice=notice, release_least=3) as now:
        mediator, admin, reviewer = await now.mediator(), await now.person(Role.ADMIN), await now.person(Role.REVIEWER)
        await now.appointed(mediator, reviewer)
        # It was released with others while it was held.
        piece = await put_feedback(now, mediator, admission="HELD", network_hash=b"n")
        assert payload(await admit(now, piece, by=admin))["admittedId"] == str(piece)
        assert await held(now, admin) == []
        assert await read_by_reviewer(now, mediator, reviewer) == (1, 1)
        (row,) = await now.rows("SELECT shared, released, release_at, network_hash FROM feedback")
        assert tuple(row) == (True, False, None, b"n")
        answers = await now.rows("SELECT admission FROM feedback_answer")
        assert [one["admission"] for one in answers] == ["ADMITTED"]
        queued = {row["kind"] for row in await now.rows("SELECT kind FROM outbox")}
        expected = {Notice.NAMED: {"feedback_received"}, Notice.DISCREET: {"discreet_notice"}, Notice.OFF: set[str]()}
        assert queued == expected[notice]
        entry = {"action": "FEEDBACK_ADMITTED", "subjectId": str(piece), "reason": None}
        assert (await now.ask(AUDIT, by=admin)).data["auditLog"]["nodes"] == [entry]


async def test_only_administrators_admit_only_what_is_held_and_not_about_themselves(hub: Hub) -> None:
    eve, other = await hub.person(Role.MEDIATOR, Role.ADMIN), await hub.mediator()
    about_eve = await put_feedback(hub, eve, admission="HELD")
    piece = await put_feedback(hub, other, admission="HELD")
    discarded = await put_feedback(hub, other, admission="DISCARDED")
    before = await hub.rows("SELECT * FROM feedback ORDER BY id")
    for one in (about_eve, discarded, UUID(int=0)):
        assert problems(await admit(hub, one, by=eve)) == [("id", "NOT_FOUND")]
    for who in ({}, {"by": other}, {"by": await hub.person(Role.REVIEWER)}):
        assert set((await admit(hub, piece, **who)).codes) == {"GRAPHQL_VALIDATION_FAILED"}
    assert await hub.rows("SELECT * FROM feedback ORDER BY id") == before
    assert await hub.rows("SELECT FROM audit_entry WHERE action <> 'API_TOKEN_CREATED'") == []


# Removing.


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({}, True),
        ({"released": False}, False),
        ({"shared": False}, False),
        ({"admission": "HELD"}, False),
    ],
)
async def test_a_removed_piece_is_gone_and_its_mediator_is_told_only_if_they_could_read_it(
    hub: Hub, facts: dict[str, Any], told: bool
) -> None:
    mediator, admin = await hub.mediator(), await hub.person(Role.ADMIN)
    piece = await put_feedback(hub, mediator, name="Gil Giver", **facts)
    assert payload(await remove(hub, piece, by=admin))["removedId"] == str(piece)
    for table in ("feedback", "feedback_answer", "feedback_origin"):
        assert await hub.rows(f"SELECT FROM {table}") == []
    await hub.work()
    mails = hub.mails(mediator.email)
    assert [mail["subject"] for mail in mails] == ["A piece of feedback about you was removed"] * told
    assert not [mail for mail in mails if "spam" in mail["text"].lower() or "Gil" in mail["text"]]
    entry = {"action": "FEEDBACK_REMOVED", "subjectId": str(piece), "reason": "SPAM"}
    assert (await hub.ask(AUDIT, by=admin)).data["auditLog"]["nodes"] == [entry]


async def test_only_administrators_remove_feedback_in_person_and_never_about_themselves(hub: Hub) -> None:
    eve, other = await hub.person(Role.MEDIATOR, Role.ADMIN), await hub.mediator()
    about_eve, piece = await put_feedback(hub, eve), await put_feedback(hub, other)
    discarded = await put_feedback(hub, other, admission="DISCARDED")
    before = await hub.rows("SELECT * FROM feedback ORDER BY id")
    refused = [await remove(hub, one, by=eve) for one in (about_eve, discarded, UUID(int=0))]
    assert problems(refused[0]) == [("id", "NOT_FOUND")]
    assert refused[0].body == refused[1].body == refused[2].body
    admins = await put_token(hub, await hub.person(Role.ADMIN))
    for who in ({}, {"by": other}, {"by": await hub.person(Role.REVIEWER)}, {"token": admins}):
        assert set((await remove(hub, piece, **who)).codes) == {"GRAPHQL_VALIDATION_FAILED"}
    assert await hub.rows("SELECT * FROM feedback ORDER BY id") == before
    assert await hub.rows("SELECT FROM audit_entry WHERE action <> 'API_TOKEN_CREATED'") == []


async def test_once_a_piece_is_gone_the_audit_log_still_keeps_its_entries_from_its_mediator(hub: Hub) -> None:
    eve, admin = await hub.person(Role.MEDIATOR, Role.ADMIN), await hub.person(Role.ADMIN)
    read, removed = await put_feedback(hub, eve), await put_feedback(hub, eve, email="gil@demo.example")
    (await hub.ask(BY, {"email": "gil@demo.example"}, by=admin)).data  # noqa: B018 - raises if it was refused
    await hub.ask_about(eve, f'feedbackPiece(id: "{read}") {{ origin(reason: "Ticket 12") {{ name }} }}', by=admin)
    payload(await remove(hub, removed, by=admin))
    await hub.rows("DELETE FROM feedback WHERE id = $1", read)  # as its giver erases it
    assert len((await hub.ask(AUDIT, by=admin)).data["auditLog"]["nodes"]) == 3
    assert (await hub.ask(AUDIT, by=eve)).data["auditLog"]["nodes"] == []


# What one address gave.


async def test_all_that_one_address_gave_is_found_in_any_spelling_and_each_piece_is_noted(hub: Hub) -> None:
    ann, bea, admin = await hub.mediator(), await hub.mediator(), await hub.person(Role.ADMIN)
    for mediator in (ann, bea):
        payload(await give(hub, mediatorId=str(mediator.id), email="Gil@Demo.example"))
        payload(await give(hub, mediatorId=str(mediator.id), email="gilbert@demo.example"))
    found = (await hub.ask(BY, {"email": " gil@demo.EXAMPLE "}, by=admin)).data["feedbackBy"]
    assert {one["mediatorName"] for one in found} == {ann.name, bea.name}
    assert [one["answers"] for one in found] == [[{"rating": 4, "text": None}]] * 2
    noted = await hub.rows("SELECT actor_id, action, subject_id, reason FROM audit_entry")
    assert sorted(map(tuple, noted)) == sorted((admin.id, "ORIGIN_READ", UUID(one["id"]), "Ticket 12") for one in found)
    without = 'query($email: String!) { feedbackBy(email: $email, reason: " ") { id } }'
    assert (await hub.ask(without, {"email": "gil@demo.example"}, by=admin)).codes == ["BAD_USER_INPUT"]
    for part in ("gil", "demo.example", "gil@demo.exampl", "%", ""):
        assert (await hub.ask(BY, {"email": part}, by=admin)).data["feedbackBy"] == []
    assert len(await hub.rows("SELECT FROM audit_entry WHERE action <> 'API_TOKEN_CREATED'")) == 2


async def test_what_an_address_gave_is_found_only_by_administrators_in_person_and_never_about_themselves(
    hub: Hub,
) -> None:
    eve, other, admin = await hub.person(Role.MEDIATOR, Role.ADMIN), await hub.mediator(), await hub.person(Role.ADMIN)
    email = "gil@demo.example"
    who = {"email": email}
    await put_feedback(hub, eve, email=email)
    piece = await put_feedback(hub, other, email=email, admission="HELD")
    await put_feedback(hub, other, email=email, admission="DISCARDED")
    assert [UUID(one["id"]) for one in (await hub.ask(BY, who, by=eve)).data["feedbackBy"]] == [piece]
    for one in ({}, {"by": other}, {"by": await hub.person(Role.REVIEWER)}, {"token": await put_token(hub, admin)}):
        assert (await hub.ask(BY, who, **one)).codes == ["GRAPHQL_VALIDATION_FAILED"]
    assert len(await hub.rows("SELECT FROM audit_entry WHERE action <> 'API_TOKEN_CREATED'")) == 1
