"""What the audit log is to say: actions, who took them and on what, all as opaque ids. Rows are only ever added."""

from uuid import UUID

from models.database import Transaction
from models.outbox import AuditAction
from resolvers.context import Context


def note(
    context: Context,
    transaction: Transaction,
    action: AuditAction,
    subject: UUID,
    *,
    of: UUID | None = None,
    reason: str | None = None,
) -> None:
    """Record that the viewer did this to a subject, at the end of the transaction that does it.

    `of` is the account that the subject belongs to, if it isn't an account itself.
    """
    transaction.noted.append(
        {
            "actor_id": context.account_id,
            "action": action,
            "subject_id": subject,
            "account_id": of or subject,
            "reason": reason,
        }
    )
