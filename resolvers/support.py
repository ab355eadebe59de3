"""Administrators' work: accounts, roles, paid access, deletion, undelivered email and the audit log."""

from datetime import datetime
from functools import partial
from typing import Literal
from uuid import UUID

import strawberry
from sqlalchemy import ClauseElement, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from i18n import gettext as _
from jobs.outbox import retry_dead
from models.account import Role, api_tokens
from models.account import accounts as _accounts
from models.directory import directories
from models.outbox import AuditAction
from models.statement import AnySelect, Expression, statement
from permissions.addresses import account_key
from resolvers.access import end_all
from resolvers.account import ACCOUNT_ROWS, AccountRow, account_of, add_profile
from resolvers.account_deletion import erase_account, refuse_last_administrator
from resolvers.account_row import lock_account, lock_with_administrators
from resolvers.audit import note
from resolvers.context import Info
from resolvers.errors import Code, refuse
from resolvers.inputs import read_id
from resolvers.names import BY_NAME, name_matches, search_words
from resolvers.paging import Connection, Count, PageArguments, list_page, page_statement
from resolvers.reviewer_appointment import end_reviews
from resolvers.validation import Check

Search = Literal["", "name", "address"]  # how accounts are searched


def _searched(rows: AnySelect, search: Search) -> AnySelect:
    if search == "address":
        return rows.where(_accounts.c.email_key == bindparam("words"))
    return rows.where(name_matches()) if search == "name" else rows


@statement(AccountRow)
def _account_page(search: Search, backwards: bool, cursor: bool | None) -> ClauseElement:
    rows = _searched(ACCOUNT_ROWS, search)
    return page_statement(rows, _accounts.c.id, BY_NAME, backwards=backwards, cursor=cursor)


@statement(Count)
def _account_count(search: Search) -> ClauseElement:
    return _searched(select(func.count().label("count")).select_from(_accounts), search)


async def accounts(info: Info, page: PageArguments, search: str | None = None) -> Connection[AccountRow]:
    """Give a page of all accounts by name; `search` takes words of a name, or a whole email address.

    Raises:
        BadInput: the page's arguments don't fit together, or the cursor belongs to another list.
    """
    text = (search or "").strip()
    how: Search = "address" if "@" in text else "name" if text else ""
    values = {"words": account_key(text)} if how == "address" else search_words(text)
    rows = partial(_account_page, how)
    return await list_page(info.context.database, rows, _account_count(how), BY_NAME, page, **values)


@strawberry.input(description="The account will have exactly these roles.")
class SetRolesInput:
    """The account whose roles to set, and its new roles."""

    account_id: strawberry.ID
    roles: list[Role]


async def set_roles(info: Info, input: SetRolesInput) -> AccountRow | None:
    """Give an account exactly these roles. It gets the profile that a new role needs, and keeps those it has.

    A reviewer who loses the role reviews no one any more: the mediators get an email, and people who give feedback no
    longer see the reviewer's name. Gives the account.

    Raises:
        Refused: there's no such account or no role, or it would leave no administrator.
    """
    context, account_id, roles = info.context, read_id(input.account_id), input.roles
    if not roles:
        refuse("roles", Code.REQUIRED, _("Please give at least one role. To take all access away, delete the account."))
    async with context.transaction() as transaction:
        row, has_colleague = await lock_with_administrators(transaction, account_id)
        if row is None:
            refuse("accountId", Code.NOT_FOUND, _("There's no such account."))
        if Role.ADMIN in row.roles and Role.ADMIN not in roles and not has_colleague:
            refuse_last_administrator()
        await transaction.run(
            update(_accounts).where(_accounts.c.id == account_id).values(roles=sorted({role.value for role in roles}))
        )
        # A role that's given back later is new: earlier tokens don't have it.
        kept: Expression = api_tokens.c.roles
        for lost in set(row.roles) - set(roles):
            kept = func.array_remove(kept, lost)
        await transaction.run(update(api_tokens).where(api_tokens.c.account_id == account_id).values(roles=kept))
        if Role.MEDIATOR in roles:
            await add_profile(context.settings, transaction, account_id)
        if Role.REVIEWER not in roles:
            await end_reviews(transaction, reviewer_id=account_id)
        if Role.DIRECTORY in roles:
            await transaction.run(insert(directories).values(id=account_id).on_conflict_do_nothing())
        await note(context, transaction, AuditAction.ROLES_CHANGED, account_id)
    return await account_of(context, account_id)


@strawberry.input(description="Null ends paid access.")
class SetPaidAccessInput:
    """The account whose paid access to set, and its last moment."""

    account_id: strawberry.ID
    paid_until: datetime | None = None


async def set_paid_access(info: Info, input: SetPaidAccessInput) -> AccountRow | None:
    """Set when an account's paid access ends. Gives the account.

    Raises:
        Refused: there's no such account, or the time isn't valid.
    """
    context, account_id = info.context, read_id(input.account_id)
    check = Check()
    until = check.moment("paidUntil", input.paid_until)
    check.done()
    async with context.transaction() as transaction:
        if not await transaction.run(update(_accounts).where(_accounts.c.id == account_id).values(paid_until=until)):
            refuse("accountId", Code.NOT_FOUND, _("There's no such account."))
        await note(context, transaction, AuditAction.PAID_ACCESS_CHANGED, account_id)
    return await account_of(context, account_id)


@strawberry.input
class SignOutAccountInput:
    """The account to sign out."""

    account_id: strawberry.ID


async def sign_out_account(info: Info, input: SignOutAccountInput) -> AccountRow | None:
    """End everything that opens an account except its password, for example after a theft. Gives the account.

    Raises:
        Refused: there's no such account.
    """
    context, account_id = info.context, read_id(input.account_id)
    async with context.transaction() as transaction:
        # Locked, so that no sign-in or token being made at this moment is missed.
        if await lock_account(transaction, account_id) is None:
            refuse("accountId", Code.NOT_FOUND, _("There's no such account."))
        await end_all(transaction, account_id)
        await note(context, transaction, AuditAction.SIGNED_OUT, account_id)
    return await account_of(context, account_id)


@strawberry.input
class DeleteAccountInput:
    """The account to delete."""

    id: strawberry.ID


async def delete_account(info: Info, input: DeleteAccountInput) -> UUID:
    """Delete someone's account and everything in it. Gives its id.

    Raises:
        Refused: there's no such account, or it's the last administrator's.
    """
    account_id = read_id(input.id)
    async with info.context.transaction() as transaction:
        await erase_account(info.context, transaction, account_id)
    return account_id


@strawberry.input
class RetryMailInput:
    """The email to try again."""

    id: strawberry.ID


async def retry_mail(info: Info, input: RetryMailInput) -> UUID:
    """Queue an email that was given up again. Gives its id.

    Raises:
        Refused: there's no such email.
    """
    mail_id = read_id(input.id)
    async with info.context.transaction() as transaction:
        if not await retry_dead(transaction, mail_id):
            refuse("id", Code.NOT_FOUND, _("There's no such email."))
    return mail_id
