"""On a schema of its own, the executor answers like graphql-core: data, errors, paths and their order."""

import os
from random import Random

import pytest

from schema.executor.tests.compared import Compared, abandoned_coroutines
from schema.executor.tests.faulty import Data, with_faults
from schema.executor.tests.library import Shelf, make_schema
from schema.executor.tests.random_documents import Documents, Sent

# How many random documents: a sample by default, or as many as EXECUTION_DOCUMENTS says.
DOCUMENTS = int(os.environ.get("EXECUTION_DOCUMENTS", "400"))
SEED = int(os.environ.get("EXECUTION_SEED", "20240506"))


@pytest.mark.parametrize("faults", [0.0, 0.02, 0.3])
@pytest.mark.parametrize("later", [True, False])
async def test_made_up_and_faulty_rows_are_completed_as_by_graphql_core(faults: float, later: bool) -> None:
    schema = make_schema()
    data = Data(
        SEED,
        faults,
        later=later,
        made={"bits": lambda data, path: data.random(path).choice([0, 1, 2, 3])},
        scalars={"Pages": [0, 2**40, "many"], "Price": [0, 199, -5]},
    )
    with_faults(schema, data)
    documents = Documents(schema, Random(f"{SEED} {faults}"))
    # Values awaited at the same time fail in no particular order.
    compared = Compared(schema, ordered=not later)
    async with abandoned_coroutines():
        for number in range(DOCUMENTS // 10):
            data.seed = SEED + number
            await compared.run(documents.mutation() if number % 4 == 0 else documents.query(), Shelf)
    assert compared.outcomes["no errors"] > 0
    assert not faults or compared.outcomes["errors"] > 0


async def test_real_rows_are_completed_as_by_graphql_core() -> None:
    schema = make_schema()
    ids = {"author": ["1", "2", "9"]}
    documents, compared = Documents(schema, Random(SEED), ids), Compared(schema, ordered=False)
    async with abandoned_coroutines():
        for number in range(DOCUMENTS // 10):
            await compared.run(documents.mutation() if number % 4 == 0 else documents.query(), Shelf)
    assert compared.outcomes["no errors"] > 0
    assert compared.outcomes["errors"] > 0


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("{ authors { __typename id name born backwards initials rivals(first: 1) { name } } }", {}),
        ("{ authors { relatives { name } } }", {}),
        ('{ authors { motto(of: "calm") books(genre: POETRY) { title genre shelfMarks } } }', {}),
        (
            "query($id: ID!) { author(id: $id) { books { id pages price rating lent addedAt author { name } } } }",
            {"id": "1"},
        ),
        ("query($s: Search!) { search(search: $s) { title } }", {"s": {"genre": "NOVEL"}}),
        ("query($s: Search!, $n: String) { search(search: $s, note: $n) { title } }", {"s": {}, "n": None}),
        ('query($s: Search!) { search(search: $s, note: "x") { title } }', {"s": {}}),
        ('{ one: echo(word: "calm") two: echo(word: "forbidden") }', {}),
        ("query($s: Search) { find(search: $s) { title } other: find { title } }", {"s": {"genre": "POETRY"}}),
        ("{ authors { name } fails }", {}),
        (
            'mutation { lend(title: "Trees") { times book { title author { name } } } lose(title: "Roots") { times } }',
            {},
        ),
        ("mutation { __typename close }", {}),
        ("query($word: String!) { echo(word: $word) }", {"word": 5}),
        ("query($word: String!) { echo(word: $word) }", {}),
        ("query A { fails } query B { authors { name } }", {}),
    ],
)
async def test_each_kind_of_field_is_completed_as_by_graphql_core(text: str, variables: dict[str, object]) -> None:
    async with abandoned_coroutines():
        await Compared(make_schema()).run(Sent(text, variables), Shelf)
