"""Reviewers: the list to choose from, and appointing, approving and ending."""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

import strawberry
from sqlalchemy import ClauseElement, bindparam, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Uuid

from i18n import gettext as _
from jobs import mail
from jobs.outbox import enqueue
from models.account import IS_REVIEWER, accounts
from models.database import Transaction
from models.outbox import AuditAction
from models.reviewer import appointments, reviewer_invitations
from models.statement import Row, statement
from resolvers import limits
from resolvers.account_row import lock_with_mailboxes
from resolvers.audit import note
from resolvers.context import Context, Info
from resolvers.errors import Code, refuse
from resolvers.inputs import read_id
from resolvers.mediator_row import MediatorRow
from resolvers.names import BY_NAME, name_matches, search_words
from resolvers.paging import Connection, Count, ListedRow, PageArguments, list_page, page_statement
from resolvers.reviewer_appointment import (
    AppointmentRow,
    end_reviews,
    put_reviewer,
    tell_of_appointment,
    waiting_appointment,
)

# Written out as in the index that this uses: a parameter could be any role.
_is_reviewer = text(IS_REVIEWER)
_rows = select(accounts.c.id, accounts.c.name).where(_is_reviewer)


class ReviewerRow(ListedRow):
    """Someone who can be appointed as a reviewer, or was."""

    name: str


@statement(ReviewerRow)
def _page(searched: bool, backwards: bool, cursor: bool | None) -> ClauseElement:
    rows = _rows.where(name_matches()) if searched else _rows
    return page_statement(rows, accounts.c.id, BY_NAME, backwards=backwards, cursor=cursor)


@statement(Count)
def _count(searched: bool) -> ClauseElement:
    rows = select(func.count().label("count")).select_from(accounts).where(_is_reviewer)
    return rows.where(name_matches()) if searched else rows


async def reviewers(info: Info, page: PageArguments, search: str | None = None) -> Connection[ReviewerRow]:
    """Give a page of everyone who can be appointed as a reviewer, by name.

    Raises:
        BadInput: the page's arguments don't fit together, or the cursor belongs to another list.
    """
    words = search_words(search)
    rows = partial(_page, bool(words))
    return await list_page(info.context.database, rows, _count(bool(words)), BY_NAME, page, **words)


class _ReviewerOfRow(ReviewerRow):
    mediator_id: UUID


@statement(_ReviewerOfRow)
def _of_mediators(approved: bool) -> ClauseElement:
    return (
        select(appointments.c.mediator_id, accounts.c.id, accounts.c.name)
        .join(accounts, accounts.c.id == appointments.c.reviewer_id)
        .where(
            appointments.c.mediator_id == func.any(bindparam("ids", type_=ARRAY(Uuid()))),
            appointments.c.approved == approved,
        )
    )


async def reviewer(info: Info, mediator: strawberry.Parent[MediatorRow]) -> ReviewerRow | None:
    """Load a mediator's reviewer."""
    return await _reviewer_of(info.context, mediator.id, approved=True)


async def waiting_reviewer(info: Info, mediator: strawberry.Parent[MediatorRow]) -> ReviewerRow | None:
    """Load the reviewer whose appointment by a mediator is waiting for approval."""
    return await _reviewer_of(info.context, mediator.id, approved=False)


async def _reviewer_of(context: Context, mediator_id: UUID, *, approved: bool) -> ReviewerRow | None:
    async def load(ids: list[UUID]) -> Sequence[ReviewerRow | None]:
        async with context.database.reading() as reading:
            found = {row.mediator_id: row for row in await reading.all(_of_mediators(approved), ids=ids)}
        return [found.get(one) for one in ids]

    return await context.load(load, ("reviewer", approved), mediator_id)


@strawberry.input
class AppointReviewerInput:
    """The reviewer to appoint."""

    reviewer_id: strawberry.ID


async def appoint_reviewer(info: Info, input: AppointReviewerInput) -> ReviewerRow | None:
    """Appoint a reviewer from the list, replacing the current one. Gives them; None while they wait for approval.

    Raises:
        Refused: that reviewer can't be appointed.
        RateLimited: there were too many attempts.
    """
    context = info.context
    await context.limiter.count(limits.APPOINTMENTS, context.account_id)
    async with context.transaction() as transaction:
        await put_reviewer(context, transaction, context.account_id, read_id(input.reviewer_id), "reviewerId")
    return await _reviewer_of(context, context.account_id, approved=True)


