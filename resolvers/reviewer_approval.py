"""What administrators do about reviewers: confirm them once, approve appointments, and see who and what is waiting."""

from datetime import datetime
from functools import partial
from uuid import UUID

import strawberry
from sqlalchemy import ClauseElement, func, select, text, update

from i18n import gettext as _
from jobs import mail
from jobs.outbox import enqueue
from models.account import IS_REVIEWER, Role, accounts
from models.outbox import AuditAction
from models.reviewer import appointments
from models.statement import AnySelect, statement
from permissions.scopes import waiting_for
from permissions.viewer import Standing
from resolvers.account import ACCOUNT_ROWS, AccountRow, account_of
from resolvers.account_row import lock_with_mailboxes
from resolvers.audit import note, note_accounts
from resolvers.context import Info
from resolvers.errors import Code, refuse
from resolvers.inputs import read_id
from resolvers.mediator import StandingName, asked_standings
from resolvers.names import BY_NAME
from resolvers.paging import Connection, Count, ListedRow, PageArguments, Sort, list_page, page_statement
from resolvers.reviewer_appointment import come_into_force, lock_appointments, lock_waiting, of_reviewer
from resolvers.reviewer_needs import YESES, People, Yes, YesesRow, missing, refuse_obstacle, strictest

strawberry.enum(Yes)

_BY_ID = Sort("id", None)
_mediators = accounts.alias("mediators")


class WaitingRow(ListedRow, YesesRow):
    """An appointment that waits, with both of its sides."""

    asked_at: datetime
    mediator_id: UUID
    mediator_name: str
    reviewer_id: UUID
    reviewer_name: str


@statement(WaitingRow)
def _waiting_page(standings: Standing, backwards: bool, cursor: bool | None) -> ClauseElement:
    rows = (
        select(
            appointments.c.id,
            appointments.c.since.label("asked_at"),
            appointments.c.mediator_id,
            _mediators.c.name.label("mediator_name"),
            appointments.c.reviewer_id,
            accounts.c.name.label("reviewer_name"),
            *YESES,
        )
        .join(accounts, accounts.c.id == appointments.c.reviewer_id)
        .join(_mediators, _mediators.c.id == appointments.c.mediator_id)
        .where(waiting_for(standings))
    )
    return page_statement(rows, appointments.c.id, _BY_ID, backwards=backwards, cursor=cursor)


@statement(Count)
def _waiting_count(standings: Standing) -> ClauseElement:
    return select(func.count().label("count")).select_from(appointments).where(waiting_for(standings))


async def waiting_appointments(
    info: Info, page: PageArguments, standing: StandingName | None = None
) -> Connection[WaitingRow]:
    """Give a page of the appointments that wait: an administrator's are all, a reviewer's those that ask for them.

    Raises:
        BadInput: the page's arguments don't fit together, or the cursor belongs to another list.
    """
    context, standings = info.context, asked_standings(info.context, standing)
    rows, count = partial(_waiting_page, standings), _waiting_count(standings)
    viewer = {} if standings & Standing.ADMIN else {"viewer": context.account_id}
    return await list_page(context.database, rows, count, _BY_ID, page, **viewer)


def missing_yeses(info: Info, appointment: strawberry.Parent[WaitingRow]) -> list[Yes]:
    """Say what an appointment waits for."""
    return missing(appointment, strictest(appointment.approval, info.context.settings.reviewer_approval))


def _unconfirmed(rows: AnySelect) -> AnySelect:
    return rows.where(text(IS_REVIEWER), accounts.c.reviewer_confirmed_at.is_(None))


@statement(AccountRow)
def _unconfirmed_page(backwards: bool, cursor: bool | None) -> ClauseElement:
    rows = _unconfirmed(ACCOUNT_ROWS)
    return page_statement(rows, accounts.c.id, BY_NAME, backwards=backwards, cursor=cursor)


