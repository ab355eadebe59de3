"""Administrators' work: accounts, roles, paid access, deletion, undelivered email and the audit log."""

import re
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Literal, NoReturn
from uuid import UUID

import strawberry
from sqlalchemy import ClauseElement, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.types import Uuid

from i18n import gettext as _
from jobs import mail
from jobs.outbox import enqueue, retry_dead
from models.account import Role, api_tokens
from models.account import accounts as _accounts
from models.database import Transaction
from models.directory import directories
from models.outbox import AuditAction
from models.statement import AnySelect, Values, statement
from permissions.addresses import account_key
from resolvers.access import end_all
from resolvers.account import ACCOUNT_ROWS, AccountRow, account_of, add_profile
from resolvers.account_deletion import erase_account, refuse_last_administrator
from resolvers.account_row import lock_account, lock_with_administrators
from resolvers.audit import note, note_accounts
from resolvers.context import Info
from resolvers.errors import Code, refuse
from resolvers.inputs import read_id
from resolvers.names import BY_NAME, name_matches, search_words
from resolvers.paging import Connection, Count, PageArguments, list_page, page_statement
from resolvers.reviewer_appointment import end_reviews
from resolvers.validation import Check

Search = Literal["", "name", "address", "id"]  # how accounts are searched
_ID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _searched(rows: AnySelect, search: Search) -> AnySelect:
    if search == "id":
        return rows.where(_accounts.c.id == bindparam("words", type_=Uuid()))
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
    """Give a page of all accounts by name; `search` takes words of a name, a whole email address, or an id.

    Raises:
        BadInput: the page's arguments don't fit together, or the cursor belongs to another list.
    """
    how, values = _read_search((search or "").strip())
    rows = partial(_account_page, how)
    found = await list_page(info.context.database, rows, _account_count(how), BY_NAME, page, **values)
    return await note_accounts(info, found)


def _read_search(text: str) -> tuple[Search, Values]:
    if _ID.fullmatch(text):
        return "id", {"words": UUID(text)}
    if "@" in text:
        return "address", {"words": account_key(text)}
    return "name" if text else "", search_words(text)


def _refuse_account() -> NoReturn:
    refuse("accountId", Code.NOT_FOUND, _("There's no such account."))


@strawberry.input
class AddRoleInput:
    """The account, and the role that it gets."""

    account_id: strawberry.ID
    role: Role


async def add_role(info: Info, input: AddRoleInput) -> AccountRow | None:
    """Give an account one more role, with the profile that it needs. The person gets an email. Gives the account.

    API tokens made before don't get the role.

    Raises:
        Refused: there's no such account, or it has the role.
    """
    context, account_id, role = info.context, read_id(input.account_id), input.role
    async with context.transaction() as transaction:
        row = await lock_account(transaction, account_id)
        if row is None:
            _refuse_account()
        if role in row.roles:
            refuse("role", Code.CONFLICT, _("This account already has the role."))
        await _put_roles(transaction, account_id, {*row.roles, role})
        if role is Role.MEDIATOR:
            await add_profile(context.settings, transaction, account_id)
        if role is Role.DIRECTORY:
            await transaction.run(insert(directories).values(id=account_id).on_conflict_do_nothing())
        await enqueue(transaction, mail.ROLE_ADDED[role], account_id)
        note(context, transaction, AuditAction.ROLE_ADDED, account_id, reason=role)
    return await account_of(context, account_id)


@strawberry.input
class RemoveRoleInput:
    """The account, and the role that it loses."""

    account_id: strawberry.ID
    role: Role


