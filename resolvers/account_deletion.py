"""Deleting an account with everything in it, within the caller's transaction."""

from typing import NoReturn
from uuid import UUID, uuid4

from sqlalchemy import ClauseElement, bindparam, delete, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import LargeBinary, Uuid

from i18n import gettext as _
from jobs import mail
from jobs.outbox import enqueue
from models.account import Role, accounts, request_keys
from models.database import Transaction
from models.outbox import AuditAction, outbox
from models.reviewer import appointments
from models.statement import Row, statement
from permissions.addresses import account_key
from permissions.sealing import mailbox_hashes
from resolvers.account_row import lock_with_administrators
from resolvers.audit import note
from resolvers.context import Context
from resolvers.errors import Code, refuse


class _ReviewRow(Row):
    mediator_id: UUID
    reviewer_id: UUID


@statement(_ReviewRow)
def _reviews() -> ClauseElement:
    """Select the reviews in force that an account is part of, on either side."""
    own = bindparam("account_id", type_=Uuid())
    return select(appointments.c.mediator_id, appointments.c.reviewer_id).where(
        or_(appointments.c.mediator_id == own, appointments.c.reviewer_id == own), appointments.c.in_force
    )


async def erase_account(
    context: Context, transaction: Transaction, account_id: UUID, *, email: str | None = None
) -> None:
    """Delete an account and everything that depends on it. Feedback that its owner gave to others loses its origin.

    Rows that only hold the account's address (origins, invitations) are deleted if the address was verified. The owner
    gets an email, and so does the other side of each review that ends. `email`: the address that the account has to
    have.

    Raises:
        Refused: there's no such account, it has another address, or it's the last administrator's.
    """
    account, has_colleague = await lock_with_administrators(transaction, account_id)
    if account is None:
        refuse("id", Code.NOT_FOUND, _("There's no such account."))
    if email is not None and account_key(email.strip()) != account.email_key:
        refuse("email", Code.INVALID, _("This isn't the account's email address. Nothing was deleted."))
    if Role.ADMIN in account.roles and not has_colleague:
        refuse_last_administrator()
    reviews = await transaction.all(_reviews(), account_id=account_id)
    mailbox = bindparam("mailbox", mailbox_hashes(context.settings, account.email_key), ARRAY(LargeBinary()))
    await transaction.run(select(func.erase_origins(account_id, mailbox)))
    await transaction.run(select(func.erase_invitations(account_id)))
    # Its own, and those of what depends on it. The owner may not read all of these.
    theirs = select(func.ids_of(account_id))
    await transaction.run(delete(request_keys).where(request_keys.c.result_id.in_(theirs)))
    await transaction.run(delete(outbox).where(or_(outbox.c.subject_id.in_(theirs), outbox.c.other_id == account_id)))
    await transaction.run(delete(accounts).where(accounts.c.id == account_id))
    note(context, transaction, AuditAction.ACCOUNT_DELETED, account_id)
    # Emails that are still to be sent have the account's name until then, but not its id.
    nobody = uuid4()
    for review in reviews:
        if review.mediator_id == account_id:
            ended, mediator_id, reviewer_id = mail.REVIEW_ENDED, nobody, review.reviewer_id
        else:
            ended, mediator_id, reviewer_id = mail.APPOINTMENT_ENDED, review.mediator_id, nobody
        await enqueue(transaction, ended, mediator_id, other_id=reviewer_id, recipient_name=account.name)
    await enqueue(transaction, mail.ACCOUNT_DELETED, nobody, recipient=account.email, recipient_name=account.name)


def refuse_last_administrator() -> NoReturn:
    """Refuse to remove the last administrator.

    Raises:
        Refused: always.
    """
    refuse(None, Code.NOT_ALLOWED, _("There has to be another administrator first."))
