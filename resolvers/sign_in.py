"""Signing in and out, and confirming the password again where being signed in isn't enough."""

from typing import NoReturn
from uuid import UUID

import strawberry
from sqlalchemy import ClauseElement, bindparam, delete, func, insert, literal, select, update
from sqlalchemy.types import Interval, LargeBinary

from i18n import gettext as _
from models.account import accounts, pending_sign_ins, sessions
from models.database import Transaction
from models.outbox import AuditAction
from models.statement import Row, statement
from permissions.addresses import account_key
from permissions.passwords import outdated
from permissions.secrets import (
    PENDING_SIGN_IN_LASTS,
    address_hash,
    device_token,
    hash_secret,
    is_device_token,
    new_secret,
)
from resolvers import limits
from resolvers.account_row import lock_account
from resolvers.context import Context, Info
from resolvers.errors import Code, Refused, refuse
from resolvers.inputs import read_id
from resolvers.passwords import check_in_turn, hash_in_turn
from resolvers.sign_in_trouble import count_at_address, counting_lockouts
from resolvers.totp import MissingCode, check_second_factor, telling_of_wrong_codes

MAX_TRIES = 10  # per pending sign-in: as many as per account and hour, and a limit while Valkey is down


@strawberry.input
class SignInInput:
    """An account's address and password, and the code of its second factor if it has one."""

    email: str
    password: str
    code: str | None = strawberry.field(
        default=None, description="A code from the account's second factor, or a recovery code."
    )


class _CredentialsRow(Row):
    id: UUID
    password_hash: str | None


@statement(_CredentialsRow)
def _credentials() -> ClauseElement:
    return select(accounts.c.id, accounts.c.password_hash).where(accounts.c.email_key == bindparam("email_key"))


async def sign_in(info: Info, input: SignInInput) -> None:
    """Begin a session, which the web layer puts into a cookie. Neither answer nor timing says who has an account.

    Nothing says that an account has a second factor until the password is right. If only its code is missing, the
    sign-in waits: `finish_sign_in` takes the secret that the refusal has as `pending_sign_in`.

    Raises:
        Refused: the credentials are wrong, or the code is missing or wrong.
        RateLimited: there were too many attempts.
    """
    context, email, password = info.context, input.email.strip(), input.password
    by_address = address_hash(context.settings, email)
    await context.limiter.count(limits.SIGN_IN_ADDRESS, context.viewer.address)
    async with context.database.reading() as reading:
        account = await reading.first(_credentials(), email_key=account_key(email))
    account_id, stored = (account.id, account.password_hash) if account else (None, None)
    async with counting_lockouts(context, account_id, email):
        await context.limiter.count(limits.SIGN_IN_ACCOUNT, by_address, context.viewer.address)
        await _count_strangers(context, by_address, stored)
    if not await check_in_turn(context, password, stored) or account is None or stored is None:
        await count_at_address(context, AuditAction.WRONG_PASSWORD, account_id, email)
        _refuse_credentials()
    rehashed = await hash_in_turn(context, password) if outdated(stored) else stored
    pending: Refused | None = None
    async with telling_of_wrong_codes(context, account.id) as transaction:
        # None if the password was changed or the account deleted during the check.
        unchanged = await transaction.run(
            update(accounts)
            .where(accounts.c.id == account.id, accounts.c.password_hash == stored)
            .values(password_hash=rehashed)
        )
        if not unchanged:
            _refuse_credentials()
        try:
            await check_second_factor(context, transaction, account.id, input.code)
        except MissingCode as missing:
            pending = Refused(*missing.problems, pending_sign_in=await _begin_pending(transaction, account.id))
        else:
            await begin_session(context, transaction, account.id)
    if pending is not None:  # raising it in the transaction would undo the pending sign-in
        raise pending
    await _welcome(context, by_address, rehashed)


async def _begin_pending(transaction: Transaction, account_id: UUID) -> str:
    """Remember that the password was right. Gives the secret to send with the code."""
    secret = new_secret()
    await transaction.run(insert(pending_sign_ins).values(account_id=account_id, secret_hash=hash_secret(secret)))
    return secret


@strawberry.input
class FinishSignInInput:
    """The secret from a `signIn` that lacked a code, and the code."""

    pending_sign_in: str
    code: str = strawberry.field(description="A code from the account's second factor, or a recovery code.")


async def finish_sign_in(info: Info, input: FinishSignInInput) -> None:
    """Begin the session of a sign-in that's waiting for its code. The limits on signing in count here too.

    Raises:
        Refused: the sign-in has expired, or the code is missing or wrong.
        RateLimited: there were too many attempts.
    """
    context = info.context
    await context.limiter.count(limits.SIGN_IN_ADDRESS, context.viewer.address)
    pending = await _try_pending(context, input.pending_sign_in)
    by_address = address_hash(context.settings, pending.email)
    async with counting_lockouts(context, pending.account_id):
        await context.limiter.count(limits.SIGN_IN_ACCOUNT, by_address, context.viewer.address)
        await _count_strangers(context, by_address, pending.password_hash)
    async with telling_of_wrong_codes(context, pending.account_id) as transaction:
        # Locked before reading the row, so that whatever ends sign-ins happens before or after all of this.
        await lock_account(transaction, pending.account_id)
        own = select(accounts.c.password_hash).where(accounts.c.id == pending.account_id)
        stored = await transaction.value(own, str)
        begun = delete(pending_sign_ins).where(pending_sign_ins.c.id == pending.id)
        if stored is None or not await transaction.run(begun):
            _refuse_pending()
        await check_second_factor(context, transaction, pending.account_id, input.code)
        await begin_session(context, transaction, pending.account_id)
    await _welcome(context, by_address, stored)


