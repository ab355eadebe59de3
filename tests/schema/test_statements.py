"""How many statements a request runs: a fixed number for each document, however many rows there are."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from models.account import Role
from tests.hub import Hub, Person
from tests.world import put_cases, put_cpd, put_feedback, statements

ROWS = (1, 5, 30)
# One of these statements finds the session.
LISTS_OF_ONE_MEDIATOR = [
    ("logbook(first: 100) { nodes { id notes } }", 3),
    ("logbook(first: 100) { totalCount nodes { id } edges { cursor node { country } } pageInfo { endCursor } }", 3),
    ('logbook(first: 100, filter: { text: "a" }, orderBy: { field: COUNTRY }) { nodes { id } }', 3),
    ("cpd(first: 100) { totalCount nodes { title takeaways } }", 3),
    ("learnings(first: 100) { totalCount nodes { text entryId } }", 3),
    ("feedback(first: 100) { totalCount nodes { answers { question text } } }", 3),
    ("feedbackRequests(first: 100) { totalCount nodes { partyName } }", 4),
    ("experience { minutes byRole { cases } byYear { year } }", 3),
    ("logbookFacets { years disputeKinds countries }", 3),
    ("cpdFacets { years }", 3),
    ("openingBalances { minutes version }", 3),
    ("learningFacets { years }", 3),
    ("reviewer { name } waitingReviewer { name }", 4),
    ("logbook { nodes { id } } cpd { nodes { id } } learnings { nodes { id } } experience { cases }", 6),
]
MANY_MEDIATORS = [
    ("name about profileUrl", 2),
    ("experience { minutes }", 3),
    ("logbook(first: 5) { nodes { id } }", 3),
    ("logbook(first: 5) { totalCount nodes { id } }", 3),
    ("logbookFacets { years disputeKinds countries }", 3),
    ("cpdFacets { years }", 3),
    ("openingBalances { minutes }", 3),
    ("cpd(first: 5) { totalCount nodes { id } }", 3),
    ("feedback(first: 5) { totalCount nodes { answers { text } } }", 4),  # one finds what has to be noted
    ("reviewer { id name }", 3),
    ("feedbackSummary { years { questions { average } } }", 3),
    (
        """experience { minutes } logbook(first: 5) { nodes { id } } cpd { nodes { id } }
        feedback { nodes { id answers { text } } } reviewer { name } feedbackSummary { years { year } }""",
        9,
    ),
]


async def put_of_each(hub: Hub, mediator: Person, rows: int) -> None:
    await put_cases(hub, mediator, *({"notes": "a", "did_well": "b"} for _ in range(rows)))
    await put_cpd(hub, mediator, *({"takeaways": "c"} for _ in range(rows)))
    for _ in range(rows):
        await put_feedback(hub, mediator)


async def counted(hub: Hub, document: str, by: Person, variables: dict[str, Any] | None = None) -> int:
    """How many statements a request runs."""
    async with statements(hub) as run:
        answer = await hub.ask(document, variables, by=by)
    assert answer.data
    return len(run)


async def test_a_mediators_list_runs_as_many_statements_for_30_rows_as_for_one(hub: Hub) -> None:
    rob = await hub.person(Role.REVIEWER)
    for rows in ROWS:
        ann = await hub.mediator()
        await hub.appointed(ann, rob)
        await put_of_each(hub, ann, rows)
        for selection, number in LISTS_OF_ONE_MEDIATOR:
            found = await counted(hub, f"query {{ me {{ mediator {{ {selection} }} }} }}", ann)
            assert found == number + 1, (selection, rows)  # one more finds the account


async def test_a_list_of_mediators_runs_as_many_statements_for_30_as_for_one(hub: Hub) -> None:
    admin, rob = await hub.person(Role.ADMIN), await hub.person(Role.REVIEWER)
    there = 0
    for mediators in ROWS:
        for _ in range(mediators - there):
            ann = await hub.mediator()
            await hub.appointed(ann, rob)
            await put_of_each(hub, ann, 2)
        there = mediators
        for selection, number in MANY_MEDIATORS:
            found = await counted(hub, f"{{ mediators(first: 100) {{ nodes {{ {selection} }} }} }}", admin)
            assert found == number, (selection, mediators)


async def put_directories(hub: Hub, number: int) -> None:
    for _ in range(number):
        await hub.person(Role.DIRECTORY)


async def put_reviewers(hub: Hub, number: int) -> None:
    for _ in range(number):
        await hub.person(Role.REVIEWER)


async def put_audit(hub: Hub, number: int) -> None:
    await hub.rows(
        """INSERT INTO audit_entry (actor_id, action, subject_id)
        SELECT gen_random_uuid(), 'ORIGIN_READ', gen_random_uuid() FROM generate_series(1, $1)""",
        number,
    )


async def put_dead(hub: Hub, number: int) -> None:
    await hub.rows(
        """INSERT INTO outbox (kind, subject_id, dedupe_key, state)
        SELECT 'verify_email', gen_random_uuid(), gen_random_uuid()::text, 'DEAD' FROM generate_series(1, $1)""",
        number,
    )


async def put_waiting(hub: Hub, number: int) -> None:
    rob = await hub.person(Role.REVIEWER)
    for _ in range(number):
        ann = await hub.mediator()
        await hub.waiting(ann, rob)


@pytest.mark.parametrize(
    ("document", "put", "statements"),
    [
        ("{ directories { totalCount nodes { name website } } }", put_directories, 3),
        ("{ reviewers { totalCount nodes { name } } }", put_reviewers, 3),
        (
            "{ accounts { totalCount nodes { name email roles } } }",
            put_reviewers,
            7,
        ),  # and notes them
        ("{ auditLog { totalCount nodes { at actorId } } }", put_audit, 3),
        ("{ deadMail { totalCount nodes { kind attempts } } }", put_dead, 3),
        ("{ waitingAppointments { totalCount nodes { askedAt mediatorName missing } } }", put_waiting, 3),
    ],
)
async def test_a_list_at_the_root_runs_a_few_statements_whatever_its_length(
    hub: Hub, document: str, put: Callable[[Hub, int], Awaitable[None]], statements: int
) -> None:
    admin = await hub.person(Role.ADMIN)
    for rows in (1, 4, 25):
        await put(hub, rows)
        assert await counted(hub, document, admin) == statements, rows


async def test_reading_origins_runs_one_statement_and_noting_it_two_more(hub: Hub) -> None:
    admin = await hub.person(Role.ADMIN)
    for rows in ROWS:
        ann = await hub.mediator()
        for _ in range(rows):
            await put_feedback(hub, ann, name="Gil Giver")
        origins = 'feedback(first: 10) { nodes { origin(reason: "Ticket 1234") { name } } }'
        document = f"query($id: ID!) {{ mediator(id: $id) {{ {origins} }} }}"
        # session, mediator, feedback; then BEGIN, the origins, the log's end, the entries, COMMIT
        assert await counted(hub, document, admin, {"id": str(ann.id)}) == 8, rows
