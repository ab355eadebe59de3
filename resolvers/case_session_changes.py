"""Adding, changing and deleting the sessions of your own cases.

Each change also writes the case, so that its trigger adds the sessions up, and counts as an edit of the case.
"""

from datetime import date
from typing import Any
from uuid import UUID, uuid4

import strawberry
from sqlalchemy import ClauseElement, bindparam, delete, func, insert, select, update
from sqlalchemy.types import Uuid
from strawberry import UNSET

from i18n import gettext as _
from models.case_session import SessionKind, case_sessions
from models.database import Reads, Transaction
from models.fields import camel
from models.logbook import Medium, logbook_entries
from models.statement import Row, Values, statement
from permissions.viewer import Standing
from resolvers.access import keep_profile
from resolvers.case_session import CaseSessionRow, session_columns
from resolvers.context import Context, Info
from resolvers.entry_changes import is_confirmed
from resolvers.errors import Code, Problem, Refused, refuse
from resolvers.idempotency import earlier_result, once
from resolvers.inputs import given, read_id
from resolvers.logbook import confirmation
from resolvers.validation import LONGEST_DAY, Check

MAX_SESSIONS = 200  # of one case
_its, _case = case_sessions.c, logbook_entries.c


class _OwnCase(Row):
    id: UUID
    started_on: date
    ended_on: date
    minutes: int
    medium: str
    contact_minutes: int | None


@statement(_OwnCase)
def _own_case(by_session: bool) -> ClauseElement:
    """Select and lock one of the viewer's cases, by its id or by that of one of its sessions."""
    wanted: Any = bindparam("id", type_=Uuid())
    if by_session:
        wanted = select(_its.entry_id).where(_its.id == wanted).scalar_subquery()
    columns = (_case.id, _case.started_on, _case.ended_on, _case.minutes, _case.medium, _case.contact_minutes)
    mine = _case.mediator_id == bindparam("me", type_=Uuid())
    return select(*columns).where(_case.id == wanted, mine).with_for_update()


@statement(CaseSessionRow)
def _one() -> ClauseElement:
    mine = _its.mediator_id == bindparam("me", type_=Uuid())
    return select(*session_columns(Standing.SELF)).where(_its.id == bindparam("id", type_=Uuid()), mine)


class _DayRow(Row):
    minutes: int
    sessions: int


@statement(_DayRow)
def _others() -> ClauseElement:
    """Select how long a case's other sessions on a day are, and how many sessions it has.

    One that's longer than a day stands for several days, and isn't counted.
    """
    on_day = (_its.held_on == bindparam("day", type_=_its.held_on.type)) & (_its.minutes <= LONGEST_DAY)
    on_day &= _its.id != bindparam("but", type_=Uuid())
    minutes = func.coalesce(func.sum(_its.minutes).filter(on_day), 0).label("minutes")
    of_case = _its.entry_id == bindparam("entry_id", type_=Uuid())
    return select(minutes, func.count().label("sessions")).where(of_case)


@strawberry.input(description="A new session of a case. If it's the first, the hours so far become one before it.")
class AddCaseSessionInput:
    """A new session."""

    entry_id: strawberry.ID
    held_on: date
    minutes: int
    kind: SessionKind = SessionKind.MEDIATION
    medium: Medium | None = strawberry.field(default=None, description="Without this, the case's.")
    confirm_implausible: bool = confirmation()
    request_key: str | None = None


@strawberry.input(description="Changes to a session. Fields you leave out stay as they are.")
class UpdateCaseSessionInput:
    """Changes to a session."""

    id: strawberry.ID
    version: int
    held_on: date | None = UNSET
    minutes: int | None = UNSET
    kind: SessionKind | None = UNSET
    medium: Medium | None = UNSET
    confirm_implausible: bool = confirmation()


@strawberry.input
class DeleteCaseSessionInput:
    """The session to delete."""

    id: strawberry.ID


async def _check(
    context: Context,
    transaction: Transaction,
    entry_id: UUID,
    values: Values,
    *,
    confirmed: bool,
    before: CaseSessionRow | None = None,
) -> None:
    """Check a session among the others of its case; `before` is that session as it was.

    Raises:
        Refused: with every problem found.
    """
    check = Check()
    check.day("heldOn", values["held_on"], context.database.latest_today())
    check.minutes("minutes", values["minutes"])
    check.done()
    but = before.id if before else uuid4()
    others = await transaction.one(_others(), entry_id=entry_id, day=values["held_on"], but=but)
    if before is None and others.sessions >= MAX_SESSIONS:
        check.add(None, Code.OUT_OF_RANGE, _("A case can have at most %(most)s sessions.", most=MAX_SESSIONS))
    # One that stands for several days may be moved, and made shorter.
    if before is None or not LONGEST_DAY < values["minutes"] <= before.minutes:
        check.plausible(values["minutes"] + others.minutes, 1, confirmed=confirmed)
    check.done()


