"""Relay cursor connections over keysets. A list takes one statement, for one parent or for many at once.

Every sort is by (column, id), nulls last. A cursor holds the sort's value and the id and nothing else, so it only says
what its viewer may already read of that row.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Generic, TypeVar
from uuid import UUID

import orjson
from pydantic import JsonValue
from sqlalchemy import ColumnElement, and_, bindparam, column, func, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Integer, Uuid

from i18n import gettext as _
from models.database import Database
from models.statement import AnySelect, Expression, Row, Statement
from resolvers.errors import BadInput

MAX_PAGE_SIZE = 100
PAGE_SIZE = 25

SortValue = str | int | date | datetime | None  # the value that a row is sorted by


@dataclass(frozen=True)
class Sort:
    """How a list is sorted: a name for its cursors, the column (None: by id only) and the direction."""

    name: str
    column: Expression | None
    descending: bool = False
    nullable: bool = True


@dataclass(frozen=True)
class PageArguments:
    """A part of a list: `size` rows after the cursor, or before it (`backwards`)."""

    size: int
    backwards: bool
    cursor: str | None


def page_arguments(first: int | None, after: str | None, last: int | None, before: str | None) -> PageArguments:
    """Read the four arguments of a connection. The page has 25 rows unless they say otherwise, 100 at most.

    Raises:
        BadInput: the arguments don't fit together, or the size is out of range.
    """
    backwards = last is not None or (before is not None and first is None)
    if backwards and (first is not None or after is not None):
        raise BadInput(_("Give first and after, or last and before."))
    if not backwards and before is not None:
        raise BadInput(_("Give first and after, or last and before."))
    size = last if backwards else first
    if size is None:
        size = PAGE_SIZE
    if not 0 <= size <= MAX_PAGE_SIZE:
        raise BadInput(_("A page can have 0 to %(most)s rows.", most=MAX_PAGE_SIZE))
    return PageArguments(size, backwards, before if backwards else after)


class ListedRow(Row):
    """A row of a list. The columns that `page_statement` adds (`ADDED`) aren't the list's own."""

    id: UUID


ListedT = TypeVar("ListedT", bound=ListedRow)

ADDED = SORT_VALUE, PARENT, TOTAL = "sort_value", "parent", "total"


class Count(Row):
    """The number of rows in a list."""

    count: int


@dataclass(frozen=True)
class Connection(Generic[ListedT]):
    """One page of a list. `total` is the number of rows in the whole list; None if `count` still has to count them."""

    nodes: list[ListedT]
    sort: Sort
    has_next_page: bool
    has_previous_page: bool
    count: Callable[[], Awaitable[int]]
    total: int | None = None

    def cursor(self, row: ListedT) -> str:
        """Give the cursor of a row on this page."""
        return encode_cursor(self.sort.name, row[SORT_VALUE] if self.sort.column is not None else None, row.id)


def encode_cursor(sort: str, value: SortValue, row_id: UUID) -> str:
    """Write a cursor."""
    plain = value.isoformat() if isinstance(value, date | datetime) else value
    return urlsafe_b64encode(orjson.dumps([sort, plain, str(row_id)])).decode()


def decode_cursor(sort: Sort, cursor: str) -> tuple[SortValue, UUID]:
    """Read a cursor of this sort: the value and the id.

    Raises:
        BadInput: it isn't a cursor of this sort.
    """
    try:
        name, value, row_id = orjson.loads(urlsafe_b64decode(cursor))
        typed = _typed(value, sort.column), UUID(row_id)
    except (ValueError, TypeError, AttributeError, OverflowError):
        name = typed = None
    if typed is None or name != sort.name:
        raise BadInput(_("That cursor doesn't belong to this list."))
    return typed


def _typed(value: JsonValue, of: Expression | None) -> SortValue:
    if value is None:
        return None
    if of is None:
        raise ValueError(value)
    expected = of.type.python_type
    if expected is datetime:
        return datetime.fromisoformat(str(value)).astimezone(UTC)  # OverflowError beyond the calendar
    if expected is date:
        return date.fromisoformat(str(value))
    if type(value) is not expected or not isinstance(value, str | int) or (isinstance(value, str) and "\0" in value):
        raise TypeError(value)
    if isinstance(value, int) and not -(2**31) <= value < 2**31:
        raise ValueError(value)
    return value


def _keyset(sort: Sort, row_id: Expression, backwards: bool, null_cursor: bool) -> ColumnElement[bool]:
    """Select the rows that come after the cursor in the reading direction."""
    descending = sort.descending != backwards
    last_id = bindparam("cursor_id", type_=Uuid())
    beyond_id = row_id < last_id if descending else row_id > last_id
    if sort.column is None:
        return beyond_id
    if null_cursor:
        # Nulls come last. Read backwards, they come first, and everything else comes after them.
        beyond_null = and_(sort.column.is_(None), beyond_id)
        return or_(beyond_null, sort.column.is_not(None)) if backwards else beyond_null
    value = bindparam("cursor_value", type_=sort.column.type)
    beyond = or_(sort.column < value if descending else sort.column > value, and_(sort.column == value, beyond_id))
    # A separate condition, so that an index can start from it.
    bound = sort.column <= value if descending else sort.column >= value
    if not sort.nullable:
        return and_(bound, beyond)
    return beyond if backwards else or_(beyond, sort.column.is_(None))


def _order(value: Expression | None, row_id: Expression, sort: Sort, backwards: bool) -> list[Expression]:
    descending = sort.descending != backwards
    by_id = row_id.desc() if descending else row_id.asc()
    if value is None:
        return [by_id]
    by_value = value.desc() if descending else value.asc()
    if sort.nullable:
        by_value = by_value.nulls_first() if backwards else by_value.nulls_last()
    return [by_value, by_id]


def page_statement(
    rows: AnySelect,
    row_id: Expression,
    sort: Sort,
    *,
    backwards: bool,
    cursor: bool | None,
    parent: Expression | None = None,
    total: AnySelect | None = None,
) -> AnySelect:
    """Make the statement for one page of `rows`, with the parameter `size`.

    `cursor` says whether the page starts at one: None if not, else whether that cursor's value is null. With a `parent`
    column, the statement gives a page for each id in the parameter `parents`; the rows have that id as `parent`.
    `total` counts the whole list, over all parents; each row then has the count of its own list as `total`. Read these
    two and `sort_value` by their names: `row[TOTAL]`.
    """
    value = sort.column
    rows = rows.add_columns((value if value is not None else row_id).label(SORT_VALUE))
    if cursor is not None:
        rows = rows.where(_keyset(sort, row_id, backwards, cursor))
    rows = rows.limit(bindparam("size", type_=Integer()))
    if parent is None:
        if total is not None:
            rows = rows.add_columns(total.correlate(None).scalar_subquery().label(TOTAL))
        return rows.order_by(*_order(value, row_id, sort, backwards))
    parents = (
        func.unnest(bindparam("parents", type_=ARRAY(Uuid())))
        .table_valued(column("id", Uuid()), name="parents")
        .render_derived()
    )
    part = rows.where(parent == parents.c.id).order_by(*_order(value, row_id, sort, backwards)).lateral("part")
    sort_value = part.c[SORT_VALUE] if value is not None else None
    counted = []
    if total is not None:
        counted = [total.where(parent == parents.c.id).correlate(parents).scalar_subquery().label(TOTAL)]
    return (
        select(parents.c.id.label(PARENT), *part.c, *counted)
        .select_from(parents.join(part, onclause=true()))
        .order_by(parents.c.id, *_order(sort_value, part.c.id, sort, backwards))
    )


def page_values(sort: Sort, asked: PageArguments) -> tuple[bool | None, dict[str, SortValue | UUID]]:
    """Give what `page_statement` needs to know about a cursor, and the values of its parameters.

    Raises:
        BadInput: the cursor belongs to another list.
    """
    values: dict[str, SortValue | UUID] = {"size": asked.size + 1}  # one more shows whether there are more
    if asked.cursor is None:
        return None, values
    value, values["cursor_id"] = decode_cursor(sort, asked.cursor)
    if sort.column is not None and value is not None:
        values["cursor_value"] = value
        return False, values
    return sort.column is not None, values


@dataclass(frozen=True)
class Counting:
    """A count that begins when it's awaited; until then the database isn't asked."""

    count: Callable[[], Awaitable[int]]

    def __await__(self) -> Generator[object, None, int]:
        return self.count().__await__()


def counting(
    database: Database, statement: Statement[Count], **values: str | UUID | None
) -> Callable[[], Awaitable[int]]:
    """Give a function that counts a whole list when it's called."""

    async def count() -> int:
        async with database.reading() as reading:
            return (await reading.one(statement, **values)).count

    return count


