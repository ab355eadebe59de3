"""Appointments: put in force and ended under a lock on both accounts, so that no two people review each other."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, delete, func, insert, literal_column, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Uuid

from i18n import gettext as _
from jobs import mail
from jobs.outbox import enqueue
from models.account import MAILBOX, Role, accounts
from models.database import Row, Transaction
from models.reviewer import appointments, reviewer_invitations
from resolvers.context import Context
from resolvers.errors import Code, refuse

_mailbox: ColumnElement[str] = literal_column(MAILBOX)


async def put_reviewer(
    context: Context, transaction: Transaction, mediator_id: UUID, reviewer_id: UUID, field: str
) -> None:
    """Appoint, or leave waiting for approval where a setting says so; invitations of the mediator's end.

    Refused, for `field`, if it cannot be them.
    """
    # So that A appointing B and B appointing A cannot both pass the check below.
    people = await lock_accounts(transaction, mediator_id, reviewer_id)
    mediator, reviewer = people.get(mediator_id), people.get(reviewer_id)
    if mediator and reviewer and mediator.mailbox == reviewer.mailbox:
        refuse(field, Code.NOT_ALLOWED, _("You can't be your own reviewer."))
    if mediator is None or reviewer is None or Role.REVIEWER not in reviewer.roles:
        refuse(field, Code.NOT_FOUND, _("There's no such reviewer."))
    reciprocal = await transaction.first(
        select(appointments.c.id).where(
            _one_of(appointments.c.mediator_id, [one.id for one in people.values() if one.mailbox == reviewer.mailbox]),
            _one_of(appointments.c.reviewer_id, [one.id for one in people.values() if one.mailbox == mediator.mailbox]),
        )
    )
    if reciprocal:
        refuse(field, Code.NOT_ALLOWED, _("Two people can't review each other."))
    await transaction.run(delete(reviewer_invitations).where(reviewer_invitations.c.mediator_id == mediator_id))
    approved = not context.settings.reviewer_approval
    present = await transaction.all(select(appointments).where(appointments.c.mediator_id == mediator_id))
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


def _one_of(column: ColumnElement[UUID], ids: Sequence[UUID]) -> ColumnElement[bool]:
    return column == func.any(bindparam(None, ids, ARRAY(Uuid())))


async def lock_accounts(transaction: Transaction, *account_ids: UUID) -> dict[UUID, Row]:
    """Lock accounts until commit, and all others of their mailboxes; give the `roles` and `mailbox` of each by its id.

    They are locked in the order of ids, so that two changes wait in turn.
    """
    theirs = select(_mailbox).where(_one_of(accounts.c.id, account_ids))
    rows = await transaction.all(
        select(accounts.c.id, accounts.c.roles, _mailbox.label("mailbox"))
        .where(_mailbox.in_(theirs.correlate(None)))
        .order_by(accounts.c.id)
        .with_for_update()
    )
    return {row.id: row for row in rows}


async def tell_of_appointment(transaction: Transaction, mediator_id: UUID, reviewer_id: UUID) -> None:
    """Tell both sides that an appointment is in force."""
    await enqueue(transaction, mail.REVIEWER_APPOINTED, mediator_id, other_id=reviewer_id)
    await enqueue(transaction, mail.APPOINTMENT_MADE, mediator_id, other_id=reviewer_id)


async def end_reviews(transaction: Transaction, which: ColumnElement[bool]) -> int:
    """Delete the appointments selected, and tell both sides of each that was in force; give how many there were."""
    ended = await transaction.all(
        delete(appointments)
        .where(which)
        .returning(appointments.c.mediator_id, appointments.c.reviewer_id, appointments.c.approved)
    )
    for row in ended:
        if row.approved:
            await enqueue(transaction, mail.REVIEW_ENDED, row.mediator_id, other_id=row.reviewer_id)
            await enqueue(transaction, mail.APPOINTMENT_ENDED, row.mediator_id, other_id=row.reviewer_id)
    return len(ended)
