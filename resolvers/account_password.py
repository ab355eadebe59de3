"""Passwords: setting one through an emailed link, and changing your own."""

from uuid import UUID, uuid4

import strawberry
from sqlalchemy import delete, select, update

from jobs import mail
from jobs.outbox import enqueue
from models.account import LinkPurpose, account_links, accounts, second_factors
from models.database import Transaction
from permissions.secrets import (
    RESET_LASTS,
    device_token,
)
from resolvers import limits
from resolvers.access import end_all, end_pending, lock_own
from resolvers.address import (
    addressee,
    has_address,
    mark_verified,
    reset_held_for,
)
from resolvers.context import Context, Info
from resolvers.errors import NotFound
from resolvers.links import linked_account, mail_link, refuse_link, use_link
from resolvers.passwords import hash_in_turn
from resolvers.sign_in import begin_session, confirm_password
from resolvers.validation import Check


@strawberry.input
class RequestPasswordResetInput:
    """The address of the account that needs a new password."""

    email: str


async def request_password_reset(info: Info, input: RequestPasswordResetInput) -> None:
    """Email a link that sets a new password, if there is such an account.

    If there isn't, the answer is the same and so is the work: the mail worker finds that there's nothing to send.

    Raises:
        Refused: something in the input needs fixing.
        RateLimited: there were too many attempts.
    """
    context = info.context
    await context.limiter.count(limits.RESET_ADDRESS, context.viewer.address)
    check = Check()
    address = check.email("email", input.email) or ""
    check.done()
    held = await reset_held_for(context, address)
    async with context.transaction() as transaction:
        account_id = await transaction.value(select(accounts.c.id).where(has_address(address)), UUID)
        await mail_link(
            context,
            transaction,
            account_id or uuid4(),
            LinkPurpose.RESET_PASSWORD,
            RESET_LASTS,
            mail.RESET_PASSWORD,
            held,
        )


@strawberry.input
class ResetPasswordInput:
    """The token from an emailed link, and the new password."""

    token: str
    password: str


async def reset_password(info: Info, input: ResetPasswordInput) -> None:
    """Set a password through an emailed link, which also proves the address. All else that opens the account ends.

    Raises:
        Refused: the link doesn't work, or the password isn't good enough.
        RateLimited: there were too many attempts.
        NotFound: the account was deleted in the meantime.
    """
    context, token, password = info.context, input.token, input.password
    await context.limiter.count(limits.LINK_TRIES, context.viewer.address)
    check = Check()
    check.password("password", password, context.settings.organisation_name)
    check.done()
    purposes = LinkPurpose.RESET_PASSWORD, LinkPurpose.SET_PASSWORD
    async with context.database.reading() as reading:
        account_id = await linked_account(reading, token, *purposes)
    if account_id is None:
        refuse_link()
    hashed = await _hash_own(context, account_id, "password", password)
    async with context.transaction() as transaction:
        link = await use_link(transaction, token, *purposes)
        if link is None:
            refuse_link()
        await _set_password(context, transaction, link.account_id, hashed)
        await end_all(transaction, link.account_id)
        await mark_verified(transaction, link.account_id)
        if link.purpose == LinkPurpose.RESET_PASSWORD:
            await enqueue(transaction, mail.PASSWORD_CHANGED, link.account_id)


async def _hash_own(context: Context, account_id: UUID, field: str, password: str) -> str:
    """Check a password for an account, and hash it.

    Call this before a transaction begins: waiting for a hash can take seconds, and mustn't hold a connection.

    Raises:
        NotFound: there's no such account.
    """
    async with context.database.reading() as reading:
        account = await reading.first(addressee(), id=account_id)
    if account is None:
        raise NotFound
    check = Check()
    check.password(field, password, account.name, account.email)
    check.done()
    return await hash_in_turn(context, password)


async def _set_password(context: Context, transaction: Transaction, account_id: UUID, hashed: str) -> None:
    """Set a password, and end what began with the old one: emailed links, unconfirmed second factors, pending sign-ins.

    From now on this browser counts as the owner's: its user knew the old password, or got a link by email.
    """
    context.new_device = device_token(context.settings, hashed)
    await transaction.run(update(accounts).where(accounts.c.id == account_id).values(password_hash=hashed))
    await end_pending(transaction, account_id)
    unconfirmed = (second_factors.c.account_id == account_id) & second_factors.c.confirmed_at.is_(None)
    await transaction.run(delete(second_factors).where(unconfirmed))
    await transaction.run(
        delete(account_links).where(
            account_links.c.account_id == account_id, account_links.c.purpose != LinkPurpose.VERIFY_EMAIL
        )
    )


@strawberry.input
class ChangePasswordInput:
    """The viewer's current password, and the new one."""

    current_password: str
    new_password: str
    end_others: bool = strawberry.field(
        default=True,
        description="Whether to end everything else that opens your account: sessions, API tokens, links to your data.",
    )


async def change_password(info: Info, input: ChangePasswordInput) -> None:
    """Change the viewer's own password. This browser gets a new session.

    With `end_others`, everything else that opens the account ends: other sessions, API tokens and links to copies of
    its data.

    Raises:
        Refused: the current password is wrong, or the new one isn't good enough.
        RateLimited: there were too many attempts.
        NotFound: the account was deleted in the meantime.
        Unauthenticated: the viewer's session has ended in the meantime.
    """
    context, new = info.context, input.new_password
    check = Check()
    check.password("newPassword", new, context.settings.organisation_name)
    check.done()
    await confirm_password(context, "currentPassword", input.current_password)
    hashed = await _hash_own(context, context.account_id, "newPassword", new)
    async with context.transaction() as transaction:
        await lock_own(context, transaction)
        await _set_password(context, transaction, context.account_id, hashed)
        if input.end_others:
            await end_all(transaction, context.account_id)
        await begin_session(context, transaction, context.account_id)
        await enqueue(transaction, mail.PASSWORD_CHANGED, context.account_id)
