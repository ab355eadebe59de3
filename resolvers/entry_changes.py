"""Adding, changing and deleting one's own entries, of whatever kind."""

from functools import cache
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Table, bindparam, delete, insert, select, update
from sqlalchemy.types import Uuid

from i18n import gettext as _
from models.database import Row, Statement, Transaction
from permissions.viewer import Standing
from resolvers.context import Context
from resolvers.entries import OwnedList, camel, own_columns
from resolvers.errors import Code, Problem, Refused, refuse
from resolvers.repeats import Once, earlier_result


def writable(table: Table) -> list[str]:
    """Name the columns that hold what a mediator wrote."""
    return [c.name for c in table.c if c.name not in {"id", "mediator_id", "version", "created_at"}]


@cache
def _one(of: OwnedList, locked: bool) -> Statement:
    rows = select(*own_columns(of)).select_from(of.source(Standing.SELF))
    rows = rows.where(
        of.table.c.id == bindparam("id", type_=Uuid()), of.table.c.mediator_id == bindparam("me", type_=Uuid())
    )
    return Statement(rows.with_for_update(of=of.table) if locked else rows)


async def _own(context: Context, transaction: Transaction, of: OwnedList, entry_id: UUID, *, locked: bool) -> Row:
    row = await transaction.first(_one(of, locked), id=entry_id, me=context.account_id)
    if row is None:
        refuse("id", Code.NOT_FOUND, _("There's no such entry."))
    return row


async def own_entry(context: Context, of: OwnedList, entry_id: UUID) -> Row:
    """Load one of the viewer's own entries; Refused if it is not theirs."""
    async with context.database.reading() as reading:
        return await _own(context, reading, of, entry_id, locked=False)


async def add_entry(context: Context, of: OwnedList, values: dict[str, Any], once: Once) -> UUID:
    """Add an entry of the viewer's; give its id. Refused lists what to mend."""
    context.require_paid()
    checked = of.check(values, context.database.latest_today())
    new_id = uuid4()
    async with context.transaction() as transaction:
        if earlier := await earlier_result(context, transaction, f"add{of.type_name}", once, new_id):
            return earlier
        for table in (of.table, of.private):
            written = {name: checked[name] for name in writable(table)}
            await transaction.run(insert(table).values(id=new_id, mediator_id=context.account_id, **written))
    return new_id


def _refuse_blanks(of: OwnedList, changes: dict[str, Any]) -> None:
    columns = {column.name: column for table in (of.table, of.private) for column in table.c}
    blanks = [name for name, value in changes.items() if value is None and not columns[name].nullable]
    if blanks:
        raise Refused(*(Problem(camel(name), _("Please fill this in."), Code.REQUIRED) for name in blanks))


async def update_entry(context: Context, of: OwnedList, entry_id: UUID, version: int, changes: dict[str, Any]) -> UUID:
    """Change the fields named in `changes`; Refused with CONFLICT if the entry is no longer at that version."""
    async with context.transaction() as transaction:
        row = await _own(context, transaction, of, entry_id, locked=True)
        if row.version != version:
            refuse(
                "version",
                Code.CONFLICT,
                _("This entry has changed in the meantime. Please compare, then save again."),
                current=row,
            )
        _refuse_blanks(of, changes)
        names = writable(of.table) + writable(of.private)
        checked = of.check({name: getattr(row, name) for name in names} | changes, context.database.latest_today())
        for table, counted in ((of.table, {"version": version + 1}), (of.private, {})):
            written = {name: checked[name] for name in writable(table)}
            await transaction.run(update(table).where(table.c.id == entry_id).values(**written, **counted))
    return entry_id


async def delete_entry(context: Context, of: OwnedList, entry_id: UUID) -> UUID:
    """Delete one of the viewer's own entries; Refused if it is not theirs."""
    async with context.transaction() as transaction:
        await _own(context, transaction, of, entry_id, locked=True)
        await transaction.run(delete(of.table).where(of.table.c.id == entry_id))
    return entry_id
