"""The rows that a viewer may read: clauses of the statements that read a mediator's private rows.

For the viewer, a row outside its scope doesn't exist. A statement without one is given the ids of rows that came
through a scope, or the viewer's own. Parameters: `viewer` is the viewer's account id.
"""

from functools import cache

from sqlalchemy import (
    ColumnElement,
    Date,
    FromClause,
    and_,
    bindparam,
    case,
    cast,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    true,
    union_all,
)
from sqlalchemy.types import Integer, LargeBinary, Uuid

from models.account import Role, accounts
from models.feedback import Admission, feedback, feedback_answers, feedback_request_details, feedback_requests
from models.mediator import Visibility, mediators
from models.outbox import ABOUT_FEEDBACK, audit_entries
from models.reviewer import appointments
from permissions.viewer import Standing

VIEWER: ColumnElement[object] = bindparam("viewer", type_=Uuid())

# Days of 24 hours after which a request's details can't be read, even if no job has deleted them yet.
DETAILS_DAYS = 5
LINK_DAYS = 90
DETAILS_KEPT = text(f"interval '{DETAILS_DAYS * 24} hours'")
LINK_WORKS = text(f"interval '{LINK_DAYS} days'")


IS_MEDIATOR = accounts.c.roles.contains([Role.MEDIATOR.value])


def mediators_joined() -> FromClause:
    """Join mediators with their accounts and with the viewer's own appointment in force, where there is one."""
    own = and_(
        appointments.c.mediator_id == mediators.c.id,
        appointments.c.reviewer_id == VIEWER,
        appointments.c.in_force,
    )
    return mediators.join(accounts, accounts.c.id == mediators.c.id).outerjoin(appointments, own)


_theirs = appointments.alias("theirs")
_reviewed = select(_theirs.c.mediator_id).where(_theirs.c.reviewer_id == VIEWER, _theirs.c.in_force)


def findable() -> ColumnElement[bool]:
    """Select mediators who can be found: not private, and with a proven address."""
    return and_(mediators.c.visibility == Visibility.DIRECTORIES, accounts.c.email_verified_at.is_not(None))


def _grounds(standings: Standing) -> dict[Standing, ColumnElement[bool]]:
    """Give the condition for each standing that the viewer can have towards another mediator."""
    grounds: dict[Standing, ColumnElement[bool]] = {
        Standing.REVIEWER: appointments.c.id.is_not(None),
        Standing.DIRECTORY: findable(),
        Standing.ADMIN: true(),
    }
    return {standing: ground for standing, ground in grounds.items() if standing & standings}


@cache
def standing_column(standings: Standing) -> ColumnElement[int]:
    """Give the bits of the viewer's standing towards each mediator, out of those they can have."""
    own = literal(int(standings & Standing.SELF), Integer)
    towards_others: ColumnElement[int] = literal(0, Integer)
    for standing, ground in _grounds(standings).items():
        towards_others = towards_others.op("|")(case((ground, literal(int(standing), Integer)), else_=0))
    return case((mediators.c.id == VIEWER, own), else_=towards_others).label("standing")


@cache
def visible_mediators(standings: Standing) -> ColumnElement[bool]:
    """Select the mediators towards whom the viewer has one of the standings; over `mediators_joined()`."""
    # They're few, so by their ids: with conditions on joined tables, the planner would go through all mediators.
    ids = {Standing.SELF: select(VIEWER), Standing.REVIEWER: _reviewed}
    few = [those for standing, those in ids.items() if standing & standings]
    known = mediators.c.id.in_(union_all(*few)) if few else false()
    grounds = [ground for standing, ground in _grounds(standings).items() if standing not in ids]
    others = and_(mediators.c.id != VIEWER, or_(*grounds)) if grounds else false()
    return and_(accounts.c.roles.contains([Role.MEDIATOR.value]), or_(known, others))


def _is(admission: Admission) -> ColumnElement[bool]:
    return feedback.c.admission == literal_column(f"'{admission}'")


def readable_feedback(standing: Standing) -> ColumnElement[bool]:
    """Select a mediator's admitted feedback: all of it for reviewer and administrator, shared and released for SELF."""
    admitted = _is(Admission.ADMITTED)
    if standing & (Standing.REVIEWER | Standing.ADMIN):
        return admitted
    if standing & Standing.SELF:
        return and_(admitted, feedback.c.shared, feedback.c.released)
    return false()


def held() -> ColumnElement[bool]:
    """Select the feedback that waits for an administrator."""
    return _is(Admission.HELD)


def about_others() -> ColumnElement[bool]:
    """Select what administrators may look into: feedback about any mediator but themselves, unless it's discarded."""
    return and_(~_is(Admission.DISCARDED), feedback.c.mediator_id != VIEWER)


def by_receipt() -> ColumnElement[bool]:
    """Select the piece of feedback whose receipt the viewer holds, by its hash, `receipt`.

    Its mediator could have come by a receipt, so it shows them nothing while they're signed in.
    """
    held = feedback.c.receipt_hash == bindparam("receipt", type_=LargeBinary())
    return and_(held, feedback.c.mediator_id.is_distinct_from(VIEWER))


def readable_answers(standing: Standing) -> ColumnElement[bool]:
    """Select the answers of readable feedback. Those meant only for the reviewer never reach the mediator."""
    if standing & (Standing.REVIEWER | Standing.ADMIN):
        return true()
    return ~feedback_answers.c.reviewer_only


def readable_audit() -> ColumnElement[bool]:
    """Select audit entries except those on feedback about the viewer, which would reveal that there is some.

    They stay hidden when the feedback is gone.
    """
    entry = audit_entries.c
    about_feedback = or_(*(entry.action == action for action in ABOUT_FEEDBACK))
    # The database knows what the viewer's rules hide from them, and entries of an older version don't name a mediator.
    unknown = or_(entry.subject_id.is_(None), entry.subject_id.not_in(select(func.about_viewer())))
    return and_(unknown, or_(~about_feedback, entry.account_id.is_distinct_from(VIEWER)))


def waiting_for(standings: Standing) -> ColumnElement[bool]:
    """Select appointments that wait: all of them for an administrator, those that ask for the viewer for a reviewer."""
    if standings & Standing.ADMIN:
        return ~appointments.c.in_force
    return and_(~appointments.c.in_force, appointments.c.reviewer_id == VIEWER)


def details_kept() -> ColumnElement[bool]:
    """Select request details that are less than five days old, by the database's clock."""
    return feedback_request_details.c.made_at > func.clock() - DETAILS_KEPT


# The day of the key that details were sealed with.
made_on = cast(func.timezone("UTC", feedback_request_details.c.made_at), Date)


def details_of_request() -> ColumnElement[bool]:
    """Select a request's details, while they're kept."""
    return and_(feedback_request_details.c.id == feedback_requests.c.id, details_kept())


def link_works() -> ColumnElement[bool]:
    """Select feedback requests whose link is less than 90 days old."""
    return feedback_requests.c.made_at > func.clock() - LINK_WORKS
