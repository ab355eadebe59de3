"""Reviewers: the list to pick from, appointments and invitations, and their end."""

from collections.abc import Sequence
from typing import NamedTuple, NoReturn
from uuid import UUID, uuid4

import strawberry
from sqlalchemy import ClauseElement, and_, bindparam, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import LargeBinary, Uuid

from i18n import gettext as _
from jobs import mail
from jobs.outbox import enqueue, enqueue_mail
from models.account import IS_REVIEWER, Role, accounts
from models.database import Row, statement
from models.outbox import AuditAction
from models.reviewer import appointments, reviewer_invitations
from permissions.addresses import account_key
from permissions.secrets import (
    INVITATION_LASTS,
    Opens,
    hash_secret,
    link_secret,
)
from resolvers import limits
from resolvers.access import end_sessions
from resolvers.account_row import lock_with_mailboxes, put_account
from resolvers.address import held_for, is_own, mark_verified
from resolvers.appointment import end_reviews, put_reviewer, tell_of_appointment, waiting_appointment
from resolvers.audit import note
from resolvers.checks import Check
from resolvers.context import Context, Info
from resolvers.errors import Code, refuse
from resolvers.inputs import read_id
from resolvers.mediator import name_matches, search_words
from resolvers.mediator_row import MediatorRow
from resolvers.paging import (
    Connection,
    Count,
    ListedRow,
    Page,
    Sort,
    connection,
    counting,
    page_statement,
    page_values,
)
from resolvers.passwords import hash_password
from resolvers.repeats import earlier_result, once

_BY_NAME = Sort("name", accounts.c.name_key, nullable=False)
# Written out, as in the index that serves this: a parameter could be any role.
_is_reviewer = text(IS_REVIEWER)
_rows = select(accounts.c.id, accounts.c.name).where(_is_reviewer)


class ReviewerRow(ListedRow):
    """Somebody who may be picked as a reviewer, or was."""

    name: str


@statement(ReviewerRow)
def _page(searched: bool, backwards: bool, cursor: bool | None) -> ClauseElement:
    rows = _rows.where(name_matches("words")) if searched else _rows
    return page_statement(rows, accounts.c.id, _BY_NAME, backwards=backwards, cursor=cursor)


@statement(Count)
def _count(searched: bool) -> ClauseElement:
    rows = select(func.count().label("count")).select_from(accounts).where(_is_reviewer)
    return rows.where(name_matches("words")) if searched else rows


async def reviewers(info: Info, page: Page, search: str | None = None) -> Connection[ReviewerRow]:
    """Give a page of everybody who may be picked as a reviewer, by name. Raises BadInput for a wrong cursor."""
    context = info.context
    searched = bool(search and search.strip())
    values = {"words": search_words(search or "")} if searched else {}
    cursor, paging = page_values(_BY_NAME, page)
    async with context.database.reading() as reading:
        rows = await reading.all(_page(searched, page.backwards, cursor), **values, **paging)
    return connection(rows, _BY_NAME, page, counting(context.database, _count(searched), **values))


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
    """Load the reviewer whose appointment by a mediator waits for approval."""
    return await _reviewer_of(info.context, mediator.id, approved=False)


async def _reviewer_of(context: Context, mediator_id: UUID, *, approved: bool) -> ReviewerRow | None:
    async def load(ids: list[UUID]) -> Sequence[ReviewerRow | None]:
        async with context.database.reading() as reading:
            found = {row.mediator_id: row for row in await reading.all(_of_mediators(approved), ids=ids)}
        return [found.get(one) for one in ids]

    return await context.load(load, ("reviewer", approved), mediator_id)


@strawberry.input
class AppointReviewerInput:
    """Whom to appoint."""

    reviewer_id: strawberry.ID


