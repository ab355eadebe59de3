"""Reviewers: the list to pick from, appointments and invitations, and their end."""

from collections.abc import Sequence
from functools import cache
from typing import Any, NoReturn
from uuid import UUID, uuid4

import strawberry
from sqlalchemy import and_, bindparam, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.types import Uuid

from i18n import gettext as _
from jobs import mail
from jobs.outbox import enqueue, enqueue_mail
from models.account import IS_REVIEWER, Role, accounts
from models.database import Row, Statement, Transaction
from models.outbox import AuditAction
from models.reviewer import appointments, reviewer_invitations
from permissions.addresses import account_key
from permissions.secrets import (
    INVITATION_LASTS,
    Opens,
    fold_name,
    hash_secret,
    link_secret,
)
from resolvers import limits
from resolvers.access import end_sessions
from resolvers.address import held_for, is_own, mark_verified
from resolvers.appointment import end_reviews, lock_accounts, put_reviewer, tell_of_appointment
from resolvers.audit import note
from resolvers.checks import Check
from resolvers.context import Context, Info
from resolvers.errors import Code, refuse
from resolvers.inputs import read_id
from resolvers.mediator import name_matches, search_words
from resolvers.paging import Connection, Page, Sort, connection, page_statement, page_values
from resolvers.passwords import hash_password
from resolvers.repeats import earlier_result, once

_BY_NAME = Sort("name", accounts.c.name_key, nullable=False)
# Written out, as in the index that serves this: a parameter could be any role.
_is_reviewer = text(IS_REVIEWER)
_rows = select(accounts.c.id, accounts.c.name).where(_is_reviewer)


@cache
def _page(searched: bool, backwards: bool, cursor: bool | None) -> Statement:
    rows = _rows.where(name_matches("words")) if searched else _rows
    return Statement(page_statement(rows, accounts.c.id, _BY_NAME, backwards=backwards, cursor=cursor))


@cache
def _count(searched: bool) -> Statement:
    rows = select(func.count()).select_from(accounts).where(_is_reviewer)
    return Statement(rows.where(name_matches("words")) if searched else rows)


async def reviewers(info: Info, page: Page, search: str | None = None) -> Connection:
    """Give a page of everybody who may be picked as a reviewer, by name. Raises BadInput for a wrong cursor."""
    context = info.context
    searched = bool(search and search.strip())
    values = {"words": search_words(search or "")} if searched else {}
    cursor, paging = page_values(_BY_NAME, page)
    async with context.database.reading() as reading:
        rows = await reading.all(_page(searched, page.backwards, cursor), **values, **paging)

    async def count() -> int:
        async with context.database.reading() as reading:
            return int(await reading.value(_count(searched), **values))

    return connection(rows, _BY_NAME, page, count)


@cache
def _of_mediators(approved: bool) -> Statement:
    return Statement(
        select(appointments.c.mediator_id, accounts.c.id, accounts.c.name)
        .join(accounts, accounts.c.id == appointments.c.reviewer_id)
        .where(
            appointments.c.mediator_id == func.any(bindparam("ids", type_=ARRAY(Uuid()))),
            appointments.c.approved == approved,
        )
    )


async def reviewer(info: Info, mediator: strawberry.Parent[Row]) -> Row | None:
    """Load a mediator's reviewer."""
    return await _reviewer_of(info.context, mediator.id, approved=True)


async def waiting_reviewer(info: Info, mediator: strawberry.Parent[Row]) -> Row | None:
    """Load the reviewer whose appointment by a mediator waits for approval."""
    return await _reviewer_of(info.context, mediator.id, approved=False)


async def _reviewer_of(context: Context, mediator_id: UUID, *, approved: bool) -> Row | None:
    async def load(ids: list[UUID]) -> Sequence[Row | None]:
        async with context.database.reading() as reading:
            found = {row.mediator_id: row for row in await reading.all(_of_mediators(approved), ids=ids)}
        return [found.get(one) for one in ids]

    return await context.load(load, ("reviewer", approved), mediator_id)


@strawberry.input
class AppointReviewerInput:
    """Whom to appoint."""

    reviewer_id: strawberry.ID


