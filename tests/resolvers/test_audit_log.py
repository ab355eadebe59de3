"""The audit log names people, can be filtered, and shows nobody that there is feedback about themselves."""

from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from models.account import Role
from models.outbox import AuditAction
from tests.hub import Hub, Person, payload
from tests.world import put_entries, put_feedback, put_token, statements

ENTRY = "action actorId actor { name email } subjectId subject { id name } reason count"


async def log(hub: Hub, by: Person, fields: str = ENTRY, **filter: Any) -> list[dict[str, Any]]:
    """The entries that an administrator sees, oldest first."""
    document = (
        f"query($filter: AuditFilter) {{ auditLog(last: 100, filter: $filter) {{ totalCount nodes {{ {fields} }} }} }}"
    )
    found = (await hub.ask(document, {"filter": filter}, by=by)).data["auditLog"]
    assert found["totalCount"] == len(found["nodes"])
    return list(reversed(found["nodes"]))


async def test_entries_name_who_did_something_and_to_whom(hub: Hub) -> None:
    admin, ann = await hub.person(Role.ADMIN, name="Ada"), await hub.mediator(name="Ann")
    piece = await put_feedback(hub, ann, name="Gil Giver")
    asked = f'feedbackPiece(id: "{piece}") {{ origin(reason: "Ticket 1234") {{ name }} }}'
    await hub.ask_about(ann, asked, by=admin)
    payload(await hub.change("signOutAccount", {"accountId": str(ann.id)}, by=admin))
    origin, signed_out = await log(hub, admin)
    who = {"actorId": str(admin.id), "actor": {"name": "Ada", "email": admin.email}, "count": None}
    to_ann = {"subject": {"id": str(ann.id), "name": "Ann"}}
    assert origin == {"action": "ORIGIN_READ", "subjectId": str(piece), "reason": "Ticket 1234"} | who | to_ann
    assert signed_out == {"action": "SIGNED_OUT", "subjectId": str(ann.id), "reason": None} | who | to_ann
    assert "Gil" not in str([dict(row) for row in await hub.rows("SELECT * FROM audit_entry")])


@pytest.mark.parametrize("listed", ["accounts", "unconfirmedReviewers"])
@pytest.mark.parametrize("asked", ["nodes { name }", "edges { cursor }", "pageInfo { endCursor }"])
async def test_reading_accounts_is_noted_once_for_each_on_the_page_but_the_viewers_own(
    hub: Hub, listed: str, asked: str
) -> None:
    admin = await hub.person(Role.ADMIN, Role.REVIEWER, name="Ada")
    others = [await hub.person(Role.REVIEWER, name=name) for name in ("Bea", "Cy", "Dan")]
    await hub.ask(f"{{ a: {listed}(first: 3) {{ {asked} }} b: {listed}(first: 2) {{ {asked} }} }}", by=admin)
    noted = await log(hub, admin)
    assert {(one["action"], one["actorId"]) for one in noted} == {("ACCOUNT_READ", str(admin.id))}
    assert sorted(one["subjectId"] for one in noted) == sorted(str(one.id) for one in others[:2])


async def test_counting_accounts_or_finding_none_leaves_no_entry_and_nor_does_a_refusal(hub: Hub) -> None:
    admin, ann = await hub.person(Role.ADMIN), await hub.mediator()
    await hub.ask("{ accounts { totalCount } unconfirmedReviewers { totalCount } }", by=admin)
    await hub.ask('{ accounts(search: "nobody") { nodes { id } } }', by=admin)
    for by in (ann, None):
        assert (await hub.ask("{ accounts { nodes { id } } }", by=by)).codes
    assert await log(hub, admin) == []


def test_the_handbook_explains_every_action() -> None:
    handbook = (Path(__file__).parents[2] / "docs/administration.md").read_text().partition("## The audit log")[2]
    no_longer_written = {AuditAction.ROLES_CHANGED}
    assert {one for one in AuditAction if f"`{one}`" not in handbook} == no_longer_written


async def test_the_log_stores_no_names_so_a_deleted_account_has_none_but_keeps_its_id(hub: Hub) -> None:
    admin, other, ann = await hub.person(Role.ADMIN), await hub.person(Role.ADMIN), await hub.mediator(name="Ann")
    payload(await hub.change("signOutAccount", {"accountId": str(ann.id)}, by=other))
    for gone in (ann, other):
        payload(await hub.change("deleteAccount", {"id": str(gone.id), "email": gone.email}, by=admin))
    signed_out, *_ = await log(hub, admin)
    assert (signed_out["actorId"], signed_out["subjectId"]) == (str(other.id), str(ann.id))
    assert signed_out["actor"] is signed_out["subject"] is None


async def test_what_an_operator_did_has_no_actor(hub: Hub) -> None:
    admin = await hub.person(Role.ADMIN)
    await put_entries(hub, {"action": "BACKUP_RESTORED"})
    (entry,) = await log(hub, admin)
    assert {entry[name] for name in ("actorId", "actor", "subjectId", "subject")} == {None}


async def test_directories_tokens_and_mail_leave_entries(hub: Hub) -> None:
    admin, dora = await hub.person(Role.ADMIN), await hub.person(Role.DIRECTORY)
    payload(await hub.change("updateDirectory", {"id": str(dora.id), "website": "https://d.example"}, by=admin))
    await put_token(hub, dora)
    ((token,),) = await hub.rows("SELECT id FROM api_token")
    payload(await hub.change("revokeApiToken", {"id": str(token)}, by=dora))
    dead = "INSERT INTO outbox (kind, subject_id, dedupe_key, state) VALUES ('x', $1, 'k', 'DEAD') RETURNING id"
    ((mail,),) = await hub.rows(dead, dora.id)
    payload(await hub.change("retryMail", {"id": str(mail)}, by=admin))
    found = [(one["action"], one["actorId"], one["subjectId"], one["subject"]) for one in await log(hub, admin)]
    doras = {"id": str(dora.id), "name": dora.name}
    assert found == [
        ("DIRECTORY_CHANGED", str(admin.id), str(dora.id), doras),
        ("API_TOKEN_CREATED", str(dora.id), str(token), doras),
        ("API_TOKEN_REVOKED", str(dora.id), str(token), doras),
        ("MAIL_RETRIED", str(admin.id), str(mail), None),
    ]


