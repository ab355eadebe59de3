"""Your own second factor: setting it up, removing it, and its recovery codes."""

from dataclasses import dataclass
from uuid import UUID

import pyotp
import strawberry
from sqlalchemy import delete, func, update
from sqlalchemy.dialects.postgresql import insert

from i18n import gettext as _
from jobs import mail
from jobs.outbox import enqueue
from models.account import recovery_codes, second_factors
from models.database import Transaction
from permissions.sealing import seal_factor
from resolvers import limits
from resolvers.access import end_sessions, lock_own
from resolvers.address import addressee
from resolvers.context import Context, Info
from resolvers.errors import Code, refuse
from resolvers.sign_in import begin_session, confirm_password
from resolvers.totp import (
    check_second_factor,
    factor,
    matching_step,
    new_recovery_codes,
    read_code,
    refuse_code,
    telling_of_wrong_codes,
)


@dataclass(frozen=True)
class NewFactor:
    """The secret for the owner's authenticator app, in Base32 and as an address for a QR code."""

    secret: str
    otpauth_uri: str


@strawberry.input
class SetUpSecondFactorInput:
    """The viewer's password."""

    password: str


async def set_up_second_factor(info: Info, input: SetUpSecondFactorInput) -> NewFactor:
    """Make a secret for the owner's authenticator app. The factor counts once a code has confirmed that the app has it.

    Raises:
        Refused: the password is wrong, or there's a second factor already.
        RateLimited: there were too many attempts.
        Unauthenticated: the viewer's session has ended in the meantime.
    """
    context = info.context
    await confirm_password(context, "password", input.password)
    secret = pyotp.random_base32()
    sealed = seal_factor(context.settings, context.account_id, secret)
    async with context.transaction() as transaction:
        await lock_own(context, transaction)
        account = await transaction.one(addressee(), id=context.account_id)
        placed = await transaction.run(
            insert(second_factors)
            .values(account_id=context.account_id, sealed=sealed)
            .on_conflict_do_update(
                index_elements=[second_factors.c.account_id],
                set_={"sealed": sealed},
                where=second_factors.c.confirmed_at.is_(None),
            )
        )
        if not placed:
            refuse(None, Code.NOT_ALLOWED, _("You already have a second factor. To set up another, remove it first."))
    uri = pyotp.TOTP(secret).provisioning_uri(name=account.email, issuer_name=context.settings.organisation_name)
    return NewFactor(secret, uri)


@strawberry.input
class ConfirmSecondFactorInput:
    """The code that the authenticator app shows."""

    code: str


async def confirm_second_factor(info: Info, input: ConfirmSecondFactorInput) -> list[str]:
    """Turn the second factor on, once a code shows that the app has its secret. Gives the recovery codes.

    Sessions that began without the factor end, and this browser gets a new one.

    Raises:
        Refused: the code is wrong, or there's no second factor to confirm.
        RateLimited: there were too many attempts.
        Unauthenticated: the viewer's session has ended in the meantime.
    """
    context = info.context
    await context.limiter.count(limits.SECOND_FACTOR, context.account_id)
    async with context.transaction() as transaction:
        await lock_own(context, transaction)
        own = second_factors.c.account_id == context.account_id
        row = await transaction.first(factor(confirmed=False), account_id=context.account_id)
        if row is None:
            refuse(None, Code.NOT_FOUND, _("Please set up a second factor first."))
        now, typed = context.database.now(), read_code(input.code)
        step = matching_step(context.settings, context.account_id, row.sealed, typed, now)
        if step is None:
            refuse_code()
        await transaction.run(update(second_factors).where(own).values(confirmed_at=func.clock(), last_step=step))
        codes = await new_recovery_codes(transaction, context.account_id)
        await end_sessions(transaction, context.account_id)
        await begin_session(context, transaction, context.account_id)
        await enqueue(transaction, mail.SECOND_FACTOR_ADDED, context.account_id)
    await context.limiter.forget(limits.SECOND_FACTOR, context.account_id)
    return codes


@strawberry.input(description="The code may be a recovery code.")
class RemoveSecondFactorInput:
    """The viewer's password and a code."""

    password: str
    code: str


async def remove_second_factor(info: Info, input: RemoveSecondFactorInput) -> None:
    """Remove the second factor: signing in takes only the password again. Every other session ends.

    Raises:
        Refused: the password or the code is wrong, or there's no second factor.
        RateLimited: there were too many attempts.
        Unauthenticated: the viewer's session has ended in the meantime.
    """
    context = info.context
    await confirm_password(context, "password", input.password)
    async with telling_of_wrong_codes(context, context.account_id) as transaction:
        await lock_own(context, transaction)
        await _check_own(context, transaction, input.code)
        await take_away(transaction, context.account_id)
        await begin_session(context, transaction, context.account_id)


async def take_away(transaction: Transaction, account_id: UUID) -> int:
    """Remove an account's second factor, end its sessions and email its owner. Gives how many factors there were."""
    removed = await transaction.run(delete(second_factors).where(second_factors.c.account_id == account_id))
    await transaction.run(delete(recovery_codes).where(recovery_codes.c.account_id == account_id))
    await end_sessions(transaction, account_id)
    if removed:
        await enqueue(transaction, mail.SECOND_FACTOR_REMOVED, account_id)
    return removed


@strawberry.input(description="The code may be a recovery code.")
class RenewRecoveryCodesInput:
    """The viewer's password and a code."""

    password: str
    code: str


async def renew_recovery_codes(info: Info, input: RenewRecoveryCodesInput) -> list[str]:
    """Replace the recovery codes, and give the new ones.

    Raises:
        Refused: the password or the code is wrong, or there's no second factor.
        RateLimited: there were too many attempts.
        Unauthenticated: the viewer's session has ended in the meantime.
    """
    context = info.context
    await confirm_password(context, "password", input.password)
    async with telling_of_wrong_codes(context, context.account_id) as transaction:
        await lock_own(context, transaction)
        await _check_own(context, transaction, input.code)
        return await new_recovery_codes(transaction, context.account_id)


async def _check_own(context: Context, transaction: Transaction, code: str) -> None:
    if await transaction.first(factor(confirmed=True), account_id=context.account_id) is None:
        refuse(None, Code.NOT_FOUND, _("You don't have a second factor."))
    await check_second_factor(context, transaction, context.account_id, code)
