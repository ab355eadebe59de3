"""The audit log: actions, who took them and on what, all as opaque ids. Rows are only ever added."""

from uuid import UUID

from sqlalchemy import insert

from models.database import Transaction
from models.outbox import AuditAction, audit_entries
from resolvers.context import Context


async def note(
    context: Context, transaction: Transaction, action: AuditAction, *subjects: UUID, reason: str | None = None
) -> None:
    """Record that the viewer did this to each subject, and why, in the transaction that does it."""
    common = {"actor_id": context.account_id, "action": action, "reason": reason}
    entries = [common | {"subject_id": subject} for subject in subjects]
    await transaction.run(insert(audit_entries).values(entries))
