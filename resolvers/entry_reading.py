"""Reading a mediator's entries: a page of them, one by its id, or the values to filter by.

If one request asks the same of several mediators, they share one statement.
"""

from collections.abc import Awaitable, Hashable, Sequence
from datetime import date
from functools import lru_cache
from types import SimpleNamespace
from uuid import UUID

from sqlalchemy import ClauseElement, FromClause, bindparam, collate, column, func, null, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Integer, Uuid

from i18n import gettext as _
from models.fields import camel
from models.folding import fold
from models.statement import SHAPES_KEPT, Expression, Row, Values, statement
from permissions.policy import allows
from permissions.viewer import Standing
from resolvers.context import Context
from resolvers.entries import EntryList, EntryOrder, Order, bits, conditions, rows_of
from resolvers.entry_rows import EntryRow, FacetsRow
from resolvers.errors import BadInput, NotFound
from resolvers.mediator_row import MediatorRow
from resolvers.paging import PARENT, TOTAL, Connection, PageArguments, Sort, connection, page_statement, page_values

MAX_FACETS = 200

_NONE = SimpleNamespace()  # no filter
_parent, _parents = bindparam("parent", type_=Uuid()), bindparam("parents", type_=ARRAY(Uuid()))


@lru_cache(maxsize=SHAPES_KEPT)
def _sort(of: EntryList, standing: Standing, order: Order | None) -> Sort:
    if order is None:
        readable = (name for name in of.default if allows(standing, f"{of.noun}OrderField", name.upper()))
        order = Order(next(readable, ""), descending=True)
    if not order.field or not allows(standing, f"{of.noun}OrderField", order.field.upper()):
        return Sort("id", None, order.descending)
    return Sort(order.field, of.sorts[order.field], order.descending, order.field in of.nullable)


@statement(EntryRow, lambda of, *_: of.row)
def _page(
    of: EntryList,
    standing: Standing,
    used: frozenset[str],
    order: Order | None,
    without_private: bool,
    counted: bool,
    backwards: bool,
    cursor: bool | None,
    single: bool,
) -> ClauseElement:
    """Make the statement of a page. PostgreSQL plans it once for one mediator's (`single`), not for each request."""
    rows = rows_of(of, standing, used, without_private=without_private)
    sort = _sort(of, standing, order)
    table = of.table.c
    total = select(func.count()).select_from(_counted(of, standing, used)) if counted else None
    if total is not None:
        total = total.where(*conditions(of, standing, used))
    if single:
        rows = rows.where(table.mediator_id == _parent)
        total = None if total is None else total.where(table.mediator_id == _parent)
        return page_statement(rows, table.id, sort, backwards=backwards, cursor=cursor, total=total)
    parent = table.mediator_id
    return page_statement(rows, table.id, sort, backwards=backwards, cursor=cursor, parent=parent, total=total)


def _counted(of: EntryList, standing: Standing, used: frozenset[str]) -> FromClause:
    """Give the tables that a list can be counted in."""
    return of.source(standing, without_private="text" not in used)


class _CountRow(Row):
    parent: UUID
    count: int


@statement(_CountRow)
def _count(of: EntryList, standing: Standing, used: frozenset[str], single: bool) -> ClauseElement:
    owner = of.table.c.mediator_id
    return (
        select(owner.label(PARENT), func.count().label("count"))
        .select_from(_counted(of, standing, used))
        .where(owner == (_parent if single else func.any(_parents)), *conditions(of, standing, used))
        .group_by(owner)
    )


def of_parents(parents: list[UUID]) -> Values:
    """Give the parameter with the mediators whose entries are loaded."""
    return {"parent": parents[0]} if len(parents) == 1 else {"parents": parents}


def _given(filter: object | None) -> dict[str, Hashable]:
    """Give the fields of a filter that are set, text folded. If it's blank it doesn't count; there may be no filter."""
    given: Values = {
        name: tuple(value) if isinstance(value, list) else value for name, value in vars(filter or _NONE).items()
    }
    if "text" in given:
        given["text"] = fold(given["text"] or "") or None
    return {name: value for name, value in given.items() if value is not None}


def _values(given: Values) -> Values:
    """Turn a filter's values into those of the statement's parameters."""
    values: Values = {}
    for name, value in given.items():
        if name == "year":
            values["filter_year_first"], values["filter_year_last"] = _year_bounds(value)
        elif name == "text":
            values["filter_text"] = _like_literal(value)
        else:
            values[f"filter_{name}"] = value
    return values


