"""How PostgreSQL runs the most frequent statements on a filled database: with indexes.

A small table is read from end to end whatever indexes it has, so there are enough rows here for PostgreSQL to choose.
The plans are those for the values that the request really had.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import orjson
import pytest

from demo.embedded import Services
from jobs import outbox
from models.database import Database
from resolvers.access import viewer_of_session
from resolvers.context import Context
from schema import execution
from tests.bench.rows import Known, Size, fill
from tests.conftest import fresh_database
from tests.hub import Hub, opened
from tests.world import statements

BIG = {"logbook_entry", "logbook_private", "cpd_entry", "cpd_private", "feedback", "feedback_answer", "outbox"}
SIZE = Size(mediators=3000, entries=20, fed=200, feedback=40)

# Besides the benchmark's own rows: training, a mediator who reviews others, and mail, nearly all of it done.
MORE = """
INSERT INTO cpd_entry (id, mediator_id, kind, title, title_folded, started_on, ended_on, minutes)
    SELECT gen_random_uuid(), mediator.id, 'TRAINING_RECEIVED', 'Listening', 'listening', day, day, 60
      FROM mediator, generate_series(1, 30) AS n, LATERAL (SELECT date '2020-01-01' + n AS day) AS days;
INSERT INTO cpd_private (id, mediator_id, takeaways, takeaways_folded)
    SELECT id, mediator_id, 'listen', 'listen' FROM cpd_entry;
UPDATE account SET roles = '{MEDIATOR, REVIEWER}' WHERE email = 'mediator49@demo.example';
INSERT INTO appointment (mediator_id, reviewer_id, in_force)
    SELECT mediator.id, (SELECT id FROM account WHERE email = 'mediator49@demo.example'), true
      FROM account JOIN mediator USING (id) WHERE email IN ('mediator901@demo.example', 'mediator902@demo.example');
INSERT INTO outbox (kind, subject_id, dedupe_key, state, finished_at, next_at)
    SELECT 'verify_email', gen_random_uuid(), 'mail' || n, CASE WHEN n % 500 = 0 THEN 'QUEUED' ELSE 'DONE' END,
           CASE WHEN n % 500 <> 0 THEN clock() END, clock()
      FROM generate_series(1, 20000) AS n;