class _PendingRow(Row):
    id: UUID
    account_id: UUID
    email: str
    password_hash: str | None


@statement(_PendingRow)
def _try() -> ClauseElement:
    """Count one try of a pending sign-in, by the `hash` of its secret."""
    pending = pending_sign_ins.c
    return (
        update(pending_sign_ins)
        .where(
            pending.secret_hash == bindparam("hash", type_=LargeBinary()),
            pending.created_at > func.clock() - literal(PENDING_SIGN_IN_LASTS, Interval()),
            pending.tries < MAX_TRIES,
            pending.account_id == accounts.c.id,
        )
        .values(tries=pending.tries + 1)
        .returning(pending.id, pending.account_id, accounts.c.email, accounts.c.password_hash)
    )


async def _try_pending(context: Context, secret: str) -> _PendingRow:
    """Count one try in a transaction of its own, because a wrong code undoes its change.

    Gives the row, with its account's address and hash.
    """
    async with context.transaction() as transaction:
        pending = await transaction.first(_try(), hash=hash_secret(secret))
    if pending is None:
        _refuse_pending()
    return pending


def _refuse_pending() -> NoReturn:
    refuse("pendingSignIn", Code.EXPIRED, _("Your sign-in has expired. Please enter your password again."))


async def _count_strangers(context: Context, by_address: bytes, password_hash: str | None) -> None:
    """Count attempts from browsers that have never signed in to the account."""
    if not _is_owners_browser(context, password_hash):
        await context.limiter.count(limits.SIGN_IN_STRANGERS, by_address)


async def _welcome(context: Context, by_address: bytes, password_hash: str) -> None:
    """Count this browser as the owner's from now on, and forget earlier attempts."""
    context.new_device = device_token(context.settings, password_hash)
    await context.limiter.forget(limits.SIGN_IN_ACCOUNT, by_address, context.viewer.address)
    await context.limiter.forget(limits.SIGN_IN_STRANGERS, by_address)


def _is_owners_browser(context: Context, password_hash: str | None) -> bool:
    """Whether the browser still has what it got when it signed in with this very password."""
    return password_hash is not None and is_device_token(context.settings, context.device, password_hash)


def _refuse_credentials() -> NoReturn:
    refuse(None, Code.WRONG_CREDENTIALS, _("The email address or the password is wrong."))


async def begin_session(context: Context, transaction: Transaction, account_id: UUID) -> None:
    """Begin a session, in place of the request's own if it has one."""
    if context.viewer.session_id is not None:
        await transaction.run(delete(sessions).where(sessions.c.id == context.viewer.session_id))
    secret = new_secret()
    await transaction.run(insert(sessions).values(account_id=account_id, secret_hash=hash_secret(secret)))
    context.new_session = secret


async def sign_out(info: Info) -> None:
    """End the request's own session."""
    context = info.context
    async with context.transaction() as transaction:
        await transaction.run(delete(sessions).where(sessions.c.id == context.viewer.session_id))
    context.new_session = ""


@strawberry.input
class EndSessionInput:
    """The session to end."""

    id: strawberry.ID


async def end_session(info: Info, input: EndSessionInput) -> UUID:
    """End one of the viewer's own sessions, and give its id.

    Raises:
        Refused: it isn't one of the viewer's.
    """
    context, session_id = info.context, read_id(input.id)
    async with context.transaction() as transaction:
        ended = await transaction.run(
            delete(sessions).where(sessions.c.id == session_id, sessions.c.account_id == context.account_id)
        )
    if not ended:
        refuse("id", Code.NOT_FOUND, _("There's no such session."))
    if session_id == context.viewer.session_id:
        context.new_session = ""
    return session_id


async def confirm_password(context: Context, field: str, password: str) -> None:
    """Check that the password is the viewer's own.

    Raises:
        Refused: it isn't.
        RateLimited: there were too many attempts.
    """
    async with counting_lockouts(context, context.account_id):
        await context.limiter.count(limits.PASSWORD_CHECKS, context.account_id)
    async with context.database.reading() as reading:
        own = select(accounts.c.password_hash).where(accounts.c.id == context.account_id)
        stored = await reading.value(own, str)
    if not await check_in_turn(context, password, stored):
        await count_at_address(context, AuditAction.WRONG_PASSWORD, context.account_id, "")
        refuse(field, Code.WRONG_CREDENTIALS, _("This isn't your password."))
    await context.limiter.forget(limits.PASSWORD_CHECKS, context.account_id)
