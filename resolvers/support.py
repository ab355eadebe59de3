"""What administrators need for support: accounts, roles, paid access, deletion, dead mail, the audit log."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.types import Uuid

from i18n import gettext as _
from jobs.outbox import retry_dead
from models.account import Role, accounts, api_tokens
from models.database import Row, Statement
from models.directory import directories
from models.outbox import AuditAction, OutboxState, audit_entries, outbox
from models.reviewer import appointments
from permissions.addresses import account_key
from permissions.scopes import readable_audit
from resolvers.access import end_all, has_second_factor
from resolvers.account import add_profile
from resolvers.appointment import end_reviews
from resolvers.audit import note
from resolvers.checks import Check
from resolvers.context import Context
from resolvers.deletion import delete_account, lock_account, refuse_last_administrator
from resolvers.errors import Code, refuse
from resolvers.mediator import name_matches, search_words
from resolvers.paging import Connection, Page, Sort, connection, page_statement, page_values

_account_rows = select(
    accounts.c.id,
    accounts.c.name,
    accounts.c.email,
    accounts.c.roles,
    accounts.c.email_verified_at,
    accounts.c.paid_until,
    accounts.c.created_at,
    has_second_factor().label("second_factor"),
)
_BY_NAME = Sort("name", accounts.c.name_key, nullable=False)
_NEWEST = Sort("at", audit_entries.c.at, descending=True, nullable=False)
_BY_ID = Sort("id", None)


def _searched(rows: Select[Any], search: str) -> Select[Any]:
    if search == "address":
        return rows.where(accounts.c.email_key == bindparam("words"))
    return rows.where(name_matches("words")) if search == "name" else rows


@lru_cache(maxsize=20)
def _account_page(search: str, backwards: bool, cursor: bool | None) -> Statement:
    rows = _searched(_account_rows, search)
    return Statement(page_statement(rows, accounts.c.id, _BY_NAME, backwards=backwards, cursor=cursor))


@lru_cache(maxsize=20)
def _account_count(search: str) -> Statement:
    return Statement(_searched(select(func.count()).select_from(accounts), search))


async def account_page(context: Context, search: str | None, asked: Page) -> Connection:
    """Give a page of all accounts by name; `search` is words of a name, or a whole mail address."""
    text = (search or "").strip()
    how = "address" if "@" in text else "name" if text else ""
    values = {"words": account_key(text) if how == "address" else search_words(text)} if how else {}
    cursor, paging = page_values(_BY_NAME, asked)
    async with context.database.reading() as reading:
        rows = await reading.all(_account_page(how, asked.backwards, cursor), **values, **paging)

    async def count() -> int:
        async with context.database.reading() as reading:
            return int(await reading.value(_account_count(how), **values))

    return connection(rows, _BY_NAME, asked, count)


async def _plain_page(
    context: Context, page: Callable[[bool, bool | None], Statement], counted: Statement, sort: Sort, asked: Page
) -> Connection:
    """Give a page of a list that takes no filter."""
    cursor, paging = page_values(sort, asked)
    async with context.database.reading() as reading:
        rows = await reading.all(page(asked.backwards, cursor), **paging)

    async def count() -> int:
        async with context.database.reading() as reading:
            return int(await reading.value(counted))

    return connection(rows, sort, asked, count)


_ACCOUNT = Statement(_account_rows.where(accounts.c.id == bindparam("id", type_=Uuid())))


async def account(context: Context, account_id: UUID) -> Row | None:
    """Load one account."""
    async with context.database.reading() as reading:
        return await reading.first(_ACCOUNT, id=account_id)


async def set_roles(context: Context, account_id: UUID, roles: Sequence[Role]) -> None:
    """Give an account exactly these roles; it gets the profile that a new role needs and keeps those it has.

    Who is a reviewer no more reviews nobody: the mediators are told, and givers are not shown their name.
    """
    if not roles:
        refuse("roles", Code.REQUIRED, _("Please give at least one role. To take all access away, delete the account."))
    async with context.transaction() as transaction:
        row, has_colleague = await lock_account(transaction, account_id)
        if row is None:
            refuse("accountId", Code.NOT_FOUND, _("There's no such account."))
        if Role.ADMIN in row.roles and Role.ADMIN not in roles and not has_colleague:
            refuse_last_administrator()
        await transaction.run(
            update(accounts).where(accounts.c.id == account_id).values(roles=sorted({role.value for role in roles}))
        )
        # A role that is given again later is a new one, of which no token made before has anything.
        kept: ColumnElement[Any] = api_tokens.c.roles
        for lost in set(row.roles) - set(roles):
            kept = func.array_remove(kept, lost)
        await transaction.run(update(api_tokens).where(api_tokens.c.account_id == account_id).values(roles=kept))
        if Role.MEDIATOR in roles:
            await add_profile(context.settings, transaction, account_id)
        if Role.REVIEWER not in roles:
            await end_reviews(transaction, appointments.c.reviewer_id == account_id)
        if Role.DIRECTORY in roles:
            await transaction.run(insert(directories).values(id=account_id).on_conflict_do_nothing())
        await note(context, transaction, AuditAction.ROLES_CHANGED, account_id)


async def set_paid_access(context: Context, account_id: UUID, until: datetime | None) -> None:
    """Set until when an account has paid access; None takes it away."""
    check = Check()
    until = check.moment("paidUntil", until)
    check.done()
    async with context.transaction() as transaction:
        if not await transaction.run(update(accounts).where(accounts.c.id == account_id).values(paid_until=until)):
            refuse("accountId", Code.NOT_FOUND, _("There's no such account."))
        await note(context, transaction, AuditAction.PAID_ACCESS_CHANGED, account_id)


async def sign_out_other(context: Context, account_id: UUID) -> None:
    """End all that opens an account but its password, which still works, as when a device was stolen."""
    async with context.transaction() as transaction:
        # Locked, so that no sign-in and no token that is under way at this moment is missed.
        if not await transaction.value(select(accounts.c.id).where(accounts.c.id == account_id).with_for_update()):
            refuse("accountId", Code.NOT_FOUND, _("There's no such account."))
        await end_all(transaction, account_id)
        await note(context, transaction, AuditAction.SIGNED_OUT, account_id)


async def delete_other(context: Context, account_id: UUID) -> UUID:
    """Delete somebody's account and everything of it."""
    async with context.transaction() as transaction:
        await delete_account(context, transaction, account_id)
    return account_id


