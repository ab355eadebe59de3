"""Learnings: a mediator's reflections over time, from the logbook and the CPD entries. Nothing is stored for them."""

from collections.abc import Awaitable
from datetime import date as day
from enum import StrEnum
from uuid import UUID

import strawberry
from sqlalchemy import Table, Uuid, cast, func, literal, select, union_all
from sqlalchemy.types import Text

from models.cpd import cpd_entries, cpd_private
from models.folds import fold_of
from models.logbook import logbook_entries, logbook_private
from models.statement import AnySelect, Expression
from resolvers.context import Info
from resolvers.entries import EntryList, EntryOrder
from resolvers.entry_columns import equals, in_year, year_of
from resolvers.entry_inputs import entry_order
from resolvers.entry_reading import entry_page, facets
from resolvers.entry_rows import EntryRow, FacetsRow
from resolvers.mediator_row import MediatorRow
from resolvers.paging import Connection, PageArguments
from resolvers.selection import fields_below


@strawberry.enum
class LearningSource(StrEnum):
    """The kind of entry that has the reflection."""

    MEDIATION = "MEDIATION"
    CPD = "CPD"


@strawberry.enum
class LearningKind(StrEnum):
    """The kind of reflection."""

    DID_WELL = "DID_WELL"
    FOUND_CHALLENGING = "FOUND_CHALLENGING"
    TAKEAWAY = "TAKEAWAY"


def _reflections(entries: Table, private: Table, column: str, source: LearningSource, kind: LearningKind) -> AnySelect:
    # An entry can have several reflections. Each has its own id, the same each time it's read.
    own_id = cast(func.md5(cast(entries.c.id, Text) + literal(kind.value, Text)), Uuid)
    return select(
        own_id.label("id"),
        entries.c.mediator_id,
        entries.c.ended_on.label("date"),
        literal(source.value, Text).label("source"),
        literal(kind.value, Text).label("kind"),
        # Looked up only for a page's rows: with a join, each page would sort all reflections.
        select(private.c[column]).where(private.c.id == entries.c.id).scalar_subquery().label("text"),
        select(fold_of(private, column)).where(private.c.id == entries.c.id).scalar_subquery().label("folded"),
        entries.c.id.label("entry_id"),
    )


_M, _C = LearningSource.MEDIATION, LearningSource.CPD
_reflection = union_all(
    _reflections(logbook_entries, logbook_private, "did_well", _M, LearningKind.DID_WELL),
    _reflections(logbook_entries, logbook_private, "found_challenging", _M, LearningKind.FOUND_CHALLENGING),
    _reflections(cpd_entries, cpd_private, "takeaways", _C, LearningKind.TAKEAWAY),
).subquery("reflection")

_columns: dict[str, Expression] = {
    name: _reflection.c[name] for name in ("id", "date", "source", "kind", "text", "entry_id")
}


class LearningRow(EntryRow):
    """One reflection."""

    date: day
    source: str
    kind: str
    text: str
    entry_id: UUID


LEARNINGS = EntryList(
    type_name="Learning",
    row=LearningRow,
    table=_reflection,
    columns=_columns,
    filters={
        "source": equals(_columns["source"]),
        "kind": equals(_columns["kind"]),
        "year": in_year(_columns["date"]),
    },
    sorts={name: _columns[name] for name in ("date", "source", "kind")},
    searched={"text": _reflection.c.folded},
    default=("date",),
    facets={"years": (year_of(_columns["date"]), None)},
    rows=lambda _standing: _columns["text"].is_not(None),
)


@strawberry.input(description="What to show: the rows that match every field you give.")
class LearningFilter:
    """The reflections to show."""

    source: LearningSource | None = None
    kind: LearningKind | None = None
    year: int | None = None
    text: str | None = None


@entry_order(LEARNINGS, description="The columns that you can sort learnings by.")
class LearningOrder(EntryOrder):
    """The order to show them in."""


def learnings(
    info: Info,
    mediator: strawberry.Parent[MediatorRow],
    page: PageArguments,
    filter: LearningFilter | None = None,
    order_by: LearningOrder | None = None,
) -> Awaitable[Connection[EntryRow]] | Connection[EntryRow]:
    """Give a page of a mediator's reflections.

    Raises:
        BadInput: the page's arguments don't fit together, or the cursor belongs to another list.
    """
    return entry_page(info.context, LEARNINGS, mediator, page, filter, order_by, fields_below(info))


async def learning_facets(info: Info, mediator: strawberry.Parent[MediatorRow]) -> FacetsRow:
    """Give the values in a mediator's reflections, to filter by."""
    return await facets(info.context, LEARNINGS, mediator)
