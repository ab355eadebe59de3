"""Appointments: made, put into force once they have every yes they need, and ended.

They change one at a time, under one lock. Otherwise two changes that don't see each other could make two people review
each other, or close a ring.
"""

from uuid import UUID

from sqlalchemy import ClauseElement, bindparam, delete, func, insert, select, update
from sqlalchemy.types import Uuid

from i18n import gettext as _
from jobs import mail
from jobs.outbox import enqueue
from models.account import Role, accounts
from models.database import Transaction
from models.reviewer import appointments
from models.statement import Row, statement
from permissions.scopes import waiting_for
from permissions.viewer import Standing
from resolvers.account_row import PersonRow, lock_with_mailboxes
from resolvers.context import Context
from resolvers.errors import Code, refuse
from resolvers.reviewer_needs import (
    YESES,
    People,
    YesesRow,
    missing,
    needed_now,
    obstacle,
    refuse_obstacle,
    strictest,
)


class AppointmentRow(YesesRow):
    """A mediator's choice of reviewer."""

    id: UUID
    mediator_id: UUID
    reviewer_id: UUID
    in_force: bool


_its = appointments.c
_appointments = select(_its.id, _its.mediator_id, _its.reviewer_id, _its.in_force, *YESES).join(
    accounts, accounts.c.id == _its.reviewer_id
)


@statement(AppointmentRow)
def _by_id() -> ClauseElement:
    return _appointments.where(_its.id == bindparam("id"))


@statement(AppointmentRow)
def _waiting(standings: Standing) -> ClauseElement:
    """Select an appointment that waits and that a viewer with these standings may decide on."""
    return _appointments.where(_its.id == bindparam("id"), waiting_for(standings))


@statement(AppointmentRow)
def _of_mediator() -> ClauseElement:
    return _appointments.where(_its.mediator_id == bindparam("mediator_id"))


@statement(AppointmentRow)
def of_reviewer() -> ClauseElement:
    """Select the appointments of one reviewer with everyone."""
    return _appointments.where(_its.reviewer_id == bindparam("reviewer_id"))


async def lock_appointments(transaction: Transaction) -> None:
    """Let no other appointment change until commit. Call this before accounts are locked, so that nobody deadlocks."""
    await transaction.run(select(func.pg_advisory_xact_lock(func.hashtext("appointment"))))


async def lock_waiting(
    context: Context, transaction: Transaction, appointment_id: UUID
) -> tuple[AppointmentRow, People]:
    """Lock a waiting appointment until commit, with both of its sides and the viewer, who decides on it.

    Gives the appointment, and the people by their ids.

    Raises:
        Refused: there's no such appointment, or it isn't for the viewer to decide.
    """
    await lock_appointments(transaction)
    standings = context.viewer.standings & (Standing.ADMIN | Standing.REVIEWER)
    wanted = {"id": appointment_id} | ({} if standings & Standing.ADMIN else {"viewer": context.account_id})
    row, people = await transaction.first(_waiting(standings), **wanted), dict[UUID, PersonRow]()
    if row:
        people = await lock_with_mailboxes(transaction, row.mediator_id, row.reviewer_id, context.account_id)
        row = await transaction.first(_waiting(standings), **wanted)  # either side may just have ended it
    if row is None:
        refuse("id", Code.NOT_FOUND, _("There's no such appointment."))
    return row, people


