"""What an appointment needs before it's in force, and what stands in its way: one mailbox, a pair, a ring."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ClauseElement, ColumnElement, bindparam, func, literal_column, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text, Uuid

from i18n import LazyText, lazy_gettext
from models.account import MAILBOX, Role, accounts
from models.database import Transaction
from models.reviewer import appointments
from models.statement import Row, statement
from resolvers.account_row import PersonRow
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


_its = appointments.c
YESES = (_its.approval, _its.accepted_at, _its.approved_at, accounts.c.reviewer_confirmed_at.label("confirmed_at"))


class _PairRow(Row):
    id: UUID


@statement(_PairRow)
def _between() -> ClauseElement:
    """Select the appointments of these mediators with these reviewers."""
    mediators, reviewers = (func.any(bindparam(name, type_=ARRAY(Uuid()))) for name in ("mediators", "reviewers"))
    return select(_its.id).where(_its.mediator_id == mediators, _its.reviewer_id == reviewers)


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


async def needed_now(context: Context, transaction: Transaction, people: People, mediator: UUID, reviewer: UUID) -> str:
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


async def obstacle(transaction: Transaction, people: People, mediator_id: UUID, reviewer_id: UUID) -> LazyText | None:
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
    if why := await obstacle(transaction, people, mediator_id, reviewer_id):
        refuse(field, Code.NOT_ALLOWED, str(why))