def _like_literal(text: str) -> str:
    """Make a pattern for LIKE that finds this very text anywhere."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _year_bounds(year: int) -> tuple[date, date]:
    """Give the first and last day of a year.

    Raises:
        BadInput: no calendar has that year.
    """
    if not 1 <= year <= 9999:
        raise BadInput(_("A year has four digits."))
    return date(year, 1, 1), date(year, 12, 31)


def entry_page(
    context: Context,
    of: EntryList,
    mediator: MediatorRow,
    asked: PageArguments,
    filter: object | None = None,
    order_by: EntryOrder | None = None,
    fields: frozenset[str] | None = None,
) -> Awaitable[Connection[EntryRow]] | Connection[EntryRow]:
    """Give a page of a mediator's entries, as far as the viewer's standing towards that mediator allows.

    `filter` is an input made by `entry_filter`. `fields` are the GraphQL names of the fields asked for, and perhaps
    others; None: any may be.

    Raises:
        BadInput: the page's arguments don't fit together, or the cursor belongs to another list.
    """
    standing = Standing(mediator.standing)
    given = _given(filter)
    order = Order.read(order_by)
    values, used = _values(given), frozenset(given)
    sort = _sort(of, standing, order)
    cursor, paging = page_values(sort, asked)
    if not all(allows(standing, f"{of.noun}Filter", camel(name)) for name in used):
        return connection([], sort, asked, _none, 0)  # unreadable values are null, and no filter matches null
    needed = {"text"} & used or (order is not None and order.field in of.expensive)
    without_private = fields is not None and not needed and fields.isdisjoint(of.expensive_fields)
    counted = fields is not None and "totalCount" in fields
    shape = (of, standing, used, order, without_private)
    chosen = frozenset(given.items())

    def framed(parent: UUID, rows: list[EntryRow]) -> Connection[EntryRow]:
        total = None
        if counted and (rows or cursor is None):
            total = int(rows[0][TOTAL]) if rows else 0  # a page from the start of the list that has no rows
        return connection(rows, sort, asked, lambda: context.load(counts, ("count", *shape, chosen), parent), total)

    async def pages(parents: list[UUID]) -> Sequence[Connection[EntryRow]]:
        single = len(parents) == 1
        async with context.database.reading() as reading:
            statement = _page(*shape, counted, asked.backwards, cursor, single)
            rows = await reading.all(statement, **of_parents(parents), **values, **paging)
        grouped = {parents[0]: rows} if single else _by_parent(parents, rows)
        return [framed(parent, grouped[parent]) for parent in parents]

    async def counts(parents: list[UUID]) -> Sequence[int]:
        async with context.database.reading() as reading:
            rows = await reading.all(_count(of, standing, used, len(parents) == 1), **of_parents(parents), **values)
        found = {row.parent: row.count for row in rows}
        return [found.get(parent, 0) for parent in parents]

    return context.load(pages, ("page", *shape, counted, chosen, asked), mediator.id)


async def _none() -> int:
    return 0


def _by_parent(parents: list[UUID], rows: list[EntryRow]) -> dict[UUID, list[EntryRow]]:
    grouped: dict[UUID, list[EntryRow]] = {parent: [] for parent in parents}
    for row in rows:
        grouped[row[PARENT]].append(row)
    return grouped


@statement(EntryRow, lambda of, *_: of.row)
def _some(of: EntryList, standing: Standing) -> ClauseElement:
    table, ids = of.table.c, bindparam("ids", type_=ARRAY(Uuid()))
    rows = rows_of(of, standing).add_columns(table.mediator_id.label(PARENT))
    return rows.where(table.id == func.any(ids), table.mediator_id == func.any(_parents))


async def entry(context: Context, of: EntryList, mediator: MediatorRow, entry_id: UUID) -> EntryRow:
    """Load one of a mediator's entries, as its list shows it.

    Raises:
        NotFound: the list doesn't show it.
    """
    standing = Standing(mediator.standing)

    async def some(keys: list[tuple[UUID, UUID]]) -> Sequence[EntryRow | None]:
        parents, ids = zip(*keys, strict=True)
        async with context.database.reading() as reading:
            rows = await reading.all(_some(of, standing), parents=parents, ids=ids)
        found = {(row[PARENT], row.id): row for row in rows}
        return [found.get(key) for key in keys]

    row = await context.load(some, ("some", of, standing), (mediator.id, entry_id))
    if row is None:
        raise NotFound
    return row


@statement(FacetsRow, lambda of, *_: of.facets_row)
def _facets(of: EntryList, standing: Standing) -> ClauseElement:
    parents = func.unnest(_parents).table_valued(column("id", Uuid())).render_derived(name="parents")

    def values(facet: Expression, fold: Expression | None) -> Expression:
        # A subquery, because a list's facet gives a row for each of its values.
        rows = of.table.c.mediator_id == parents.c.id
        columns = [facet.label("value"), *([] if fold is None else [fold.label("fold")])]
        each = select(*columns).select_from(of.source(standing)).where(rows, *conditions(of, standing))
        found_in = each.correlate(parents).subquery().c
        value = found_in.value
        order: list[Expression] = [value.desc() if isinstance(facet.type, Integer) else collate(value, "C")]
        if fold is not None:
            order.insert(0, func.min(found_in.fold))
        found = select(value).where(value.is_not(None)).group_by(value).order_by(*order).limit(MAX_FACETS)
        return func.array(found.scalar_subquery(), type_=ARRAY(facet.type))

    listed = [
        (values(*facet) if allows(standing, f"{of.noun}Facets", camel(name)) else null()).label(name)
        for name, facet in of.facets.items()
    ]
    return select(parents.c.id.label(PARENT), bits(standing), *listed)


async def facets(context: Context, of: EntryList, mediator: MediatorRow) -> FacetsRow:
    """Give the values in a mediator's entries to filter by: years newest first, words in alphabetical order."""
    standing = Standing(mediator.standing)

    async def load(parents: list[UUID]) -> Sequence[FacetsRow]:
        async with context.database.reading() as reading:
            rows = await reading.all(_facets(of, standing), parents=parents)
        found = {row.parent: row for row in rows}
        return [found[parent] for parent in parents]

    return await context.load(load, ("facets", of, standing), mediator.id)
