"""Reviewers: the list to pick from, appointments and invitations, and their end."""

from collections.abc import Sequence
from functools import cache
from typing import Any, NoReturn
from uuid import UUID, uuid4

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
from resolvers.context import Context
from resolvers.errors import Code, refuse
from resolvers.mediator import in_order, name_matches, search_words
from resolvers.paging import Connection, Page, Sort, connection, page_statement, page_values
from resolvers.passwords import hash_password
from resolvers.repeats import Once, earlier_result

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


async def reviewer_page(context: Context, search: str | None, asked: Page) -> Connection:
    """Give a page of everybody who may be picked as a reviewer, by name."""
    searched = bool(search and search.strip())
    values = {"words": search_words(search or "")} if searched else {}
    cursor, paging = page_values(_BY_NAME, asked)
    async with context.database.reading() as reading:
        rows = await reading.all(_page(searched, asked.backwards, cursor), **values, **paging)

    async def count() -> int:
        async with context.database.reading() as reading:
            return int(await reading.value(_count(searched), **values))

    return connection(rows, _BY_NAME, asked, count)


@cache
def _of_mediators(approved: bool) -> Statement:
    return Statement(
        select(appointments.c.mediator_id.label("id"), accounts.c.id.label("reviewer_id"), accounts.c.name)
        .join(accounts, accounts.c.id == appointments.c.reviewer_id)
        .where(
            appointments.c.mediator_id == func.any(bindparam("ids", type_=ARRAY(Uuid()))),
            appointments.c.approved == approved,
        )
    )


async def reviewer_of(context: Context, mediator_id: UUID, *, approved: bool) -> Row | None:
    """Load a mediator's reviewer (`reviewer_id`, `name`): the one in force, or the one who waits for approval."""

    async def load(ids: list[UUID]) -> Sequence[Row | None]:
        async with context.database.reading() as reading:
            return in_order(ids, await reading.all(_of_mediators(approved), ids=ids))

    return await context.load(load, ("reviewer", approved), mediator_id)


async def appoint(context: Context, reviewer_id: UUID) -> None:
    """Appoint a reviewer from the list in place of the present one; Refused if it cannot be them."""
    await context.limiter.count(limits.APPOINTMENTS, context.account_id)
    async with context.transaction() as transaction:
        await put_reviewer(context, transaction, context.account_id, reviewer_id, "reviewerId")


async def approve(context: Context, appointment_id: UUID) -> None:
    """Put a waiting appointment in force, as an administrator; it replaces the mediator's present reviewer."""
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


async def end(context: Context, mediator_id: UUID | None) -> None:
    """End a review at once: one's own as a mediator (None), or of a mediator who appointed the viewer.

    A mediator's invitations that nobody has accepted yet end with it.
    """
    whose = mediator_id or context.account_id
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


async def invite(context: Context, email: str, once: Once) -> None:
    """Mail somebody an invitation to review the viewer. It looks the same whether or not they have an account."""
    check = Check()
    address = check.email("email", email) or ""
    check.done()
    new_id = uuid4()
    async with context.transaction() as transaction:
        if await earlier_result(context, transaction, "inviteReviewer", once, new_id):
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


async def accept(context: Context, token: str, name: str | None, password: str | None) -> None:
    """Accept an invitation: with a new account's name and password, or signed in to the account of that address."""
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
    new = None if invitation.account_id else await _new_reviewer(context, invitation.email, name, password)
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


async def _new_reviewer(context: Context, email: str, name: str | None, password: str | None) -> dict[str, Any]:
    check = Check()
    name = check.name("name", name)
    password = check.password("password", password or "", context.settings.organisation_name, name, email)
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
