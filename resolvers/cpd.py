"""Continuing professional development: the list of CPD entries, and changes to them."""

from collections.abc import Awaitable
from uuid import UUID

import strawberry

from models.cpd import CPD_FIELDS, cpd_entries, cpd_private
from resolvers import entry_changes, entry_reading
from resolvers.context import Info
from resolvers.entries import EntryOrder, owned_list
from resolvers.entry_inputs import changed_entry, entry_filter, entry_order, new_entry
from resolvers.entry_rows import EntryRow, FacetsRow, OwnedRow, entry_row
from resolvers.inputs import read_id
from resolvers.mediator_row import MediatorRow
from resolvers.paging import Connection, PageArguments
from resolvers.selection import fields_below


@entry_row("CpdEntry", CPD_FIELDS)
class CpdRow(OwnedRow):
    """One CPD entry; its declared fields are columns."""

    has_certificate: bool


CPD = owned_list(
    "CpdEntry",
    CpdRow,
    cpd_entries,
    cpd_private,
    CPD_FIELDS,
    beside={"has_certificate": cpd_entries.c.has_certificate},
)


@entry_filter(CPD)
class CpdFilter:
    """The CPD entries to show."""


@entry_order(CPD, description="The columns that you can sort CPD entries by.")
class CpdOrder(EntryOrder):
    """The order to show them in."""


@new_entry(CPD, description="A new CPD entry. `minutes` is the duration.")
class AddCpdEntryInput:
    """A new CPD entry."""

    request_key: str | None = None


@changed_entry(CPD)
class UpdateCpdEntryInput:
    """Changes to a CPD entry."""

    id: strawberry.ID
    version: int


@strawberry.input
class DeleteCpdEntryInput:
    """The CPD entry to delete."""

    id: strawberry.ID


def cpd(
    info: Info,
    mediator: strawberry.Parent[MediatorRow],
    page: PageArguments,
    filter: CpdFilter | None = None,
    order_by: CpdOrder | None = None,
) -> Awaitable[Connection[EntryRow]] | Connection[EntryRow]:
    """Give a page of a mediator's CPD entries.

    Raises:
        BadInput: the page's arguments don't fit together, or the cursor belongs to another list.
    """
    return entry_reading.entry_page(info.context, CPD, mediator, page, filter, order_by, fields_below(info))


async def cpd_entry(info: Info, mediator: strawberry.Parent[MediatorRow], id: strawberry.ID) -> EntryRow:
    """Load one CPD entry.

    Raises:
        NotFound: the viewer's list doesn't show it.
    """
    return await entry_reading.entry(info.context, CPD, mediator, read_id(id))


async def cpd_facets(info: Info, mediator: strawberry.Parent[MediatorRow]) -> FacetsRow:
    """Give the values in a mediator's CPD entries, to filter by."""
    return await entry_reading.facets(info.context, CPD, mediator)


async def add_cpd_entry(info: Info, input: AddCpdEntryInput) -> OwnedRow:
    """Add a CPD entry and give it.

    Raises:
        Refused: something in the input needs fixing.
        Forbidden: the viewer has no paid access.
        BadInput: the `requestKey` is too long.
    """
    return await entry_changes.add_entry(info.context, CPD, input)


async def update_cpd_entry(info: Info, input: UpdateCpdEntryInput) -> OwnedRow:
    """Change a CPD entry and give it.

    Raises:
        Refused: something in the input needs fixing, or (CONFLICT) the entry has changed meanwhile.
    """
    return await entry_changes.update_entry(info.context, CPD, input)


async def delete_cpd_entry(info: Info, input: DeleteCpdEntryInput) -> UUID:
    """Delete a CPD entry and give its id.

    Raises:
        Refused: it isn't one of the viewer's.
    """
    return await entry_changes.delete_entry(info.context, CPD, read_id(input.id))
