"""The sessions of a case: reading them with their case, and adding, changing and deleting your own.

Each change also writes the case, so that its trigger adds the sessions up, and counts as an edit of the case.
"""

from collections import defaultdict
from collections.abc import Awaitable, Sequence
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import strawberry
from sqlalchemy import ClauseElement, bindparam, delete, func, insert, null, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Uuid
from strawberry import UNSET

from i18n import gettext as _
from models.case_session import SessionKind, case_sessions
from models.database import Reads, Transaction
from models.logbook import Medium, logbook_entries
from models.statement import Row, Values, statement
from permissions.policy import allows
from permissions.viewer import Standing
from resolvers.context import Context, Info
from resolvers.entries import bits
from resolvers.entry_changes import is_confirmed
from resolvers.errors import Code, Problem, Refused, refuse
from resolvers.idempotency import earlier_result, once
from resolvers.inputs import given, read_id
from resolvers.logbook import LogbookRow, confirmation
from resolvers.validation import LONGEST_DAY, Check

MAX_SESSIONS = 200  # of one case
_its, _case = case_sessions.c, logbook_entries.c
_MONTH = func.to_char(_its.held_on, "YYYY-MM")


class CaseSessionRow(Row):
    """One session, with the standing that its case was loaded with."""

    standing: int
    id: UUID
    entry_id: UUID
    held_on: date | None
    held_month: str
    minutes: int
    kind: str
    medium: str
    version: int | None


def _shown(standing: Standing) -> list[Any]:
    held_on = _its.held_on if allows(standing, "CaseSession", "heldOn") else null()
    version = _its.version if allows(standing, "CaseSession", "version") else null()
    return [
        bits(standing),
        _its.id,
        _its.entry_id,
        held_on.label("held_on"),
        _MONTH.label("held_month"),
        _its.minutes,
        _its.kind,
        _its.medium,
        version.label("version"),
    ]


@statement(CaseSessionRow)
def _of_cases(standing: Standing) -> ClauseElement:
    """Select the sessions of cases, in their order as far as the standing may know it."""
    order = _its.held_on if allows(standing, "CaseSession", "heldOn") else _MONTH
    ids = func.any(bindparam("ids", type_=ARRAY(Uuid())))
    return select(*_shown(standing)).where(_its.entry_id == ids).order_by(order, _its.id)


def sessions(info: Info, case: strawberry.Parent[LogbookRow]) -> Awaitable[Sequence[CaseSessionRow]]:
    """Give a case's sessions, the first one first. All cases of a request share one statement."""
    standing, context = Standing(case.standing), info.context

    async def load(ids: list[UUID]) -> Sequence[Sequence[CaseSessionRow]]:
        async with context.database.reading() as reading:
            rows = await reading.all(_of_cases(standing), ids=ids)
        found: dict[UUID, list[CaseSessionRow]] = defaultdict(list)
        for row in rows:
            found[row.entry_id].append(row)
        return [found[one] for one in ids]

    return context.load(load, ("sessions", standing), case.id)


class _OwnCase(Row):
    id: UUID
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
    columns = (_case.id, _case.ended_on, _case.minutes, _case.medium, _case.contact_minutes)
    mine = _case.mediator_id == bindparam("me", type_=Uuid())
    return select(*columns).where(_case.id == wanted, mine).with_for_update()


@statement(CaseSessionRow)
def _one() -> ClauseElement:
    mine = _its.mediator_id == bindparam("me", type_=Uuid())
    return select(*_shown(Standing.SELF)).where(_its.id == bindparam("id", type_=Uuid()), mine)


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
    session_id: UUID,
    values: Values,
    *,
    is_new: bool,
    confirmed: bool,
) -> None:
    """Check a session among the others of its case.

    Raises:
        Refused: with every problem found.
    """
    check = Check()
    check.day("heldOn", values["held_on"], context.database.latest_today())
    check.minutes("minutes", values["minutes"])
    check.done()
    others = await transaction.first(_others(), entry_id=entry_id, day=values["held_on"], but=session_id)
    if others:
        check.plausible(values["minutes"] + others.minutes, 1, confirmed=confirmed)
        if others.sessions >= MAX_SESSIONS and is_new:
            check.add(None, Code.OUT_OF_RANGE, _("A case can have at most %(most)s sessions.", most=MAX_SESSIONS))
    check.done()


async def _add_up(transaction: Transaction, entry_id: UUID) -> None:
    """Count an edit of the case, whose trigger adds up its sessions."""
    await transaction.run(
        update(logbook_entries).where(_case.id == entry_id).values(version=logbook_entries.c.version + 1)
    )


async def _reread(context: Context, reading: Reads, session_id: UUID) -> CaseSessionRow:
    row = await reading.first(_one(), id=session_id, me=context.account_id)
    if row is None:
        refuse("id", Code.NOT_FOUND, _("There's no such session."))
    return row


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
        await _check(context, transaction, case.id, new_id, values, is_new=True, confirmed=is_confirmed(input))
        await transaction.run(insert(case_sessions).values(id=new_id, **key, **values))
        await _add_up(transaction, case.id)
        return await _reread(context, transaction, new_id)


async def update_case_session(info: Info, input: UpdateCaseSessionInput) -> CaseSessionRow:
    """Change a session of the viewer's, and give it.

    Raises:
        Refused: something in the input needs fixing, or the session is no longer at the input's version. In that case
            (CONFLICT) the facts have the session as it is now.
    """
    context, session_id, changes = info.context, read_id(input.id), given(input)
    async with context.transaction() as transaction:
        case = await transaction.first(_own_case(by_session=True), id=session_id, me=context.account_id)
        row = await _reread(context, transaction, session_id)
        if row.version != input.version:
            refuse(
                "version",
                Code.CONFLICT,
                _("This session has changed in the meantime. Please compare, then save again."),
                current=row,
            )
        blanks = [name for name, value in changes.items() if value is None]
        if blanks:
            names = {"held_on": "heldOn"}
            raise Refused(*(Problem(names.get(one, one), _("Please fill this in."), Code.REQUIRED) for one in blanks))
        values = {name: row[name] for name in ("held_on", "minutes", "kind", "medium")} | changes
        if case and any(values[name] != row[name] for name in ("held_on", "minutes")):
            await _check(context, transaction, case.id, session_id, values, is_new=False, confirmed=is_confirmed(input))
        version = {"version": input.version + 1}
        await transaction.run(update(case_sessions).where(_its.id == session_id).values(**values, **version))
        await _add_up(transaction, row.entry_id)
        return await _reread(context, transaction, session_id)


async def delete_case_session(info: Info, input: DeleteCaseSessionInput) -> UUID:
    """Delete a session of the viewer's, and give its id. The hours of the last one stay with the case.

    Raises:
        Refused: it isn't one of the viewer's.
    """
    context, session_id = info.context, read_id(input.id)
    async with context.transaction() as transaction:
        await transaction.first(_own_case(by_session=True), id=session_id, me=context.account_id)
        row = await _reread(context, transaction, session_id)
        await transaction.run(delete(case_sessions).where(_its.id == session_id))
        await _add_up(transaction, row.entry_id)
    return session_id