@cache
def _waiting_page(backwards: bool, cursor: bool | None) -> Statement:
    rows = select(
        appointments.c.id,
        appointments.c.since.label("asked_at"),
        appointments.c.mediator_id,
        appointments.c.reviewer_id,
    ).where(~appointments.c.approved)
    return Statement(page_statement(rows, appointments.c.id, _BY_ID, backwards=backwards, cursor=cursor))


async def waiting_page(context: Context, asked: Page) -> Connection:
    """Give a page of the appointments that wait for approval."""
    count = Statement(select(func.count()).where(~appointments.c.approved))
    return await _plain_page(context, _waiting_page, count, _BY_ID, asked)


@cache
def _audit_page(backwards: bool, cursor: bool | None) -> Statement:
    rows = select(
        audit_entries.c.id,
        audit_entries.c.at,
        audit_entries.c.actor_id,
        audit_entries.c.action,
        audit_entries.c.subject_id,
    ).where(readable_audit())
    return Statement(page_statement(rows, audit_entries.c.id, _NEWEST, backwards=backwards, cursor=cursor))


async def audit_page(context: Context, asked: Page) -> Connection:
    """Give a page of the audit log, newest first."""
    count = Statement(select(func.count()).select_from(audit_entries).where(readable_audit()))
    return await _plain_page(context, _audit_page, count, _NEWEST, asked)


_dead = outbox.c.state == OutboxState.DEAD
_dead_rows = select(outbox.c.id, outbox.c.kind, outbox.c.attempts, outbox.c.smtp_code).where(_dead)


@cache
def _dead_page(backwards: bool, cursor: bool | None) -> Statement:
    return Statement(page_statement(_dead_rows, outbox.c.id, _BY_ID, backwards=backwards, cursor=cursor))


async def dead_page(context: Context, asked: Page) -> Connection:
    """Give a page of the mail that was given up; never its recipient or text."""
    count = Statement(select(func.count()).select_from(outbox).where(_dead))
    return await _plain_page(context, _dead_page, count, _BY_ID, asked)


async def retry_mail(context: Context, mail_id: UUID) -> UUID:
    """Queue dead mail once more."""
    async with context.transaction() as transaction:
        if not await retry_dead(transaction, mail_id):
            refuse("id", Code.NOT_FOUND, _("There's no such dead mail."))
    return mail_id