async def choose_reviewer(
    context: Context, transaction: Transaction, mediator_id: UUID, reviewer_id: UUID, field: str
) -> UUID | None:
    """Let an appointment wait for its yeses, in the place of one that's waiting. Gives its id.

    None if that reviewer is the mediator's already; then nothing changes. Call `lock_appointments` first.

    Raises:
        Refused: that reviewer can't be appointed; the problem is with `field`.
    """
    people = await lock_with_mailboxes(transaction, mediator_id, reviewer_id)
    reviewer = people.get(reviewer_id)
    if reviewer is None or mediator_id not in people:
        refuse(field, Code.NOT_FOUND, _("There's no such reviewer."))
    if people[mediator_id].mailbox != reviewer.mailbox and Role.REVIEWER not in reviewer.roles:
        refuse(field, Code.NOT_FOUND, _("There's no such reviewer."))
    await refuse_obstacle(transaction, people, mediator_id, reviewer_id, field)
    present = await transaction.all(_of_mediator(), mediator_id=mediator_id)
    for row in present:
        if row.reviewer_id == reviewer_id:
            return None if row.in_force else row.id
    await transaction.run(delete(appointments).where(_its.mediator_id == mediator_id, ~_its.in_force))
    needed = await needed_now(context, transaction, people, mediator_id, reviewer_id)
    sides = {"mediator_id": mediator_id, "reviewer_id": reviewer_id}
    await transaction.run(insert(appointments).values(**sides, approval=needed))
    await enqueue(transaction, mail.REVIEW_ASKED, mediator_id, other_id=reviewer_id)
    await enqueue(transaction, mail.APPOINTMENT_WAITING, mediator_id, other_id=reviewer_id)
    made = select(_its.id).where(_its.mediator_id == mediator_id, ~_its.in_force)
    return await transaction.value(made, UUID)


class _ReplacedRow(Row):
    reviewer_id: UUID


@statement(_ReplacedRow)
def _replaced() -> ClauseElement:
    """Delete a mediator's appointment that is in force."""
    own = _its.mediator_id == bindparam("mediator_id", type_=Uuid())
    return delete(appointments).where(own, _its.in_force).returning(_its.reviewer_id)


async def come_into_force(context: Context, transaction: Transaction, people: People, appointment_id: UUID) -> None:
    """Put a waiting appointment into force if it has every yes that it needs by now; it replaces the present reviewer.

    Call this after each yes. It goes on waiting if its sides have become one person, or would review each other.
    """
    row = await transaction.one(_by_id(), id=appointment_id)
    mediator_id, reviewer_id = row.mediator_id, row.reviewer_id
    needed = strictest(row.approval, await needed_now(context, transaction, people, mediator_id, reviewer_id))
    this = update(appointments).where(_its.id == appointment_id)
    if needed != row.approval:
        await transaction.run(this.values(approval=needed))
    if missing(row, needed) or await obstacle(transaction, people, mediator_id, reviewer_id):
        return
    for replaced in await transaction.all(_replaced(), mediator_id=mediator_id):
        await enqueue(transaction, mail.REVIEW_ENDED, mediator_id, other_id=replaced.reviewer_id)
    await transaction.run(this.values(in_force=True, since=func.clock()))
    await enqueue(transaction, mail.REVIEWER_APPOINTED, mediator_id, other_id=reviewer_id)
    await enqueue(transaction, mail.APPOINTMENT_MADE, mediator_id, other_id=reviewer_id)


class EndedRow(_ReplacedRow):
    """An appointment that was ended: its sides, and whether it was in force."""

    mediator_id: UUID
    in_force: bool


@statement(EndedRow)
def _end(of_mediator: bool) -> ClauseElement:
    """Delete the appointments of a mediator with one reviewer, or of a reviewer with everyone."""
    ended = _its.reviewer_id == bindparam("reviewer_id", type_=Uuid())
    if of_mediator:
        ended &= _its.mediator_id == bindparam("mediator_id", type_=Uuid())
    return delete(appointments).where(ended).returning(_its.reviewer_id, _its.mediator_id, _its.in_force)


async def end_reviews(
    transaction: Transaction, *, reviewer_id: UUID, mediator_id: UUID | None = None
) -> list[EndedRow]:
    """Delete the appointments of a reviewer, with one mediator or with everyone. Gives what they were.

    Both sides of each appointment in force get an email.
    """
    if mediator_id is None:
        ended = await transaction.all(_end(of_mediator=False), reviewer_id=reviewer_id)
    else:
        ended = await transaction.all(_end(of_mediator=True), reviewer_id=reviewer_id, mediator_id=mediator_id)
    for row in ended:
        if row.in_force:
            await enqueue(transaction, mail.REVIEW_ENDED, row.mediator_id, other_id=row.reviewer_id)
            await enqueue(transaction, mail.APPOINTMENT_ENDED, row.mediator_id, other_id=row.reviewer_id)
    return ended
