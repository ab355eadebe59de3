"""Administrators' work with feedback: admitting what's held, removing a piece, and finding what one address gave."""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import NoReturn
from uuid import UUID

import strawberry
from sqlalchemy import ClauseElement, and_, bindparam, delete, false, func, null, select, true, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import LargeBinary, Uuid

from i18n import gettext as _
from jobs import mail
from jobs.outbox import enqueue
from models.account import accounts
from models.feedback import Admission, feedback, feedback_origins
from models.outbox import AuditAction
from models.statement import AnySelect, Row, statement
from permissions.scopes import IS_MEDIATOR, about_others, held
from permissions.sealing import mailbox_hashes
from resolvers.audit import note
from resolvers.context import Info
from resolvers.errors import Code, refuse
from resolvers.feedback import Answered, answers_in_order
from resolvers.feedback_admission import tell_mediator
from resolvers.feedback_noted import Reason, note_answers, read_reason
from resolvers.inputs import read_id
from resolvers.paging import Connection, Count, ListedRow, PageArguments, Sort, list_page, page_statement
from resolvers.selection import fields_below

_feedback = feedback.c
_BY_ID = Sort("id", None)
_about_mediator = feedback.join(accounts, accounts.c.id == _feedback.mediator_id)


class PieceRow(ListedRow):
    """A piece of feedback and the mediator it's about, as administrators look into it."""

    mediator_id: UUID
    mediator_name: str
    received_on: date
    capacity: str
    acted_as: str
    shared: bool
    by_invitation: bool
    held: bool
    answers: list[Answered]


def _pieces() -> AnySelect:
    return select(
        _feedback.id,
        _feedback.mediator_id,
        accounts.c.name.label("mediator_name"),
        _feedback.received_on,
        _feedback.capacity,
        _feedback.acted_as,
        _feedback.shared,
        _feedback.by_invitation,
        held().label("held"),
        answers_in_order(true()).label("answers"),
    ).select_from(_about_mediator)


# Held feedback.


@statement(PieceRow)
def _held_page(backwards: bool, cursor: bool | None) -> ClauseElement:
    rows = _pieces().where(held(), about_others(), IS_MEDIATOR)
    return page_statement(rows, _feedback.id, _BY_ID, backwards=backwards, cursor=cursor)


@statement(Count)
def _held_count() -> ClauseElement:
    count = select(func.count().label("count")).select_from(_about_mediator)
    return count.where(held(), about_others(), IS_MEDIATOR)


async def held_feedback(info: Info, page: PageArguments) -> Connection[PieceRow]:
    """Give a page of the feedback that's held.

    Raises:
        BadInput: the page's arguments don't fit together, or the cursor belongs to another list.
    """
    context = info.context
    found = await list_page(context.database, _held_page, _held_count(), _BY_ID, page, viewer=context.account_id)
    if "answers" in fields_below(info):
        await note_answers(context, found.nodes)
    return found


@strawberry.input
class AdmitFeedbackInput:
    """The piece of feedback to admit."""

    id: strawberry.ID


async def admit_feedback(info: Info, input: AdmitFeedbackInput) -> UUID:
    """Let a piece of feedback that's held count like any other from now on. Gives its id.

    Raises:
        Refused: there's no such piece, or the viewer may not know that there is.
    """
    context, feedback_id = info.context, read_id(input.id)
    async with context.transaction() as transaction:
        # It may have been released with others, which brought it to nobody.
        released = false() if context.settings.release_least else _feedback.shared
        mediator_id = await transaction.value(
            update(feedback)
            .where(_feedback.id == feedback_id, held(), about_others())
            .values(admission=Admission.ADMITTED, released=released, release_at=null())
            .returning(_feedback.mediator_id),
            UUID,
            viewer=context.account_id,
        )
        if mediator_id is None:
            _no_such_piece()
        await tell_mediator(context, transaction, feedback_id, mediator_id, Admission.ADMITTED, by_request=False)
        note(context, transaction, AuditAction.FEEDBACK_ADMITTED, feedback_id, of=mediator_id)
    return feedback_id


def _no_such_piece() -> NoReturn:
    refuse("id", Code.NOT_FOUND, _("There's no such piece of feedback."))


# Removing.


@strawberry.enum(description="Why an administrator removes a piece of feedback. The audit log keeps it.")
class RemovalReason(StrEnum):
    """Why a piece of feedback is removed. The mediator isn't told."""

    SPAM = "SPAM"
    NOT_A_PARTY = "NOT_A_PARTY"
    UNLAWFUL = "UNLAWFUL"
    ABOUT_OTHERS = "ABOUT_OTHERS"
    ASKED_BY_GIVER = "ASKED_BY_GIVER"


@strawberry.input
class RemoveFeedbackInput:
    """The piece of feedback to remove, and why."""

    id: strawberry.ID
    reason: RemovalReason


class _RemovedRow(Row):
    mediator_id: UUID
    was_released: bool


@statement(_RemovedRow)
def _remove() -> ClauseElement:
    was_released = and_(_feedback.admission == Admission.ADMITTED, _feedback.shared, _feedback.released)
    return (
        delete(feedback)
        .where(_feedback.id == bindparam("piece", type_=Uuid()), about_others())
        .returning(_feedback.mediator_id, was_released.label("was_released"))
    )


async def remove_feedback(info: Info, input: RemoveFeedbackInput) -> UUID:
    """Remove a piece of feedback with its answers and origin, for good. Gives its id.

    The mediator gets an email only if it had been released to them.

    Raises:
        Refused: there's no such piece, or the viewer may not know that there is.
    """
    context, feedback_id = info.context, read_id(input.id)
    async with context.transaction() as transaction:
        removed = await transaction.first(_remove(), piece=feedback_id, viewer=context.account_id)
        if removed is None:
            _no_such_piece()
        if removed.was_released:
            await enqueue(transaction, mail.FEEDBACK_REMOVED, removed.mediator_id)
        of = removed.mediator_id
        note(context, transaction, AuditAction.FEEDBACK_REMOVED, feedback_id, of=of, reason=input.reason)
    return feedback_id


# What one address gave.


@statement(PieceRow)
def _given_by() -> ClauseElement:
    """Select what was given from a mailbox, by its hashes."""
    hashes = bindparam("hashes", type_=ARRAY(LargeBinary()))
    given = select(feedback_origins.c.id).where(feedback_origins.c.mailbox_hash == func.any(hashes))
    rows = _pieces().where(_feedback.id.in_(given), about_others())
    return rows.order_by(_feedback.received_on, _feedback.id)


async def feedback_by(info: Info, email: str, reason: Reason) -> Sequence[PieceRow]:
    """Find all feedback that was given from a mailbox, oldest first, and record each piece in the audit log.

    Raises:
        BadInput: there's no reason, or it doesn't fit into a line of the audit log.
    """
    context, why = info.context, read_reason(reason)
    hashes = mailbox_hashes(context.settings, email.strip())
    async with context.noting() as transaction:
        found = await transaction.all(_given_by(), hashes=hashes, viewer=context.account_id)
        for one in found:
            note(context, transaction, AuditAction.ORIGIN_READ, one.id, of=one.mediator_id, reason=why)
    return found
