"""Opening balances: hours from before a mediator kept their logbook, as they declare them themselves."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID, uuid4

import strawberry
from sqlalchemy import ClauseElement, bindparam, delete, func, insert, null, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Uuid
from strawberry import UNSET

from i18n import gettext as _
from i18n import lazy_gettext
from models.database import Transaction
from models.logbook import CaseRole
from models.opening_balance import opening_balances
from models.statement import AnySelect, Values, statement
from permissions.policy import allows
from permissions.viewer import Standing
from resolvers.account_row import lock_account
from resolvers.context import Context, Info
from resolvers.entries import bits
from resolvers.entry_rows import OwnedRow
from resolvers.errors import Code, Problem, Refused, refuse
from resolvers.idempotency import earlier_result, once
from resolvers.inputs import given, read_id
from resolvers.mediator_row import MediatorRow
from resolvers.validation import Check

MAX_BALANCES = 20
MAX_BALANCE = 6_000_000  # minutes, which are 100,000 hours
MAX_CASES = 100_000
_UNIT = lazy_gettext("cases")
_balance = opening_balances.c


class OpeningBalanceRow(OwnedRow):
    """One opening balance."""

    mediator_id: UUID
    role: str
    minutes: int
    cases: int | None
    before: date


def _rows(standing: Standing) -> AnySelect:
    readable = allows(standing, "OpeningBalance", "version")
    return select(
        bits(standing),
        _balance.id,
        _balance.mediator_id,
        _balance.role,
        _balance.minutes,
        _balance.cases,
        _balance.before,
        (_balance.version if readable else null()).label("version"),
    )


@statement(OpeningBalanceRow)
def _of_mediators(standing: Standing) -> ClauseElement:
    of = _balance.mediator_id == func.any(bindparam("parents", type_=ARRAY(Uuid())))
    return _rows(standing).where(of).order_by(_balance.before, _balance.role, _balance.id)


@statement(OpeningBalanceRow)
def _own(locked: bool) -> ClauseElement:
    mine = _balance.mediator_id == bindparam("me", type_=Uuid())
    rows = _rows(Standing.SELF).where(_balance.id == bindparam("id", type_=Uuid()), mine)
    return rows.with_for_update() if locked else rows


async def opening_balances_of(info: Info, mediator: strawberry.Parent[MediatorRow]) -> Sequence[OpeningBalanceRow]:
    """Give a mediator's opening balances, the earliest first."""
    context, standing = info.context, Standing(mediator.standing)

    async def load(parents: list[UUID]) -> Sequence[list[OpeningBalanceRow]]:
        found: dict[UUID, list[OpeningBalanceRow]] = {parent: [] for parent in parents}
        async with context.database.reading() as reading:
            for row in await reading.all(_of_mediators(standing), parents=parents):
                found[row.mediator_id].append(row)
        return [found[parent] for parent in parents]

    return await context.load(load, ("opening_balances", standing), mediator.id)


@strawberry.input(description="Hours in one role from before you kept your logbook, as you declare them yourself.")
class AddOpeningBalanceInput:
    """A new opening balance."""

    role: CaseRole
    minutes: int = strawberry.field(description="1 to 6,000,000.")
    before: date = strawberry.field(description="The first day that isn't covered.")
    cases: int | None = strawberry.field(default=None, description="1 to 100,000. Null if you haven't counted them.")
    request_key: str | None = None


@strawberry.input(description="Changes to an opening balance. Fields you leave out stay as they are.")
class UpdateOpeningBalanceInput:
    """Changes to an opening balance."""

    id: strawberry.ID
    version: int
    role: CaseRole | None = UNSET
    minutes: int | None = UNSET
    before: date | None = UNSET
    cases: int | None = UNSET


@strawberry.input
class DeleteOpeningBalanceInput:
    """The opening balance to delete."""

    id: strawberry.ID


def _checked(context: Context, values: Values) -> Values:
    check = Check()
    if not 1 <= values["minutes"] <= MAX_BALANCE:
        check.add("minutes", Code.OUT_OF_RANGE, _("Please give a duration from 1 minute to 100,000 hours."))
    if values["cases"] is not None:
        check.number("cases", values["cases"], 1, MAX_CASES, _UNIT)
    check.day("before", values["before"], context.database.latest_today())
    check.done()
    return values


async def _find(transaction: Transaction, context: Context, balance_id: UUID, *, locked: bool) -> OpeningBalanceRow:
    row = await transaction.first(_own(locked), id=balance_id, me=context.account_id)
    if row is None:
        refuse("id", Code.NOT_FOUND, _("There's no such opening balance."))
    return row


async def add_opening_balance(info: Info, input: AddOpeningBalanceInput) -> OpeningBalanceRow:
    """Add an opening balance for the viewer, and give it.

    Raises:
        Refused: something in the input needs fixing, or the viewer has too many.
        Forbidden: the viewer has no paid access.
        BadInput: the `requestKey` is too long.
    """
    context = info.context
    context.require_paid()
    checked, new_id = _checked(context, given(input)), uuid4()
    async with context.transaction() as transaction:
        await lock_account(transaction, context.account_id)
        if earlier := await earlier_result(context, transaction, "addOpeningBalance", once(input), new_id):
            return await _find(transaction, context, earlier, locked=False)
        held = select(func.count()).select_from(opening_balances).where(_balance.mediator_id == context.account_id)
        if (await transaction.value(held, int) or 0) >= MAX_BALANCES:
            refuse(
                None,
                Code.NOT_ALLOWED,
                _("You already have %(most)s opening balances. Please delete one first.", most=MAX_BALANCES),
            )
        await transaction.run(insert(opening_balances).values(id=new_id, mediator_id=context.account_id, **checked))
        return await _find(transaction, context, new_id, locked=False)


async def update_opening_balance(info: Info, input: UpdateOpeningBalanceInput) -> OpeningBalanceRow:
    """Change the fields of the viewer's own opening balance that the input has, and give it.

    Raises:
        Refused: something in the input needs fixing, or it's no longer at the input's version. In that case (CONFLICT)
            the facts have it as it is now.
    """
    context, balance_id, changes = info.context, read_id(input.id), given(input)
    async with context.transaction() as transaction:
        row = await _find(transaction, context, balance_id, locked=True)
        if row.version != input.version:
            refuse(
                "version",
                Code.CONFLICT,
                _("This has changed in the meantime. Please compare, then save again."),
                current=row,
            )
        blank = [name for name in ("role", "minutes", "before") if changes.get(name, ...) is None]
        if blank:
            raise Refused(*(Problem(name, _("Please fill this in."), Code.REQUIRED) for name in blank))
        kept = {name: getattr(row, name) for name in ("role", "minutes", "cases", "before")}
        checked = _checked(context, kept | changes)
        changed = update(opening_balances).where(_balance.id == balance_id)
        await transaction.run(changed.values(**checked, version=input.version + 1))
        return await _find(transaction, context, balance_id, locked=False)


async def delete_opening_balance(info: Info, input: DeleteOpeningBalanceInput) -> UUID:
    """Delete one of the viewer's own opening balances, and give its id.

    Raises:
        Refused: it isn't one of the viewer's.
    """
    context, balance_id = info.context, read_id(input.id)
    async with context.transaction() as transaction:
        await _find(transaction, context, balance_id, locked=True)
        await transaction.run(delete(opening_balances).where(_balance.id == balance_id))
    return balance_id
