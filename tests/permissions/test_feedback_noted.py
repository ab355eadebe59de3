"""An administrator reads unshared answers and origins only with an entry in the audit log, and origins for a reason."""

from typing import Any
from uuid import UUID

import pytest

from models.account import Role
from tests.hub import Answer, Hub, Person
from tests.world import put_feedback, put_token

ANSWERS = "feedback { nodes { id answers { text } } }"
WHY = "Ticket 1234"


async def entries(hub: Hub) -> list[tuple[str, UUID, UUID, UUID, str | None]]:
    """Action, actor, subject, account and reason of each entry, but those on tokens."""
    rows = await hub.rows(
        "SELECT action, actor_id, subject_id, account_id, reason FROM audit_entry WHERE action NOT LIKE 'API%' "
        "ORDER BY subject_id, reason"
    )
    return [tuple(row) for row in rows]


# Answers that the mediator can't read.


async def test_reading_unshared_answers_is_noted_once_for_each_piece_and_request(hub: Hub) -> None:
    admin, ann = await hub.person(Role.ADMIN), await hub.mediator()
    await put_feedback(hub, ann)
    unread = sorted([await put_feedback(hub, ann, shared=False), await put_feedback(hub, ann, released=False)])
    await hub.ask_about(ann, f"a: {ANSWERS} b: feedback(first: 9) {{ nodes {{ answers {{ rating }} }} }}", by=admin)
    noted = [("ANSWERS_READ", admin.id, one, ann.id, None) for one in unread]
    assert await entries(hub) == noted
    await hub.ask("{ mediators { nodes { " + ANSWERS + " } } }", by=admin)
    assert await entries(hub) == sorted(noted * 2, key=lambda one: one[2])


async def test_only_pieces_that_are_on_the_page_are_noted(hub: Hub) -> None:
    admin, ann = await hub.person(Role.ADMIN), await hub.mediator()
    for _ in range(3):
        await put_feedback(hub, ann, shared=False)
    page = await hub.ask_about(ann, "feedback(first: 2) { nodes { id answers { text } } }", by=admin)
    shown = [UUID(one["id"]) for one in page.data["mediator"]["feedback"]["nodes"]]
    assert [one[2] for one in await entries(hub)] == sorted(shown)


@pytest.mark.parametrize("asked", ["id shared capacity", "id answers { text }"])
async def test_one_piece_by_its_id_is_noted_if_its_answers_are_asked_for(hub: Hub, asked: str) -> None:
    admin, ann = await hub.person(Role.ADMIN), await hub.mediator()
    piece = await put_feedback(hub, ann, shared=False)
    await hub.ask_about(ann, f'feedbackPiece(id: "{piece}") {{ {asked} }}', by=admin)
    assert await entries(hub) == ([("ANSWERS_READ", admin.id, piece, ann.id, None)] if "answers" in asked else [])


async def test_a_token_is_noted_as_its_owner(hub: Hub) -> None:
    admin, ann = await hub.person(Role.ADMIN), await hub.mediator()
    piece = await put_feedback(hub, ann, shared=False)
    await hub.ask_about(ann, ANSWERS, token=await put_token(hub, admin))
    assert await entries(hub) == [("ANSWERS_READ", admin.id, piece, ann.id, None)]


async def test_reviewers_and_mediators_leave_no_entry_even_if_they_are_administrators_too(hub: Hub) -> None:
    both, ann = await hub.person(Role.REVIEWER, Role.ADMIN), await hub.person(Role.MEDIATOR, Role.ADMIN)
    await hub.appointed(ann, both)
    await put_feedback(hub, ann, shared=False)
    for by in (both, ann):
        assert (await hub.ask_about(ann, ANSWERS, by=by)).data
    assert await entries(hub) == []
    other = await hub.mediator()  # whom they don't review
    piece = await put_feedback(hub, other, shared=False)
    await hub.ask_about(other, ANSWERS, by=both)
    assert await entries(hub) == [("ANSWERS_READ", both.id, piece, other.id, None)]


async def test_without_the_entry_nothing_is_given_out(hub: Hub) -> None:
    admin, ann = await hub.person(Role.ADMIN), await hub.mediator()
    piece = await put_feedback(hub, ann, {"impressed": "so calm"}, shared=False, name="Gil Giver")
    await hub.rows("ALTER TABLE audit_entry ADD CONSTRAINT nothing CHECK (false) NOT VALID")
    try:
        origin = f'feedbackPiece(id: "{piece}") {{ origin(reason: "{WHY}") {{ name }} }}'
        for asked in (ANSWERS, f'feedbackPiece(id: "{piece}") {{ answers {{ text }} }}', origin):
            answer = await hub.ask_about(ann, asked, by=admin)
            assert answer.codes == ["INTERNAL_SERVER_ERROR"]
            assert "calm" not in str(answer.body)
            assert "Gil" not in str(answer.body)
    finally:
        await hub.rows("ALTER TABLE audit_entry DROP CONSTRAINT nothing")


# Origins.