async def appoint_reviewer(info: Info, input: AppointReviewerInput) -> Row | None:
    """Appoint a reviewer from the list in place of the present one; give them, or None while approval is waited for.

    Raises Refused if it cannot be them, and RateLimited.
    """
    context = info.context
    await context.limiter.count(limits.APPOINTMENTS, context.account_id)
    async with context.transaction() as transaction:
        await put_reviewer(context, transaction, context.account_id, read_id(input.reviewer_id), "reviewerId")
    return await _reviewer_of(context, context.account_id, approved=True)


@strawberry.input
class ApproveAppointmentInput:
    """Which appointment to approve."""

    id: strawberry.ID


async def approve_appointment(info: Info, input: ApproveAppointmentInput) -> None:
    """Put a waiting appointment in force, as an administrator; it replaces the mediator's present reviewer.

    Raises Refused.
    """
    context, appointment_id = info.context, read_id(input.id)
    waiting = select(appointments).where(appointments.c.id == appointment_id, ~appointments.c.approved)
    async with context.transaction() as transaction:
        asked = await transaction.first(waiting)
        if asked:
            await lock_accounts(transaction, asked.mediator_id, asked.reviewer_id)
            asked = await transaction.first(waiting)
        if asked is None:
            refuse("id", Code.NOT_FOUND, _("There's no such appointment."))
        replaced = await transaction.all(
            delete(appointments)
            .where(appointments.c.mediator_id == asked.mediator_id, appointments.c.approved)
            .returning(appointments.c.reviewer_id)
        )
        for row in replaced:
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
        await lock_accounts(transaction, whose, context.account_id)
        ended = appointments.c.mediator_id == whose
        taken_back = 0
        if whose == context.account_id:
            invited = reviewer_invitations.c.mediator_id == whose
            taken_back = await transaction.run(delete(reviewer_invitations).where(invited))
        else:
            ended &= appointments.c.reviewer_id == context.account_id
        if not await end_reviews(transaction, ended) + taken_back:
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
    works = and_(
        reviewer_invitations.c.secret_hash == hash_secret(token), reviewer_invitations.c.expires_at > func.clock()
    )
    of_address = select(accounts.c.id).where(accounts.c.email_key == reviewer_invitations.c.email_key).scalar_subquery()
    invited = select(reviewer_invitations, of_address.label("account_id")).where(works)
    async with context.database.reading() as reading:
        invitation = await reading.first(invited)
    if invitation is None:
        _refuse_invitation()
    # Before the transaction begins: whoever waits for a hash must not hold a connection meanwhile.
    new = None if invitation.account_id else await _new_reviewer(context, invitation.email, input)
    async with context.transaction() as transaction:
        invitation = await transaction.first(invited)
        if invitation is None:
            _refuse_invitation()
        account_id = invitation.account_id
        if account_id is None and new is not None:
            # Before the new address is taken, to which the mediator may just be moving.
            await lock_accounts(transaction, invitation.mediator_id)
            account_id = await _put_account(transaction, new)
        elif account_id is None or account_id != context.viewer.account_id:
            _refuse_signed_out()
        people = await lock_accounts(transaction, invitation.mediator_id, account_id)
        roles = people[account_id].roles if account_id in people else ()
        if not await transaction.run(delete(reviewer_invitations).where(works)):
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


async def _new_reviewer(context: Context, email: str, input: AcceptInvitationInput) -> dict[str, Any]:
    check = Check()
    name = check.name("name", input.name)
    password = check.password("password", input.password or "", context.settings.organisation_name, name, email)
    check.done()
    return {
        "name": name,
        "name_key": fold_name(name),
        "email": email,
        "email_key": account_key(email),
        "password_hash": await hash_password(context, password),
        "roles": [Role.REVIEWER.value],
    }


async def _put_account(transaction: Transaction, new: dict[str, Any]) -> UUID:
    new_id = uuid4()
    if not await transaction.run(insert(accounts).values(id=new_id, **new).on_conflict_do_nothing()):
        _refuse_signed_out()  # one was made meanwhile
    return new_id