async def test_what_is_refused_leaves_no_entry(hub: Hub) -> None:
    admin, ann = await hub.person(Role.ADMIN), await hub.mediator()
    for mutation in ("updateDirectory", "revokeApiToken", "retryMail"):
        await hub.change(mutation, {"id": str(ann.id)}, by=admin)
    assert await log(hub, admin) == []


async def test_giving_feedback_leaves_no_entry(hub: Hub) -> None:
    ann, admin = await hub.mediator(), await hub.person(Role.ADMIN)
    await put_feedback(hub, ann)
    assert await log(hub, admin) == []


# Filters.


MOMENTS = [datetime.fromisoformat(f"2026-01-0{day}T12:00:00Z") for day in (1, 2, 3)]
A, B, TOKEN = UUID(int=10), UUID(int=11), UUID(int=12)


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ({}, [0, 1, 2]),
        ({"action": "SIGNED_OUT"}, [0, 1]),
        ({"actorId": str(A)}, [0, 2]),
        ({"subjectId": str(TOKEN)}, [2]),
        ({"subjectId": str(B)}, [0, 2]),  # B's token is B's
        ({"from": "2026-01-02T12:00:00Z"}, [1, 2]),
        ({"to": "2026-01-02T12:00:00Z"}, [0]),
        ({"from": "2026-01-02T13:00:00+01:00", "to": "2026-01-03T12:00:00Z"}, [1]),
        ({"action": "SIGNED_OUT", "actorId": str(A), "subjectId": str(B)}, [0]),
        ({"actorId": "no id"}, []),
    ],
)
async def test_the_log_is_filtered_by_action_person_and_time(
    hub: Hub, filter: dict[str, Any], found: list[int]
) -> None:
    admin = await hub.person(Role.ADMIN)
    facts = (("SIGNED_OUT", A, B, B), ("SIGNED_OUT", B, A, A), ("API_TOKEN_REVOKED", A, TOKEN, B))
    for at, (action, actor, subject, account) in zip(MOMENTS, facts, strict=True):
        entry = {"at": at, "action": action, "actor_id": actor, "subject_id": subject, "account_id": account}
        await put_entries(hub, entry)
    shown = [one["at"] for one in await log(hub, admin, "at", **filter)]
    assert shown == [MOMENTS[place].isoformat() for place in found]


@pytest.mark.parametrize("moment", ["2026-01-01T00:00:00", "0001-01-01T00:00:00+14:00"])
@pytest.mark.parametrize("name", ["from", "to"])
async def test_a_time_without_a_zone_or_beyond_the_calendar_is_refused(hub: Hub, name: str, moment: str) -> None:
    admin = await hub.person(Role.ADMIN)
    document = f'{{ auditLog(filter: {{ {name}: "{moment}" }}) {{ nodes {{ id }} }} }}'
    assert (await hub.ask(document, by=admin)).codes == ["BAD_USER_INPUT"]


async def test_naming_everybody_on_a_page_takes_one_statement(hub: Hub) -> None:
    admin, run = await hub.person(Role.ADMIN), []
    people = [await hub.mediator() for _ in range(4)]
    for several in (people[:1], people):
        entries = ({"action": "SIGNED_OUT", "actor_id": one.id, "account_id": admin.id} for one in several)
        await put_entries(hub, *entries)
        async with statements(hub) as statement:
            await hub.ask("{ auditLog { nodes { actor { name } subject { name } } } }", by=admin)
        run.append(len(statement))
    assert run == [3, 3]  # the session, the entries, the names


# Feedback about an administrator who is a mediator, too.


@pytest.mark.parametrize("action", ["ORIGIN_READ", "ANSWERS_READ"])
async def test_a_mediator_never_comes_across_entries_on_feedback_about_themselves(hub: Hub, action: str) -> None:
    ann, admin = await hub.person(Role.MEDIATOR, Role.ADMIN), await hub.person(Role.ADMIN)
    there, gone = await put_feedback(hub, ann, shared=False), uuid4()
    facts = {"action": action, "actor_id": admin.id, "account_id": ann.id}
    await put_entries(hub, *(facts | {"subject_id": piece} for piece in (there, gone)))
    # As a version from before wrote it: it doesn't name the mediator.
    await hub.rows(
        "INSERT INTO audit_entry (actor_id, action, subject_id) VALUES ($1, $2, $3)", admin.id, action, there
    )
    assert len(await log(hub, admin)) == 3
    for chosen in ({}, {"subjectId": str(ann.id)}, {"subjectId": str(there)}, {"actorId": str(admin.id)}):
        assert await log(hub, ann, **chosen) == []


@pytest.mark.parametrize("role", [Role.MEDIATOR, Role.REVIEWER, Role.DIRECTORY, None])
async def test_nobody_else_reads_the_log(hub: Hub, role: Role | None) -> None:
    await put_entries(hub, {"action": "SIGNED_OUT", "actor_id": A})
    by = await hub.person(role) if role else None
    answer = await hub.ask("{ auditLog { nodes { id } } }", by=by)
    assert set(answer.codes) == {"GRAPHQL_VALIDATION_FAILED"}
    assert str(A) not in str(answer.body)
