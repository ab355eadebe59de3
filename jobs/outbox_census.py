"""How much the outbox holds, and whether it moves."""

from sqlalchemy import (
    ClauseElement,
    bindparam,
    case,
    cast,
    extract,
    func,
    literal_column,
    select,
    text,
    union_all,
)
from sqlalchemy.types import Float, Interval

from jobs.outbox import OVERDUE, is_free, is_held, queued
from models.database import Reads
from models.outbox import OutboxState, outbox
from models.statement import Row, statement

# Held mail doesn't wait for a worker until it's due.
_waits_since = case(
    (is_held & (outbox.c.attempts == 0), func.least(outbox.c.next_at, func.clock())), else_=outbox.c.created_at
)


class Counted(Row):
    """How much there is of one state (QUEUED, DEAD) and kind, and how long the `oldest` has waited, in seconds."""

    state: str
    kind: str
    number: int
    oldest: float


@statement(Counted)
def _census() -> ClauseElement:
    # Only what's still to do or was given up: each has an index of just that, however much has been done.
    return union_all(
        *(
            select(
                literal_column(f"'{state}'").label("state"),
                outbox.c.kind,
                func.count().label("number"),
                cast(extract("epoch", func.clock() - func.min(_waits_since)), Float).label("oldest"),
            )
            .where(text(f"state = '{state}'"))
            .group_by(outbox.c.kind)
            for state in (OutboxState.QUEUED, OutboxState.DEAD)
        )
    )


async def census(reading: Reads) -> list[Counted]:
    """Count what's still to do, and what was given up."""
    return await reading.all(_census())


class _Stuck(Row):
    stuck: bool


@statement(_Stuck)
def _stuck() -> ClauseElement:
    overdue = outbox.c.next_at < func.clock() - bindparam("overdue", OVERDUE, Interval())
    return select(select(outbox.c.id).where(queued, overdue, is_free).exists().label("stuck"))


async def is_stuck(reading: Reads) -> bool:
    """Tell whether something has been due for `OVERDUE` without a worker taking it: there's no worker, or it hangs."""
    return (await reading.one(_stuck())).stuck
