"""Lets mediators see what was shared with them: in groups, at a random time of the day.

A group is large enough if pieces from at least `RELEASE_LEAST` people wait for the mediator. Pieces given without a
request from one neighbourhood of the internet count as one person's. A piece whose giver allowed it to arrive alone
waits for a group no longer than `RELEASE_AFTER` days.

Pieces that aren't admitted don't make a group larger, but they're released with it. That brings them to nobody. It only
keeps their receipts from showing that they aren't.
"""

from sqlalchemy import (
    ClauseElement,
    Date,
    Text,
    and_,
    bindparam,
    case,
    cast,
    distinct,
    func,
    null,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.types import Integer, LargeBinary

from models.database import Transaction
from models.feedback import Admission, feedback
from models.statement import Expression, Row, statement
from settings import Settings

_waiting = and_(feedback.c.shared, ~feedback.c.released)
_person = func.coalesce(func.encode(feedback.c.network_hash, "hex"), cast(feedback.c.id, Text))
_people = func.count(distinct(_person)).filter(feedback.c.admission == Admission.ADMITTED).label("people")
_is_held = feedback.c.admission == Admission.HELD  # once it's admitted, it counts as somebody's
_today = cast(func.timezone("UTC", func.clock()), Date)
_waited = and_(feedback.c.share_alone, feedback.c.received_on <= _today - bindparam("after", type_=Integer()))


def _is_enough(people: Expression) -> Expression:
    return or_(people >= bindparam("least", type_=Integer()), _waited)


@statement(Row)
def _plan() -> ClauseElement:
    groups = (
        select(
            feedback.c.mediator_id,
            _people,
            # One moment for each group.
            (func.clock() + func.random() * text("interval '1 day'")).label("moment"),
        )
        .where(_waiting, feedback.c.release_at.is_(None))
        .group_by(feedback.c.mediator_id)
        .cte("groups")
    )
    return (
        update(feedback)
        .where(
            feedback.c.mediator_id == groups.c.mediator_id,
            _waiting,
            feedback.c.release_at.is_(None),
            _is_enough(groups.c.people),
        )
        .values(release_at=groups.c.moment)
    )


@statement(Row)
def _release() -> ClauseElement:
    groups = (
        select(feedback.c.mediator_id, feedback.c.release_at, _people)
        .where(_waiting, feedback.c.release_at <= func.clock())
        .group_by(feedback.c.mediator_id, feedback.c.release_at)
        .cte("groups")
    )
    enough = _is_enough(groups.c.people)
    return (
        update(feedback)
        .where(feedback.c.mediator_id == groups.c.mediator_id, feedback.c.release_at == groups.c.release_at, _waiting)
        .values(
            released=enough,
            release_at=null(),
            network_hash=case((enough & ~_is_held, cast(null(), LargeBinary)), else_=feedback.c.network_hash),
        )
    )


async def plan_releases(transaction: Transaction, settings: Settings) -> int:
    """Choose the moment, within a day, at which each group that's large enough is released; give how many pieces."""
    return await transaction.run(_plan(), least=settings.release_least, after=settings.release_after)


async def release_shared(transaction: Transaction, settings: Settings) -> int:
    """Release the groups whose moment has come; give how many pieces were looked at.

    A group that has become too small since, because something in it was erased, waits on.
    """
    return await transaction.run(_release(), least=settings.release_least, after=settings.release_after)