async def appoint_reviewer(info: Info, input: AppointReviewerInput) -> ReviewerRow | None:
    """Appoint a reviewer from the list in place of the present one; give them, or None while approval is waited for.

    Raises Refused if it cannot be them, and RateLimited.
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
    """Delete the appointment of a mediator that is in force."""
    own = appointments.c.mediator_id == bindparam("mediator_id", type_=Uuid())
    return delete(appointments).where(own, appointments.c.approved).returning(appointments.c.reviewer_id)


@strawberry.input
class ApproveAppointmentInput:
    """Which appointment to approve."""

    id: strawberry.ID


async def approve_appointment(info: Info, input: ApproveAppointmentInput) -> None:
    """Put a waiting appointment in force, as an administrator; it replaces the mediator's present reviewer.

    Raises Refused.
    """
    context, appointment_id = info.context, read_id(input.id)
    async with context.transaction() as transaction:
        asked = await transaction.first(waiting_appointment(), id=appointment_id)
        if asked:
            await lock_with_mailboxes(transaction, asked.mediator_id, asked.reviewer_id)
            asked = await transaction.first(waiting_appointment(), id=appointment_id)
        if asked is None:
            refuse("id", Code.NOT_FOUND, _("There's no such appointment."))
        for row in await transaction.all(_replaced(), mediator_id=asked.mediator_id):
            await enqueue(transaction, mail.REVIEW_ENDED, asked.mediator_id, other_id=row.reviewer_id)
        await transaction.run(
            update(appointments).where(appointments.c.id == appointment_id).values(approved=True, since=func.clock())
        )
        await tell_of_appointment(transaction, asked.mediator_id, asked.reviewer_id)
        await note(context, transaction, AuditAction.APPOINTMENT_APPROVED, appointment_id)


@strawberry.input(description="Ends your own review, or, with its mediator, one that you do.")
class EndReviewInput:
    """Whose review to end."""

    mediator_id: strawberry.ID | None = None


async def end_review(info: Info, input: EndReviewInput) -> None:
    """End a review at once: one's own as a mediator, or of a mediator who appointed the viewer.

    A mediator's invitations that nobody has accepted yet end with it. Raises Refused.
    """
    context = info.context
    whose = context.account_id if input.mediator_id is None else read_id(input.mediator_id)
    async with context.transaction() as transaction:
        await lock_with_mailboxes(transaction, whose, context.account_id)
        if whose == context.account_id:
            ended = await end_reviews(transaction, mediator_id=whose)
            ended += await transaction.run(
                delete(reviewer_invitations).where(reviewer_invitations.c.mediator_id == whose)
            )
        else:
            ended = await end_reviews(transaction, mediator_id=whose, reviewer_id=context.account_id)
        if not ended:
            refuse("mediatorId", Code.NOT_FOUND, _("There's no such review to end."))


@strawberry.input
class InviteReviewerInput:
    """Whom to invite."""

    email: str
    request_key: str | None = None


async def invite_reviewer(info: Info, input: InviteReviewerInput) -> None:
    """Mail somebody an invitation to review the viewer. It looks the same whether or not they have an account.

    Raises Refused and RateLimited.
    """
    context, check = info.context, Check()
    address = check.email("email", input.email) or ""
    check.done()
    new_id = uuid4()
    async with context.transaction() as transaction:
        if await earlier_result(context, transaction, "inviteReviewer", once(input), new_id):
            return
        await context.limiter.count(limits.INVITATIONS_SENT, context.account_id)
        if await is_own(transaction, context.account_id, address):
            refuse("email", Code.NOT_ALLOWED, _("You can't be your own reviewer."))
        held = await held_for(context, address)
        await transaction.run(
            delete(reviewer_invitations).where(
                reviewer_invitations.c.mediator_id == context.account_id,
                reviewer_invitations.c.email_key == account_key(address),
            )
        )
        due = await enqueue_mail(transaction, mail.REVIEWER_INVITED, new_id, held, other_id=context.account_id)
        await transaction.run(
            insert(reviewer_invitations).values(
                id=new_id,
                mediator_id=context.account_id,
                email=address,
                email_key=account_key(address),
                secret_hash=hash_secret(link_secret(context.settings, Opens.INVITATION, new_id)),
                expires_at=due + INVITATION_LASTS,
            )
        )


class _InvitationRow(Row):
    mediator_id: UUID
    email: str
    account_id: UUID | None


_invited = bindparam("hash", type_=LargeBinary())
_works = and_(reviewer_invitations.c.secret_hash == _invited, reviewer_invitations.c.expires_at > func.clock())


@statement(_InvitationRow)
def _invitation() -> ClauseElement:
    """Select an invitation that works, with the account that has its address."""
    of_address = select(accounts.c.id).where(accounts.c.email_key == reviewer_invitations.c.email_key).scalar_subquery()
    return select(
        reviewer_invitations.c.mediator_id, reviewer_invitations.c.email, of_address.label("account_id")
    ).where(_works)


@strawberry.input(description="Name and password make a new account; leave them out if you are signed in.")
class AcceptInvitationInput:
    """An invitation's token, and what a new account takes."""

    token: str
    name: str | None = None
    password: str | None = None


