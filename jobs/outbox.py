"""The outbox: work written in the transaction that causes it, done at least once after commit.

PostgreSQL is the truth; Redis only wakes. A worker claims a row by a lease on the database's clock and finishes it only
while that lease is its own, so a worker that was cut off or stopped can't finish what another has taken over.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from random import uniform
from uuid import UUID, uuid4

from sqlalchemy import (
    ClauseElement,
    bindparam,
    case,
    cast,
    extract,
    func,
    literal_column,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.types import BigInteger, Boolean, Integer, Interval, Text, Uuid

from models.database import Database, Transaction
from models.outbox import NOTHING, OutboxState, outbox
from models.statement import Row, statement

LEASE = timedelta(seconds=60)  # longer than any one job: SMTP_TIMEOUT is 50 seconds at most
MAX_ATTEMPTS = 24  # over one and a half to three days
FIRST_WAIT = timedelta(seconds=10)
LONGEST_WAIT = timedelta(hours=6)
LONGEST_HELD = timedelta(days=30)  # far longer than anybody's mail is held up by other people's
OVERDUE = timedelta(minutes=15)


@dataclass(frozen=True)
class WorkKind:
    """A kind of work; `name` is what the outbox's rows have. The kinds of mail are in `jobs.mail`."""

    name: str


MAKE_EXPORT = WorkKind("make_export")


async def enqueue(
    transaction: Transaction,
    kind: WorkKind,
    subject_id: UUID,
    *,
    other_id: UUID | None = None,
    recipient: str | None = None,
    recipient_name: str | None = None,
    dedupe_key: str | None = None,
) -> None:
    """Write work to be done after this transaction commits. Does nothing if the `dedupe_key` is already there."""
    await transaction.run(
        insert(outbox)
        .values(
            kind=kind.name,
            subject_id=subject_id,
            other_id=other_id,
            recipient=recipient,
            recipient_name=recipient_name,
            dedupe_key=dedupe_key or f"{kind.name}:{uuid4()}",
        )
        .on_conflict_do_nothing()
    )
    transaction.wakes_worker = True


async def enqueue_mail(
    transaction: Transaction, kind: WorkKind, subject_id: UUID, held_for: str | None, *, other_id: UUID | None = None
) -> datetime:
    """Write a mail that strangers can cause, and give the moment when it's due: now, unless it's held.

    `held_for` names what's over its budget: a mailbox, by a keyed hash, or a mediator, by their id. It gets one mail of
    each kind an hour, at the full hour. The newest replaces one that's waiting with the same `other_id`; others wait an
    hour longer.
    """
    mail = {"kind": kind.name, "subject_id": subject_id, "other_id": other_id}
    if held_for is None:
        transaction.wakes_worker = True
        return (await transaction.one(_at_once(), **mail, dedupe_key=f"{kind.name}:{uuid4()}")).next_at
    held, hours = None, count(1)
    while held is None:
        slot = {"place": f"{HELD}{kind.name}:{held_for}:", "wait": timedelta(hours=next(hours))}
        held = await transaction.first(_hold(), **mail, **slot)
    return held.next_at


# Written out, as in the indexes it uses: a parameter could be any state.
queued = text("outbox.state = 'QUEUED'")
HELD = "held:"
is_held = outbox.c.dedupe_key.startswith(HELD)


class _DueRow(Row):
    next_at: datetime


@statement(_DueRow)
def _at_once() -> ClauseElement:
    return (
        insert(outbox)
        .values(
            kind=bindparam("kind", type_=Text()),
            subject_id=bindparam("subject_id", type_=Uuid()),
            other_id=bindparam("other_id", type_=Uuid()),
            dedupe_key=bindparam("dedupe_key", type_=Text()),
        )
        .returning(outbox.c.next_at)
    )


@statement(_DueRow)
def _hold() -> ClauseElement:
    hour = func.date_trunc("hour", func.clock()) + bindparam("wait", type_=Interval())
    key = bindparam("place", type_=Text()) + cast(cast(extract("epoch", hour), BigInteger), Text)
    new = insert(outbox).values(
        kind=bindparam("kind", type_=Text()),
        subject_id=bindparam("subject_id", type_=Uuid()),
        other_id=bindparam("other_id", type_=Uuid()),
        dedupe_key=key,
        next_at=hour,
    )
    return new.on_conflict_do_update(
        index_elements=[outbox.c.dedupe_key],
        set_={"subject_id": new.excluded.subject_id},
        # One that a worker has started on stays as it is.
        where=outbox.c.other_id.is_not_distinct_from(new.excluded.other_id) & queued & (outbox.c.attempts == 0),
    ).returning(outbox.c.next_at)


# The only kind that isn't mail. A kind that this version doesn't know counts as mail, and is put off.
_is_export = outbox.c.kind == MAKE_EXPORT.name
is_free = func.coalesce(outbox.c.leased_until, func.clock()) <= func.clock()
_lease_from_now = func.clock() + bindparam("lasts", LEASE, Interval())


class WorkRow(Row):
    """One mail or job that a worker has claimed; see `models.outbox.Outbox`."""

    id: UUID
    kind: str
    subject_id: UUID
    other_id: UUID | None
    recipient: str | None
    recipient_name: str | None
    attempts: int
    lease: UUID | None


