"""The audit log: actions, who took them and on what, all as opaque ids. Rows are only ever added."""

from uuid import UUID

from sqlalchemy import insert

from models.database import Transaction
from models.outbox import AuditAction, audit_entries
from resolvers.context import Context


async def note(context: Context, transaction: Transaction, action: AuditAction, *subjects: UUID) -> None:
    """Record that the viewer did this to each subject, in the transaction that does it."""
    entries = [{"actor_id": context.account_id, "action": action, "subject_id": subject} for subject in subjects]
    await transaction.run(insert(audit_entries).values(entries))
