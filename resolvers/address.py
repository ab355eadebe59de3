"""Mail addresses: whose one is, who has shown one to be theirs, moving an account, and mail that strangers cause."""

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
    """Hash what an address's mailbox is known by, as `address_hash`: the same with any `+tag` or none."""
    return address_hash(settings, mailbox_key(email))


async def held_for(context: Context, email: str) -> str | None:
    """Count a mail that strangers cause; give what it is held for (`enqueue_mail`) if there were too many."""
    mailbox = mailbox_hash(context.settings, email)
    return mailbox.hex() if await context.limiter.is_over(limits.MAIL_TO, mailbox) else None


_BY_TAG = UUID(int=0)  # nobody's id


def takes_turn_of(email: str) -> UUID | None:
    """Give whose held mail to an address makes way for one more (`other_id` of `enqueue_mail`).

    With a `+tag` nobody takes the turn of the plain address; all tags of a mailbox have one together.
    """
    return None if account_key(email) == mailbox_key(email) else _BY_TAG


async def reset_held_for(context: Context, email: str) -> str | None:
    """Do so for a link that sets a new password.

    What one network asks for too often holds up nobody else. It goes to accounts alone, so each address has its own
    turn: with a `+tag` nobody takes the turn of another account.
    """
    address = address_hash(context.settings, email)
    over = await context.limiter.is_over(limits.RESETS_TO, address, context.viewer.address)
    return address.hex() if over or await held_for(context, email) else None


def has_address(email: str) -> ColumnElement[bool]:
    """Select the account that an address is the address of, however it is written."""
    return accounts.c.email_key == account_key(email)


class _AddressRow(Row):
    address: str | None


@statement(_AddressRow)
def _addresses() -> ClauseElement:
    """Select the address of an account, and those that it's moving to."""
    moving_to = select(account_links.c.new_email).where(account_links.c.account_id == bindparam("id"))
    return select(accounts.c.email_key.label("address")).where(accounts.c.id == bindparam("id")).union_all(moving_to)


async def is_own(transaction: Transaction, account_id: UUID, *addresses: str | None) -> bool:
    """Whether one of the addresses is in the mailbox of an account, or in the one that it is moving to."""
    rows = await transaction.all(_addresses(), id=account_id)
    own = {mailbox_key(row.address) for row in rows if row.address}
    return any(mailbox_key(address) in own for address in addresses if address)


def unproven(email: str) -> ColumnElement[bool]:
    """Select an account that was signed up with that address by somebody who has not shown that it is theirs.

    It makes way for whoever comes next. Otherwise a stranger could sign up with an address, and its owner would verify
    an account whose password the stranger knows.
    """
    return and_(
        has_address(email),
        accounts.c.email_verified_at.is_(None),
        accounts.c.password_hash.is_not(None),
        accounts.c.roles == [Role.MEDIATOR.value],
    )


async def tell_registered(transaction: Transaction, email: str, held: str | None) -> None:
    """Mail the owner of an account that its address was typed in again."""
    registered = select(accounts.c.id).where(has_address(email), ~unproven(email))
    if account_id := await transaction.value(registered, UUID):
        await enqueue_mail(transaction, mail.ALREADY_REGISTERED, account_id, held, other_id=account_id)


async def mark_verified(transaction: Transaction, account_id: UUID) -> bool:
    """Note that an account's address was shown to be its owner's; False if it was before."""
    noted = await transaction.run(
        update(accounts)
        .where(accounts.c.id == account_id, accounts.c.email_verified_at.is_(None))
        .values(email_verified_at=func.clock())
    )
    return noted == 1


class AddresseeRow(Row):
    """Whom a mail goes to."""

    name: str
    email: str


@statement(AddresseeRow)
def addressee() -> ClauseElement:
    """Select an account's name and address, by its `id`."""
    return select(accounts.c.name, accounts.c.email).where(accounts.c.id == bindparam("id"))


async def move_address(transaction: Transaction, account_id: UUID, email: str) -> None:
    """Change an account's address and tell the old one, whose links end. Raises: UniqueViolationError if it's taken."""
    old = await transaction.one(addressee(), id=account_id)
    await transaction.run(delete(accounts).where(unproven(email), accounts.c.id != account_id))
    await transaction.run(
        update(accounts).where(accounts.c.id == account_id).values(email=email, email_key=account_key(email))
    )
    await transaction.run(delete(account_links).where(account_links.c.account_id == account_id))
    await enqueue(transaction, mail.EMAIL_CHANGED, account_id, recipient=old.email, recipient_name=old.name)
