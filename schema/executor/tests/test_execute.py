"""What the executor promises besides the same answers: what's called, how often, in which order, and what's kept."""

from typing import Any

import pytest
from graphql import ExecutionResult, Executor, GraphQLField, GraphQLSchema, execute, parse

from schema.executor import CompiledExecutor, Guard, MaskGuard, Plans
from schema.executor.guard import replaced, unguarded
from schema.executor.tests.compared import by_graphql_core, by_plans
from schema.executor.tests.library import CLOSED, BitGuard, Shelf, WordGuard, make_schema, object_type
from schema.executor.tests.random_documents import Sent


async def run(text: str, schema: GraphQLSchema | None = None) -> tuple[ExecutionResult, list[str]]:
    """Run a document twice; return the second result and what was called for it."""
    plans, shelf = Plans(schema or make_schema(), parse(text)), Shelf()
    await by_plans(plans, Sent(text, {}), Shelf())
    return await by_plans(plans, Sent(text, {}), shelf), shelf.done


@pytest.fixture
def stock(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collects the fields that graphql-core's own method executes."""
    done: list[str] = []
    method = Executor.execute_field

    def noting(self: Any, parent_type: Any, source: Any, details: Any, path: Any, context: Any) -> Any:
        done.append(f"{parent_type.name}.{details[0].node.name.value}")
        return method(self, parent_type, source, details, path, context)

    monkeypatch.setattr(Executor, "execute_field", noting)
    return done


async def test_sound_rows_leave_nothing_to_graphql_core(stock: list[str]) -> None:
    result, _ = await run(
        """{ authors { id name born backwards initials rivals(first: 1) { name } motto
             books { title genre pages price rating lent addedAt shelfMarks author { name __typename } } }
             author(id: "1") { name } echo(word: "calm") }"""
    )
    assert not result.errors
    assert stock == []


async def test_only_fields_that_are_not_as_expected_are_left_to_graphql_core(stock: list[str]) -> None:
    result, _ = await run("{ authors { name relatives { name } } fails }")
    assert result.errors
    assert {*stock} == {"Query.authors", "Query.fails"}
    stock.clear()
    result, _ = await run("{ input: find(search: { genre: NOVEL }) { title } none: find { title } }")
    assert not result.errors
    assert stock == ["Query.find"] * 2  # in both runs: one of the two has an input


async def test_resolvers_at_one_depth_are_called_before_those_at_the_next() -> None:
    _, done = await run("{ authors { name books { title author { name } } } }")
    assert done == [
        "books of Ada Ash",
        "books of Bo Birch",
        "books of Cy",
        "author of Trees",
        "author of Leaves",
    ]


async def test_a_change_is_made_once_even_if_it_fails() -> None:
    CLOSED.clear()
    result, done = await run('mutation { lose(title: "Roots") { times } lend(title: "Trees") { times } close }')
    assert done == ["lose Roots", "lend Trees"]
    assert CLOSED == ["closed"] * 2  # once per run
    assert result.data == {"lose": None, "lend": {"times": 2}, "close": None}
    assert [error.path for error in result.errors or []] == [["lose"], ["close"]]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("query($v: Genre!) { found: search(search: { genre: $v }) { title } }", ["NOVEL", "POETRY"]),
        ("query($v: [Genre!]) { found: among(genres: $v) { title } }", [["NOVEL"], ["POETRY"]]),
        ("query($v: Genre!) { found: among(genres: [$v]) { title } }", ["NOVEL", "POETRY"]),
        ("query($v: Genre!) { found: among(searches: [{ genre: $v }]) { title } }", ["NOVEL", "POETRY"]),
        ("query($v: Genre!) { authors { books(genre: $v) { title } } }", ["NOVEL", "POETRY"]),
    ],
)
async def test_what_a_variable_says_counts_for_its_own_request_however_deep_it_is(text: str, values: list[Any]) -> None:
    schema = make_schema()
    plans = Plans(schema, parse(text))
    for value in [*values, *values]:
        sent = Sent(text, {"v": value})
        stock_result = await by_graphql_core(schema, sent, parse(text), Shelf())
        result = await by_plans(plans, sent, Shelf())
        assert not result.errors
        assert result.data == stock_result.data
    assert result.data != (await by_plans(plans, Sent(text, {"v": values[0]}), Shelf())).data


def test_an_operation_has_a_plan_for_each_choice_of_skipped_fields_up_to_a_limit() -> None:
    names = [f"v{number}" for number in range(8)]
    declared = ", ".join(f"${name}: Boolean!" for name in names)
    fields = " ".join(f"{name}: __typename @skip(if: ${name})" for name in names)
    document = parse(f"query({declared}) {{ {fields} }}")
    schema = make_schema()
    plans = Plans(schema, document)
    for number in range(2**8):
        values = {name: bool(number >> place & 1) for place, name in enumerate(names)}
        result = execute(schema, document, variable_values=values, executor_class=CompiledExecutor, plans=plans)
        assert isinstance(result, ExecutionResult)
        assert result.data == {name: "Query" for name, skipped in values.items() if not skipped}
    assert len(plans._plans) == plans.choices == 16


async def test_an_operation_too_long_to_be_compiled_is_executed_anyway(stock: list[str]) -> None:
    names = [f"a{number}" for number in range(3_000)]
    result, _ = await run(f"{{ authors {{ {' '.join(f'{name}: name' for name in names)} }} }}")
    assert result.data is not None
    assert [*result.data["authors"][0]] == names
    assert stock


def resolver() -> None:
    """Any resolver."""


def test_guards_are_recognised_by_what_they_offer() -> None:
    inner = WordGuard(resolver)
    assert isinstance(inner, Guard)
    assert not isinstance(inner, MaskGuard)
    assert isinstance(BitGuard(inner, 1), MaskGuard)
    assert not isinstance(resolver, Guard)
    assert unguarded(BitGuard(inner, 1)) is resolver
    assert replaced(BitGuard(inner, 1), len) == BitGuard(WordGuard(len), 1)


async def test_a_mask_that_is_not_a_name_is_not_compiled_into_a_function() -> None:
    schema = make_schema()
    field: GraphQLField = object_type(schema, "Author").fields["born"]
    calls: list[str] = []

    class Odd(BitGuard):
        def __call__(self, source: Any, info: Any, **arguments: Any) -> Any:
            calls.append(source.name)

    field.resolve = Odd(unguarded(field.resolve) or resolver, 1, "bits or True")
    result, _ = await run("{ authors { born } }", schema)
    assert result.data == {"authors": [{"born": None}] * 3}
    assert len(calls) == 6