async def _add_up(transaction: Transaction, case: _OwnCase, was_on: date | None = None) -> None:
    """Count an edit of the case, whose trigger adds up its sessions.

    `was_on`: the day that a session no longer has. If the case began or ended on it, it now does with another session.
    """
    values: Values = {"version": _case.version + 1}
    its = select(func.min(_its.held_on)).where(_its.entry_id == case.id).scalar_subquery()
    if was_on == case.started_on:
        values["started_on"] = its
    if was_on == case.ended_on:
        values["ended_on"] = its  # the trigger goes on to the last one
    await transaction.run(update(logbook_entries).where(_case.id == case.id).values(values))


async def _reread(context: Context, reading: Reads, session_id: UUID) -> CaseSessionRow:
    row = await reading.first(_one(), id=session_id, me=context.account_id)
    if row is None:
        refuse("id", Code.NOT_FOUND, _("There's no such session."))
    return row


async def _own_session(context: Context, transaction: Transaction, session_id: UUID) -> tuple[_OwnCase, CaseSessionRow]:
    """Lock the case of one of the viewer's sessions. Gives both.

    Raises:
        Refused: there's no such session.
    """
    case = await transaction.first(_own_case(by_session=True), id=session_id, me=context.account_id)
    row = await transaction.first(_one(), id=session_id, me=context.account_id)
    if case is None or row is None:
        refuse("id", Code.NOT_FOUND, _("There's no such session."))
    return case, row


async def add_case_session(info: Info, input: AddCaseSessionInput) -> CaseSessionRow:
    """Add a session to one of the viewer's cases, and give it.

    Raises:
        Refused: something in the input needs fixing, or the case isn't one of the viewer's.
        Forbidden: the viewer has no paid access.
        BadInput: the `requestKey` is too long.
    """
    context, new_id = info.context, uuid4()
    context.require_paid()
    async with context.transaction() as transaction:
        await keep_profile(context, transaction)
        case = await transaction.first(_own_case(by_session=False), id=read_id(input.entry_id), me=context.account_id)
        if case is None:
            refuse("entryId", Code.NOT_FOUND, _("There's no such case."))
        if earlier := await earlier_result(context, transaction, "addCaseSession", once(input), new_id):
            return await _reread(context, transaction, earlier)
        key = {"entry_id": case.id, "mediator_id": context.account_id}
        if case.contact_minutes is None:  # until now, the case was one session
            before = {"held_on": case.ended_on, "minutes": case.minutes, "medium": case.medium}
            kind = SessionKind.MEDIATION.value
            await transaction.run(insert(case_sessions).values(id=uuid4(), **key, **before, kind=kind))
        values = given(input) | {"medium": input.medium or case.medium}
        values.pop("entry_id")
        await _check(context, transaction, case.id, values, confirmed=is_confirmed(input))
        await transaction.run(insert(case_sessions).values(id=new_id, **key, **values))
        await _add_up(transaction, case)
        return await _reread(context, transaction, new_id)


async def update_case_session(info: Info, input: UpdateCaseSessionInput) -> CaseSessionRow:
    """Change a session of the viewer's, and give it.

    Raises:
        Refused: something in the input needs fixing, or the session is no longer at the input's version. In that case
            (CONFLICT) the facts have the session as it is now.
    """
    context, session_id, changes = info.context, read_id(input.id), given(input)
    async with context.transaction() as transaction:
        case, row = await _own_session(context, transaction, session_id)
        if row.version != input.version:
            refuse(
                "version",
                Code.CONFLICT,
                _("This session has changed in the meantime. Please compare, then save again."),
                current=row,
            )
        blanks = [name for name, value in changes.items() if value is None]
        if blanks:
            raise Refused(*(Problem(camel(one), _("Please fill this in."), Code.REQUIRED) for one in blanks))
        values = {name: row[name] for name in ("held_on", "minutes", "kind", "medium")} | changes
        if any(values[name] != row[name] for name in ("held_on", "minutes")):
            await _check(context, transaction, case.id, values, confirmed=is_confirmed(input), before=row)
        version = {"version": input.version + 1}
        await transaction.run(update(case_sessions).where(_its.id == session_id).values(**values, **version))
        await _add_up(transaction, case, row.held_on)
        return await _reread(context, transaction, session_id)


async def delete_case_session(info: Info, input: DeleteCaseSessionInput) -> UUID:
    """Delete a session of the viewer's, and give its id.

    Raises:
        Refused: it isn't one of the viewer's, or it's the only one of its case.
    """
    context, session_id = info.context, read_id(input.id)
    async with context.transaction() as transaction:
        case, row = await _own_session(context, transaction, session_id)
        of_case = select(func.count()).select_from(case_sessions).where(_its.entry_id == case.id)
        if await transaction.value(of_case, int) == 1:
            # Without it, its hours would be those of a mediation session on the case's last day.
            refuse("id", Code.NOT_ALLOWED, _("This is the case's only session. Change it, or delete the case."))
        await transaction.run(delete(case_sessions).where(_its.id == session_id))
        await _add_up(transaction, case, row.held_on)
    return session_id
