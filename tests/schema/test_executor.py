"""On the hub's own schema, the executor answers like graphql-core, whatever is in the rows: data, errors, paths, order.

Its tests on schemas of their own are beside it, in `schema/executor/tests/`.
"""

import os
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from asyncpg.pgproto import pgproto
from graphql import DocumentNode, Executor, GraphQLBoolean, GraphQLInt, GraphQLNonNull, GraphQLString, parse

from models.account import Role
from models.mediator import Visibility
from permissions.viewer import EVERYBODY, Standing
from resolvers.access import viewer_of_session
from resolvers.context import Context
from schema.build import projection
from schema.cost import measured
from schema.executor import CompiledExecutor, MaskGuard, Plans
from schema.executor.tests.compared import Compared, abandoned_coroutines, by_plans
from schema.executor.tests.faulty import Data, Thing, with_faults
from schema.executor.tests.random_documents import Documents, Sent
from schema.guards import EntryGuard, RowGuard, TextGuard
from tests.hub import Hub, Person
from tests.volume import tries
from tests.world import put_cases, put_cpd, put_feedback

# How many random documents: a sample by default, and as many as you like with EXECUTION_DOCUMENTS.
DOCUMENTS = int(os.environ.get("EXECUTION_DOCUMENTS", tries(200, 6000)))
# Attempts at the first three are counted and soon refused; reading an origin adds to the last.
COUNTED = frozenset({"feedbackInvitation", "feedbackSubject", "feedbackSubjects", "feedbackReceipt", "auditLog"})
SEED = int(os.environ.get("EXECUTION_SEED", "20240506"))

CREDITS = [{"body": "A body", "activity": "Training", "points": "2.5"}]
_STRING, _BOOLEAN, _INT = (GraphQLNonNull(one) for one in (GraphQLString, GraphQLBoolean, GraphQLInt))


def _cursor(data: Data, path: str) -> Any:
    def cursor(row: Any) -> Any:
        return data.value(_STRING, f"{path} {row.path if isinstance(row, Thing) else ''}", raises=True)

    return cursor


def _answers(data: Data, path: str) -> Any:
    """The form in which a row of feedback holds its answers."""
    random = data.random(path)
    rows: list[Any] = [[random.choice(("preparation", "neutrality")), random.choice((1, 5, None)), None]] * 2
    return random.choice((rows, rows, None, [["preparation"]], 5)) if data.is_faulty(random) else rows


def _credits(data: Data, path: str) -> Any:
    """The form in which a row of CPD holds what bodies count it as."""
    random = data.random(path)
    rows: list[Any] = [{"body": "A body", "activity": None, "points": random.choice(("2.5", "100", None))}] * 2
    return random.choice((rows, rows, None, [{"body": "A body"}], 5)) if data.is_faulty(random) else rows


def made_up(seed: int, faults: float, **how: bool) -> Data:
    """Make data that also has what the hub's rows have besides their fields."""
    standings = [int(EVERYBODY), int(Standing.SELF), int(Standing.DIRECTORY)]
    return Data(
        seed,
        faults,
        made={
            "standing": lambda data, path: data.random(path).choice(standings),
            "cursor": _cursor,
            "answers": _answers,
            "credits": _credits,
            "has_next_page": lambda data, path: data.value(_BOOLEAN, path, raises=True),
            "has_previous_page": lambda data, path: data.value(_BOOLEAN, path, raises=True),
            "total": lambda data, path: data.value(_INT, path, raises=True),
        },
        scalars={
            "ID": ["an-id", pgproto.UUID("00000000-0000-4000-8000-000000000000")],
            "Minutes": [0, 5, 2**40],
            "Decimal": [Decimal("2.50"), Decimal(5)],
        },
        **how,
    )


def compared(schema: Any, *, ordered: bool) -> Compared:
    """Compare documents that aren't refused for their cost."""

    def too_much(document: DocumentNode, variables: dict[str, Any]) -> bool:
        return measured(schema, document, variables).too_much() is not None

    return Compared(schema, ordered=ordered, too_much=too_much)


