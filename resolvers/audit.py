"""What the audit log is to say: actions, who took them and on what, all as opaque ids. Rows are only ever added."""

import asyncio
from uuid import UUID

from models.database import Transaction
from models.outbox import AuditAction
from resolvers.context import Context, Info
from resolvers.paging import Connection, ListedT
from resolvers.selection import fields_below


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


async def note_accounts(info: Info, page: Connection[ListedT]) -> Connection[ListedT]:
    """Give a page of accounts once it's noted that they were read: each once in a request, but not the viewer's own.

    Counting them reads none. A cursor does, because there's a name in it.
    """
    context = info.context
    if fields_below(info) == {"totalCount"}:
        return page

    async def batch(ids: list[UUID]) -> list[None]:
        async with context.noting() as transaction:
            for account_id in ids:
                note(context, transaction, AuditAction.ACCOUNT_READ, account_id)
        return [None] * len(ids)

    others = [row.id for row in page.nodes if row.id != context.account_id]
    await asyncio.gather(*(context.load(batch, "account_read", account_id) for account_id in others))
    return page
