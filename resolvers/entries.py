"""What the lists of one mediator's entries share: columns by standing, filters, one page for many mediators at once.

A list is described by what the GraphQL schema calls its rows, and the policy decides what of it a standing may read:
an unreadable column is null to that reader, in what is shown, filtered, searched and sorted alike.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Table,
    and_,
    bindparam,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text, Uuid

from models.database import Row, Statement
from permissions.policy import allows
from permissions.viewer import Standing
from resolvers.checks import cleaned
from resolvers.context import Context
from resolvers.errors import BadInput
from resolvers.paging import Connection, Page, Sort, connection, page_statement, page_values

# A column, or one that differs by standing.
Column = ColumnElement[Any] | Callable[[Standing], ColumnElement[Any]]


def camel(name: str) -> str:
    """Write a Python name as GraphQL does."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


@dataclass(frozen=True, eq=False, kw_only=True)
class EntryList:
    """One kind of entry, to be read. `type_name` is its GraphQL type; names are written as in Python.

    `table` holds it, `private` what only its mediator reads. `columns`: what a row shows. `filters`: for each field of
    the filter, the clause it makes of a parameter's name. `sorts`: what it may be ordered by; `nullable`: those of
    them that may be null. `default`: what it is ordered by, newest first, if nothing was asked; the first that is
    readable. `searched`: where free text is looked for. `rows`: which rows a standing may read.
    """

    type_name: str
    table: FromClause
    private: FromClause | None = None
    columns: Mapping[str, Column]
    filters: Mapping[str, Callable[[str], ColumnElement[bool]]]
    sorts: Mapping[str, ColumnElement[Any]]
    nullable: frozenset[str] = frozenset()
    searched: tuple[str, ...]
    default: tuple[str, ...] = ()
    rows: Callable[[Standing], ColumnElement[bool]] = lambda _standing: true()

    def source(self, standing: Standing) -> FromClause:
        """Give the tables that a standing reads."""
        if self.private is not None and standing & Standing.SELF:
            return self.table.outerjoin(self.private, self.private.c.id == self.table.c.id)
        return self.table


@dataclass(frozen=True, eq=False, kw_only=True)
class OwnedList(EntryList):
    """One kind of entry that its mediator writes.

    `check` takes all of an entry's fields and the latest day that is "today"; it gives the fields as they are to be
    stored, or raises Refused.
    """

    table: Table
    private: Table
    check: Callable[[dict[str, Any], date], dict[str, Any]]


@dataclass(frozen=True)
class Order:
    """What the viewer asked a list to be ordered by; a name of `sorts`."""

    field: str
    descending: bool


def _contains(*columns: ColumnElement[Any]) -> Callable[[str], ColumnElement[bool]]:
    """Make a filter that looks for a text in any of the columns, whatever its case."""
    return lambda name: or_(*(c.ilike(bindparam(name, type_=Text()), escape="\\") for c in columns))


def equals(of: ColumnElement[Any]) -> Callable[[str], ColumnElement[bool]]:
    """Make a filter that takes one value of a column."""
    return lambda name: of == bindparam(name, type_=of.type)


def year_of(of: ColumnElement[Any]) -> Callable[[str], ColumnElement[bool]]:
    """Make a filter that takes the days of one year."""
    return lambda name: and_(
        of >= bindparam(f"{name}_first", type_=of.type), of <= bindparam(f"{name}_last", type_=of.type)
    )


def _conditions(of: EntryList, standing: Standing, used: frozenset[str]) -> list[ColumnElement[bool]]:
    conditions = [of.rows(standing)]
    for name in sorted(used):
        if name == "text":
            readable = (c for c in of.searched if allows(standing, of.type_name, camel(c)))
            conditions.append(_contains(*(_column(of.columns[c], standing) for c in readable))("filter_text"))
        else:
            conditions.append(of.filters[name](f"filter_{name}"))
    return conditions


def _column(column: Column, standing: Standing) -> ColumnElement[Any]:
    return column if isinstance(column, ColumnElement) else column(standing)


def _noun(of: EntryList) -> str:
    return of.type_name.removesuffix("Entry")


def _sort(of: EntryList, standing: Standing, order: Order | None) -> Sort:
    if order is None:
        readable = (name for name in of.default if allows(standing, f"{_noun(of)}OrderField", name.upper()))
        order = Order(next(readable, ""), descending=True)
    if not order.field or not allows(standing, f"{_noun(of)}OrderField", order.field.upper()):
        return Sort("id", None, order.descending)
    return Sort(order.field, of.sorts[order.field], order.descending, order.field in of.nullable)