class _ReplacedRow(Row):
    reviewer_id: UUID


@statement(_ReplacedRow)
def _replaced() -> ClauseElement:
    """Delete a mediator's appointment that is in force."""
    own = appointments.c.mediator_id == bindparam("mediator_id", type_=Uuid())
    return delete(appointments).where(own, appointments.c.approved).returning(appointments.c.reviewer_id)


@strawberry.input
class ApproveAppointmentInput:
    """The appointment to approve."""

    id: strawberry.ID


async def _lock_waiting(transaction: Transaction, appointment_id: UUID) -> AppointmentRow:
    """Lock both sides of a waiting appointment until commit, and give it.

    Raises:
        Refused: there's no such appointment.
    """
    asked = await transaction.first(waiting_appointment(), id=appointment_id)
    if asked:
        await lock_with_mailboxes(transaction, asked.mediator_id, asked.reviewer_id)
        asked = await transaction.first(waiting_appointment(), id=appointment_id)
    if asked is None:
        refuse("id", Code.NOT_FOUND, _("There's no such appointment."))
    return asked


async def approve_appointment(info: Info, input: ApproveAppointmentInput) -> None:
    """Approve a waiting appointment, as an administrator. It replaces the mediator's current reviewer.

    Raises:
        Refused: there's no such appointment, or the two can't review each other.
    """
    context, appointment_id = info.context, read_id(input.id)
    async with context.transaction() as transaction:
        asked = await _lock_waiting(transaction, appointment_id)
        for row in await transaction.all(_replaced(), mediator_id=asked.mediator_id):
            await enqueue(transaction, mail.REVIEW_ENDED, asked.mediator_id, other_id=row.reviewer_id)
        await transaction.run(
            update(appointments).where(appointments.c.id == appointment_id).values(approved=True, since=func.clock())
        )
        await tell_of_appointment(transaction, asked.mediator_id, asked.reviewer_id)
        note(context, transaction, AuditAction.APPOINTMENT_APPROVED, appointment_id, of=asked.mediator_id)


@strawberry.input
class DeclineAppointmentInput:
    """The appointment to decline."""

    id: strawberry.ID


async def decline_appointment(info: Info, input: DeclineAppointmentInput) -> None:
    """Decline a waiting appointment, as an administrator. The mediator keeps the reviewer they have; both are told.

    Raises:
        Refused: there's no such appointment.
    """
    context, appointment_id = info.context, read_id(input.id)
    async with context.transaction() as transaction:
        asked = await _lock_waiting(transaction, appointment_id)
        await transaction.run(delete(appointments).where(appointments.c.id == appointment_id))
        await enqueue(transaction, mail.APPOINTMENT_DECLINED, asked.mediator_id, other_id=asked.reviewer_id)
        await enqueue(transaction, mail.REVIEW_DECLINED, asked.mediator_id, other_id=asked.reviewer_id)
        note(context, transaction, AuditAction.APPOINTMENT_DECLINED, appointment_id, of=asked.mediator_id)


@strawberry.input(description="The two sides of a review, so that no other is ended by mistake; you're one of them.")
class EndReviewInput:
    """The review to end, in force or waiting for approval."""

    mediator_id: strawberry.ID
    reviewer_id: strawberry.ID | None = strawberry.field(
        default=None, description="Leave it out to take back only your invitations that nobody has accepted yet."
    )


async def end_review(info: Info, input: EndReviewInput) -> None:
    """End a review at once, as either of its sides. A mediator's invitations that haven't been accepted end too.

    Raises:
        Refused: there's no such review or invitation, or it's other people's.
    """
    context, mediator_id = info.context, read_id(input.mediator_id)
    reviewer_id = None if input.reviewer_id is None else read_id(input.reviewer_id)
    async with context.transaction() as transaction:
        await lock_with_mailboxes(transaction, mediator_id, context.account_id)
        ended = 0
        if reviewer_id is not None and context.account_id in {mediator_id, reviewer_id}:
            ended = await end_reviews(transaction, mediator_id=mediator_id, reviewer_id=reviewer_id)
        if mediator_id == context.account_id and (ended or reviewer_id is None):
            invited = reviewer_invitations.c.mediator_id == mediator_id
            ended += await transaction.run(delete(reviewer_invitations).where(invited))
        if not ended:
            refuse(None, Code.NOT_FOUND, _("There's no such review to end."))
