"""The types of rows: what mypy is told about a statement's columns is what PostgreSQL returns.

Every function that writes statements is found, and its statements are written in every shape that the types of its
parameters allow: each value of one parameter together with each value of any other.
"""

import inspect
import pkgutil
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from enum import StrEnum
from importlib import import_module
from itertools import combinations
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints
from uuid import UUID

from mypy import api

from models.fields import camel
from models.statement import Row, Statements
from permissions.policy import allows
from permissions.viewer import SIGNED_IN, Standing
from resolvers.entries import EntryList, Order, OwnedList
from resolvers.entry_reading import _facets
from resolvers.paging import ADDED
from tests.hub import Hub
from tests.nullable import columns
from tests.warm import admin

PACKAGES = ("models", "permissions", "jobs", "resolvers", "schema", "web", "cli", "demo")

# What asyncpg returns for a PostgreSQL type; JSON may be anything.
TYPES = {
    "uuid": UUID,
    "text": str,
    "varchar": str,
    "int4": int,
    "int8": int,
    "float8": float,
    "bool": bool,
    "date": date,
    "timestamptz": datetime,
    "interval": timedelta,
    "bytea": bytes,
    "text[]": list[str],
    "varchar[]": list[str],
    "int4[]": list[int],
}

Shape = tuple[Any, ...]


def _modules() -> Iterator[Any]:
    for package in PACKAGES:
        root = import_module(package)
        yield root
        for found in pkgutil.walk_packages(root.__path__, f"{package}."):
            if "migrations" not in found.name and not found.name.endswith("__main__"):
                yield import_module(found.name)


MODULES = list(_modules())


def _all(kind: type[Any]) -> dict[str, Any]:
    """Everything of a kind in any module, by name."""
    found = {
        id(value): (f"{module.__name__}.{name}", value)
        for module in MODULES
        for name, value in vars(module).items()
        if isinstance(value, kind)
    }
    return dict(found.values())


WRITERS: dict[str, Statements[Any, Row]] = _all(Statements)
LISTS: list[EntryList] = list(_all(EntryList).values())
STANDINGS = [
    Standing(sum(those)) for number in range(1, len(SIGNED_IN) + 1) for those in combinations(SIGNED_IN, number)
]
TOWARDS_ONE = [one for one in STANDINGS if one == Standing.SELF or not one & Standing.SELF]


def _values(kind: Any, chosen: dict[str, Any]) -> list[Any]:
    """The values that a parameter may have once others have been chosen, the usual one first."""
    of, standing = chosen.get("of"), chosen.get("standing", Standing(0))
    if kind is bool:
        return [False, True]
    if kind == bool | None:
        return [None, False, True]
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    if get_origin(kind) is frozenset and get_origin(get_args(kind)[0]) is Literal:
        words = get_args(get_args(kind)[0])
        return [frozenset(), *(frozenset({one}) for one in words), frozenset(words)]
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return list(kind)
    if kind in {EntryList, OwnedList}:
        return [one for one in LISTS if isinstance(one, kind)]
    if kind is Standing:
        return STANDINGS if of is None else [one for one in TOWARDS_ONE if allows(one, of.type_name, "id")]
    if kind == frozenset[str] and of is not None:
        names = [*of.filters, *(["text"] if of.searched else [])]
        known = [name for name in names if allows(standing, f"{of.noun}Filter", camel(name))]
        return [frozenset(), *(frozenset({name}) for name in known), frozenset(known)]
    if kind == Order | None and of is not None:
        names = [name for name in of.sorts if allows(standing, f"{of.noun}OrderField", name.upper())]
        return [None, *(Order(name, descending) for name in names for descending in (False, True))]
    raise TypeError(f"say what values a parameter of type {kind} has")


def _shapes(parameters: list[tuple[str, Any]], chosen: dict[str, Any], unusual: int = 0) -> Iterator[Shape]:
    if len(chosen) == len(parameters):
        yield tuple(chosen.values())
        return
    name, kind = parameters[len(chosen)]
    for place, value in enumerate(_values(kind, chosen)):
        if unusual + (place > 0) <= 2:
            yield from _shapes(parameters, chosen | {name: value}, unusual + (place > 0))


def shapes(writer: Statements[Any, Row]) -> list[Shape]:
    """The arguments with which a function writes all its kinds of statements."""
    hints = get_type_hints(writer.write)
    del hints["return"]
    found = _shapes(list(hints.items()), {})
    if writer is _facets:  # feedback has none
        return [shape for shape in found if shape[0].facets]
    return list(found)


