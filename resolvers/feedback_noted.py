"""What administrators can't read unnoticed: answers that a mediator can't read, and who gave a piece of feedback.

What was read isn't given out before the audit log's entry about it is committed.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from typing import Annotated
from uuid import UUID

import strawberry
from sqlalchemy import ClauseElement, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Uuid

from i18n import gettext as _
from models.feedback import feedback, feedback_origins
from models.outbox import AuditAction
from models.statement import Row, statement
from permissions.scopes import readable_feedback
from permissions.sealing import Origin, open_origin
from permissions.viewer import Standing
from permissions.writing import is_blank, is_one_line
from resolvers.audit import note
from resolvers.context import Context, Info
from resolvers.entry_rows import EntryRow
from resolvers.errors import BadInput
from resolvers.mediator_row import MediatorRow
from resolvers.paging import Connection, ListedRow
from resolvers.validation import cleaned

LEAST_REASON, MOST_REASON = 5, 200
Reason = Annotated[
    str,
    strawberry.argument(
        description=f"Why you look this up, in {LEAST_REASON} to {MOST_REASON} characters. The audit log keeps it for "
        "good, and every administrator can read it there, so name a request or a ticket rather than a person."
    ),
]


class _UnsharedRow(Row):
    id: UUID
    mediator_id: UUID


@statement(_UnsharedRow)
def _unshared() -> ClauseElement:
    piece, ids = feedback.c, bindparam("ids", type_=ARRAY(Uuid()))
    mediators_own = readable_feedback(Standing.SELF)
    return select(piece.id, piece.mediator_id).where(piece.id == func.any(ids), ~mediators_own)


def reads_as_administrator(mediator: MediatorRow) -> bool:
    """Whether the viewer reads a mediator's feedback only because they're an administrator: a reviewer may anyway."""
    return bool(mediator.standing & Standing.ADMIN) and not mediator.standing & Standing.REVIEWER


async def note_page(
    context: Context, page: Awaitable[Connection[EntryRow]] | Connection[EntryRow]
) -> Connection[EntryRow]:
    """Give a page of feedback once it's noted that the answers on it were read."""
    found = page if isinstance(page, Connection) else await page
    await note_answers(context, found.nodes)
    return found


async def note_answers(context: Context, rows: Iterable[ListedRow]) -> None:
    """Note that the answers of these pieces of feedback are read, once in a request, unless the mediator can read them.

    However many there are, they're found by one statement and noted by one.
    """

    async def batch(ids: list[UUID]) -> list[None]:
        async with context.database.reading() as reading:
            unshared = await reading.all(_unshared(), ids=ids)
        if unshared:
            async with context.noting() as transaction:
                for one in unshared:
                    note(context, transaction, AuditAction.ANSWERS_READ, one.id, of=one.mediator_id)
        return [None] * len(ids)

    await asyncio.gather(*(context.load(batch, "answers_read", row.id) for row in rows))


def read_reason(given: str) -> str:
    """Check why somebody looks up who gave a piece of feedback.

    Raises:
        BadInput: there's no reason, or it doesn't fit into a line of the audit log.
    """
    reason = cleaned(given)
    if reason is None or is_blank(reason):
        raise BadInput(_("Please give the reason why you look this up. The audit log keeps it."))
    if not LEAST_REASON <= len(reason) <= MOST_REASON or not is_one_line(reason):
        raise BadInput(
            _(
                "Please give the reason on one line, in %(least)s to %(most)s characters.",
                least=LEAST_REASON,
                most=MOST_REASON,
            )
        )
    return reason


class _OriginRow(Row):
    id: UUID
    mediator_id: UUID
    sealed: bytes


@statement(_OriginRow)
def _origins() -> ClauseElement:
    ids = bindparam("ids", type_=ARRAY(Uuid()))
    origins = select(feedback_origins.c.id, feedback.c.mediator_id, feedback_origins.c.sealed)
    return origins.join(feedback, feedback.c.id == feedback_origins.c.id).where(feedback_origins.c.id == func.any(ids))


async def origin(info: Info, row: strawberry.Parent[EntryRow], reason: Reason) -> Origin | None:
    """Load the sender of a piece of feedback, and record that with its reason in the audit log.

    None if the origin is gone. How many a document may ask for is up to `schema/cost.py`.

    Raises:
        BadInput: there's no reason, or it doesn't fit into a line of the audit log.
    """
    context = info.context

    async def load(asked: list[tuple[UUID, str]]) -> Sequence[Origin | None]:
        async with context.noting() as transaction:
            found = {one.id: one for one in await transaction.all(_origins(), ids=[piece for piece, _ in asked])}
            for piece, why in asked:
                if piece in found:
                    of = found[piece].mediator_id
                    note(context, transaction, AuditAction.ORIGIN_READ, piece, of=of, reason=why)
        opened = {one.id: open_origin(context.settings, one.id, one.sealed) for one in found.values()}
        return [opened.get(piece) for piece, _ in asked]

    return await context.load(load, "origin", (row.id, read_reason(reason)))
