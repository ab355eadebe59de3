"""Deleting an account: everything of theirs goes, in the caller's transaction."""

from typing import NoReturn
from uuid import UUID, uuid4

from sqlalchemy import delete, func, or_, select

from i18n import gettext as _
from jobs import mail
from jobs.outbox import enqueue
from models.account import Role, accounts, request_keys
from models.database import Row, Transaction
from models.outbox import AuditAction, outbox
from models.reviewer import appointments, reviewer_invitations
from resolvers.audit import note
from resolvers.context import Context
from resolvers.errors import Code, refuse


async def erase_account(context: Context, transaction: Transaction, account_id: UUID) -> None:
    """Delete an account with all that hangs on it; feedback that its owner gave others loses its origin.

    What only bears the account's address (origins, invitations) goes if that was verified. The owner, and the other
    side of each review that ends, are told by mail. Refused for the last administrator.
    """
    account, has_colleague = await lock_account(transaction, account_id)
    if account is None:
        refuse("id", Code.NOT_FOUND, _("There's no such account."))
    if Role.ADMIN in account.roles and not has_colleague:
        refuse_last_administrator()
    reviews = await transaction.all(
        select(appointments.c.mediator_id, appointments.c.reviewer_id).where(
            or_(appointments.c.mediator_id == account_id, appointments.c.reviewer_id == account_id),
            appointments.c.approved,
        )
    )
    await transaction.value(select(func.erase_origins(account_id)))
    if account.email_verified_at:  # anybody can sign up with another's address
        await transaction.run(delete(reviewer_invitations).where(reviewer_invitations.c.email_key == account.email_key))
    # The account's own, and those of what hangs on it, which its owner may not all read.
    theirs = select(func.ids_of(account_id))
    await transaction.run(delete(request_keys).where(request_keys.c.result_id.in_(theirs)))
    await transaction.run(delete(outbox).where(or_(outbox.c.subject_id.in_(theirs), outbox.c.other_id == account_id)))
    await transaction.run(delete(accounts).where(accounts.c.id == account_id))
    await note(context, transaction, AuditAction.ACCOUNT_DELETED, account_id)
    # The mail that is still to be sent names the account until then, and does not bear its id.
    nobody = uuid4()
    for review in reviews:
        if review.mediator_id == account_id:
            ended, mediator_id, reviewer_id = mail.REVIEW_ENDED, nobody, review.reviewer_id
        else:
            ended, mediator_id, reviewer_id = mail.APPOINTMENT_ENDED, review.mediator_id, nobody
        await enqueue(transaction, ended, mediator_id, other_id=reviewer_id, recipient_name=account.name)
    await enqueue(transaction, mail.ACCOUNT_DELETED, nobody, recipient=account.email, recipient_name=account.name)


async def lock_account(transaction: Transaction, account_id: UUID) -> tuple[Row | None, bool]:
    """Lock an account until commit; give it, and whether there is an administrator besides it.

    All administrators are locked with it, so that two of them cannot leave at once; and in the order of ids, as
    wherever two accounts are locked, so that two changes wait for each other in turn.
    """
    rows = await transaction.all(
        select(
            accounts.c.id,
            accounts.c.name,
            accounts.c.email,
            accounts.c.email_key,
            accounts.c.email_verified_at,
            accounts.c.roles,
        )
        .where(or_(accounts.c.id == account_id, accounts.c.roles.contains([Role.ADMIN.value])))
        .order_by(accounts.c.id)
        .with_for_update()
    )
    account = next((row for row in rows if row.id == account_id), None)
    return account, any(Role.ADMIN in row.roles for row in rows if row is not account)


def refuse_last_administrator() -> NoReturn:
    """Refuse to let the last administrator go."""
    refuse(None, Code.NOT_ALLOWED, _("There has to be another administrator first."))
