"""Reviewers from the mediator's side: the list to choose from, who reviews them, and appointing and ending."""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

import strawberry
from sqlalchemy import ClauseElement, bindparam, delete, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Uuid

from i18n import gettext as _
from jobs import mail
from jobs.outbox import enqueue
from models.account import IS_REVIEWER, accounts
from models.reviewer import Relation, appointments, reviewer_invitations
from models.statement import statement
from resolvers import limits
from resolvers.account_row import lock_with_mailboxes
from resolvers.context import Context, Info
from resolvers.errors import Code, refuse
from resolvers.inputs import read_id
from resolvers.mediator_row import MediatorRow
from resolvers.names import BY_NAME, name_matches, search_words
from resolvers.paging import Connection, Count, ListedRow, PageArguments, list_page, page_statement
from resolvers.reviewer_appointment import choose_reviewer, end_reviews, lock_appointments

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
    relation: str | None
    relation_details: str | None


@statement(_ReviewerOfRow)
def _of_mediators(in_force: bool) -> ClauseElement:
    return (
        select(
            appointments.c.mediator_id,
            accounts.c.id,
            accounts.c.name,
            appointments.c.relation,
            appointments.c.relation_details,
        )
        .join(accounts, accounts.c.id == appointments.c.reviewer_id)
        .where(
            appointments.c.mediator_id == func.any(bindparam("ids", type_=ARRAY(Uuid()))),
            appointments.c.in_force == in_force,
        )
    )


async def reviewer(info: Info, mediator: strawberry.Parent[MediatorRow]) -> ReviewerRow | None:
    """Load a mediator's reviewer."""
    return await _reviewer_of(info.context, mediator.id, in_force=True)


async def waiting_reviewer(info: Info, mediator: strawberry.Parent[MediatorRow]) -> ReviewerRow | None:
    """Load the reviewer whose appointment by a mediator is waiting. What it waits for is nobody's business here."""
    return await _reviewer_of(info.context, mediator.id, in_force=False)


async def reviewer_relation(info: Info, mediator: strawberry.Parent[MediatorRow]) -> Relation | None:
    """Say how a mediator's reviewer knows them; None if there's no reviewer, or they haven't said so."""
    found = await _reviewer_of(info.context, mediator.id, in_force=True)
    return Relation(found.relation) if found and found.relation else None


async def reviewer_relation_details(info: Info, mediator: strawberry.Parent[MediatorRow]) -> str | None:
    """Give what a mediator's reviewer wrote about how they know them."""
    found = await _reviewer_of(info.context, mediator.id, in_force=True)
    return found.relation_details if found else None


async def _reviewer_of(context: Context, mediator_id: UUID, *, in_force: bool) -> _ReviewerOfRow | None:
    async def load(ids: list[UUID]) -> Sequence[_ReviewerOfRow | None]:
        async with context.database.reading() as reading:
            found = {row.mediator_id: row for row in await reading.all(_of_mediators(in_force), ids=ids)}
        return [found.get(one) for one in ids]

    return await context.load(load, ("reviewer", in_force), mediator_id)


@strawberry.input
class AppointReviewerInput:
    """The reviewer to appoint."""

    reviewer_id: strawberry.ID


async def appoint_reviewer(info: Info, input: AppointReviewerInput) -> ReviewerRow | None:
    """Appoint a reviewer from the list, who is asked by email. The mediator's invitations end.

    The current reviewer stays until the appointment has every yes that it needs. Gives the reviewer who's waiting; None
    if they're the current one.

    Raises:
        Refused: that reviewer can't be appointed.
        RateLimited: there were too many attempts.
    """
    context = info.context
    await context.limiter.count(limits.APPOINTMENTS, context.account_id)
    async with context.transaction() as transaction:
        await lock_appointments(transaction)
        chosen = read_id(input.reviewer_id)
        waiting = await choose_reviewer(context, transaction, context.account_id, chosen, "reviewerId")
        own = reviewer_invitations.c.mediator_id == context.account_id
        await transaction.run(delete(reviewer_invitations).where(own))
    return await _reviewer_of(context, context.account_id, in_force=False) if waiting else None


@strawberry.input(description="The two sides of a review, so that no other is ended by mistake; you're one of them.")
class EndReviewInput:
    """The review to end, or the appointment that is still waiting."""

    mediator_id: strawberry.ID
    reviewer_id: strawberry.ID


async def end_review(info: Info, input: EndReviewInput) -> None:
    """End a review at once as either of its sides, or an appointment that's waiting: take it back, or decline it.

    Raises:
        Refused: there's no such review, or it's other people's.
    """
    context, mediator_id, reviewer_id = info.context, read_id(input.mediator_id), read_id(input.reviewer_id)
    async with context.transaction() as transaction:
        await lock_with_mailboxes(transaction, mediator_id, context.account_id)
        own = context.account_id in {mediator_id, reviewer_id}
        ended = await end_reviews(transaction, mediator_id=mediator_id, reviewer_id=reviewer_id) if own else []
        if not ended:
            refuse(None, Code.NOT_FOUND, _("There's no such review to end."))
        if context.account_id == reviewer_id and not all(row.in_force for row in ended):
            await enqueue(transaction, mail.APPOINTMENT_DECLINED, mediator_id, other_id=reviewer_id)