"""


@pytest.fixture(scope="module")
async def filled(services: Services, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Hub, Known]]:
    """A hub on its own filled database."""
    async with fresh_database(services, tmp_path_factory.mktemp("mailbox")) as own:
        admin = await asyncpg.connect(own.admin_url)
        known = await fill(admin, SIZE, MORE)
        await admin.close()
        async with opened(own) as hub:
            yield hub, known


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for one in plan.get("Plans", ()):
        yield from nodes(one)


async def plans(
    database: Database, run: list[str], values: list[tuple[Any, ...]]
) -> list[tuple[str, list[dict[str, Any]]]]:
    """The plans of statements that were run with those values, each as a list of its nodes."""
    found = []
    async with database.reading() as reading:
        for query, given in zip(run, values, strict=True):
            text = await reading._connection.fetchval(f"EXPLAIN (FORMAT JSON) {query}", *given)
            found.append((query, list(nodes(orjson.loads(text)[0]["Plan"]))))
    return found


def read_whole(found: list[tuple[str, list[dict[str, Any]]]]) -> list[tuple[str, str]]:
    """The big tables that are read from end to end, each with the statement that does so."""
    return [
        (node["Relation Name"], query)
        for query, parts in found
        for node in parts
        if node["Node Type"].endswith("Seq Scan") and node["Relation Name"] in BIG
    ]


async def planned(
    filled: tuple[Hub, Known], who: str, document: str, **variables: Any
) -> list[tuple[str, list[dict[str, Any]]]]:
    """Run a document as somebody, and return the plans of its statements."""
    hub, known = filled
    secret = {
        "mediator": known.mediators[0][1],
        "peer": known.mediators[48][1],
        "reviewer": known.reviewer,
        "directory": known.directory,
    }[who]
    state = hub.app.state
    viewer = await viewer_of_session(state.database, state.settings, secret, "")
    context = Context(viewer, state.database, state.settings, state.limiter, state.waker.wake)
    values: list[tuple[Any, ...]] = []
    async with statements(hub, values) as run:
        answer = await execution.run(context, document, variables, None)
    assert "errors" not in answer.body, answer.body
    assert run
    return await plans(state.database, run, values)


OWN = "query($id: ID!) { mediator(id: $id) { %s } }"
MANY = "query($search: String) { mediators(first: 20, search: $search) { nodes { name %s } } }"


@pytest.mark.parametrize(
    ("who", "document"),
    [
        ("mediator", OWN % "logbook { totalCount nodes { id notes } }"),
        ("mediator", OWN % "logbook(orderBy: { field: ROLE }) { nodes { id } }"),
        ("mediator", OWN % 'logbook(filter: { year: 2019, text: "long" }) { totalCount nodes { id } }'),
        ("mediator", OWN % "cpd { totalCount nodes { title takeaways } } learnings { totalCount nodes { text } }"),
        ("mediator", OWN % "experience { minutes byRole { cases } byYear { year } } logbookFacets { years }"),
        ("mediator", OWN % "feedback { totalCount nodes { answers { text } } } feedbackRequests { nodes { id } }"),
        ("reviewer", OWN % "feedback(first: 50) { totalCount nodes { receivedOn answers { rating } } }"),
        ("reviewer", OWN % "feedbackSummary { years { questions { average } } }"),
        (
            "directory",
            OWN % "logbook { totalCount nodes { endedMonth } } cpd { nodes { title } } experience { minutes }",
        ),
        ("directory", MANY % "experience { minutes byRole { minutes } }"),
        ("directory", MANY % "logbook(first: 3) { totalCount nodes { endedMonth } }"),
    ],
)
async def test_no_big_table_is_read_from_end_to_end(filled: tuple[Hub, Known], who: str, document: str) -> None:
    _, known = filled
    variables = {"id": str(known.fed[0])} if "$id" in document else {"search": known.groups[3]}
    assert read_whole(await planned(filled, who, document, **variables)) == []


@pytest.mark.parametrize(
    "document",
    [
        OWN % "experience { minutes cases simulatedMinutes byRole { minutes } byYear { minutes } }",
        OWN % "experience(roles: [OBSERVER]) { minutes contactMinutes byRole { minutes } }",
        MANY % "experience { minutes byRole { minutes } byYear { minutes } }",
    ],
)
async def test_totals_are_added_up_from_just_an_index(filled: tuple[Hub, Known], document: str) -> None:
    _, known = filled
    variables = {"id": str(known.fed[0])} if "$id" in document else {"search": known.groups[3]}
    (parts,) = [parts for query, parts in await planned(filled, "directory", document, **variables) if "sum(" in query]
    scans = [(node["Node Type"], node["Index Name"]) for node in parts if "Index Name" in node]
    by_session = [("Index Only Scan", "case_session_totals")] if "byYear" in document else []
    assert sorted(scans) == [*by_session, ("Index Only Scan", "logbook_entry_totals")]


@pytest.mark.parametrize(
    ("who", "document", "index"),
    [
        ("mediator", OWN % "logbook(first: 5) { nodes { id } }", "logbook_entry_by_day"),
        ("directory", OWN % "logbook(first: 5) { nodes { id } }", "logbook_entry_by_month"),
        ("directory", OWN % "cpd(first: 5) { nodes { id } }", "cpd_entry_by_day"),
        ("reviewer", OWN % "feedback(first: 5) { nodes { id } }", "feedback_by_day"),
        ("directory", "{ mediators(first: 5) { nodes { id } } }", "account_by_name"),
    ],
)
@pytest.mark.parametrize("after", [False, True])
async def test_a_page_in_the_default_order_is_read_from_its_index(
    filled: tuple[Hub, Known], who: str, document: str, index: str, after: bool
) -> None:
    hub, known = filled
    variables = {"id": str(known.fed[0])} if "$id" in document else {}
    if after:
        secret = {"mediator": known.mediators[0][1], "reviewer": known.reviewer, "directory": known.directory}[who]
        whole = document.replace("nodes { id }", "pageInfo { endCursor }")
        answer = await hub.ask(whole, variables, headers={"cookie": f"session={secret}"})
        cursor = answer.data
        while isinstance(cursor, dict):
            cursor = next(iter(cursor.values()))
        document = document.replace("first: 5", f'first: 5, after: "{cursor}"')
    *_, (query, parts) = await planned(filled, who, document, **variables)
    assert [node["Index Name"] for node in parts if node.get("Index Name", "").endswith(index)] == [index], query
    assert [node for node in parts if node["Node Type"].endswith("Sort")] == []


def indexes(parts: list[dict[str, Any]]) -> set[str]:
    return {node["Index Name"] for node in parts if "Index Name" in node}


async def test_the_few_mediators_somebody_sees_are_not_looked_for_among_all_accounts(filled: tuple[Hub, Known]) -> None:
    for who in ("mediator", "peer"):
        found = await planned(filled, who, "{ mediators { totalCount nodes { id } } }")
        assert len(found) == 2
        for _, parts in found:
            assert {"account_pkey", "mediator_pkey"} <= indexes(parts)
            assert "account_by_name" not in indexes(parts)
            whole = [node["Relation Name"] for node in parts if node["Node Type"] == "Seq Scan"]
            assert not {"account", "mediator"} & set(whole)


async def test_reviewers_are_listed_from_their_own_index(filled: tuple[Hub, Known]) -> None:
    for query, parts in await planned(filled, "mediator", "{ reviewers { totalCount nodes { id name } } }"):
        assert indexes(parts) == {"account_reviewers"}, query


async def test_a_summary_finds_the_answers_of_each_piece_of_feedback(filled: tuple[Hub, Known]) -> None:
    _, known = filled
    document = OWN % "feedbackSummary { years { questions { average } } }"
    *_, (_, parts) = await planned(filled, "reviewer", document, id=str(known.fed[0]))
    assert "feedback_answer_of_feedback" in indexes(parts)


async def test_names_are_searched_with_the_index_of_their_words(filled: tuple[Hub, Known]) -> None:
    _, known = filled
    document = "query($search: String) { mediators(search: $search) { totalCount nodes { id } } }"
    found = await planned(filled, "directory", document, search=known.groups[5])
    searches = [parts for query, parts in found if "TSQUERY" in query]
    assert len(searches) == 2
    for parts in searches:
        assert "account_words" in {node.get("Index Name") for node in parts}


async def test_due_mail_is_claimed_with_its_index(filled: tuple[Hub, Known]) -> None:
    hub, _ = filled
    claim = outbox._claim()
    found = await plans(hub.worker, [claim.sql], [tuple(claim.arguments({"most": 8, "exports": False}))])
    assert read_whole(found) == []
    assert "outbox_due" in {node.get("Index Name") for _, parts in found for node in parts}
