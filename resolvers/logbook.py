"""The logbook: its list, the experience it adds up to, and changes to its cases."""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from uuid import UUID

import strawberry
from sqlalchemy import ClauseElement, Date, bindparam, func, literal_column, null, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.selectable import LateralFromClause
from sqlalchemy.types import Text, Uuid
from strawberry.types.arguments import InputContext
from strawberry.types.base import get_object_definition

from models.fields import camel
from models.logbook import LOGBOOK_FIELDS, MONTH, CaseRole, logbook_entries, logbook_private
from models.statement import Expression, Row, statement
from resolvers import entry_changes, entry_reading
from resolvers.context import Info
from resolvers.entries import EntryOrder, owned_list, year_of
from resolvers.entry_import import ImportOutcome, ImportStatus, import_entries
from resolvers.entry_inputs import changed_entry, entry_filter, entry_order, new_entry
from resolvers.entry_rows import EntryRow, FacetsRow, OwnedRow, entry_row
from resolvers.idempotency import once
from resolvers.inputs import read_id
from resolvers.mediator_row import MediatorRow, SummedMediatorRow
from resolvers.paging import Connection, PageArguments
from resolvers.selection import fields_below

_entry = logbook_entries.c


@entry_row("LogbookEntry", LOGBOOK_FIELDS)
class LogbookRow(OwnedRow):
    """One case; its declared fields are columns."""

    ended_month: str


LOGBOOK = owned_list(
    "LogbookEntry",
    LogbookRow,
    logbook_entries,
    logbook_private,
    LOGBOOK_FIELDS,
    ended_month=(func.to_char(_entry.ended_on, "YYYY-MM"), literal_column(MONTH, Date())),
)


@entry_filter(LOGBOOK)
class LogbookFilter:
    """The cases to show."""


@entry_order(LOGBOOK, description="The columns that you can sort cases by.")
class LogbookOrder(EntryOrder):
    """The order to show them in."""


@new_entry(LOGBOOK, description="One case. `minutes` is the duration.")
class ImportedLogbookEntryInput:
    """One of many new cases."""


@strawberry.input(description="A new case. `minutes` is the duration.")
class AddLogbookEntryInput(ImportedLogbookEntryInput):
    """One new case."""

    request_key: str | None = None


@changed_entry(LOGBOOK)
class UpdateLogbookEntryInput:
    """Changes to a case."""

    id: strawberry.ID
    version: int


@strawberry.input
class DeleteLogbookEntryInput:
    """The case to delete."""

    id: strawberry.ID


@strawberry.input(description="Many new cases at once: 1 to 5,000, if they fit into one request.")
class ImportLogbookEntriesInput:
    """Many new cases."""

    entries: list[ImportedLogbookEntryInput]
    all_or_nothing: bool = strawberry.field(default=False, description="Write nothing if any case fails.")
    dry_run: bool = strawberry.field(default=False, description="Write nothing, and report what would happen.")
    request_key: str | None = strawberry.field(
        default=None,
        description="Sending the same key again within 24 hours gets the first answer, unless nothing was written "
        "(a dry run, or every case left out).",
    )


def _read_entry(type_: type, value: Mapping[str, str], _context: InputContext) -> ImportedLogbookEntryInput:
    entry: ImportedLogbookEntryInput = type_(**{_PYTHON_NAMES[name]: given for name, given in value.items()})
    return entry


_entry_input = get_object_definition(ImportedLogbookEntryInput, strict=True)
_PYTHON_NAMES = {camel(field.python_name): field.python_name for field in _entry_input.fields}
# Thousands come at once, and nothing else runs until all are read. Strawberry's own way takes ten times as long, since
# it looks for more to convert in every field. These are scalars that have all been read.
_entry_input.from_input = _read_entry


def logbook(
    info: Info,
    mediator: strawberry.Parent[MediatorRow],
    page: PageArguments,
    filter: LogbookFilter | None = None,
    order_by: LogbookOrder | None = None,
) -> Awaitable[Connection[EntryRow]] | Connection[EntryRow]:
    """Give a page of a mediator's cases.

    Raises:
        BadInput: the page's arguments don't fit together, or the cursor belongs to another list.
    """
    return entry_reading.entry_page(info.context, LOGBOOK, mediator, page, filter, order_by, fields_below(info))


async def logbook_entry(info: Info, mediator: strawberry.Parent[MediatorRow], id: strawberry.ID) -> EntryRow:
    """Load one case.

    Raises:
        NotFound: the viewer's list doesn't show it.
    """
    return await entry_reading.entry(info.context, LOGBOOK, mediator, read_id(id))


async def logbook_facets(info: Info, mediator: strawberry.Parent[MediatorRow]) -> FacetsRow:
    """Give the values in a mediator's cases, to filter by."""
    return await entry_reading.facets(info.context, LOGBOOK, mediator)


async def add_logbook_entry(info: Info, input: AddLogbookEntryInput) -> OwnedRow:
    """Add a case and give it.

    Raises:
        Refused: something in the input needs fixing.
        Forbidden: the viewer has no paid access.
        BadInput: the `requestKey` is too long.
    """
    return await entry_changes.add_entry(info.context, LOGBOOK, input)