async def remove_role(info: Info, input: RemoveRoleInput) -> AccountRow | None:
    """Take a role away from an account, and from its API tokens. The person gets an email. Gives the account.

    What belongs to the role is kept, and hidden until it's given back: a mediator without it can't be found. A reviewer
    without it reviews no one any more: the mediators get an email, and people who give feedback no longer see the
    reviewer's name.

    Raises:
        Refused: there's no such account, it doesn't have the role, it has no other, or it's the last administrator.
    """
    context, account_id, role = info.context, read_id(input.account_id), input.role
    async with context.transaction() as transaction:
        row, has_colleague = await lock_with_administrators(transaction, account_id)
        if row is None:
            _refuse_account()
        if role not in row.roles:
            refuse("role", Code.CONFLICT, _("This account doesn't have the role."))
        if role is Role.ADMIN and not has_colleague:
            refuse_last_administrator()
        if len(row.roles) == 1:
            refuse(
                "role",
                Code.NOT_ALLOWED,
                _("An account needs a role, and this is its only one. To take all access away, delete the account."),
            )
        await _put_roles(transaction, account_id, {*row.roles} - {role}, **_LOST_WITH.get(role, {}))
        # A role that's given back later is new: earlier tokens don't have it.
        kept = func.array_remove(api_tokens.c.roles, role.value)
        await transaction.run(update(api_tokens).where(api_tokens.c.account_id == account_id).values(roles=kept))
        if role is Role.REVIEWER:
            await end_reviews(transaction, reviewer_id=account_id)
        await enqueue(transaction, mail.ROLE_REMOVED[role], account_id)
        note(context, transaction, AuditAction.ROLE_REMOVED, account_id, reason=role)
    return await account_of(context, account_id)


# A reviewer who gets the role again has to be confirmed again.
_LOST_WITH: dict[Role, dict[str, None]] = {Role.REVIEWER: {"reviewer_confirmed_at": None}}


async def _put_roles(transaction: Transaction, account_id: UUID, roles: Iterable[str], **more: None) -> None:
    values = {"roles": sorted(map(str, roles)), **more}
    await transaction.run(update(_accounts).where(_accounts.c.id == account_id).values(values))


@strawberry.input
class SetPaidAccessInput:
    """The account whose paid access to set, and its last moment."""

    account_id: strawberry.ID
    paid_until: datetime


async def set_paid_access(info: Info, input: SetPaidAccessInput) -> AccountRow | None:
    """Set when an account's paid access ends. Gives the account.

    Raises:
        Refused: there's no such account, or the time isn't valid or isn't in the future.
    """
    context, account_id = info.context, read_id(input.account_id)
    check = Check()
    until = check.moment("paidUntil", input.paid_until)
    if until and until <= context.database.now():
        check.add(
            "paidUntil", Code.OUT_OF_RANGE, _("Please give a time in the future. To end access, use endPaidAccess.")
        )
    check.done()
    async with context.transaction() as transaction:
        await _put_paid_until(transaction, account_id, until)
        note(context, transaction, AuditAction.PAID_ACCESS_CHANGED, account_id)
    return await account_of(context, account_id)


@strawberry.input
class EndPaidAccessInput:
    """The account whose paid access to end."""

    account_id: strawberry.ID


async def end_paid_access(info: Info, input: EndPaidAccessInput) -> AccountRow | None:
    """End an account's paid access at once. Gives the account.

    Raises:
        Refused: there's no such account.
    """
    context, account_id = info.context, read_id(input.account_id)
    async with context.transaction() as transaction:
        await _put_paid_until(transaction, account_id, None)
        note(context, transaction, AuditAction.PAID_ACCESS_ENDED, account_id)
    return await account_of(context, account_id)


async def _put_paid_until(transaction: Transaction, account_id: UUID, until: datetime | None) -> None:
    if not await transaction.run(update(_accounts).where(_accounts.c.id == account_id).values(paid_until=until)):
        _refuse_account()


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
            _refuse_account()
        await end_all(transaction, account_id)
        note(context, transaction, AuditAction.SIGNED_OUT, account_id)
    return await account_of(context, account_id)


@strawberry.input
class DeleteAccountInput:
    """The account to delete, and its email address, so that nobody deletes another by a wrong id."""

    id: strawberry.ID
    email: str


async def delete_account(info: Info, input: DeleteAccountInput) -> UUID:
    """Delete someone's account and everything in it. Gives its id.

    Raises:
        Refused: there's no such account, it has another address, or it's the last administrator's.
    """
    account_id = read_id(input.id)
    async with info.context.transaction() as transaction:
        await erase_account(info.context, transaction, account_id, email=input.email)
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
        note(info.context, transaction, AuditAction.MAIL_RETRIED, mail_id)
    return mail_id
