"""Deleting an account: everything of theirs goes, in the caller's transaction."""

from uuid import UUID

from sqlalchemy import delete, or_, select

from jobs.outbox import Kind, enqueue
from models.account import Role, accounts
from models.database import Transaction
from models.feedback import feedback_origins
from models.outbox import AuditAction, outbox
from models.reviewer import appointments, reviewer_invitations
from resolvers.audit import note
from resolvers.context import Context
from resolvers.errors import Code, refuse


async def delete_account(context: Context, transaction: Transaction, account_id: UUID) -> None:
    """Delete an account with all that hangs on it; feedback that its owner gave others loses its origin.

    The owner, and the other side of each review that ends, are told by mail. Refused for the last administrator.
    """
    account = await transaction.first(
        select(accounts.c.id, accounts.c.name, accounts.c.email, accounts.c.email_key, accounts.c.roles)
        .where(accounts.c.id == account_id)
        .with_for_update()
    )
    if account is None:
        refuse("id", Code.NOT_FOUND, "There is no such account.")
    if Role.ADMIN in account.roles:
        await keep_an_administrator(transaction, account_id)
    reviews = await transaction.all(
        select(appointments.c.mediator_id, appointments.c.reviewer_id).where(
            or_(appointments.c.mediator_id == account_id, appointments.c.reviewer_id == account_id),
            appointments.c.approved,
        )
    )
    for review in reviews:
        ended = Kind.REVIEW_ENDED if review.mediator_id == account_id else Kind.APPOINTMENT_ENDED
        await enqueue(transaction, ended, review.mediator_id, other_id=review.reviewer_id, recipient_name=account.name)
    await transaction.run(delete(feedback_origins).where(feedback_origins.c.email_key == account.email_key))
    await transaction.run(delete(reviewer_invitations).where(reviewer_invitations.c.email_key == account.email_key))
    await transaction.run(delete(outbox).where(outbox.c.subject_id == account_id, outbox.c.recipient.is_not(None)))
    await transaction.run(delete(accounts).where(accounts.c.id == account_id))
    await note(context, transaction, AuditAction.ACCOUNT_DELETED, account_id)
    await enqueue(transaction, Kind.ACCOUNT_DELETED, account_id, recipient=account.email, recipient_name=account.name)


async def keep_an_administrator(transaction: Transaction, account_id: UUID) -> None:
    """Refuse if nobody else is an administrator; locks them all, so that two cannot leave at once."""
    admins = await transaction.all(
        select(accounts.c.id)
        .where(accounts.c.roles.contains([Role.ADMIN.value]))
        .order_by(accounts.c.id)
        .with_for_update()
    )
    if all(row.id == account_id for row in admins):
        refuse(None, Code.NOT_ALLOWED, "There has to be another administrator first.")
