"""The audit log: who did what to which, in opaque ids; it only grows."""

from uuid import UUID

from sqlalchemy import insert

from models.database import Transaction
from models.outbox import AuditAction, audit_entries
from resolvers.context import Context


async def note(context: Context, transaction: Transaction, action: AuditAction, *subjects: UUID) -> None:
    """Write that the viewer did this to each subject, in the transaction that does it."""
    entries = [{"actor_id": context.account_id, "action": action, "subject_id": subject} for subject in subjects]
    await transaction.run(insert(audit_entries).values(entries))
