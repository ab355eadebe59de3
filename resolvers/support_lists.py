"""What administrators look through: appointments that wait, the audit log, and undelivered email."""

from datetime import datetime
from uuid import UUID

import strawberry
from sqlalchemy import ClauseElement, func, select

from models.outbox import AuditAction, OutboxState, audit_entries, outbox
from models.reviewer import appointments
from models.statement import statement
from permissions.scopes import readable_audit
from resolvers.context import Info
from resolvers.paging import Connection, Count, ListedRow, PageArguments, Sort, list_page, page_statement

strawberry.enum(AuditAction)

_NEWEST = Sort("at", audit_entries.c.at, descending=True, nullable=False)
_BY_ID = Sort("id", None)


class WaitingRow(ListedRow):
    """An appointment that's waiting for approval."""

    asked_at: datetime
    mediator_id: UUID
    reviewer_id: UUID


@statement(WaitingRow)
def _waiting_page(backwards: bool, cursor: bool | None) -> ClauseElement:
    rows = select(
        appointments.c.id,
        appointments.c.since.label("asked_at"),
        appointments.c.mediator_id,
        appointments.c.reviewer_id,
    ).where(~appointments.c.approved)
    return page_statement(rows, appointments.c.id, _BY_ID, backwards=backwards, cursor=cursor)


@statement(Count)
def _waiting_count() -> ClauseElement:
    return select(func.count().label("count")).where(~appointments.c.approved)


async def waiting_appointments(info: Info, page: PageArguments) -> Connection[WaitingRow]:
    """Give a page of the appointments that are waiting for approval.

    Raises:
        BadInput: the page's arguments don't fit together, or the cursor belongs to another list.
    """
    return await list_page(info.context.database, _waiting_page, _waiting_count(), _BY_ID, page)


class AuditRow(ListedRow):
    """One action, who took it, on what, and why."""

    at: datetime
    actor_id: UUID
    action: str
    subject_id: UUID
    reason: str | None


@statement(AuditRow)
def _audit_page(backwards: bool, cursor: bool | None) -> ClauseElement:
    rows = select(
        audit_entries.c.id,
        audit_entries.c.at,
        audit_entries.c.actor_id,
        audit_entries.c.action,
        audit_entries.c.subject_id,
        audit_entries.c.reason,
    ).where(readable_audit())
    return page_statement(rows, audit_entries.c.id, _NEWEST, backwards=backwards, cursor=cursor)


@statement(Count)
def _audit_count() -> ClauseElement:
    return select(func.count().label("count")).select_from(audit_entries).where(readable_audit())


async def audit_log(info: Info, page: PageArguments) -> Connection[AuditRow]:
    """Give a page of the audit log, newest first.

    Raises:
        BadInput: the page's arguments don't fit together, or the cursor belongs to another list.
    """
    return await list_page(info.context.database, _audit_page, _audit_count(), _NEWEST, page)


_dead = outbox.c.state == OutboxState.DEAD
_dead_rows = select(outbox.c.id, outbox.c.kind, outbox.c.attempts, outbox.c.smtp_code).where(_dead)


class DeadMailRow(ListedRow):
    """An email that was given up."""

    kind: str
    attempts: int
    smtp_code: int | None


@statement(DeadMailRow)
def _dead_page(backwards: bool, cursor: bool | None) -> ClauseElement:
    return page_statement(_dead_rows, outbox.c.id, _BY_ID, backwards=backwards, cursor=cursor)


@statement(Count)
def _dead_count() -> ClauseElement:
    return select(func.count().label("count")).select_from(outbox).where(_dead)


async def dead_mail(info: Info, page: PageArguments) -> Connection[DeadMailRow]:
    """Give a page of the emails that were given up, without their recipients or texts.

    Raises:
        BadInput: the page's arguments don't fit together, or the cursor belongs to another list.
    """
    return await list_page(info.context.database, _dead_page, _dead_count(), _BY_ID, page)
