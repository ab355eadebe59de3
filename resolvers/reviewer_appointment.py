"""Appointments: made, put into force once they have every yes they need, and ended.

They change one at a time, under one lock. Otherwise two changes that don't see each other could make two people review
each other, or close a ring.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ClauseElement, ColumnElement, bindparam, delete, func, insert, literal_column, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text, Uuid

from i18n import LazyText, lazy_gettext
from i18n import gettext as _
from jobs import mail
from jobs.outbox import enqueue
from models.account import MAILBOX, Role, accounts
from models.database import Transaction
from models.reviewer import appointments
from models.statement import Row, statement
from permissions.scopes import waiting_for
from permissions.viewer import Standing
from resolvers.account_row import PersonRow, lock_with_mailboxes
from resolvers.context import Context
from resolvers.errors import Code, refuse
from settings import Approval

People = Mapping[UUID, PersonRow]

LONGEST_CHAIN = 1_000  # mailboxes; a longer one counts as a ring

_OWN_REVIEWER = lazy_gettext("Nobody can be their own reviewer.")
_EACH_OTHER = lazy_gettext("Two people can't review each other.")
_FROM_LEAST = (Approval.NONE, Approval.NEW, Approval.EACH)


class Yes(StrEnum):
    """A yes that an appointment may need: its reviewer accepts, an administrator confirms them, or approves it."""

    ACCEPTANCE = "ACCEPTANCE"
    CONFIRMATION = "CONFIRMATION"
    APPROVAL = "APPROVAL"


class YesesRow(Row):
    """When each yes to an appointment came, and what it needs of administrators."""

    approval: str
    accepted_at: datetime | None
    approved_at: datetime | None
    confirmed_at: datetime | None


class AppointmentRow(YesesRow):
    """A mediator's choice of reviewer."""

    id: UUID
    mediator_id: UUID
    reviewer_id: UUID
    in_force: bool


_its = appointments.c
YESES = (_its.approval, _its.accepted_at, _its.approved_at, accounts.c.reviewer_confirmed_at.label("confirmed_at"))
_appointments = select(_its.id, _its.mediator_id, _its.reviewer_id, _its.in_force, *YESES).join(
    accounts, accounts.c.id == _its.reviewer_id
)


@statement(AppointmentRow)
def _by_id() -> ClauseElement:
    return _appointments.where(_its.id == bindparam("id"))


@statement(AppointmentRow)
def _waiting(standings: Standing) -> ClauseElement:
    """Select an appointment that waits and that a viewer with these standings may decide on."""
    return _appointments.where(_its.id == bindparam("id"), waiting_for(standings))


@statement(AppointmentRow)
def _of_mediator() -> ClauseElement:
    return _appointments.where(_its.mediator_id == bindparam("mediator_id"))


@statement(AppointmentRow)
def of_reviewer() -> ClauseElement:
    """Select the appointments of one reviewer with everyone."""
    return _appointments.where(_its.reviewer_id == bindparam("reviewer_id"))


@statement(AppointmentRow)
def _between() -> ClauseElement:
    """Select the appointments of these mediators with these reviewers."""
    mediators, reviewers = (func.any(bindparam(name, type_=ARRAY(Uuid()))) for name in ("mediators", "reviewers"))
    return _appointments.where(_its.mediator_id == mediators, _its.reviewer_id == reviewers)


def _mailbox(name: str) -> ColumnElement[str]:
    """Give the mailbox of the accounts that a statement calls so, written as in its index."""
    return literal_column(MAILBOX.replace("email_key", f"{name}.email_key"))


class _RingRow(Row):
    closed: bool


@statement(_RingRow)
def _ring() -> ClauseElement:
    """Select whether the reviewers of a reviewer, and theirs in turn, come back to the mediator; by mailboxes."""
    mediator, reviewer = accounts.alias("mediator_account"), accounts.alias("reviewer_account")
    chain = select(bindparam("reviewer", type_=Text()).label("mailbox")).cte("chain", recursive=True)
    chain = chain.union(
        select(_mailbox("reviewer_account"))
        .select_from(chain)
        .join(mediator, _mailbox("mediator_account") == chain.c.mailbox)
        .join(appointments, (_its.mediator_id == mediator.c.id) & _its.in_force)
        .join(reviewer, reviewer.c.id == _its.reviewer_id)
    )
    some = select(chain.c.mailbox).limit(LONGEST_CHAIN).subquery()
    back = func.count().filter(some.c.mailbox == bindparam("mediator", type_=Text())) > 0
    return select(((func.count() == LONGEST_CHAIN) | back).label("closed")).select_from(some)


