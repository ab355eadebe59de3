"""An account's emailed single-use links: making them, finding them by their secret, and using them up.

An account is locked before its links, as it is when they're deleted together, so that two changes can't deadlock.
"""

from datetime import timedelta
from typing import NoReturn
from uuid import UUID, uuid4

from sqlalchemy import ClauseElement, bindparam, delete, func, insert, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import DateTime, LargeBinary, Text, Uuid

from i18n import gettext as _
from jobs.outbox import WorkKind, enqueue_mail
from models.account import LinkPurpose, account_links, accounts
from models.database import Reads, Transaction
from models.statement import Row, statement
from permissions.secrets import Opens, hash_secret, link_secret
from resolvers.account_row import lock_account
from resolvers.context import Context
from resolvers.errors import Code, refuse


async def mail_link(
    context: Context,
    transaction: Transaction,
    account_id: UUID,
    purpose: LinkPurpose,
    lasts: timedelta,
    mail: WorkKind,
    held: str | None = None,
    *,
    other_id: UUID | None = None,
    new_email: str | None = None,
) -> None:
    """Make a link and queue its email. The link's time starts when the email is due.

    `held` and `other_id` are as in `enqueue_mail`.

    The link replaces the account's earlier ones for the same purpose, except those for a new password: anyone can ask
    for these, and would disable the owner's. They all end once one is used.

    If there's no such account, the same statements run so that timing doesn't reveal it, but there's no link and no
    email.
    """
    link_id = uuid4()
    await lock_account(transaction, account_id)
    if purpose is not LinkPurpose.RESET_PASSWORD:
        await transaction.run(
            delete(account_links).where(account_links.c.account_id == account_id, account_links.c.purpose == purpose)
        )
    due = await enqueue_mail(transaction, mail, link_id, held, other_id=other_id)
    made = select(
        literal(link_id, Uuid()),
        accounts.c.id,
        literal(purpose.value, Text()),
        literal(hash_secret(link_secret(context.settings, Opens.ACCOUNT_LINK, link_id)), LargeBinary()),
        literal(new_email, Text()),
        literal(due + lasts, DateTime(timezone=True)),
    ).where(accounts.c.id == account_id)
    await transaction.run(
        insert(account_links).from_select(
            ["id", "account_id", "purpose", "secret_hash", "new_email", "expires_at"], made
        )
    )


class LinkRow(Row):
    """The purpose of a link."""

    account_id: UUID
    purpose: str
    new_email: str | None


_works = (
    account_links.c.secret_hash == bindparam("hash", type_=LargeBinary()),
    account_links.c.expires_at > func.clock(),
    account_links.c.purpose == func.any(bindparam("purposes", type_=ARRAY(Text()))),
)
_link = account_links.c.account_id, account_links.c.purpose, account_links.c.new_email


@statement(LinkRow)
def _working() -> ClauseElement:
    return select(*_link).where(*_works)


@statement(LinkRow)
def _used() -> ClauseElement:
    return delete(account_links).where(*_works).returning(*_link)


async def linked_account(reading: Reads, secret: str, *purposes: LinkPurpose) -> UUID | None:
    """Give the account of the link with this secret, without using the link up; None if it doesn't work."""
    link = await reading.first(_working(), hash=hash_secret(secret), purposes=purposes)
    return link.account_id if link else None


async def use_link(transaction: Transaction, secret: str, *purposes: LinkPurpose) -> LinkRow | None:
    """Use up the link with this secret, and give it; None if it doesn't work."""
    await lock_account(transaction, await linked_account(transaction, secret, *purposes))
    return await transaction.first(_used(), hash=hash_secret(secret), purposes=purposes)


def refuse_link() -> NoReturn:
    """Refuse a link that doesn't work.

    Raises:
        Refused: always.
    """
    refuse("token", Code.NOT_FOUND, _("This link no longer works. Please ask for a new one."))
