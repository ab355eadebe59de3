"""Email addresses: whose they are and whether that's proven, moving an account, limiting email that strangers cause."""

from uuid import UUID

from sqlalchemy import ClauseElement, ColumnElement, and_, bindparam, delete, func, select, update

from jobs import mail
from jobs.outbox import enqueue, enqueue_mail
from models.account import Role, account_links, accounts
from models.database import Transaction
from models.statement import Row, statement
from permissions.addresses import account_key, mailbox_key
from permissions.secrets import address_hash
from resolvers import limits
from resolvers.context import Context
from settings import Settings


def mailbox_hash(settings: Settings, email: str) -> bytes:
    """Hash the mailbox of an address, as `address_hash` does; the same with or without a `+tag`."""
    return address_hash(settings, mailbox_key(email))


async def held_for(context: Context, email: str) -> str | None:
    """Count an email that a stranger causes. If there were too many, gives what it's held for (see `enqueue_mail`)."""
    mailbox = mailbox_hash(context.settings, email)
    return mailbox.hex() if await context.limiter.is_over(limits.MAIL_TO, mailbox) else None


_BY_TAG = UUID(int=0)  # no account's id


def takes_turn_of(email: str) -> UUID | None:
    """Give the id whose held email to this address makes way for one more (`other_id` of `enqueue_mail`).

    Addresses with a `+tag` can't take the turn of the plain address; all tags of a mailbox share one turn.
    """
    return None if account_key(email) == mailbox_key(email) else _BY_TAG


async def reset_held_for(context: Context, email: str) -> str | None:
    """Do as `held_for`, for a link that sets a new password.

    One network that asks too often holds up nobody else. Reset links only go to accounts, so each address has its own
    turn: one with a `+tag` can't take the turn of another account.
    """
    address = address_hash(context.settings, email)
    over = await context.limiter.is_over(limits.RESETS_TO, address, context.viewer.address)
    return address.hex() if over or await held_for(context, email) else None


def has_address(email: str) -> ColumnElement[bool]:
    """Select the account with this address, however it's written."""
    return accounts.c.email_key == account_key(email)


class _AddressRow(Row):
    address: str | None


@statement(_AddressRow)
def _addresses() -> ClauseElement:
    """Select the address of an account, and any it's moving to."""
    moving_to = select(account_links.c.new_email).where(account_links.c.account_id == bindparam("id"))
    return select(accounts.c.email_key.label("address")).where(accounts.c.id == bindparam("id")).union_all(moving_to)


async def is_own(transaction: Transaction, account_id: UUID, *addresses: str | None) -> bool:
    """Whether one of the addresses is in an account's mailbox, or in the one it's moving to."""
    rows = await transaction.all(_addresses(), id=account_id)
    own = {mailbox_key(row.address) for row in rows if row.address}
    return any(mailbox_key(address) in own for address in addresses if address)


def unproven(email: str) -> ColumnElement[bool]:
    """Select an account that signed up with this address but never proved owning it.

    It makes way for the next sign-up. Otherwise a stranger could sign up with an address, and its owner would then
    verify an account whose password the stranger knows.
    """
    return and_(
        has_address(email),
        accounts.c.email_verified_at.is_(None),
        accounts.c.password_hash.is_not(None),
        accounts.c.roles == [Role.MEDIATOR.value],
    )


async def tell_registered(transaction: Transaction, email: str, held: str | None) -> None:
    """Email the owner of an account that someone entered its address again."""
    registered = select(accounts.c.id).where(has_address(email), ~unproven(email))
    if account_id := await transaction.value(registered, UUID):
        await enqueue_mail(transaction, mail.ALREADY_REGISTERED, account_id, held, other_id=account_id)


async def mark_verified(transaction: Transaction, account_id: UUID) -> bool:
    """Record that an account's address is proven; False if it was before."""
    noted = await transaction.run(
        update(accounts)
        .where(accounts.c.id == account_id, accounts.c.email_verified_at.is_(None))
        .values(email_verified_at=func.clock())
    )
    return noted == 1


class AddresseeRow(Row):
    """The recipient of an email."""

    name: str
    email: str


@statement(AddresseeRow)
def addressee() -> ClauseElement:
    """Select an account's name and address, by its `id`."""
    return select(accounts.c.name, accounts.c.email).where(accounts.c.id == bindparam("id"))


async def move_address(transaction: Transaction, account_id: UUID, email: str) -> None:
    """Change an account's address and tell the old one, whose links end.

    Raises:
        UniqueViolationError: the address is taken.
    """
    old = await transaction.one(addressee(), id=account_id)
    await transaction.run(delete(accounts).where(unproven(email), accounts.c.id != account_id))
    await transaction.run(
        update(accounts).where(accounts.c.id == account_id).values(email=email, email_key=account_key(email))
    )
    await transaction.run(delete(account_links).where(account_links.c.account_id == account_id))
    await enqueue(transaction, mail.EMAIL_CHANGED, account_id, recipient=old.email, recipient_name=old.name)
