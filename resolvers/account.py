"""Accounts: signing up, in and out, the links in mails, changing and deleting one's own."""

from typing import NoReturn
from uuid import UUID, uuid4

from asyncpg import UniqueViolationError
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from jobs.outbox import Kind, enqueue
from models.account import LinkPurpose, Role, account_links, accounts, sessions
from models.database import Transaction
from models.mediator import Visibility, mediators
from permissions.secrets import (
    RESET_LASTS,
    VERIFY_LASTS,
    Opens,
    address_hash,
    check_password,
    fold,
    fold_name,
    hash_password,
    hash_secret,
    link_secret,
    new_secret,
    outdated,
)
from resolvers import limits
from resolvers.address import mark_verified, may_mail, move_address, tell_registered, unproven
from resolvers.checks import Check
from resolvers.context import Context
from resolvers.deletion import delete_account
from resolvers.errors import Code, refuse
from resolvers.links import mail_link, use_link
from resolvers.repeats import earlier_result
from settings import Settings


async def sign_up(
    context: Context, name: str, email: str, password: str, visibility: Visibility, request_key: str | None
) -> None:
    """Make a mediator's account and mail it a link that verifies its address.

    The answer is the same where the address has an account: its owner is told by mail.
    """
    await context.limiter.count(limits.SIGN_UP, context.viewer.address)
    check = Check()
    name, address = check.name("name", name), check.email("email", email) or ""
    check.password("password", password)
    check.done()
    password_hash = await hash_password(password)
    new_id = uuid4()
    async with context.transaction() as transaction:
        if await earlier_result(context, transaction, "signUp", request_key, new_id, fold(address)):
            return
        if not await may_mail(context, address):
            return
        await transaction.run(delete(accounts).where(unproven(address)))
        made = await transaction.run(
            insert(accounts)
            .values(
                id=new_id,
                name=name,
                name_key=fold_name(name),
                email=address,
                email_key=fold(address),
                password_hash=password_hash,
                roles=[Role.MEDIATOR.value],
            )
            .on_conflict_do_nothing()
        )
        if not made:
            await tell_registered(transaction, address)
            return
        await add_profile(context.settings, transaction, new_id, visibility)
        await mail_link(context, transaction, new_id, LinkPurpose.VERIFY_EMAIL, VERIFY_LASTS, Kind.VERIFY_EMAIL)


async def add_profile(
    settings: Settings, transaction: Transaction, account_id: UUID, visibility: Visibility = Visibility.PRIVATE
) -> None:
    """Give an account a mediator's profile, unless it has one."""
    link = link_secret(settings, Opens.PERSONAL_LINK, account_id)
    await transaction.run(
        insert(mediators)
        .values(id=account_id, visibility=visibility, feedback_link_hash=hash_secret(link))
        .on_conflict_do_nothing()
    )


async def verify_email(context: Context, token: str) -> None:
    """Use a link that shows an address to be one's own: of a new account, or a new address of an old one."""
    await context.limiter.count(limits.LINK_TRIES, context.viewer.address)
    try:
        async with context.transaction() as transaction:
            link = await use_link(transaction, token, LinkPurpose.VERIFY_EMAIL, LinkPurpose.CHANGE_EMAIL)
            if link is None:
                _refuse_link()
            if link.purpose == LinkPurpose.CHANGE_EMAIL:
                await move_address(transaction, link.account_id, link.new_email)
            await mark_verified(transaction, link.account_id)
    except UniqueViolationError:  # somebody else has shown the new address to be theirs meanwhile
        _refuse_link()


def _refuse_link() -> NoReturn:
    refuse("token", Code.NOT_FOUND, "This link does not work any more. Ask for a new one.")


async def sign_in(context: Context, email: str, password: str) -> None:
    """Begin a session, which the web layer puts into a cookie. Words and time don't tell who has an account."""
    email = email.strip()
    whose = (address_hash(context.settings, email), context.viewer.address)
    await context.limiter.count(limits.SIGN_IN_ADDRESS, context.viewer.address)
    await context.limiter.count(limits.SIGN_IN_ACCOUNT, *whose)
    async with context.database.reading() as reading:
        account = await reading.first(
            select(accounts.c.id, accounts.c.password_hash).where(accounts.c.email_key == fold(email))
        )
    stored = account.password_hash if account else None
    if not await check_password(password, stored) or account is None or stored is None:
        _refuse_credentials()
    await context.limiter.forget(limits.SIGN_IN_ACCOUNT, *whose)
    rehashed = await hash_password(password) if outdated(stored) else stored
    async with context.transaction() as transaction:
        # Nothing if the password was changed, or the account deleted, while the check went on.
        unchanged = await transaction.run(
            update(accounts)
            .where(accounts.c.id == account.id, accounts.c.password_hash == stored)
            .values(password_hash=rehashed)
        )
        if not unchanged:
            _refuse_credentials()
        await begin_session(context, transaction, account.id)


def _refuse_credentials() -> NoReturn:
    refuse(None, Code.WRONG_CREDENTIALS, "The address or the password is wrong.")


async def begin_session(context: Context, transaction: Transaction, account_id: UUID) -> None:
    """Begin a session in place of the one that the request came with, if it came with one."""
    if context.viewer.session_id is not None:
        await transaction.run(delete(sessions).where(sessions.c.id == context.viewer.session_id))
    secret = new_secret()
    await transaction.run(insert(sessions).values(account_id=account_id, secret_hash=hash_secret(secret)))
    context.new_session = secret