def _bits(standing: Standing) -> ColumnElement[Any]:
    return literal_column(str(int(standing))).label("standing")


def own_columns(of: EntryList) -> list[ColumnElement[Any]]:
    """Give what the mediator's own row shows."""
    return [_bits(Standing.SELF)] + [_column(column, Standing.SELF).label(name) for name, column in of.columns.items()]


def _rows(of: EntryList, standing: Standing, used: frozenset[str]) -> Select[Any]:
    shown = [
        (_column(c, standing) if allows(standing, of.type_name, camel(name)) else null()).label(name)
        for name, c in of.columns.items()
    ]
    return (
        select(literal_column(str(int(standing))).label("standing"), *shown)
        .select_from(of.source(standing))
        .where(*_conditions(of, standing, used))
    )


@cache
def _page(
    of: EntryList, standing: Standing, used: frozenset[str], order: Order | None, backwards: bool, cursor: bool | None
) -> Statement:
    rows = _rows(of, standing, used)
    sort = _sort(of, standing, order)
    table = of.table.c
    return Statement(page_statement(rows, table.id, sort, backwards=backwards, cursor=cursor, parent=table.mediator_id))


@cache
def _count(of: EntryList, standing: Standing, used: frozenset[str]) -> Statement:
    parents = bindparam("parents", type_=ARRAY(Uuid()))
    return Statement(
        select(of.table.c.mediator_id.label("parent"), func.count().label("count"))
        .select_from(of.source(standing))
        .where(of.table.c.mediator_id == func.any(parents), *_conditions(of, standing, used))
        .group_by(of.table.c.mediator_id)
    )


def _given(filters: Any) -> dict[str, Any]:
    """Give the fields of a filter that are set; a blank text is none."""
    given = {f.name: getattr(filters, f.name) for f in fields(filters)}
    if "text" in given:
        given["text"] = cleaned(given["text"])
    return {name: value for name, value in given.items() if value is not None}


def _values(given: Mapping[str, Any]) -> dict[str, Any]:
    """Turn what is filtered by into the values of the statement's parameters."""
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name == "year":
            values["filter_year_first"], values["filter_year_last"] = year_bounds(value)
        elif name == "text":
            values["filter_text"] = like_literal(value)
        else:
            values[f"filter_{name}"] = value
    return values


def like_literal(text: str) -> str:
    """Make a pattern for LIKE that finds the text itself anywhere."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def year_bounds(year: int) -> tuple[date, date]:
    """Give the first and last day of a year; BadInput for one that no calendar has."""
    if not 1 <= year <= 9999:
        raise BadInput("A year has four digits.")
    return date(year, 1, 1), date(year, 12, 31)


async def entry_page(
    context: Context, of: EntryList, mediator: Row, filters: Any, order: Order | None, asked: Page
) -> Connection:
    """Give a page of a mediator's entries, as far as the viewer's standing towards that mediator goes.

    Mediators of one request that are asked for the same page share one statement.
    """
    standing = Standing(mediator.standing)
    given = _given(filters)
    values, used = _values(given), frozenset(given)
    sort = _sort(of, standing, order)
    cursor, paging = page_values(sort, asked)
    if not all(allows(standing, f"{_noun(of)}Filter", camel(name)) for name in used):
        return connection([], sort, asked, _none)  # what may not be read is null, which no filter fits
    shape = (of, standing, used, order)

    async def pages(parents: list[UUID]) -> Sequence[list[Row]]:
        statement = _page(*shape, asked.backwards, cursor)
        async with context.database.reading() as reading:
            return _by_parent(parents, await reading.all(statement, parents=parents, **values, **paging))

    async def counts(parents: list[UUID]) -> Sequence[int]:
        async with context.database.reading() as reading:
            rows = await reading.all(_count(of, standing, used), parents=parents, **values)
        found = {row.parent: row.count for row in rows}
        return [found.get(parent, 0) for parent in parents]

    async def count() -> int:
        return await context.load(counts, ("count", *shape, filters), mediator.id)

    rows = await context.load(pages, ("page", *shape, filters, asked), mediator.id)
    return connection(rows, sort, asked, count)


async def _none() -> int:
    return 0


def _by_parent(parents: list[UUID], rows: list[Row]) -> list[list[Row]]:
    grouped: dict[UUID, list[Row]] = {parent: [] for parent in parents}
    for row in rows:
        grouped[row.parent].append(row)
    return [grouped[parent] for parent in parents]
