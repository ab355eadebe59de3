"""The compiled executor gives what graphql-core's gives: data, errors, paths and order, whatever the rows hold."""

import os
from collections import Counter
from random import Random
from typing import Any

import orjson
import pytest
from graphql import ExecutionResult, Executor, GraphQLSchema, execute, parse, validate

from models.account import Role
from models.mediator import Visibility
from permissions.viewer import EVERYBODY, Standing
from resolvers.access import viewer_of_session
from resolvers.context import Context
from schema.build import projection
from schema.compiled import CompiledExecutor
from schema.cost import measured
from schema.plans import Plans
from tests.hub import Hub, Person
from tests.schema.faulty import Data, with_faults
from tests.schema.random_documents import Documents, Sent
from tests.volume import tries
from tests.world import put_cases, put_cpd, put_feedback

# How many random documents: a sample here, and what one likes with EXECUTION_DOCUMENTS.
DOCUMENTS = int(os.environ.get("EXECUTION_DOCUMENTS", tries(200, 6000)))
# Attempts at the first three are counted, and soon refused; reading an origin adds to the last.
COUNTED = frozenset({"feedbackInvitation", "feedbackSubject", "feedbackSubjects", "auditLog"})
SEED = int(os.environ.get("EXECUTION_SEED", "20240506"))


async def ran(schema: GraphQLSchema, sent: Sent, document: Any, context: Any, plans: Plans | None) -> ExecutionResult:
    result: Any
    if plans:
        begun = CompiledExecutor.begun(schema, document, context, sent.variables, None, plans)
        result = ExecutionResult(None, begun) if isinstance(begun, list) else begun.execute_operation()
    else:
        result = execute(schema, document, context_value=context, variable_values=sent.variables, hide_suggestions=True)
    return result if isinstance(result, ExecutionResult) else await result


def emptied(data: Any, path: list[str | int]) -> list[str | int]:
    """The beginning of an error's path at which null stands in the data."""
    for depth, step in enumerate(path):
        if data is None:
            return path[:depth]
        data = data[step]
    return path


