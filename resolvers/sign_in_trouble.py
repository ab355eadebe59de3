"""Counts what goes wrong while somebody signs in, for the audit log: per account and hour, never what was typed.

An address without an account is counted as well, so that an answer takes as long as for one with an account.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy import ClauseElement, bindparam, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.types import Boolean, Text, Uuid

from models.account import sign_in_troubles
from models.database import Transaction
from models.outbox import AuditAction
from models.statement import Row, statement
from permissions.secrets import nobodys_id
from resolvers.context import Context
from resolvers.errors import RateLimited


@statement(Row)
def _count() -> ClauseElement:
    trouble = sign_in_troubles.c
    first = insert(sign_in_troubles).values(
        account_id=bindparam("account_id", type_=Uuid()),
        action=bindparam("action", type_=Text()),
        hour=func.date_trunc("hour", func.clock(), "UTC"),
        has_account=bindparam("has_account", type_=Boolean()),
    )
    first = first.inline()  # gives nothing back
    place = [trouble.account_id, trouble.action, trouble.hour]
    return first.on_conflict_do_update(index_elements=place, set_={"count": trouble["count"] + 1})


async def count_trouble(transaction: Transaction, action: AuditAction, account_id: UUID) -> None:
    """Count once more that this went wrong, in a transaction that the trouble doesn't undo."""
    await transaction.run(_count(), account_id=account_id, action=action, has_account=True)


async def count_at_address(context: Context, action: AuditAction, account_id: UUID | None, email: str) -> None:
    """Count the same for an address, whether or not it has an account."""
    counted = account_id or nobodys_id(context.settings, email)
    async with context.transaction() as transaction:
        await transaction.run(_count(), account_id=counted, action=action, has_account=account_id is not None)


@asynccontextmanager
async def counting_lockouts(context: Context, account_id: UUID | None, email: str = "") -> AsyncIterator[None]:
    """Count it if the block finds that there were too many attempts.

    Raises:
        RateLimited: as the block does.
    """
    try:
        yield
    except RateLimited:
        await count_at_address(context, AuditAction.LOCKED_OUT, account_id, email)
        raise
