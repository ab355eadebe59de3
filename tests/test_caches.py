"""What is kept between requests has a limit: a client that keeps making up keys must not fill the memory."""

import ast
from collections.abc import Iterator
from math import prod
from pathlib import Path

import pytest
from sqlalchemy import literal, select

from models.account import Role
from models.statement import Row, Statement
from permissions.viewer import EVERYBODY
from schema.build import projection
from schema.execution import CHARACTERS_KEPT, Documents
from tests.test_layers import ROOT, modules

MAX_KEPT = 500

# Types that may be the key of an unlimited cache, and how many values they have.
FEW = {
    "bool": 2,
    "bool | None": 3,
    "Standing": 2 ** len(EVERYBODY),
    "frozenset[Role]": 2 ** len(Role),
    "EntryList": 5,  # constants of the modules, each a list
    "OwnedList": 5,
}


def unbounded(function: ast.FunctionDef) -> str | None:
    """Say why a function keeps more than a few results."""
    for decorator in function.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        name = ast.unparse(called).rpartition(".")[2]
        if name == "lru_cache" and isinstance(decorator, ast.Call):
            sizes = [*decorator.args[:1], *(one.value for one in decorator.keywords if one.arg == "maxsize")]
            if any(not isinstance(one, ast.Constant | ast.Name) or ast.unparse(one) == "None" for one in sizes):
                return "has no bound"
        elif name == "cache":
            given = function.args
            if given.vararg or given.kwarg:
                return "takes any number of arguments"
            types = [ast.unparse(one.annotation) for one in (*given.args, *given.kwonlyargs) if one.annotation]
            if many := [one for one in types if one not in FEW]:
                return f"is kept for each {many[0]}"
            if prod(FEW[one] for one in types) > MAX_KEPT:
                return "is kept for too many combinations"
        elif "cache" in name and name not in {"lru_cache", "cached_property"}:
            return f"is kept by {name}, which this test does not know"
    return None


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            yield node


def filled(tree: ast.Module) -> Iterator[str]:
    """Names in a module that hold a collection to which a function adds something."""
    held = {
        target.id
        for node in tree.body
        for target in (node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)])
        if isinstance(target, ast.Name) and isinstance(node, ast.Assign | ast.AnnAssign)
    }
    puts = {"setdefault", "add", "append", "update", "extend", "insert", "appendleft"}
    for function in functions(tree):
        for node in ast.walk(function):
            into: ast.expr | None = None
            if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
                into = node.value
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in puts:
                into = node.func.value
            if isinstance(into, ast.Name) and into.id in held and into.id not in names_of(function):
                yield into.id


def names_of(function: ast.FunctionDef) -> set[str]:
    """The names of the function itself, which hide those of the module."""
    given = function.args
    named = {one.arg for one in (*given.args, *given.kwonlyargs)}
    return named | {
        one.id for one in ast.walk(function) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
    }


@pytest.mark.parametrize("path", sorted(modules()), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_kept_without_a_limit(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert {one.name: reason for one in functions(tree) if (reason := unbounded(one))} == {}
    assert {*filled(tree)} == set()


@pytest.mark.parametrize(
    "text",
    [
        "@cache\ndef f(key: str): ...",
        "@functools.cache\ndef f(*keys: bool): ...",
        "@cache\ndef f(one: Standing, other: Standing): ...",
        "@lru_cache(None)\ndef f(key: str): ...",
        "@lru_cache(maxsize=None)\ndef f(key: str): ...",
        "@alru_cache\ndef f(key: str): ...",
    ],
)
def test_a_cache_without_a_limit_is_recognised(text: str) -> None:
    (function,) = functions(ast.parse(text))
    assert unbounded(function)


@pytest.mark.parametrize("text", ["kept = {}\ndef f(x):\n    kept[x] = 1", "kept: set = set()\ndef f(x): kept.add(x)"])
def test_a_collection_that_is_added_to_is_recognised(text: str) -> None:
    assert [*filled(ast.parse(text))] == ["kept"]


def is_kept(documents: Documents, text: str) -> bool:
    return documents.prepared(text) is documents.prepared(text)


@pytest.mark.parametrize("choices", [0, 1, 4, 20])
def test_documents_are_kept_while_there_is_room_for_them_and_their_plans(choices: int) -> None:
    documents = Documents(projection(EVERYBODY))
    variables = ", ".join(f"$v{i}: Boolean!" for i in range(choices))
    left_out = " ".join(f"v{i}: __typename @skip(if: $v{i})" for i in range(choices))
    texts = [
        f"query q{i}{f'({variables})' if variables else ''} {{ me {{ id {left_out} }} }} #{'x' * 2000}"
        for i in range(150)
    ]
    made = [documents.prepared(text) for text in texts]
    kept = [text for text, one in zip(texts, made, strict=True) if text in documents._kept and one.document]
    assert kept == texts[-len(kept) :]
    assert len(kept) * len(texts[0]) * min(2**choices, 16) <= CHARACTERS_KEPT
    assert len(kept) >= 1


@pytest.mark.parametrize(
    "text", ["{a%d:__typename}", "{a%d:me{id}}", "{%d", "{a%d b c d e f g h i j}", "{me(a%d:1 b:1 c:1 d:1){id}}"]
)
def test_even_of_the_shortest_documents_only_a_few_are_kept(text: str) -> None:
    """Each takes some kilobytes, whether it can be run or not."""
    documents = Documents(projection(EVERYBODY))
    for number in range(1_000):
        documents.prepared(text % number)
    assert 100 < len(documents._kept) <= 200


def test_a_document_that_would_push_out_all_the_others_is_not_kept() -> None:
    documents = Documents(projection(EVERYBODY))
    documents.prepared("{ me { id } }")
    large = "{ me { name } } #" + "x" * CHARACTERS_KEPT
    assert documents.prepared(large).document is not None
    assert not is_kept(documents, large)
    assert is_kept(documents, "{ me { id } }")


def test_a_statement_compiled_again_need_not_be_prepared_again() -> None:
    """A connection recognises a prepared statement by its text and the class of its rows."""
    first, again = (Statement(select(literal(1).label("one")), Row) for _ in range(2))
    assert (first.sql, first.row_class) == (again.sql, again.row_class)
