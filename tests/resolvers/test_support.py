"""How administrators support others: roles, paid access, the audit log, dead mail."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from models.account import Role
from tests.hub import PASSWORD, Answer, Hub, Person, opened, payload, problems, text_of
from tests.waiting import until
from tests.world import put_cases, put_feedback, put_token

ENTRY = {
    "role": "LEAD_MEDIATOR",
    "medium": "ONLINE",
    "startedOn": "2024-01-01",
    "endedOn": "2024-01-02",
    "minutes": 90,
    "outcome": "SETTLED",
}
REQUEST = {
    "partyName": "A party",
    "partyEmail": "party@demo.example",
    "mediationEndedOn": "2024-01-02",
    "partyAgreed": True,
}


async def add_role(hub: Hub, by: Person | None, to: Person, role: str, **who: Any) -> Answer:
    return await hub.change("addRole", {"accountId": str(to.id), "role": role}, "account { id roles }", by=by, **who)


async def remove_role(hub: Hub, by: Person | None, of: Person, role: str, **who: Any) -> Answer:
    return await hub.change("removeRole", {"accountId": str(of.id), "role": role}, "account { id roles }", by=by, **who)


async def roles_of(hub: Hub, person: Person) -> list[str]:
    ((roles,),) = await hub.rows("SELECT roles FROM account WHERE id = $1", person.id)
    return list(roles)


async def audit(hub: Hub) -> list[tuple[str, Any, Any]]:
    """The entries but those on API tokens, which many tests make."""
    rows = await hub.rows(
        "SELECT action, actor_id, subject_id FROM audit_entry WHERE action NOT LIKE 'API_TOKEN%' ORDER BY sequence"
    )
    return [tuple(row) for row in rows]


async def test_a_new_role_comes_with_the_profile_it_needs_and_the_person_is_told(hub: Hub) -> None:
    admin, person = await hub.person(Role.ADMIN), await hub.person(Role.REVIEWER)
    changed = payload(await add_role(hub, admin, person, "MEDIATOR"))
    assert changed["account"]["roles"] == ["MEDIATOR", "REVIEWER"]
    (profile,) = await hub.rows("SELECT visibility FROM mediator WHERE id = $1", person.id)
    assert profile["visibility"] == "PRIVATE"
    changed = payload(await add_role(hub, admin, person, "DIRECTORY"))
    assert changed["account"]["roles"] == ["DIRECTORY", "MEDIATOR", "REVIEWER"]
    assert await hub.rows("SELECT 1 FROM directory WHERE id = $1", person.id)
    mine = (await hub.ask("{ me { mediator { feedbackLink } } }", by=person)).data["me"]["mediator"]
    assert mine["feedbackLink"]
    assert await audit(hub) == [("ROLE_ADDED", admin.id, person.id)] * 2
    assert [row["reason"] for row in await hub.rows("SELECT reason FROM audit_entry")] == ["MEDIATOR", "DIRECTORY"]
    await hub.work()
    for role in ("mediator", "directory"):
        hub.mail(person.email, f"added the role of {role} to your account")


async def test_a_role_that_is_removed_takes_no_other_along_and_the_person_is_told(hub: Hub) -> None:
    admin, person = await hub.person(Role.ADMIN), await hub.person(Role.MEDIATOR, Role.REVIEWER, Role.DIRECTORY)
    changed = payload(await remove_role(hub, admin, person, "DIRECTORY"))
    assert changed["account"]["roles"] == ["MEDIATOR", "REVIEWER"]
    assert await audit(hub) == [("ROLE_REMOVED", admin.id, person.id)]
    await hub.work()
    assert "removed the role of directory from your account" in text_of(hub.mail(person.email))


async def test_a_mediator_without_the_role_is_hidden_and_finds_everything_again_with_it(hub: Hub) -> None:
    admin, person = await hub.person(Role.ADMIN), await hub.person(Role.MEDIATOR, Role.REVIEWER)
    await put_cases(hub, person, {"notes": "Kept"})
    find = "query($id: ID!) { feedbackSubject(id: $id) { name } }"
    who = {"id": str(person.id)}
    assert (await hub.ask(find, who)).data["feedbackSubject"]
    payload(await remove_role(hub, admin, person, "MEDIATOR"))
    assert set((await hub.ask("{ me { mediator { id } } }", by=person)).codes) == {"GRAPHQL_VALIDATION_FAILED"}
    assert not (await hub.ask(find, who)).body["data"]["feedbackSubject"]
    await hub.work()
    assert "From now on, you're hidden" in text_of(hub.mail(person.email))
    payload(await add_role(hub, admin, person, "MEDIATOR"))
    notes = "{ me { mediator { visibility logbook { nodes { notes } } } } }"
    mine = (await hub.ask(notes, by=person)).data["me"]["mediator"]
    assert mine == {"visibility": "DIRECTORIES", "logbook": {"nodes": [{"notes": "Kept"}]}}


async def test_a_role_that_is_there_or_not_there_is_neither_added_nor_removed(hub: Hub) -> None:
    admin, person = await hub.person(Role.ADMIN), await hub.person(Role.MEDIATOR, Role.REVIEWER)
    assert problems(await add_role(hub, admin, person, "REVIEWER")) == [("role", "CONFLICT")]
    assert problems(await remove_role(hub, admin, person, "DIRECTORY")) == [("role", "CONFLICT")]
    assert await roles_of(hub, person) == ["MEDIATOR", "REVIEWER"]
    assert await audit(hub) == []
    assert not await hub.rows("SELECT FROM outbox")


async def test_an_account_keeps_at_least_one_role_and_the_hub_one_administrator(hub: Hub) -> None:
    admin, person = await hub.person(Role.ADMIN, Role.MEDIATOR), await hub.mediator()
    assert problems(await remove_role(hub, admin, person, "MEDIATOR")) == [("role", "NOT_ALLOWED")]
    assert problems(await remove_role(hub, admin, admin, "ADMIN")) == [(None, "NOT_ALLOWED")]
    assert (await roles_of(hub, person), await roles_of(hub, admin)) == (["MEDIATOR"], ["ADMIN", "MEDIATOR"])
    assert await audit(hub) == []
    assert not await hub.rows("SELECT FROM outbox")
    colleague = await hub.person(Role.ADMIN, Role.MEDIATOR)
    payload(await remove_role(hub, admin, admin, "ADMIN"))
    assert problems(await remove_role(hub, colleague, colleague, "ADMIN")) == [(None, "NOT_ALLOWED")]


async def test_of_two_administrators_who_demote_each_other_at_once_one_stays(hub: Hub) -> None:
    for _ in range(3):
        one, other = [await hub.person(Role.ADMIN, Role.MEDIATOR) for _ in range(2)]
        answers = await asyncio.gather(remove_role(hub, one, other, "ADMIN"), remove_role(hub, other, one, "ADMIN"))
        assert "INTERNAL_SERVER_ERROR" not in [code for answer in answers for code in answer.codes]
        assert len(await hub.rows("SELECT 1 FROM account WHERE 'ADMIN' = ANY(roles)")) == 1
        await hub.rows("DELETE FROM account")


async def test_roles_added_and_removed_at_once_are_all_there(hub: Hub) -> None:
    admin, person = await hub.person(Role.ADMIN), await hub.person(Role.REVIEWER, Role.DIRECTORY)
    answers = await asyncio.gather(
        add_role(hub, admin, person, "MEDIATOR"),
        remove_role(hub, admin, person, "REVIEWER"),
        add_role(hub, admin, person, "ADMIN"),
    )
    assert [problems(answer) for answer in answers] == [[], [], []]
    assert await roles_of(hub, person) == ["ADMIN", "DIRECTORY", "MEDIATOR"]


@pytest.mark.parametrize("role", [Role.MEDIATOR, Role.REVIEWER, Role.DIRECTORY, None])
async def test_nobody_but_an_administrator_in_person_adds_or_removes_a_role(hub: Hub, role: Role | None) -> None:
    admin, other = await hub.person(Role.ADMIN), await hub.person(Role.MEDIATOR, Role.REVIEWER)
    by = await hub.person(role) if role else None
    token = await put_token(hub, admin)
    await hub.rows("DELETE FROM outbox")
    for person in (other, by or other):
        for who in ({"by": by}, {"by": None, "token": token}):
            added = await add_role(hub, to=person, role="ADMIN", **who)
            removed = await remove_role(hub, of=person, role="MEDIATOR", **who)
            assert {*added.codes, *removed.codes} == {"GRAPHQL_VALIDATION_FAILED"}
    assert await roles_of(hub, other) == ["MEDIATOR", "REVIEWER"]
    assert by is None or await roles_of(hub, by) == [role]
    assert await audit(hub) == []
    assert not await hub.rows("SELECT FROM outbox")


async def test_without_paid_access_a_mediator_reads_edits_deletes_and_exports_but_adds_nothing(hub: Hub) -> None:
    async with opened(hub.services, settings=hub.settings, paid_access=True) as paid:
        mediator, admin = await paid.mediator(), await paid.person(Role.ADMIN)
        kept, gone = [str(one) for one in await put_cases(paid, mediator, {}, {})]
        add_cpd = {"kind": "OTHER", "title": "T", "startedOn": "2024-01-01", "endedOn": "2024-01-01", "minutes": 9}
        adding = {"addLogbookEntry": ENTRY, "addCpdEntry": add_cpd, "requestFeedback": REQUEST}
        adding["addOpeningBalance"] = {"role": "OTHER", "minutes": 9, "before": "2024-01-01"}
        for mutation, values in adding.items():
            answer = await paid.change(mutation, values, by=mediator)
            assert answer.codes == ["FORBIDDEN"], mutation
        for table in ("cpd_entry", "opening_balance", "feedback_request", "outbox"):
            assert not await paid.rows(f"SELECT 1 FROM {table}")
        entries = "{ me { mediator { logbook { totalCount } } } }"
        assert (await paid.ask(entries, by=mediator)).data["me"]["mediator"]["logbook"]["totalCount"] == 2
        payload(await paid.change("updateLogbookEntry", {"id": kept, "version": 1, "minutes": 5}, by=mediator))
        payload(await paid.change("deleteLogbookEntry", {"id": gone}, by=mediator))
        payload(await paid.change("exportMyData", {}, by=mediator))

        until = {"accountId": str(mediator.id), "paidUntil": "2999-01-01T00:00:00+02:00"}
        given = payload(await paid.change("setPaidAccess", until, "account { paidUntil }", by=admin))
        assert given["account"]["paidUntil"] == "2998-12-31T22:00:00+00:00"
        for mutation, values in adding.items():
            payload(await paid.change(mutation, values, by=mediator))
        end = {"accountId": str(mediator.id)}
        ended = payload(await paid.change("endPaidAccess", end, "account { paidUntil }", by=admin))
        assert ended["account"]["paidUntil"] is None
        assert (await paid.change("requestFeedback", REQUEST, by=mediator)).codes == ["FORBIDDEN"]
        actions = ("PAID_ACCESS_CHANGED", "PAID_ACCESS_ENDED")
        assert await audit(paid) == [(action, admin.id, mediator.id) for action in actions]


async def test_paid_access_ends_when_its_time_is_up(hub: Hub) -> None:
    async with opened(hub.services, settings=hub.settings, paid_access=True) as paid:
        mediator = await paid.mediator()
        await paid.rows("UPDATE account SET paid_until = now() + interval '10 hours'")
        payload(await paid.change("addLogbookEntry", ENTRY, by=mediator))
        async with paid.later(hours=11) as then:
            assert (await then.change("addLogbookEntry", ENTRY, by=mediator)).codes == ["FORBIDDEN"]


async def test_reviewers_and_givers_never_need_paid_access(hub: Hub) -> None:
    async with opened(hub.services, settings=hub.settings, paid_access=True) as paid:
        mediator, reviewer = await paid.mediator(), await paid.person(Role.REVIEWER)
        await paid.appointed(mediator, reviewer)
        given = {
            "mediatorId": str(mediator.id),
            "capacity": "PARTY",
            "actedAs": "MEDIATOR",
            "answers": [{"question": "listening", "rating": 5}],
        }
        payload(await paid.change("giveFeedback", given))
        read = "{ mediators { nodes { feedback { totalCount } } } }"
        (node,) = (await paid.ask(read, by=reviewer)).data["mediators"]["nodes"]
        assert node["feedback"]["totalCount"] == 1


@pytest.mark.parametrize("moment", ["2030-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
async def test_paid_access_needs_an_end_with_a_time_zone(hub: Hub, moment: str) -> None:
    admin, mediator = await hub.person(Role.ADMIN), await hub.mediator()
    change = {"accountId": str(mediator.id), "paidUntil": moment}
    assert problems(await hub.change("setPaidAccess", change, by=admin)) == [("paidUntil", "INVALID")]
    assert not await hub.rows("SELECT 1 FROM account WHERE paid_until IS NOT NULL")
    assert await audit(hub) == []


async def test_paid_access_is_not_set_without_a_date_or_into_the_past(hub: Hub) -> None:
    admin, mediator = await hub.person(Role.ADMIN), await hub.mediator()
    await hub.rows("UPDATE account SET paid_until = '2999-01-01T00:00:00Z' WHERE id = $1", mediator.id)
    for change in ({}, {"paidUntil": None}):
        without = await hub.change("setPaidAccess", {"accountId": str(mediator.id)} | change, by=admin)
        assert without.codes == ["BAD_USER_INPUT"]
    past = {"accountId": str(mediator.id), "paidUntil": "2024-01-01T00:00:00Z"}
    assert problems(await hub.change("setPaidAccess", past, by=admin)) == [("paidUntil", "OUT_OF_RANGE")]
    ((until,),) = await hub.rows("SELECT paid_until FROM account WHERE id = $1", mediator.id)
    assert until.year == 2999
    assert await audit(hub) == []


@pytest.mark.parametrize("role", [Role.MEDIATOR, Role.REVIEWER, Role.DIRECTORY, None])
async def test_nobody_but_administrators_sets_or_ends_paid_access(hub: Hub, role: Role | None) -> None:
    by = await hub.person(role) if role else None
    person = by or await hub.mediator()
    await hub.rows("UPDATE account SET paid_until = '2999-01-01T00:00:00Z'")
    before = await hub.rows("SELECT * FROM account")
    for mutation, more in (("setPaidAccess", {"paidUntil": "2998-01-01T00:00:00Z"}), ("endPaidAccess", {})):
        denied = await hub.change(mutation, {"accountId": str(person.id)} | more, by=by)
        assert set(denied.codes) == {"GRAPHQL_VALIDATION_FAILED"}
    assert await hub.rows("SELECT * FROM account") == before
    assert await audit(hub) == []


async def test_the_audit_log_shows_each_change_newest_first_to_administrators_only(hub: Hub) -> None:
    admin, person, other = await hub.person(Role.ADMIN), await hub.mediator(), await hub.mediator()
    feedback_id = await put_feedback(hub, person, name="A giver")
    origin = (
        '{ mediators(first: 2) { nodes { feedback(first: 5) { nodes { origin(reason: "Ticket 1234") { name } } } } } }'
    )
    await hub.ask(origin, by=admin)
    payload(await add_role(hub, admin, person, "REVIEWER"))
    payload(await hub.change("deleteAccount", {"id": str(other.id), "email": other.email}, by=admin))
    query = "{ auditLog { nodes { actorId action subjectId } totalCount } }"
    listed = (await hub.ask(query, by=admin)).data["auditLog"]
    assert [(one["action"], one["subjectId"]) for one in listed["nodes"]] == [
        ("ACCOUNT_DELETED", str(other.id)),
        ("ROLE_ADDED", str(person.id)),
        ("ORIGIN_READ", str(feedback_id)),
    ]
    assert {one["actorId"] for one in listed["nodes"]} == {str(admin.id)}
    assert listed["totalCount"] == 3
    # Entries stay, also those of actions that there no longer are.
    earlier = "INSERT INTO audit_entry (actor_id, action, subject_id) VALUES ($1, 'ROLES_CHANGED', $1)"
    await hub.rows(earlier, admin.id)
    assert (await hub.ask(query, by=admin)).data["auditLog"]["nodes"][0]["action"] == "ROLES_CHANGED"
    assert set((await hub.ask(query, by=person)).codes) == {"GRAPHQL_VALIDATION_FAILED"}


async def test_reading_feedback_without_its_origin_is_not_in_the_audit_log(hub: Hub) -> None:
    admin, mediator = await hub.person(Role.ADMIN), await hub.mediator()
    await put_feedback(hub, mediator, name="A giver")
    await hub.ask("{ mediators { nodes { feedback { nodes { id shared } } } } }", by=admin)
    assert await audit(hub) == []


async def test_an_administrator_signs_somebody_out_everywhere_and_nobody_else_can(hub: Hub) -> None:
    admin, person, other = await hub.person(Role.ADMIN), await hub.mediator(), await hub.mediator()
    tokens = {one: await put_token(hub, one) for one in (person, other)}
    me = "{ me { id } }"
    change = ("signOutAccount", {"accountId": str(person.id)}, "account { id }")
    for by in (person, other, None):
        assert set((await hub.change(*change, by=by)).codes) == {"GRAPHQL_VALIDATION_FAILED"}
    assert set((await hub.change(*change, token=await put_token(hub, admin))).codes) == {"GRAPHQL_VALIDATION_FAILED"}
    assert (await hub.ask(me, by=person)).data["me"]
    assert (await hub.ask(me, token=tokens[person])).data["me"]
    assert await audit(hub) == []

    assert payload(await hub.change(*change, by=admin))["account"]["id"] == str(person.id)
    assert (await hub.ask(me, by=person)).codes == ["UNAUTHENTICATED"]
    assert (await hub.ask(me, token=tokens[person])).codes == ["UNAUTHENTICATED"]
    for kept in ({"by": other}, {"token": tokens[other]}, {"by": admin}):
        assert (await hub.ask(me, **kept)).data["me"]
    assert await audit(hub) == [("SIGNED_OUT", admin.id, person.id)]
    again = {"email": person.email, "password": PASSWORD}
    assert payload(await hub.change("signIn", again, "signedIn"))["signedIn"]


async def test_a_request_under_way_creates_no_token_once_its_session_ends(hub: Hub) -> None:
    admin, person = await hub.person(Role.ADMIN), await hub.mediator()
    text = 'mutation { createApiToken(input: { name: "kept" }) { token } }'

    async def late() -> AsyncIterator[bytes]:
        payload(await hub.change("signOutAccount", {"accountId": str(person.id)}, by=admin))
        yield json.dumps({"query": text}).encode()

    headers = {"cookie": f"session={person.cookie}", "content-type": "application/json"}
    answer = (await hub.client.post("/graphql", content=late(), headers=headers)).json()
    assert answer["data"] == {"createApiToken": None}
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAUTHENTICATED"]
    assert not await hub.rows("SELECT 1 FROM api_token")


async def test_signing_somebody_out_waits_for_a_sign_in_that_is_under_way(hub: Hub) -> None:
    admin, person = await hub.person(Role.ADMIN), await hub.mediator()
    waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    signing_in = await asyncpg.connect(hub.services.admin_url)
    async with signing_in.transaction():
        await signing_in.execute("UPDATE account SET password_hash = password_hash WHERE id = $1", person.id)
        await signing_in.execute("INSERT INTO session (account_id, secret_hash) VALUES ($1, '\\x01')", person.id)
        ending = asyncio.create_task(hub.change("signOutAccount", {"accountId": str(person.id)}, by=admin))

        async def is_waiting() -> bool:
            return bool(await hub.rows(waits))

        await until(is_waiting)
    await signing_in.close()
    payload(await ending)
    assert not await hub.rows("SELECT 1 FROM session WHERE account_id = $1", person.id)


async def test_dead_mail_shows_what_it_was_but_not_to_whom(hub: Hub) -> None:
    admin, mediator = await hub.person(Role.ADMIN), await hub.mediator()
    payload(await hub.change("requestFeedback", REQUEST, by=mediator))
    await hub.rows("UPDATE outbox SET state = 'DEAD', attempts = 12, smtp_code = 550, finished_at = now()")
    answer = await hub.ask("{ deadMail { nodes { id kind attempts smtpCode } totalCount } }", by=admin)
    (dead,) = answer.data["deadMail"]["nodes"]
    assert (dead["kind"], dead["attempts"], dead["smtpCode"]) == ("feedback_request", 12, 550)
    shape = '{ __type(name: "DeadMail") { fields { name } } }'
    names = {one["name"] for one in (await hub.ask(shape, by=admin)).data["__type"]["fields"]}
    assert names == {"id", "kind", "attempts", "smtpCode"}

    assert payload(await hub.change("retryMail", {"id": dead["id"]}, "queuedId", by=admin))["queuedId"] == dead["id"]
    await hub.work()
    assert len(hub.mails("party@demo.example")) == 1
    again = await hub.change("retryMail", {"id": dead["id"]}, by=admin)
    assert problems(again) == [("id", "NOT_FOUND")]
    assert (await hub.ask("{ deadMail { totalCount } }", by=admin)).data["deadMail"]["totalCount"] == 0


async def test_accounts_are_found_by_words_in_the_name_by_the_whole_address_or_by_the_id(hub: Hub) -> None:
    admin = await hub.person(Role.ADMIN, name="Admin")
    person = await hub.mediator(name="Åsa Öberg", email="Asa@demo.example")
    query = "query($search: String) { accounts(search: $search) { nodes { id } totalCount } }"
    for search, found in {
        "oberg as": [person],
        "asa@DEMO.example": [person],
        "asa@demo": [],
        f" {person.id} ": [person],
        str(person.id).upper(): [person],
        str(person.id)[:-1]: [],
        str(UUID(int=7)): [],
        "demo.example": [],
        "%": [],
        "  ": [admin, person],
    }.items():
        answer = (await hub.ask(query, {"search": search}, by=admin)).data["accounts"]
        assert [one["id"] for one in answer["nodes"]] == [str(one.id) for one in found], search
        assert answer["totalCount"] == len(found)


async def test_a_search_for_very_many_words_is_cheap(hub: Hub) -> None:
    admin = await hub.person(Role.ADMIN, Role.REVIEWER, name="A Abba")
    for listed in ("accounts", "reviewers"):
        document = f"query($search: String) {{ {listed}(search: $search) {{ nodes {{ id }} }} }}"
        found = (await hub.ask(document, {"search": "a " * 100_000}, by=admin)).data[listed]
        assert found == {"nodes": [{"id": str(admin.id)}]}
