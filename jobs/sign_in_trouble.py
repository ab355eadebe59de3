"""Enters what went wrong while somebody tried to sign in into the audit log, once its hour is over.

An entry can't be changed, so counting goes on elsewhere until then. If no worker runs, the counts wait.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ClauseElement, delete, func

from jobs import audit
from models.account import sign_in_troubles
from models.database import Transaction
from models.statement import Row, statement
from settings import Settings


class _CountedRow(Row):
    account_id: UUID
    action: str
    hour: datetime
    has_account: bool
    count: int


@statement(_CountedRow)
def _over() -> ClauseElement:
    trouble = sign_in_troubles.c
    now = func.date_trunc("hour", func.clock(), "UTC")
    return (
        delete(sign_in_troubles)
        .where(trouble.hour < now)
        .returning(trouble.account_id, trouble.action, trouble.hour, trouble.has_account, trouble["count"])
    )


async def enter(transaction: Transaction, settings: Settings) -> None:
    """Move the counts of past hours into the audit log. Those of addresses without an account are forgotten."""
    rows = await transaction.all(_over())
    entries = [
        {
            "at": row.hour,
            "action": row.action,
            "subject_id": row.account_id,
            "account_id": row.account_id,
            "count": row.count,
        }
        for row in sorted(rows, key=lambda row: (row.hour, row.account_id, row.action))
        if row.has_account
    ]
    if entries:
        await audit.write(transaction, settings, entries)