class Compared:
    """Runs documents by both executors; the compiled one twice, for the second run finds what the first has written."""

    def __init__(self, schema: GraphQLSchema, *, ordered: bool = True) -> None:
        self.schema, self.ordered = schema, ordered
        self.outcomes: Counter[str] = Counter()

    def told(self, result: ExecutionResult) -> dict[str, Any]:
        """Everything that a result says, as text where order counts.

        Of what is awaited at the same time, the first to fail empties what is above it, and the others are not heard:
        where errors have no order, one that spread counts by the place that it emptied, and not by its text.
        """
        errors: Any = [(str(error), error.path, type(error.original_error).__name__) for error in result.errors or []]
        if not self.ordered:
            places = [emptied(result.data, path or []) for _, path, _ in errors]
            errors = {
                (*place, "spread") if len(place) < len(error[1] or []) else (*place, error[0], error[2])
                for place, error in zip(places, errors, strict=True)
            }
        return {"data": orjson.dumps(result.data, default=repr).decode(), "errors": errors}

    async def run(self, sent: Sent, context: Any) -> None:
        document = parse(sent.text)
        invalid = validate(self.schema, document)
        assert not invalid, (invalid, sent.text)
        if measured(self.schema, document, sent.variables).too_much():
            self.outcomes["too much"] += 1
            return
        stock = self.told(await ran(self.schema, sent, document, context(), None))
        plans = Plans(self.schema, document)
        for _ in range(2):
            compiled = self.told(await ran(self.schema, sent, document, context(), plans))
            assert compiled == stock, sent
        self.outcomes["errors" if stock["errors"] else "no errors"] += 1


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
async def test_made_up_and_faulty_rows_are_completed_as_graphql_core_does(
    standings: Standing, faults: float, later: bool
) -> None:
    schema = projection.__wrapped__(standings)  # one of its own: its resolvers are replaced
    data = Data(SEED, faults, later=later)
    with_faults(schema, data)
    documents = Documents(schema, Random(f"{SEED} {standings} {faults}"))
    # What is awaited at the same time fails in an order of its own.
    compared = Compared(schema, ordered=not later)
    for number in range(DOCUMENTS // 10):
        data.seed = SEED + number
        await compared.run(documents.mutation() if number % 4 == 0 else documents.query(), lambda: None)
    assert compared.outcomes["no errors"] > 0
    assert not faults or compared.outcomes["errors"] > 0


async def put_world(hub: Hub) -> tuple[list[Person], dict[str, list[str]]]:
    """People of every role with rows of every kind; and the ids that documents may ask for, by field."""
    ann, bob = await hub.mediator(), await hub.person(Role.MEDIATOR, Role.REVIEWER)
    peter = await hub.mediator(visibility=Visibility.PRIVATE)
    rob, dora = await hub.person(Role.REVIEWER), await hub.person(Role.DIRECTORY)
    admin = await hub.person(Role.ADMIN, Role.DIRECTORY)
    await hub.appointed(ann, rob)
    await hub.appointed(peter, bob)
    cases, pieces = [], []
    for mediator in (ann, bob, peter):
        cases += await put_cases(hub, mediator, *({"notes": "a note", "country": "Utopia"}, {"simulated": True}) * 3)
        await put_cpd(hub, mediator, {"takeaways": "listen"}, {})
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
async def test_real_rows_are_completed_as_graphql_core_does(hub: Hub) -> None:
    people, ids = await put_world(hub)
    for person in people:
        viewer = await viewer_of_session(hub.database, hub.settings, person.cookie, "")

        def context(viewer: Any = viewer) -> Context:
            state = hub.app.state
            return Context(viewer, state.database, state.settings, state.limiter, state.waker.wake)

        schema = projection(viewer.standings)
        # Which of two statements ends first is the database's affair, and so is the order of what they raise.
        documents, compared = (
            Documents(schema, Random(f"{SEED} {viewer.standings}"), ids, COUNTED),
            Compared(schema, ordered=False),
        )
        for _ in range(DOCUMENTS // 25):
            await compared.run(documents.query(), context)
        assert compared.outcomes["no errors"] > 0


async def stock_fields(schema: GraphQLSchema, text: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The fields that graphql-core does of a document over sound rows."""
    done: list[str] = []
    stock = Executor.execute_field

    def noting(self: Any, parent_type: Any, source: Any, details: Any, path: Any, context: Any) -> Any:
        done.append(f"{parent_type.name}.{details[0].node.name.value}")
        return stock(self, parent_type, source, details, path, context)

    monkeypatch.setattr(Executor, "execute_field", noting)
    document = parse(text)
    result = await ran(schema, Sent(text, {}), document, None, Plans(schema, document))
    assert not result.errors
    return done


async def test_sound_rows_leave_nothing_to_graphql_core(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = projection.__wrapped__(Standing.SELF | Standing.ADMIN | Standing.PUBLIC)
    with_faults(schema, Data(1, 0.0, full=True))
    text = """{ mediators { nodes { id name visibility
        logbook { totalCount nodes { id role endedOn minutes notes __typename } pageInfo { endCursor }
            edges { cursor } }
        feedback { nodes { year answers { question rating } } } experience { minutes byRole { role cases } } } } }"""
    assert not await stock_fields(schema, text, monkeypatch)


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


def test_an_operation_has_a_plan_for_each_choice_of_what_it_leaves_out_up_to_a_bound() -> None:
    names = [f"v{number}" for number in range(8)]
    declared = ", ".join(f"${name}: Boolean!" for name in names)
    fields = " ".join(f"{name}: __typename @skip(if: ${name})" for name in names)
    document = parse(f"query({declared}) {{ {fields} }}")
    schema, plans = projection(Standing.PUBLIC), Plans(projection(Standing.PUBLIC), document)
    for number in range(2**8):
        values = {name: bool(number >> place & 1) for place, name in enumerate(names)}
        result = execute(schema, document, variable_values=values, executor_class=CompiledExecutor, plans=plans)
        assert isinstance(result, ExecutionResult)
        assert result.data == {name: "Query" for name, skipped in values.items() if not skipped}
    assert len(plans._plans) == 16