async def lock_appointments(transaction: Transaction) -> None:
    """Let no other appointment change until commit. Call this before accounts are locked, so that nobody deadlocks."""
    await transaction.run(select(func.pg_advisory_xact_lock(func.hashtext("appointment"))))


async def lock_waiting(
    context: Context, transaction: Transaction, appointment_id: UUID
) -> tuple[AppointmentRow, People]:
    """Lock a waiting appointment until commit, with both of its sides and the viewer, who decides on it.

    Gives the appointment, and the people by their ids.

    Raises:
        Refused: there's no such appointment, or it isn't for the viewer to decide.
    """
    await lock_appointments(transaction)
    standings = context.viewer.standings & (Standing.ADMIN | Standing.REVIEWER)
    wanted = {"id": appointment_id} | ({} if standings & Standing.ADMIN else {"viewer": context.account_id})
    row, people = await transaction.first(_waiting(standings), **wanted), dict[UUID, PersonRow]()
    if row:
        people = await lock_with_mailboxes(transaction, row.mediator_id, row.reviewer_id, context.account_id)
        row = await transaction.first(_waiting(standings), **wanted)  # either side may just have ended it
    if row is None:
        refuse("id", Code.NOT_FOUND, _("There's no such appointment."))
    return row, people


def missing(row: YesesRow, approval: Approval) -> list[Yes]:
    """Say which yeses an appointment still lacks, where administrators do so much."""
    lacks = {
        Yes.ACCEPTANCE: row.accepted_at is None,
        Yes.CONFIRMATION: approval is not Approval.NONE and row.confirmed_at is None,
        Yes.APPROVAL: approval is Approval.EACH and row.approved_at is None,
    }
    return [yes for yes, is_lacking in lacks.items() if is_lacking]


def strictest(*approvals: str) -> Approval:
    """Give the one that asks most of administrators."""
    return max(map(Approval, approvals), key=_FROM_LEAST.index)


async def _needed(context: Context, transaction: Transaction, people: People, mediator: UUID, reviewer: UUID) -> str:
    """Say what an appointment needs of administrators now.

    Where they do anything at all, one of them approves an appointment that closes a ring of reviewers, and another one
    approves an administrator's own.
    """
    setting = context.settings.reviewer_approval
    if setting is Approval.NONE:
        return setting
    mailbox = people[mediator].mailbox
    administers = any(one.mailbox == mailbox and Role.ADMIN in one.roles for one in people.values())
    ring = await transaction.one(_ring(), mediator=mailbox, reviewer=people[reviewer].mailbox)
    return Approval.EACH if administers or ring.closed else setting


async def _obstacle(transaction: Transaction, people: People, mediator_id: UUID, reviewer_id: UUID) -> LazyText | None:
    """Say why somebody can never review this mediator, if that's so: they're one person, or review each other."""
    mediator, reviewer = people[mediator_id].mailbox, people[reviewer_id].mailbox
    if mediator == reviewer:
        return _OWN_REVIEWER
    reciprocal = await transaction.first(
        _between(),
        mediators=[one.id for one in people.values() if one.mailbox == reviewer],
        reviewers=[one.id for one in people.values() if one.mailbox == mediator],
    )
    return _EACH_OTHER if reciprocal else None


async def refuse_obstacle(
    transaction: Transaction, people: People, mediator_id: UUID, reviewer_id: UUID, field: str
) -> None:
    """Refuse somebody who can't review this mediator.

    Raises:
        Refused: they're one person, or would review each other; the problem is with `field`.
    """
    if why := await _obstacle(transaction, people, mediator_id, reviewer_id):
        refuse(field, Code.NOT_ALLOWED, str(why))