async def look_up(hub: Hub, by: Person, about: Person, asked: str, **variables: Any) -> Answer:
    variables |= {"id": str(about.id)}
    declared = "".join(f", ${name}: {'Int' if name == 'n' else 'String'}!" for name in variables if name != "id")
    return await hub.ask(f"query($id: ID!{declared}) {{ mediator(id: $id) {{ {asked} }} }}", variables, by=by)


def origins(reason: str = WHY, size: int = 10) -> str:
    return f'feedback(first: {size}) {{ nodes {{ origin(reason: "{reason}") {{ name }} }} }}'


async def test_an_origin_is_noted_with_its_reason_without_the_space_around_it(hub: Hub) -> None:
    admin, ann = await hub.person(Role.ADMIN), await hub.mediator()
    piece = await put_feedback(hub, ann, name="Gil Giver")
    assert "Gil" in str((await look_up(hub, admin, ann, origins("  Ticket 1234  "))).data)
    assert await entries(hub) == [("ORIGIN_READ", admin.id, piece, ann.id, WHY)]


async def test_two_reasons_for_one_piece_are_two_entries(hub: Hub) -> None:
    admin, ann = await hub.person(Role.ADMIN), await hub.mediator()
    piece = await put_feedback(hub, ann, name="Gil Giver")
    await look_up(hub, admin, ann, f"a: {origins('First reason', 5)} b: {origins('Second reason', 5)}")
    assert await entries(hub) == [
        ("ORIGIN_READ", admin.id, piece, ann.id, reason) for reason in ("First reason", "Second reason")
    ]


@pytest.mark.parametrize(
    "reason", ["", "   ", "\u2800\u3164\u2800\u3164\u2800", "why?", "x" * 201, "two\nlines here", "two\u2028lines"]
)
async def test_a_reason_that_says_nothing_or_too_much_is_refused_and_nothing_is_read(hub: Hub, reason: str) -> None:
    admin, ann = await hub.person(Role.ADMIN), await hub.mediator()
    await put_feedback(hub, ann, name="Gil Giver")
    asked = "feedback(first: 1) { nodes { origin(reason: $reason) { name } } }"
    answer = await look_up(hub, admin, ann, asked, reason=reason)
    assert answer.codes == ["BAD_USER_INPUT"]
    assert "Gil" not in str(answer.body)
    assert await entries(hub) == []


async def test_without_a_reason_the_document_is_refused(hub: Hub) -> None:
    admin, ann = await hub.person(Role.ADMIN), await hub.mediator()
    await put_feedback(hub, ann, name="Gil Giver")
    answer = await hub.ask_about(ann, "feedback(first: 1) { nodes { origin { name } } }", by=admin)
    assert set(answer.codes) == {"GRAPHQL_VALIDATION_FAILED"}
    assert await entries(hub) == []


ONE = f'origin(reason: "{WHY}") {{ name }}'
TOO_MANY = {
    "a list of the usual size": f"feedback {{ nodes {{ {ONE} }} }}",
    "eleven": origins(size=11),
    "eleven from the end": f"feedback(last: 11) {{ nodes {{ {ONE} }} }}",
    "edges": f"feedback(first: 11) {{ edges {{ node {{ {ONE} }} }} }}",
    "two lists": f"a: {origins(size=6)} b: {origins(size=5)}",
    "two names": f"feedback(first: 6) {{ nodes {{ {ONE} again: {ONE} }} }}",
    "fragments": f"feedback(first: 6) {{ nodes {{ ...one ... on Feedback {{ b: {ONE} }} }} }}",
    "a size in a variable": f"feedback(first: $n) {{ nodes {{ {ONE} }} }}",
}


@pytest.mark.parametrize("asked", TOO_MANY.values(), ids=TOO_MANY)
async def test_with_more_than_ten_origins_in_a_request_none_is_read(hub: Hub, asked: str) -> None:
    admin, ann = await hub.person(Role.ADMIN), await hub.mediator()
    for _ in range(11):
        await put_feedback(hub, ann, name="Gil Giver")
    variables = {"n": 11} if "$n" in asked else {}
    document = f"query($id: ID!{', $n: Int!' if variables else ''}) {{ mediator(id: $id) {{ {asked} }} }}"
    document += f" fragment one on Feedback {{ {ONE} }}" if "...one" in asked else ""
    answer = await hub.ask(document, {"id": str(ann.id), **variables}, by=admin)
    assert answer.codes == ["GRAPHQL_VALIDATION_FAILED"]
    assert "at most 10 origins" in answer.body["errors"][0]["message"]
    assert "data" not in answer.body
    assert await entries(hub) == []


async def test_ten_origins_in_a_request_are_read(hub: Hub) -> None:
    admin, ann = await hub.person(Role.ADMIN), await hub.mediator()
    for _ in range(11):
        await put_feedback(hub, ann, name="Gil Giver")
    answer = await look_up(hub, admin, ann, "feedback(first: $n) { nodes { " + ONE + " } }", n=10)
    assert len(answer.data["mediator"]["feedback"]["nodes"]) == 10
    assert len(await entries(hub)) == 10
