"""The logbook: its list, and changes to its cases."""

from collections import Counter
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import strawberry
from sqlalchemy import ClauseElement, Date, bindparam, func, literal_column, select
from sqlalchemy.types import Uuid
from strawberry.types.arguments import InputContext
from strawberry.types.base import get_object_definition

from i18n import format_day
from i18n import gettext as _
from models.case_session import case_sessions
from models.database import Transaction
from models.fields import camel
from models.logbook import LOGBOOK_FIELDS, MONTH, Outcome, logbook_entries, logbook_private
from models.statement import Row, Values, statement
from resolvers import entry_changes, entry_reading
from resolvers.context import Info
from resolvers.entries import EntryOrder, owned_list
from resolvers.entry_import import ImportOutcome, ImportStatus, import_entries
from resolvers.entry_inputs import changed_entry, entry_filter, entry_order, new_entry
from resolvers.entry_rows import EntryRow, FacetsRow, OwnedRow, entry_row
from resolvers.errors import Code
from resolvers.idempotency import once
from resolvers.inputs import read_id
from resolvers.mediator_row import MediatorRow
from resolvers.paging import Connection, PageArguments
from resolvers.selection import fields_below
from resolvers.validation import Check

_entry = logbook_entries.c
CONTACT = func.coalesce(_entry.contact_minutes, _entry.minutes)  # a case without sessions was one mediation session


def confirmation() -> Any:
    """Make the field of an input that confirms hours which aren't plausible."""
    return strawberry.field(
        default=False,
        description="Confirms that more than 14 hours a day is right. Otherwise that's refused, as IMPLAUSIBLE.",
    )


@entry_row("LogbookEntry", LOGBOOK_FIELDS)
class LogbookRow(OwnedRow):
    """One case; its declared fields are columns."""

    ended_month: str
    contact_minutes: int


def _settled(values: Values) -> Values:
    return values | {"completed": values["completed"] and values["outcome"] != Outcome.ONGOING}


LOGBOOK = owned_list(
    "LogbookEntry",
    LogbookRow,
    logbook_entries,
    logbook_private,
    LOGBOOK_FIELDS,
    plausible=True,
    settled=_settled,
    ended_month=(func.to_char(_entry.ended_on, "YYYY-MM"), literal_column(MONTH, Date())),
    contact_minutes=(CONTACT, CONTACT),
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

    confirm_implausible: bool = confirmation()
    request_key: str | None = None


@changed_entry(LOGBOOK)
class UpdateLogbookEntryInput:
    """Changes to a case."""

    id: strawberry.ID
    version: int
    confirm_implausible: bool = confirmation()


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
    confirm_implausible: bool = confirmation()
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


class _SessionsRow(Row):
    minutes: int | None
    first: date | None
    last: date | None


@statement(_SessionsRow)
def _sessions() -> ClauseElement:
    """Select what a case's sessions say about the case; it has nulls if there are none."""
    its = case_sessions.c
    return select(
        func.sum(its.minutes).label("minutes"),
        func.min(its.held_on).label("first"),
        func.max(its.held_on).label("last"),
    ).where(its.entry_id == bindparam("id", type_=Uuid()))


async def _fits_sessions(transaction: Transaction, entry_id: UUID, values: Values) -> None:
    its = await transaction.first(_sessions(), id=entry_id)
    if its is None or its.minutes is None or its.first is None or its.last is None:
        return
    check = Check()
    if values["minutes"] != its.minutes:
        check.add(
            "minutes", Code.NOT_ALLOWED, _("This case's hours come from its sessions. Please change those instead.")
        )
    if values["started_on"] > its.first:
        check.add("startedOn", Code.OUT_OF_RANGE, _("There's a session on %(day)s.", day=format_day(its.first)))
    if values["ended_on"] < its.last:
        check.add("endedOn", Code.OUT_OF_RANGE, _("There's a session on %(day)s.", day=format_day(its.last)))
    check.done()


async def update_logbook_entry(info: Info, input: UpdateLogbookEntryInput) -> OwnedRow:
    """Change a case and give it.

    Raises:
        Refused: something in the input needs fixing, or (CONFLICT) the case has changed meanwhile.
    """
    return await entry_changes.update_entry(info.context, LOGBOOK, input, also=_fits_sessions)


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
        confirmed=input.confirm_implausible,
        once=once(input),
    )
    counted = Counter(one.status for one in outcomes)
    return Imported(
        counted[ImportStatus.IMPORTED], counted[ImportStatus.SKIPPED], counted[ImportStatus.FAILED], outcomes
    )