async def update_logbook_entry(info: Info, input: UpdateLogbookEntryInput) -> OwnedRow:
    """Change a case and give it.

    Raises:
        Refused: something in the input needs fixing, or (CONFLICT) the case has changed meanwhile.
    """
    return await entry_changes.update_entry(info.context, LOGBOOK, input)


async def delete_logbook_entry(info: Info, input: DeleteLogbookEntryInput) -> UUID:
    """Delete a case and give its id.

    Raises:
        Refused: it isn't one of the viewer's.
    """
    return await entry_changes.delete_entry(info.context, LOGBOOK, read_id(input.id))


@dataclass(frozen=True)
class Imported:
    """The results of an import: one for each case in its order, and their counts."""

    imported: int
    skipped: int
    failed: int
    outcomes: list[ImportOutcome]


async def import_logbook_entries(info: Info, input: ImportLogbookEntriesInput) -> Imported:
    """Import cases, and give the result for each.

    Raises:
        Refused: there are no cases, or too many, or the key was used for a different import.
        Forbidden: the viewer has no paid access.
        RateLimited: there were too many attempts.
        BadInput: the `requestKey` is too long.
        NotFound: the viewer isn't a mediator.
    """
    outcomes = await import_entries(
        info.context,
        LOGBOOK,
        [vars(entry) for entry in input.entries],
        all_or_nothing=input.all_or_nothing,
        dry_run=input.dry_run,
        once=once(input),
    )
    counted = Counter(one.status for one in outcomes)
    return Imported(
        counted[ImportStatus.IMPORTED], counted[ImportStatus.SKIPPED], counted[ImportStatus.FAILED], outcomes
    )


class TotalRow(Row):
    """The totals of a mediator's cases: of all, of one role, or of one year."""

    mediator_id: UUID
    role: str | None
    year: int | None
    minutes: int
    cases: int
    simulated: int


@dataclass
class Experience:
    """The totals of a mediator's cases. Simulated cases have a total of their own, and count in no other."""

    minutes: int = 0
    cases: int = 0
    simulated_minutes: int = 0
    by_role: list[TotalRow] = field(default_factory=list)
    by_year: list[TotalRow] = field(default_factory=list)


_SUMS = (
    func.coalesce(func.sum(_entry.minutes).filter(~_entry.simulated), 0).label("minutes"),
    func.count().filter(~_entry.simulated).label("cases"),
    func.coalesce(func.sum(_entry.minutes).filter(_entry.simulated), 0).label("simulated"),
)
_YEAR = year_of(_entry.ended_on)
_ROLES = {role.value: place for place, role in enumerate(CaseRole)}


@statement(TotalRow)
def _totals(for_role: bool, single: bool, by_role: bool, by_year: bool) -> ClauseElement:
    """Make the statement of the totals: the whole, with null for role and year, and those by role or year if asked."""
    role, year = _entry.role, _YEAR
    sets = [tuple_(_entry.mediator_id)]
    sets += [tuple_(_entry.mediator_id, part) for part, wanted in ((role, by_role), (year, by_year)) if wanted]
    owner = bindparam("parent", type_=Uuid()) if single else func.any(bindparam("parents", type_=ARRAY(Uuid())))
    rows = (
        select(
            _entry.mediator_id,
            (role if by_role else null()).label("role"),
            (year if by_year else null()).label("year"),
            *_SUMS,
        )
        .where(_entry.mediator_id == owner)
        .group_by(func.grouping_sets(*sets))
    )
    return rows.where(role == bindparam("role", type_=Text())) if for_role else rows


def whole_experience(mediator_id: Expression) -> LateralFromClause:
    """Add up all of a mediator's cases, for joining to the mediator's row."""
    return select(*_SUMS).where(_entry.mediator_id == mediator_id).lateral("whole")


def _added_up(rows: Sequence[TotalRow]) -> Experience:
    """Put a mediator's totals together: years ascending, roles in the order of their enumeration."""
    total = Experience()
    for row in rows:
        if row.role is None and row.year is None:
            total.minutes, total.cases, total.simulated_minutes = row.minutes, row.cases, row.simulated
        elif row.cases:
            (total.by_year if row.role is None else total.by_role).append(row)
    total.by_role.sort(key=lambda row: _ROLES[row.role or ""])
    total.by_year.sort(key=attrgetter("year"))
    return total


def experience(
    info: Info, mediator: strawberry.Parent[MediatorRow], role: CaseRole | None = None
) -> Awaitable[Experience] | Experience:
    """Add up a mediator's cases, of one role if asked. All mediators of a request share one statement."""
    fields, context = fields_below(info), info.context
    parts = ("byRole" in fields, "byYear" in fields)
    if role is None and parts == (False, False) and isinstance(mediator, SummedMediatorRow):
        return Experience(mediator.minutes, mediator.cases, mediator.simulated)

    async def load(parents: list[UUID]) -> list[Experience]:
        values, single = entry_reading.of_parents(parents), len(parents) == 1
        if role is not None:
            values["role"] = role
        async with context.database.reading() as reading:
            rows = await reading.all(_totals(role is not None, single, *parts), **values)
        grouped: dict[UUID, list[TotalRow]] = defaultdict(list)
        for row in rows:
            grouped[row.mediator_id].append(row)
        return [_added_up(grouped[parent]) for parent in parents]

    return context.load(load, ("experience", role, parts), mediator.id)