async def choose_reviewer(
    context: Context, transaction: Transaction, mediator_id: UUID, reviewer_id: UUID, field: str
) -> UUID | None:
    """Let an appointment wait for its yeses, in the place of one that's waiting. Gives its id.

    None if that reviewer is the mediator's already; then nothing changes. Call `lock_appointments` first.

    Raises:
        Refused: that reviewer can't be appointed; the problem is with `field`.
    """
    people = await lock_with_mailboxes(transaction, mediator_id, reviewer_id)
    reviewer = people.get(reviewer_id)
    if reviewer is None or mediator_id not in people:
        refuse(field, Code.NOT_FOUND, _("There's no such reviewer."))
    if people[mediator_id].mailbox != reviewer.mailbox and Role.REVIEWER not in reviewer.roles:
        refuse(field, Code.NOT_FOUND, _("There's no such reviewer."))
    await refuse_obstacle(transaction, people, mediator_id, reviewer_id, field)
    present = await transaction.all(_of_mediator(), mediator_id=mediator_id)
    for row in present:
        if row.reviewer_id == reviewer_id:
            return None if row.in_force else row.id
    await transaction.run(delete(appointments).where(_its.mediator_id == mediator_id, ~_its.in_force))
    needed = await _needed(context, transaction, people, mediator_id, reviewer_id)
    sides = {"mediator_id": mediator_id, "reviewer_id": reviewer_id}
    await transaction.run(insert(appointments).values(**sides, approval=needed))
    await enqueue(transaction, mail.REVIEW_ASKED, mediator_id, other_id=reviewer_id)
    await enqueue(transaction, mail.APPOINTMENT_WAITING, mediator_id, other_id=reviewer_id)
    made = select(_its.id).where(_its.mediator_id == mediator_id, ~_its.in_force)
    return await transaction.value(made, UUID)


class _ReplacedRow(Row):
    reviewer_id: UUID


@statement(_ReplacedRow)
def _replaced() -> ClauseElement:
    """Delete a mediator's appointment that is in force."""
    own = _its.mediator_id == bindparam("mediator_id", type_=Uuid())
    return delete(appointments).where(own, _its.in_force).returning(_its.reviewer_id)


async def come_into_force(context: Context, transaction: Transaction, people: People, appointment_id: UUID) -> None:
    """Put a waiting appointment into force if it has every yes that it needs by now; it replaces the present reviewer.

    Call this after each yes. It goes on waiting if its sides have become one person, or would review each other.
    """
    row = await transaction.one(_by_id(), id=appointment_id)
    mediator_id, reviewer_id = row.mediator_id, row.reviewer_id
    needed = strictest(row.approval, await _needed(context, transaction, people, mediator_id, reviewer_id))
    this = update(appointments).where(_its.id == appointment_id)
    if needed != row.approval:
        await transaction.run(this.values(approval=needed))
    if missing(row, needed) or await _obstacle(transaction, people, mediator_id, reviewer_id):
        return
    for replaced in await transaction.all(_replaced(), mediator_id=mediator_id):
        await enqueue(transaction, mail.REVIEW_ENDED, mediator_id, other_id=replaced.reviewer_id)
    await transaction.run(this.values(in_force=True, since=func.clock()))
    await enqueue(transaction, mail.REVIEWER_APPOINTED, mediator_id, other_id=reviewer_id)
    await enqueue(transaction, mail.APPOINTMENT_MADE, mediator_id, other_id=reviewer_id)


class EndedRow(_ReplacedRow):
    """An appointment that was ended: its sides, and whether it was in force."""

    mediator_id: UUID
    in_force: bool


@statement(EndedRow)
def _end(of_mediator: bool) -> ClauseElement:
    """Delete the appointments of a mediator with one reviewer, or of a reviewer with everyone."""
    ended = _its.reviewer_id == bindparam("reviewer_id", type_=Uuid())
    if of_mediator:
        ended &= _its.mediator_id == bindparam("mediator_id", type_=Uuid())
    return delete(appointments).where(ended).returning(_its.reviewer_id, _its.mediator_id, _its.in_force)


async def end_reviews(
    transaction: Transaction, *, reviewer_id: UUID, mediator_id: UUID | None = None
) -> list[EndedRow]:
    """Delete the appointments of a reviewer, with one mediator or with everyone. Gives what they were.

    Both sides of each appointment in force get an email.
    """
    if mediator_id is None:
        ended = await transaction.all(_end(of_mediator=False), reviewer_id=reviewer_id)
    else:
        ended = await transaction.all(_end(of_mediator=True), reviewer_id=reviewer_id, mediator_id=mediator_id)
    for row in ended:
        if row.in_force:
            await enqueue(transaction, mail.REVIEW_ENDED, row.mediator_id, other_id=row.reviewer_id)
            await enqueue(transaction, mail.APPOINTMENT_ENDED, row.mediator_id, other_id=row.reviewer_id)
    return ended