def _plain(annotation: Any) -> tuple[Any, bool]:
    """Take a column's annotation apart: its type, and whether it may be null."""
    if isinstance(annotation, UnionType):
        (kind,) = [one for one in get_args(annotation) if one is not type(None)]
        return kind, True
    return annotation, False


def _declared_by(row_type: type[Row], name: str) -> type[Row]:
    return next(one for one in row_type.__mro__ if name in vars(one).get("__annotations__", ()))


def _row_types(of: type[Row] = Row) -> set[type[Row]]:
    """Every type of rows that the product declares."""
    own = {one for one in of.__subclasses__() if one.__module__.partition(".")[0] in PACKAGES}
    return own.union(*map(_row_types, own)) - {one for one in own if one.__module__ == "models.statement"}


async def test_columns_can_be_null_just_where_the_type_of_their_row_says_so(hub: Hub) -> None:
    wrong: set[str] = set()
    checked: set[type[Row]] = set()
    nulls: dict[tuple[type[Row], str], bool] = {}
    for name, writer in WRITERS.items():
        for shape in shapes(writer):
            row_type = writer.row_type(*shape)
            checked |= set(row_type.__mro__)
            declared = {column: _plain(of) for column, of in get_type_hints(row_type).items()}
            for column, can_be_null in columns(writer.write(*shape)):
                if column not in declared:
                    continue  # the next test reports it
                may_be_null = declared[column][1]
                if can_be_null and not may_be_null:
                    wrong.add(f"{name}: {row_type.__name__}.{column} can be null")
                if may_be_null:
                    key = _declared_by(row_type, column), column
                    nulls[key] = nulls.get(key, False) or can_be_null
    wrong |= {f"{row_type.__name__}.{column} is never null" for (row_type, column), found in nulls.items() if not found}
    wrong |= {f"{one.__name__} is the type of no rows" for one in _row_types() - checked}
    assert not wrong, "\n".join(sorted(wrong))


async def test_postgresql_returns_the_columns_that_a_type_of_rows_declares(hub: Hub) -> None:
    wrong: set[str] = set()
    async with admin(hub.services.admin_url) as connection:
        for name, writer in WRITERS.items():
            written = {(writer(*shape).sql, writer.row_type(*shape)) for shape in shapes(writer)}
            found: dict[tuple[str, str], set[Any]] = {}
            for sql, row_type in written:
                declared = get_type_hints(row_type)
                given = {one.name: one.type.name for one in (await connection.prepare(sql)).get_attributes()}
                unlike = declared.keys() ^ (given.keys() - (set(ADDED) - declared.keys()))
                wrong |= {f"{name}: {row_type.__name__}.{column}" for column in unlike}
                for column in declared.keys() & given.keys():
                    kind, may_be_null = _plain(declared[column])
                    of = kind if given[column] == "jsonb" else TYPES[given[column]]
                    if of is not str or kind is str or not may_be_null:  # for PostgreSQL, NULL is a text
                        found.setdefault((f"{row_type.__name__}.{column}", str(kind)), set()).add(str(of))
            wrong |= {f"{name}: {column} is {of}, not {kind}" for (column, kind), of in found.items() if of != {kind}}
    assert not wrong, "\n".join(sorted(wrong))


def test_every_statement_that_returns_rows_is_written_by_a_declared_function() -> None:
    sources = {module.__name__: inspect.getsource(module) for module in MODULES}
    assert sorted(name for name, text in sources.items() if re.search(r"\bStatement\(", text)) == [
        "jobs.rekey",  # whatever columns are sealed
        "models.database",  # one that inserts, and where statements are run
        "models.refold",  # whatever columns of texts and folds a table has
        "models.statement",
    ]


def test_mypy_finds_a_misspelt_column(tmp_path: Path) -> None:
    misspelt = tmp_path / "misspelt.py"
    misspelt.write_text(
        "from resolvers.mediator_row import MediatorRow\n"
        "def show(row: MediatorRow) -> None:\n    print(row.name)\n    print(row.nmae)\n"
    )
    told, _, _ = api.run([str(misspelt), "--no-error-summary"])
    assert told.count("error:") == 1
    assert '"MediatorRow" has no attribute "nmae"' in told