_claimed = (
    outbox.c.id,
    outbox.c.kind,
    outbox.c.subject_id,
    outbox.c.other_id,
    outbox.c.recipient,
    outbox.c.recipient_name,
    outbox.c.attempts,
    outbox.c.lease,
)


@statement(WorkRow)
def _claim() -> ClauseElement:
    due = (
        select(outbox.c.id)
        .where(queued, outbox.c.next_at <= func.clock(), is_free, _is_export == bindparam("exports", type_=Boolean()))
        .order_by(outbox.c.next_at)
        .limit(bindparam("most", type_=Integer()))
        .with_for_update(skip_locked=True)
    )
    return (
        update(outbox)
        # As an array, it's worked out once. With a join, the planner could go through it again and take more.
        .where(outbox.c.id == func.any(func.array(due.scalar_subquery(), type_=ARRAY(Uuid()))))
        .values(
            lease=func.gen_random_uuid(),
            leased_until=_lease_from_now,
            attempts=outbox.c.attempts + 1,
        )
        .returning(*_claimed)
    )


async def claim(database: Database, most: int, *, exports: bool = False) -> list[WorkRow]:
    """Take the mail or exports that have been due longest, for one lease. They all have to be started at once."""
    async with database.transaction() as transaction:
        return await transaction.all(_claim(), most=most, exports=exports)


@statement(Row)
def _finish() -> ClauseElement:
    state = bindparam("new_state", type_=Text())
    unserved = or_(state == OutboxState.QUEUED, state == OutboxState.DEAD)
    return (
        update(outbox)
        .where(outbox.c.id == bindparam("row_id"), outbox.c.lease == bindparam("held"))
        .values(
            state=state,
            smtp_code=bindparam("code", type_=Integer()),
            next_at=func.clock() + bindparam("wait", type_=Interval()),
            finished_at=case((state == OutboxState.QUEUED, None), else_=func.clock()),
            # An address that isn't anywhere else goes as soon as it's been used; a dead mail may be retried.
            recipient=case((unserved, outbox.c.recipient), else_=None),
            recipient_name=case((unserved, outbox.c.recipient_name), else_=None),
            # Nothing joins what happened in one transaction for longer than it takes.
            subject_id=case((unserved, outbox.c.subject_id), else_=NOTHING),
            other_id=case((unserved, outbox.c.other_id), else_=None),
            # So does the hash of an address.
            dedupe_key=case((or_(unserved, ~is_held), outbox.c.dedupe_key), else_=cast(outbox.c.id, Text)),
            lease=None,
            leased_until=None,
        )
    )


async def finish(
    database: Database, work: WorkRow, state: OutboxState, *, code: int | None = None, wait: timedelta = timedelta(0)
) -> bool:
    """Record how the work ended; False if the lease was lost in the meantime, and then nothing is recorded."""
    async with database.transaction() as transaction:
        touched = await transaction.run(
            _finish(), row_id=work.id, held=work.lease, new_state=state, code=code, wait=wait
        )
    return touched == 1


def back_off(attempts: int) -> timedelta:
    """How long to wait after so many attempts: doubling from 10 s to six hours, with jitter so that they spread out."""
    doublings = min(attempts, MAX_ATTEMPTS) - 1
    longest = min(FIRST_WAIT.total_seconds() * 2**doublings, LONGEST_WAIT.total_seconds())
    return timedelta(seconds=uniform(longest / 2, longest))  # noqa: S311 - no secret


_longest_wait = case(
    (is_held, bindparam("held", LONGEST_HELD, Interval())),
    else_=func.least(
        literal_column(f"interval '{FIRST_WAIT.total_seconds()} seconds' * power(2, attempts)"),
        bindparam("longest", LONGEST_WAIT, Interval()),
    ),
)


@statement(Row)
def _held_by_clock() -> ClauseElement:
    return (
        update(outbox)
        .where(
            queued,
            or_(outbox.c.next_at > func.clock() + _longest_wait, outbox.c.leased_until > _lease_from_now),
        )
        .values(
            next_at=func.least(outbox.c.next_at, func.clock()),
            # Not least(): that would lease rows that nobody has claimed.
            leased_until=case((outbox.c.leased_until > _lease_from_now, _lease_from_now), else_=outbox.c.leased_until),
        )
    )


async def release_from_clock(transaction: Transaction) -> int:
    """Make work due that would wait longer than anything here ever waits.

    The database's clock was ahead when it was written. A lease from then ends as if it began now. Gives the number of
    rows.
    """
    return await transaction.run(_held_by_clock())


async def retry_dead(transaction: Transaction, outbox_id: UUID) -> bool:
    """Queue dead work once more, from its first attempt; False if there isn't any."""
    transaction.wakes_worker = True
    return (
        await transaction.run(
            update(outbox)
            .where(outbox.c.id == outbox_id, outbox.c.state == OutboxState.DEAD)
            .values(state=OutboxState.QUEUED, attempts=0, next_at=func.clock(), finished_at=None)
        )
        == 1
    )