@statement(Count)
def _unconfirmed_count() -> ClauseElement:
    return _unconfirmed(select(func.count().label("count")).select_from(accounts))


async def unconfirmed_reviewers(info: Info, page: PageArguments) -> Connection[AccountRow]:
    """Give a page of the reviewers whom no administrator has confirmed, by name.

    Raises:
        BadInput: the page's arguments don't fit together, or the cursor belongs to another list.
    """
    found = await list_page(info.context.database, _unconfirmed_page, _unconfirmed_count(), BY_NAME, page)
    return await note_accounts(info, found)


@strawberry.input
class ConfirmReviewerInput:
    """The reviewer's account."""

    account_id: strawberry.ID


async def confirm_reviewer(info: Info, input: ConfirmReviewerInput) -> AccountRow | None:
    """Confirm a reviewer, once and for all mediators. The person gets an email. Gives the account.

    What only waited for this comes into force.

    Raises:
        Refused: there's no such account, it isn't an unconfirmed reviewer's, or the administrator has a stake in it.
    """
    context, account_id = info.context, read_id(input.account_id)
    async with context.transaction() as transaction:
        await lock_appointments(transaction)
        waiting = [row for row in await transaction.all(of_reviewer(), reviewer_id=account_id) if not row.in_force]
        asking = {row.mediator_id for row in waiting}
        people = await lock_with_mailboxes(transaction, context.account_id, account_id, *asking)
        if account_id not in people:
            refuse("accountId", Code.NOT_FOUND, _("There's no such account."))
        if Role.REVIEWER not in people[account_id].roles:
            refuse("accountId", Code.CONFLICT, _("This account isn't a reviewer's."))
        _refuse_own(people, context.account_id, "accountId", account_id, *asking)
        confirmed = await transaction.run(
            update(accounts)
            .where(accounts.c.id == account_id, accounts.c.reviewer_confirmed_at.is_(None))
            .values(reviewer_confirmed_at=func.clock())
        )
        if not confirmed:
            refuse("accountId", Code.CONFLICT, _("This reviewer is confirmed already."))
        await enqueue(transaction, mail.REVIEWER_CONFIRMED, account_id)
        note(context, transaction, AuditAction.REVIEWER_CONFIRMED, account_id)
        for row in await transaction.all(of_reviewer(), reviewer_id=account_id):
            if row.mediator_id in asking:
                await come_into_force(context, transaction, people, row.id)
    return await account_of(context, account_id)


def _refuse_own(people: People, administrator_id: UUID, field: str, *concerned: UUID) -> None:
    """Refuse an administrator to decide on something that concerns themselves, under whichever address."""
    own = people[administrator_id].mailbox
    if any(people[one].mailbox == own for one in concerned if one in people):
        refuse(field, Code.NOT_ALLOWED, _("This concerns you, so another administrator has to decide it."))


@strawberry.input
class ApproveAppointmentInput:
    """The appointment to approve."""

    id: strawberry.ID


async def approve_appointment(info: Info, input: ApproveAppointmentInput) -> None:
    """Approve a waiting appointment, as an administrator who is neither of its sides.

    Raises:
        Refused: there's no such appointment, it concerns the administrator, or the two can't review each other.
    """
    context, appointment_id = info.context, read_id(input.id)
    async with context.transaction() as transaction:
        asked, people = await lock_waiting(context, transaction, appointment_id)
        mediator_id, reviewer_id = asked.mediator_id, asked.reviewer_id
        _refuse_own(people, context.account_id, "id", mediator_id, reviewer_id)
        await refuse_obstacle(transaction, people, mediator_id, reviewer_id, "id")
        if asked.approved_at is None:
            await transaction.run(
                update(appointments).where(appointments.c.id == appointment_id).values(approved_at=func.clock())
            )
            note(context, transaction, AuditAction.APPOINTMENT_APPROVED, appointment_id, of=mediator_id)
        await come_into_force(context, transaction, people, appointment_id)
