"""Codes of a second factor: those from the owner's authenticator app (RFC 6238), and recovery codes."""

import re
from base64 import b32encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from secrets import token_bytes
from typing import NoReturn
from uuid import UUID

import pyotp
from pyotp import OTPVerificationError
from sqlalchemy import ClauseElement, bindparam, delete, func, insert, literal, or_, select, update
from sqlalchemy.types import Interval

from i18n import gettext as _
from jobs import mail
from jobs.outbox import enqueue
from models.account import recovery_codes, second_factors
from models.database import Transaction
from models.outbox import AuditAction
from models.statement import Row, statement
from permissions.sealing import CannotOpen, open_factor
from permissions.secrets import caseless, hash_secret
from resolvers import limits
from resolvers.context import Context
from resolvers.errors import Code, Problem, RateLimited, Refused
from resolvers.sign_in_trouble import count_trouble
from settings import Settings

RECOVERY_CODES = 10
RECOVERY_BYTES = 15  # 24 letters and digits
TOLD_EVERY = timedelta(hours=1)


class WrongCode(Refused):
    """A code is wrong, or was used before."""


class MissingCode(Refused):
    """The account has a second factor, but there was no code."""


def read_code(typed: str | None) -> str:
    """Read a code, ignoring case and the spaces that people type."""
    return re.sub(r"[\s-]", "", caseless(typed or ""))


@asynccontextmanager
async def telling_of_wrong_codes(context: Context, account_id: UUID) -> AsyncIterator[Transaction]:
    """Make a change that checks a code, where no other limit applies. Emails the owner about wrong codes.

    The email is queued in a transaction of its own, because the change is undone. It's also sent if there were too many
    attempts. The audit log counts both.
    """
    try:
        async with context.transaction() as transaction:
            yield transaction
    except (WrongCode, RateLimited) as trouble:
        action = AuditAction.WRONG_CODE if isinstance(trouble, WrongCode) else AuditAction.LOCKED_OUT
        told = second_factors.c.wrong_code_told_at
        async with context.transaction() as telling:
            await count_trouble(telling, action, account_id)
            due = await telling.run(
                update(second_factors)
                .where(
                    second_factors.c.account_id == account_id,
                    or_(told.is_(None), told <= func.clock() - literal(TOLD_EVERY, Interval())),
                )
                .values(wrong_code_told_at=func.clock())
            )
            if due:
                await enqueue(telling, mail.WRONG_CODE, account_id)
        raise


class FactorRow(Row):
    """A second factor."""

    sealed: bytes
    last_step: int | None


@statement(FactorRow)
def factor(confirmed: bool) -> ClauseElement:
    """Select and lock an account's second factor by its `account_id`: a confirmed one, or one yet to be confirmed."""
    state = second_factors.c.confirmed_at.is_not(None) if confirmed else second_factors.c.confirmed_at.is_(None)
    return (
        select(second_factors.c.sealed, second_factors.c.last_step)
        .where(second_factors.c.account_id == bindparam("account_id"), state)
        .with_for_update()
    )


async def check_second_factor(context: Context, transaction: Transaction, account_id: UUID, code: str | None) -> None:
    """Use up a code in this transaction. Does nothing if the account has no second factor.

    Raises:
        MissingCode: there's no code; nothing has been written.
        WrongCode: the code is wrong, or was used before.
        RateLimited: there were too many attempts.
    """
    row = await transaction.first(factor(confirmed=True), account_id=account_id)
    if row is None:
        return
    typed = read_code(code)
    if not typed:
        text = _("Please enter the code that your second factor shows, or a recovery code.")
        raise MissingCode(Problem("code", text, Code.REQUIRED))
    # Getting here takes the password, so a stranger can't lock the owner out.
    await context.limiter.count(limits.SECOND_FACTOR, account_id)
    if re.fullmatch("[0-9]{6}", typed):
        step = matching_step(context.settings, account_id, row.sealed, typed, context.database.now())
        if step is None or (row.last_step is not None and step <= row.last_step):
            refuse_code()
        await transaction.run(
            update(second_factors).where(second_factors.c.account_id == account_id).values(last_step=step)
        )
    else:
        own = (recovery_codes.c.account_id == account_id) & (recovery_codes.c.secret_hash == hash_secret(typed))
        if not await transaction.run(delete(recovery_codes).where(own)):
            refuse_code()
        await enqueue(transaction, mail.RECOVERY_CODE_USED, account_id)
    await context.limiter.forget(limits.SECOND_FACTOR, account_id)


def refuse_code() -> NoReturn:
    """Refuse a code that is wrong, or was used before.

    Raises:
        WrongCode: always.
    """
    text = _("This code is wrong or was used before. Please wait for the next one.")
    raise WrongCode(Problem("code", text, Code.WRONG_CREDENTIALS))


def matching_step(settings: Settings, account_id: UUID, sealed: bytes, code: str, now: datetime) -> int | None:
    """Give the half minute that a code is for, at most one away from now; None if there's none."""
    try:
        secret = open_factor(settings, account_id, sealed)
        return pyotp.TOTP(secret).verify_and_get_timecode(code, for_time=now, valid_window=1)
    except (CannotOpen, OTPVerificationError):
        return None


async def new_recovery_codes(transaction: Transaction, account_id: UUID) -> list[str]:
    """Replace an account's recovery codes. Gives the new ones, as they're shown to the owner, only once."""
    codes = [b32encode(token_bytes(RECOVERY_BYTES)).decode().lower() for _ in range(RECOVERY_CODES)]
    await transaction.run(delete(recovery_codes).where(recovery_codes.c.account_id == account_id))
    await transaction.run(
        insert(recovery_codes).values([{"account_id": account_id, "secret_hash": hash_secret(one)} for one in codes])
    )
    return ["-".join(re.findall("....", one)) for one in codes]
