"""Adding, changing and deleting your own entries, of any kind."""

from collections.abc import Awaitable, Callable
from typing import Protocol
from uuid import UUID, uuid4

import strawberry
from sqlalchemy import ClauseElement, Table, bindparam, delete, insert, select, update
from sqlalchemy.types import Uuid

from i18n import gettext as _
from models.database import Reads, Transaction
from models.fields import FieldKind
from models.folds import fold_columns
from models.logbook import logbook_entries
from models.statement import Row, Values, statement
from permissions.viewer import Standing
from resolvers.access import keep_profile
from resolvers.context import Context
from resolvers.entries import OwnedList, own_columns
from resolvers.entry_rows import OwnedRow
from resolvers.errors import Code, Problem, Refused, refuse
from resolvers.idempotency import earlier_result, once
from resolvers.inputs import given, read_id


def writable(of: OwnedList, table: Table) -> list[str]:
    """Name the columns of a table that hold what a mediator wrote."""
    return [field.name for field in of.fields if field.private is (table is of.private)]


def columns_written(of: OwnedList, table: Table) -> list[str]:
    """Name the columns that are written with an entry: those, and their folds."""
    return [*writable(of, table), *fold_columns(table)]


@statement(OwnedRow, lambda of, *_: of.row)
def _one(of: OwnedList, locked: bool) -> ClauseElement:
    rows = select(*own_columns(of)).select_from(of.source(Standing.SELF))
    rows = rows.where(
        of.table.c.id == bindparam("id", type_=Uuid()), of.table.c.mediator_id == bindparam("me", type_=Uuid())
    )
    return rows.with_for_update(of=of.table) if locked else rows


async def _own(context: Context, reading: Reads, of: OwnedList, entry_id: UUID, *, locked: bool) -> OwnedRow:
    row = await reading.first(_one(of, locked), id=entry_id, me=context.account_id)
    if row is None:
        refuse("id", Code.NOT_FOUND, _("There's no such entry."))
    return row


class _OwnCaseRow(Row):
    id: UUID


@statement(_OwnCaseRow)
def _own_case() -> ClauseElement:
    """Find one of the viewer's cases, and keep it from being deleted until the transaction ends."""
    case = logbook_entries.c
    mine = case.mediator_id == bindparam("me", type_=Uuid())
    return (
        select(case.id).where(case.id == bindparam("id", type_=Uuid()), mine).with_for_update(read=True, key_share=True)
    )


async def _refuse_foreign_cases(context: Context, transaction: Transaction, of: OwnedList, checked: Values) -> None:
    for field in of.fields:
        case = checked[field.name] if field.kind is FieldKind.CASE else None
        if case and await transaction.first(_own_case(), id=case, me=context.account_id) is None:
            refuse(field.graphql_name, Code.NOT_FOUND, _("There's no such case."))


async def _keep_profile(context: Context, transaction: Transaction, of: OwnedList) -> None:
    if any(field.kind is FieldKind.CASE for field in of.fields):  # a case is locked, too
        await keep_profile(context, transaction)


async def own_entry(context: Context, of: OwnedList, entry_id: UUID) -> OwnedRow:
    """Load one of the viewer's own entries.

    Raises:
        Refused: it isn't one of the viewer's.
    """
    async with context.database.reading() as reading:
        return await _own(context, reading, of, entry_id, locked=False)


async def add_entry(context: Context, of: OwnedList, input: object) -> OwnedRow:
    """Add an entry for the viewer, and give it.

    Raises:
        Refused: something in the input needs fixing.
        Forbidden: the viewer has no paid access.
        BadInput: the `requestKey` is too long.
    """
    context.require_paid()
    checked = of.check(given(input), context.database.latest_today(), confirmed=is_confirmed(input))
    entry_id = uuid4()
    async with context.transaction() as transaction:
        await _keep_profile(context, transaction, of)
        if earlier := await earlier_result(context, transaction, f"add{of.type_name}", once(input), entry_id):
            entry_id = earlier
        else:
            await _refuse_foreign_cases(context, transaction, of, checked)
            for table in (of.table, of.private):
                values = {name: checked[name] for name in columns_written(of, table)}
                await transaction.run(insert(table).values(id=entry_id, mediator_id=context.account_id, **values))
    return await own_entry(context, of, entry_id)


def _refuse_blanks(of: OwnedList, changes: Values) -> None:
    blanks = [field for field in of.fields if not field.is_optional and changes.get(field.name, ...) is None]
    if blanks:
        raise Refused(*(Problem(field.graphql_name, _("Please fill this in."), Code.REQUIRED) for field in blanks))


def is_confirmed(input: object) -> bool:
    """Whether an input confirms hours that aren't plausible."""
    return bool(vars(input).get("confirm_implausible"))


class Changes(Protocol):
    """The input of changes to an entry. Besides these, it has whichever of the entry's fields are to change."""

    id: strawberry.ID
    version: int


Also = Callable[[Transaction, UUID, Values], Awaitable[None]]


async def update_entry(context: Context, of: OwnedList, input: Changes, also: Also | None = None) -> OwnedRow:
    """Change the fields of the viewer's own entry that the input has, and give the entry.

    `also` refuses what doesn't fit the rows that hang on the entry.

    Raises:
        Refused: something in the input needs fixing, or the entry is no longer at the input's version. In that case
            (CONFLICT) the facts have the entry as it is now.
    """
    entry_id, changes = read_id(input.id), given(input)
    async with context.transaction() as transaction:
        await _keep_profile(context, transaction, of)
        row = await _own(context, transaction, of, entry_id, locked=True)
        if row.version != input.version:
            refuse(
                "version",
                Code.CONFLICT,
                _("This entry has changed in the meantime. Please compare, then save again."),
                current=row,
            )
        _refuse_blanks(of, changes)
        names = writable(of, of.table) + writable(of, of.private)
        before = {name: getattr(row, name) for name in names}
        latest = context.database.latest_today()
        checked = of.check(before | changes, latest, confirmed=is_confirmed(input), before=before)
        await _refuse_foreign_cases(context, transaction, of, checked)
        if also:
            await also(transaction, entry_id, checked)
        for table, counted in ((of.table, {"version": input.version + 1}), (of.private, {})):
            values = {name: checked[name] for name in columns_written(of, table)}
            await transaction.run(update(table).where(table.c.id == entry_id).values(**values, **counted))
    return await own_entry(context, of, entry_id)


async def delete_entry(context: Context, of: OwnedList, entry_id: UUID) -> UUID:
    """Delete one of the viewer's own entries, and give its id.

    Raises:
        Refused: it isn't one of the viewer's.
    """
    async with context.transaction() as transaction:
        await _own(context, transaction, of, entry_id, locked=True)
        await transaction.run(delete(of.table).where(of.table.c.id == entry_id))
    return entry_id
