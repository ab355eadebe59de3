"""Reading the audit log: who did what, to whom, when and why.

The log itself holds only opaque ids. Whose they are is looked up when it's read, so a deleted account has no name here.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal
from uuid import UUID

import strawberry
from sqlalchemy import ClauseElement, ColumnElement, bindparam, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import DateTime, Text, Uuid

from i18n import gettext as _
from models.account import accounts
from models.outbox import AuditAction, audit_entries
from models.statement import AnySelect, statement
from permissions.scopes import readable_audit
from resolvers.account import ACCOUNT_ROWS, AccountRow
from resolvers.context import Context, Info
from resolvers.errors import BadInput
from resolvers.inputs import read_id
from resolvers.paging import Connection, Count, ListedRow, PageArguments, Sort, list_page, page_statement

strawberry.enum(AuditAction)

_entry = audit_entries.c
_NEWEST = Sort("at", _entry.at, descending=True, nullable=False)


class AuditRow(ListedRow):
    """One action, who took it, on what, and the account that this belongs to."""

    at: datetime
    actor_id: UUID | None
    action: str
    subject_id: UUID | None
    account_id: UUID | None
    reason: str | None
    count: int | None


@strawberry.input(description="Which entries to show: those that match every field you give.")
class AuditFilter:
    """The entries to show."""

    action: AuditAction | None = None
    actor_id: strawberry.ID | None = None
    subject_id: strawberry.ID | None = strawberry.field(
        default=None, description="The id of an account, for all that was done to it or what belongs to it; or any id."
    )
    from_: datetime | None = strawberry.field(name="from", default=None)
    to: datetime | None = strawberry.field(default=None, description="Entries before this moment.")


Term = Literal["action", "actor", "subject", "since", "before"]  # what a list can be filtered by

_subject = bindparam("subject", type_=Uuid())
_FILTERS: dict[Term, ColumnElement[bool]] = {
    "action": _entry.action == bindparam("action", type_=Text()),
    "actor": _entry.actor_id == bindparam("actor", type_=Uuid()),
    "subject": or_(_entry.subject_id == _subject, _entry.account_id == _subject),
    "since": _entry.at >= bindparam("since", type_=DateTime(timezone=True)),
    "before": _entry.at < bindparam("before", type_=DateTime(timezone=True)),
}


def _matching(rows: AnySelect, used: frozenset[Term]) -> AnySelect:
    return rows.where(readable_audit(), *(_FILTERS[name] for name in sorted(used)))


@statement(AuditRow)
def _page(used: frozenset[Term], backwards: bool, cursor: bool | None) -> ClauseElement:
    columns = (_entry.actor_id, _entry.action, _entry.subject_id, _entry.account_id, _entry.reason, _entry.count)
    rows = _matching(select(_entry.id, _entry.at, *columns), used)
    return page_statement(rows, _entry.id, _NEWEST, backwards=backwards, cursor=cursor)


@statement(Count)
def _count(used: frozenset[Term]) -> ClauseElement:
    return _matching(select(func.count().label("count")).select_from(audit_entries), used)


async def audit_log(info: Info, page: PageArguments, filter: AuditFilter | None = None) -> Connection[AuditRow]:
    """Give a page of the audit log, newest first.

    Raises:
        BadInput: the page's arguments don't fit together, the cursor belongs to another list, or a time is no time.
    """
    context, values = info.context, _values(filter or AuditFilter())
    used = frozenset(values)
    found = {str(name): value for name, value in values.items()} | {"viewer": context.account_id}
    return await list_page(context.database, partial(_page, used), _count(used), _NEWEST, page, **found)


def _values(filter: AuditFilter) -> dict[Term, Any]:
    values: dict[Term, Any] = {
        "action": filter.action and filter.action.value,
        "actor": filter.actor_id and read_id(filter.actor_id),
        "subject": filter.subject_id and read_id(filter.subject_id),
        "since": filter.from_ and _moment(filter.from_),
        "before": filter.to and _moment(filter.to),
    }
    return {name: value for name, value in values.items() if value is not None}


def _moment(given: datetime) -> datetime:
    try:
        moment = given.astimezone(UTC) if given.tzinfo else None
    except OverflowError:  # beyond the calendar
        moment = None
    if moment is None:
        raise BadInput(_("Please give a time with its time zone, such as 2030-01-31T00:00:00Z."))
    return moment


@statement(AccountRow)
def _accounts() -> ClauseElement:
    return ACCOUNT_ROWS.where(accounts.c.id == func.any(bindparam("ids", type_=ARRAY(Uuid()))))


async def actor(info: Info, row: strawberry.Parent[AuditRow]) -> AccountRow | None:
    """Give who did it; None if it was an operator or the service itself, or the account is deleted."""
    return await _account(info.context, row.actor_id)


async def subject(info: Info, row: strawberry.Parent[AuditRow]) -> AccountRow | None:
    """Give the account that the subject is or belongs to; None if there's none, or it's deleted."""
    return await _account(info.context, row.account_id)


async def _account(context: Context, account_id: UUID | None) -> AccountRow | None:
    async def load(ids: list[UUID]) -> Sequence[AccountRow | None]:
        async with context.database.reading() as reading:
            found = {one.id: one for one in await reading.all(_accounts(), ids=ids)}
        return [found.get(one) for one in ids]

    return await context.load(load, "account", account_id) if account_id else None
