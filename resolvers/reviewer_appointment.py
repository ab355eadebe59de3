"""Appointments, made and ended under a lock on both accounts, so that no two people can review each other."""

from uuid import UUID

from sqlalchemy import ClauseElement, bindparam, delete, func, insert, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Uuid

from i18n import gettext as _
from jobs import mail
from jobs.outbox import enqueue
from models.account import Role
from models.database import Transaction
from models.reviewer import appointments, reviewer_invitations
from models.statement import Row, statement
from resolvers.account_row import lock_with_mailboxes
from resolvers.context import Context
from resolvers.errors import Code, refuse


class AppointmentRow(Row):
    """A mediator and their reviewer, approved or waiting for approval."""

    id: UUID
    mediator_id: UUID
    reviewer_id: UUID
    approved: bool


_appointments = select(
    appointments.c.id, appointments.c.mediator_id, appointments.c.reviewer_id, appointments.c.approved
)


@statement(AppointmentRow)
def _of_mediator() -> ClauseElement:
    return _appointments.where(appointments.c.mediator_id == bindparam("mediator_id"))


@statement(AppointmentRow)
def _between() -> ClauseElement:
    """Select the appointments of these mediators with these reviewers."""
    mediators, reviewers = (func.any(bindparam(name, type_=ARRAY(Uuid()))) for name in ("mediators", "reviewers"))
    return _appointments.where(appointments.c.mediator_id == mediators, appointments.c.reviewer_id == reviewers)


@statement(AppointmentRow)
def waiting_appointment() -> ClauseElement:
    """Select an appointment that's waiting for approval, by its `id`."""
    return _appointments.where(appointments.c.id == bindparam("id"), ~appointments.c.approved)


async def put_reviewer(
    context: Context, transaction: Transaction, mediator_id: UUID, reviewer_id: UUID, field: str
) -> None:
    """Appoint a reviewer, or let them wait for approval if a setting asks for it. The mediator's invitations end.

    Raises:
        Refused: that reviewer can't be appointed; the problem is with `field`.
    """
    # Otherwise A appointing B and B appointing A could both pass the check below.
    people = await lock_with_mailboxes(transaction, mediator_id, reviewer_id)
    mediator, reviewer = people.get(mediator_id), people.get(reviewer_id)
    if mediator and reviewer and mediator.mailbox == reviewer.mailbox:
        refuse(field, Code.NOT_ALLOWED, _("You can't be your own reviewer."))
    if mediator is None or reviewer is None or Role.REVIEWER not in reviewer.roles:
        refuse(field, Code.NOT_FOUND, _("There's no such reviewer."))
    reciprocal = await transaction.first(
        _between(),
        mediators=[one.id for one in people.values() if one.mailbox == reviewer.mailbox],
        reviewers=[one.id for one in people.values() if one.mailbox == mediator.mailbox],
    )
    if reciprocal:
        refuse(field, Code.NOT_ALLOWED, _("Two people can't review each other."))
    await transaction.run(delete(reviewer_invitations).where(reviewer_invitations.c.mediator_id == mediator_id))
    approved = not context.settings.reviewer_approval
    present = await transaction.all(_of_mediator(), mediator_id=mediator_id)
    if any(row.reviewer_id == reviewer_id and row.approved >= approved for row in present):
        return
    await transaction.run(
        delete(appointments).where(appointments.c.mediator_id == mediator_id, appointments.c.approved == approved)
    )
    await transaction.run(
        insert(appointments).values(mediator_id=mediator_id, reviewer_id=reviewer_id, approved=approved)
    )
    if not approved:
        await enqueue(transaction, mail.APPOINTMENT_WAITING, mediator_id, other_id=reviewer_id)
        return
    await tell_of_appointment(transaction, mediator_id, reviewer_id)
    for row in present:
        if row.approved:
            await enqueue(transaction, mail.REVIEW_ENDED, mediator_id, other_id=row.reviewer_id)


async def tell_of_appointment(transaction: Transaction, mediator_id: UUID, reviewer_id: UUID) -> None:
    """Email both sides that an appointment is in force."""
    await enqueue(transaction, mail.REVIEWER_APPOINTED, mediator_id, other_id=reviewer_id)
    await enqueue(transaction, mail.APPOINTMENT_MADE, mediator_id, other_id=reviewer_id)


@statement(AppointmentRow)
def _end(of_mediator: bool) -> ClauseElement:
    """Delete the appointments of a mediator with one reviewer, or of a reviewer with everyone."""
    ended = appointments.c.reviewer_id == bindparam("reviewer_id", type_=Uuid())
    if of_mediator:
        ended &= appointments.c.mediator_id == bindparam("mediator_id", type_=Uuid())
    return delete(appointments).where(ended).returning(*_appointments.selected_columns)


async def end_reviews(transaction: Transaction, *, reviewer_id: UUID, mediator_id: UUID | None = None) -> int:
    """Delete the appointments of a reviewer, with one mediator or with everyone. Gives how many there were.

    Both sides of each appointment in force get an email.
    """
    if mediator_id is None:
        ended = await transaction.all(_end(of_mediator=False), reviewer_id=reviewer_id)
    else:
        ended = await transaction.all(_end(of_mediator=True), reviewer_id=reviewer_id, mediator_id=mediator_id)
    for row in ended:
        if row.approved:
            await enqueue(transaction, mail.REVIEW_ENDED, row.mediator_id, other_id=row.reviewer_id)
            await enqueue(transaction, mail.APPOINTMENT_ENDED, row.mediator_id, other_id=row.reviewer_id)
    return len(ended)
