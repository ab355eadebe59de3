"""Rows of accounts: inserting and locking them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ClauseElement, ColumnElement, bindparam, func, literal_column, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert
from sqlalchemy.types import Uuid

from models.account import MAILBOX, Role, accounts
from models.database import Transaction
from models.folds import folds
from models.statement import Row, Values, statement
from permissions.addresses import account_key

_mailbox: ColumnElement[str] = literal_column(MAILBOX)
_id = bindparam("id", type_=Uuid())


More = UUID | datetime | ColumnElement[datetime] | None


def named(name: str) -> Values:
    """Give the columns that an account has because of its name."""
    values: Values = {"name": name}
    return values | folds(accounts, values)


def new_account(name: str, email: str, *roles: Role, password_hash: str | None = None, **more: More) -> Insert:
    """Make the statement that inserts an account. `more`: other columns, such as `id` or `email_verified_at`."""
    values = named(name) | {
        "email": email,
        "email_key": account_key(email),
        "password_hash": password_hash,
        "roles": [role.value for role in roles],
    }
    return insert(accounts).values(values | more)


async def put_account(
    transaction: Transaction, account_id: UUID, name: str, email: str, role: Role, *, password_hash: str | None = None
) -> bool:
    """Make an account. False if the address already has one; then nothing changes."""
    new = new_account(name, email, role, password_hash=password_hash, id=account_id)
    return await transaction.run(new.on_conflict_do_nothing()) == 1


class LockedRow(Row):
    """An account that is locked until commit."""

    id: UUID
    name: str
    email: str
    email_key: str
    email_verified_at: datetime | None
    roles: list[str]


_locked = select(
    accounts.c.id,
    accounts.c.name,
    accounts.c.email,
    accounts.c.email_key,
    accounts.c.email_verified_at,
    accounts.c.roles,
).order_by(accounts.c.id)


@statement(LockedRow)
def _one() -> ClauseElement:
    return _locked.where(accounts.c.id == _id).with_for_update()


@statement(LockedRow)
def _with_administrators() -> ClauseElement:
    administrator = accounts.c.roles.contains([Role.ADMIN.value])
    return _locked.where(or_(accounts.c.id == _id, administrator)).with_for_update()


class PersonRow(LockedRow):
    """A locked account with the key of its mailbox."""

    mailbox: str


@statement(PersonRow)
def _with_mailboxes() -> ClauseElement:
    ids = func.any(bindparam("ids", type_=ARRAY(Uuid())))
    theirs = select(_mailbox).where(accounts.c.id == ids)
    people = _locked.add_columns(_mailbox.label("mailbox"))
    return people.where(_mailbox.in_(theirs.correlate(None))).with_for_update()


async def lock_account(transaction: Transaction, account_id: UUID | None) -> LockedRow | None:
    """Lock an account until commit and give it; None if there's no such account."""
    return await transaction.first(_one(), id=account_id)


async def lock_with_administrators(transaction: Transaction, account_id: UUID) -> tuple[LockedRow | None, bool]:
    """Lock an account until commit. Gives it, and whether there's another administrator.

    All administrators are locked too, so that two of them can't leave at once. Accounts are always locked in order of
    their ids, so that two changes can't deadlock.
    """
    rows = await transaction.all(_with_administrators(), id=account_id)
    account = next((row for row in rows if row.id == account_id), None)
    return account, any(Role.ADMIN in row.roles for row in rows if row is not account)


async def lock_with_mailboxes(transaction: Transaction, *account_ids: UUID) -> dict[UUID, PersonRow]:
    """Lock accounts until commit, with all other accounts of their mailboxes. Gives each by its id.

    Accounts are locked in order of their ids, so that two changes can't deadlock.
    """
    return {row.id: row for row in await transaction.all(_with_mailboxes(), ids=account_ids)}