async def sign_out(context: Context) -> None:
    """End the session that the request came with."""
    async with context.transaction() as transaction:
        await transaction.run(delete(sessions).where(sessions.c.id == context.viewer.session_id))
    context.new_session = ""


async def end_session(context: Context, session_id: UUID) -> UUID:
    """End one of the viewer's own sessions."""
    async with context.transaction() as transaction:
        ended = await transaction.run(
            delete(sessions).where(sessions.c.id == session_id, sessions.c.account_id == context.account_id)
        )
    if not ended:
        refuse("id", Code.NOT_FOUND, "There is no such session.")
    if session_id == context.viewer.session_id:
        context.new_session = ""
    return session_id


async def request_password_reset(context: Context, email: str) -> None:
    """Mail a link that sets a new password, if there is such an account; the answer is the same if not."""
    await context.limiter.count(limits.RESET_ADDRESS, context.viewer.address)
    check = Check()
    address = check.email("email", email) or ""
    check.done()
    await context.limiter.count(limits.RESET_ACCOUNT, address_hash(context.settings, address))
    async with context.transaction() as transaction:
        account = await transaction.first(select(accounts.c.id).where(accounts.c.email_key == fold(address)))
        if account:
            await mail_link(
                context,
                transaction,
                account.id,
                LinkPurpose.RESET_PASSWORD,
                RESET_LASTS,
                Kind.RESET_PASSWORD,
            )


async def reset_password(context: Context, token: str, password: str) -> None:
    """Set a password by a mailed link, which also shows the address to be one's own; all sessions end."""
    await context.limiter.count(limits.LINK_TRIES, context.viewer.address)
    check = Check()
    check.password("password", password)
    check.done()
    async with context.transaction() as transaction:
        link = await use_link(transaction, token, LinkPurpose.RESET_PASSWORD, LinkPurpose.SET_PASSWORD)
        if link is None:
            _refuse_link()
        await _set_password(transaction, link.account_id, password)
        await mark_verified(transaction, link.account_id)
        if link.purpose == LinkPurpose.RESET_PASSWORD:
            await enqueue(transaction, Kind.PASSWORD_CHANGED, link.account_id)


async def _set_password(transaction: Transaction, account_id: UUID, password: str) -> None:
    """Set a password; what somebody who knew the old one has opened, or is about to, ends."""
    await transaction.run(
        update(accounts).where(accounts.c.id == account_id).values(password_hash=await hash_password(password))
    )
    await transaction.run(delete(sessions).where(sessions.c.account_id == account_id))
    await transaction.run(
        delete(account_links).where(
            account_links.c.account_id == account_id, account_links.c.purpose != LinkPurpose.VERIFY_EMAIL
        )
    )


async def confirm_password(context: Context, field: str, password: str) -> None:
    """Refused unless the password is the viewer's own."""
    await context.limiter.count(limits.PASSWORD_CHECKS, context.account_id)
    async with context.database.reading() as reading:
        stored = await reading.value(select(accounts.c.password_hash).where(accounts.c.id == context.account_id))
    if not await check_password(password, stored):
        refuse(field, Code.WRONG_CREDENTIALS, "This is not your password.")
    await context.limiter.forget(limits.PASSWORD_CHECKS, context.account_id)


async def change_password(context: Context, current: str, new: str) -> None:
    """Change one's own password: every session ends, and this browser gets a new one."""
    check = Check()
    check.password("newPassword", new)
    check.done()
    await confirm_password(context, "currentPassword", current)
    async with context.transaction() as transaction:
        await _set_password(transaction, context.account_id, new)
        await begin_session(context, transaction, context.account_id)
        await enqueue(transaction, Kind.PASSWORD_CHANGED, context.account_id)


async def update_account(context: Context, name: str) -> None:
    """Change one's own name."""
    check = Check()
    name = check.name("name", name)
    check.done()
    async with context.transaction() as transaction:
        await transaction.run(
            update(accounts).where(accounts.c.id == context.account_id).values(name=name, name_key=fold_name(name))
        )


async def change_email(context: Context, email: str, password: str) -> None:
    """Mail a link to a new address, which is the account's once the link is used.

    The answer is the same where the address has an account: its owner is told by mail.
    """
    check = Check()
    address = check.email("email", email) or ""
    check.done()
    await confirm_password(context, "password", password)
    await context.limiter.count(limits.INVITATIONS_SENT, context.account_id)
    if not await may_mail(context, address):
        return
    async with context.transaction() as transaction:
        taken = (accounts.c.email_key == fold(address)) & (accounts.c.id != context.account_id) & ~unproven(address)
        if await transaction.first(select(accounts.c.id).where(taken)):
            await tell_registered(transaction, address)
            return
        await mail_link(
            context,
            transaction,
            context.account_id,
            LinkPurpose.CHANGE_EMAIL,
            VERIFY_LASTS,
            Kind.CHANGE_EMAIL,
            new_email=address,
        )


async def delete_own(context: Context, password: str) -> None:
    """Delete one's own account and everything of it."""
    await confirm_password(context, "password", password)
    async with context.transaction() as transaction:
        await delete_account(context, transaction, context.account_id)
    context.new_session = ""