@pytest.mark.parametrize(
    ("standings", "faults"),
    [
        (Standing.SELF | Standing.PUBLIC, 0.02),
        (Standing.ADMIN | Standing.PUBLIC, 0.1),
        (EVERYBODY, 0.0),
        (EVERYBODY, 0.02),
        (EVERYBODY, 0.3),
    ],
)
@pytest.mark.parametrize("later", [True, False])
@pytest.mark.long
async def test_made_up_and_faulty_rows_give_the_same_answers_as_graphql_core(
    standings: Standing, faults: float, later: bool
) -> None:
    schema = projection.__wrapped__(standings)  # a schema for this test only, since its resolvers are replaced
    data = made_up(SEED, faults, later=later)
    with_faults(schema, data)
    documents = Documents(schema, Random(f"{SEED} {standings} {faults}"))
    # Things that are awaited at the same time fail in any order.
    both = compared(schema, ordered=not later)
    async with abandoned_coroutines():
        for number in range(DOCUMENTS // 10):
            data.seed = SEED + number
            await both.run(documents.mutation() if number % 4 == 0 else documents.query(), lambda: None)
    assert both.outcomes["no errors"] > 0
    assert not faults or both.outcomes["errors"] > 0


async def put_world(hub: Hub) -> tuple[list[Person], dict[str, list[str]]]:
    """People with every role and rows of every kind, and the ids that documents may ask for, by field."""
    ann, bob = await hub.mediator(), await hub.person(Role.MEDIATOR, Role.REVIEWER)
    peter = await hub.mediator(visibility=Visibility.PRIVATE)
    rob, dora = await hub.person(Role.REVIEWER), await hub.person(Role.DIRECTORY)
    admin = await hub.person(Role.ADMIN, Role.DIRECTORY)
    await hub.appointed(ann, rob)
    await hub.appointed(peter, bob)
    cases, pieces = [], []
    for mediator in (ann, bob, peter):
        cases += await put_cases(hub, mediator, *({"notes": "a note", "country": "Utopia"}, {"simulated": True}) * 3)
        await put_cpd(hub, mediator, {"takeaways": "listen", "tags": ["LAW"], "credits": CREDITS}, {})
        answers: dict[str, int | str | None] = {"preparation": 4, "impressed": "calm"}
        pieces += [await put_feedback(hub, mediator, answers, shared=shared) for shared in (True, False)]
    mediators = [str(one.id) for one in (ann, bob, peter, rob)]
    ids = {
        "mediator": mediators,
        "feedbackSubject": mediators,
        "logbookEntry": [str(one) for one in cases],
        "feedbackPiece": [str(one) for one in pieces],
    }
    return [ann, bob, rob, dora, admin], ids


@pytest.mark.long
async def test_real_rows_give_the_same_answers_as_graphql_core(hub: Hub) -> None:
    people, ids = await put_world(hub)
    without_errors = 0
    for person in people:
        viewer = await viewer_of_session(hub.database, hub.settings, person.cookie, "")

        def context(viewer: Any = viewer) -> Context:
            state = hub.app.state
            return Context(viewer, state.database, state.settings, state.limiter, state.waker.wake)

        schema = projection(viewer.standings)
        # The database decides which of two statements ends first, and so the order of their errors.
        documents = Documents(schema, Random(f"{SEED} {viewer.standings}"), ids, COUNTED)
        both = compared(schema, ordered=False)
        for _ in range(DOCUMENTS // 25):
            await both.run(documents.query(), context)
        without_errors += both.outcomes["no errors"]
    assert without_errors > 0


async def test_rows_without_faults_leave_nothing_to_graphql_core(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = projection.__wrapped__(Standing.SELF | Standing.ADMIN | Standing.PUBLIC)
    with_faults(schema, made_up(1, 0.0, full=True))
    text = """{ mediators { nodes { id name visibility
        logbook { totalCount nodes { id role endedOn minutes notes __typename } pageInfo { endCursor }
            edges { cursor } }
        cpd { nodes { tags credits { body points } supervisedCaseId } } openingBalances { role minutes before }
        feedback { nodes { year answers { question rating } } } experience { minutes byRole { role cases } } } } }"""
    done: list[str] = []
    stock = Executor.execute_field

    def noting(self: Any, parent_type: Any, source: Any, details: Any, path: Any, context: Any) -> Any:
        done.append(f"{parent_type.name}.{details[0].node.name.value}")
        return stock(self, parent_type, source, details, path, context)

    monkeypatch.setattr(Executor, "execute_field", noting)
    result = await by_plans(Plans(schema, parse(text)), Sent(text, {}), None)
    assert not result.errors
    assert done == []


def test_the_guards_keep_to_the_protocol() -> None:
    """A row guard is written out from its attribute and mask, so it mustn't do anything else."""
    row_guard = RowGuard(lambda row, _info: row.value, Standing.SELF | Standing.ADMIN)
    assert isinstance(row_guard, MaskGuard)
    for guard in (row_guard, EntryGuard(len, without_factor=False), TextGuard(len)):
        assert isinstance(guard, MaskGuard) == isinstance(guard, RowGuard)
        assert guard.around(max).resolve is max
        assert vars(guard.around(max)) | {"resolve": None} == vars(guard) | {"resolve": None}
    for standing in map(int, EVERYBODY):
        row: Any = type("Row", (), {"standing": standing, "value": "the value"})
        written = row.value if getattr(row, row_guard.attribute) & row_guard.mask else None
        assert row_guard(row, None) == written


async def test_the_setting_leaves_everything_to_graphql_core(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = await hub.mediator()
    made: list[object] = []
    build = CompiledExecutor.__init__

    def noting(self: CompiledExecutor, *arguments: Any, **named: Any) -> None:
        made.append(self)
        build(self, *arguments, **named)

    monkeypatch.setattr(CompiledExecutor, "__init__", noting)
    document = "{ me { name mediator { visibility } } }"
    compiled = await hub.ask(document, by=ann)
    assert len(made) == 1
    monkeypatch.setattr(hub.app.state, "settings", hub.settings.model_copy(update={"compiled_execution": False}))
    assert (await hub.ask(document, by=ann)).body == compiled.body
    assert len(made) == 1
