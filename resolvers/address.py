"""Mail addresses: who has shown one to be theirs, moving an account to another, and mail that strangers cause."""

from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, func, select, update

from jobs.outbox import Kind, enqueue
from models.account import Role, account_links, accounts
from models.database import Transaction
from permissions.secrets import address_hash, fold
from resolvers import limits
from resolvers.context import Context
from resolvers.errors import RateLimited


async def may_mail(context: Context, email: str) -> bool:
    """Count a mail that a stranger causes; False once that has happened too often, of which nobody is told."""
    try:
        await context.limiter.count(limits.MAIL_TO, address_hash(context.settings, email))
    except RateLimited:
        return False
    return True


def unproven(email: str) -> ColumnElement[bool]:
    """Select an account that was signed up with that address by somebody who has not shown that it is theirs.

    It makes way for whoever comes next. Otherwise a stranger could sign up with an address, and its owner would verify
    an account whose password the stranger knows.
    """
    return and_(
        accounts.c.email_key == fold(email),
        accounts.c.email_verified_at.is_(None),
        accounts.c.password_hash.is_not(None),
        accounts.c.roles == [Role.MEDIATOR.value],
    )


async def tell_registered(transaction: Transaction, email: str) -> None:
    """Mail the owner of an account that its address was typed in again."""
    account = await transaction.first(
        select(accounts.c.id).where(accounts.c.email_key == fold(email), ~unproven(email))
    )
    if account:
        await enqueue(transaction, Kind.ALREADY_REGISTERED, account.id)


async def mark_verified(transaction: Transaction, account_id: UUID) -> bool:
    """Note that an account's address was shown to be its owner's; False if it was before."""
    noted = await transaction.run(
        update(accounts)
        .where(accounts.c.id == account_id, accounts.c.email_verified_at.is_(None))
        .values(email_verified_at=func.clock())
    )
    return noted == 1


async def move_address(transaction: Transaction, account_id: UUID, email: str) -> None:
    """Change an account's address and tell the old one, whose links work no more; UniqueViolationError if taken."""
    (old,) = await transaction.all(select(accounts.c.name, accounts.c.email).where(accounts.c.id == account_id))
    await transaction.run(delete(accounts).where(unproven(email), accounts.c.id != account_id))
    await transaction.run(
        update(accounts).where(accounts.c.id == account_id).values(email=email, email_key=fold(email))
    )
    await transaction.run(delete(account_links).where(account_links.c.account_id == account_id))
    await enqueue(transaction, Kind.EMAIL_CHANGED, account_id, recipient=old.email, recipient_name=old.name)