async def accept_invitation(info: Info, input: AcceptInvitationInput) -> None:
    """Accept an invitation: with a new account's name and password, or signed in to the account of that address.

    Raises Refused and RateLimited.
    """
    context, token = info.context, input.token
    await context.limiter.count(limits.LINK_TRIES, context.viewer.address)
    hashed = hash_secret(token)
    async with context.database.reading() as reading:
        invitation = await reading.first(_invitation(), hash=hashed)
    if invitation is None:
        _refuse_invitation()
    # Before the transaction begins: whoever waits for a hash must not hold a connection meanwhile.
    new = None if invitation.account_id else await _new_reviewer(context, invitation.email, input)
    async with context.transaction() as transaction:
        invitation = await transaction.first(_invitation(), hash=hashed)
        if invitation is None:
            _refuse_invitation()
        account_id = invitation.account_id
        if account_id is None and new is not None:
            # Before the new address is taken, to which the mediator may just be moving.
            await lock_with_mailboxes(transaction, invitation.mediator_id)
            account_id = uuid4()
            if not await put_account(
                transaction, account_id, new.name, invitation.email, Role.REVIEWER, password_hash=new.password_hash
            ):
                _refuse_signed_out()  # one was made meanwhile
        elif account_id is None or account_id != context.viewer.account_id:
            _refuse_signed_out()
        people = await lock_with_mailboxes(transaction, invitation.mediator_id, account_id)
        roles = people[account_id].roles if account_id in people else ()
        if not await transaction.run(delete(reviewer_invitations).where(_works), hash=hashed):
            _refuse_invitation()
        await transaction.run(
            update(accounts).where(accounts.c.id == account_id).values(roles=sorted({*roles, Role.REVIEWER.value}))
        )
        # The link came to the account's address, whoever signed up with it.
        if await mark_verified(transaction, account_id):
            await end_sessions(transaction, account_id, but=context.viewer.session_id)
        await put_reviewer(context, transaction, invitation.mediator_id, account_id, "token")


def _refuse_invitation() -> NoReturn:
    refuse("token", Code.NOT_FOUND, _("This invitation no longer works. Please ask for a new one."))


def _refuse_signed_out() -> NoReturn:
    refuse(
        "token",
        Code.SIGN_IN_REQUIRED,
        _("There's already an account with this address. Please sign in to it to accept."),
    )


class _NewReviewer(NamedTuple):
    name: str
    password_hash: str


async def _new_reviewer(context: Context, email: str, input: AcceptInvitationInput) -> _NewReviewer:
    check = Check()
    name = check.name("name", input.name)
    password = check.password("password", input.password or "", context.settings.organisation_name, name, email)
    check.done()
    return _NewReviewer(name, await hash_password(context, password))