async def list_page(
    database: Database,
    rows: Callable[[bool, bool | None], Statement[ListedT]],
    counted: Statement[Count],
    sort: Sort,
    asked: PageArguments,
    **values: str | UUID | None,
) -> Connection[ListedT]:
    """Give one page of a list that belongs to nobody in particular.

    `rows` makes its statement, from "backwards" and "cursor" as `page_statement` takes them; `counted` counts the whole
    list; `values` are the parameters that both have.

    Raises:
        BadInput: the cursor belongs to another list.
    """
    cursor, paging = page_values(sort, asked)
    async with database.reading() as reading:
        found = await reading.all(rows(asked.backwards, cursor), **paging, **values)
    return connection(found, sort, asked, counting(database, counted, **values))


def connection(
    rows: Sequence[ListedT],
    sort: Sort,
    asked: PageArguments,
    count: Callable[[], Awaitable[int]],
    total: int | None = None,
) -> Connection[ListedT]:
    """Make a connection of the rows that a page's statement gave."""
    more = len(rows) > asked.size
    nodes = list(rows[: asked.size])
    if asked.backwards:
        nodes.reverse()
        return Connection(nodes, sort, asked.cursor is not None, more, count, total)
    return Connection(nodes, sort, more, asked.cursor is not None, count, total)
