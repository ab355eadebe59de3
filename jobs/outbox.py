"""The outbox: work written in the transaction that causes it, done at least once after commit.

PostgreSQL is the truth; Redis only wakes. A worker claims a row by a lease on the database's clock and finishes it
only while that lease is its own, so a worker that was cut off or stopped cannot finish what another has taken over.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import count
from random import uniform
from uuid import UUID, uuid4

from sqlalchemy import bindparam, case, cast, extract, func, literal_column, or_, select, text, union_all, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.types import BigInteger, Boolean, Float, Integer, Interval, Text, Uuid

from models.database import Database, Row, Statement, Transaction
from models.outbox import OutboxState, outbox

LEASE = timedelta(seconds=60)  # longer than any one job: SMTP_TIMEOUT is 50 seconds at most
MAX_ATTEMPTS = 24  # over two to four days
FIRST_WAIT = timedelta(seconds=10)
LONGEST_WAIT = timedelta(hours=6)
LONGEST_HELD = timedelta(days=30)  # far more than anybody's mail is held up by others'
OVERDUE = timedelta(minutes=15)


@dataclass(frozen=True)
class Kind:
    """A kind of work; `name` is what the outbox's rows have. The kinds of mail are in `jobs.mail`."""

    name: str


MAKE_EXPORT = Kind("make_export")


async def enqueue(
    transaction: Transaction,
    kind: Kind,
    subject_id: UUID,
    *,
    other_id: UUID | None = None,
    recipient: str | None = None,
    recipient_name: str | None = None,
    dedupe_key: str | None = None,
) -> None:
    """Write work to be done after this transaction commits; nothing happens if `dedupe_key` was there before."""
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
    transaction: Transaction, kind: Kind, subject_id: UUID, held_for: str | None, *, other_id: UUID | None = None
) -> datetime:
    """Write a mail that strangers may cause, and give the moment at which it is due: now, unless it is held.

    `held_for` names, by a keyed hash, a mailbox that has had enough. There goes one mail an hour of each kind, at the
    full hour. The newest takes the place of one that waits with the same `other_id`; another waits an hour longer.
    """
    mail = {"kind": kind.name, "subject_id": subject_id, "other_id": other_id}
    if held_for is None:
        transaction.wakes_worker = True
        at_once = insert(outbox).values(**mail, dedupe_key=f"{kind.name}:{uuid4()}").returning(outbox.c.next_at)
        due: datetime = await transaction.value(at_once)
        return due
    held, hours = None, count(1)
    while held is None:
        slot = {"place": f"{_HELD}{kind.name}:{held_for}:", "wait": timedelta(hours=next(hours))}
        held = await transaction.first(_hold(), **mail, **slot)
    full_hour: datetime = held.next_at
    return full_hour


# Written out, as in the indexes that serve it: a parameter could be any state.
_queued = text("outbox.state = 'QUEUED'")
_HELD = "held:"
_is_held = outbox.c.dedupe_key.startswith(_HELD)


@cache
def _hold() -> Statement:
    hour = func.date_trunc("hour", func.clock()) + bindparam("wait", type_=Interval())
    key = bindparam("place", type_=Text()) + cast(cast(extract("epoch", hour), BigInteger), Text)
    new = insert(outbox).values(
        kind=bindparam("kind", type_=Text()),
        subject_id=bindparam("subject_id", type_=Uuid()),
        other_id=bindparam("other_id", type_=Uuid()),
        dedupe_key=key,
        next_at=hour,
    )
    return Statement(
        new.on_conflict_do_update(
            index_elements=[outbox.c.dedupe_key],
            set_={"subject_id": new.excluded.subject_id},
            # One that a worker has begun with stays as it is.
            where=outbox.c.other_id.is_not_distinct_from(new.excluded.other_id) & _queued & (outbox.c.attempts == 0),
        ).returning(outbox.c.next_at)
    )


# The one kind that is no mail. One that this version doesn't know counts as mail, and is put off.
_is_export = outbox.c.kind == MAKE_EXPORT.name
_free = func.coalesce(outbox.c.leased_until, func.clock()) <= func.clock()
_lease_from_now = func.clock() + bindparam("lasts", LEASE, Interval())


@cache
def _claim() -> Statement:
    due = (
        select(outbox.c.id)
        .where(_queued, outbox.c.next_at <= func.clock(), _free, _is_export == bindparam("exports", type_=Boolean()))
        .order_by(outbox.c.next_at)
        .limit(bindparam("most", type_=Integer()))
        .with_for_update(skip_locked=True)
    )
    return Statement(
        update(outbox)
        # As an array it is worked out once; joined, the planner could go through it again and take more.
        .where(outbox.c.id == func.any(func.array(due.scalar_subquery(), type_=ARRAY(Uuid()))))
        .values(
            lease=func.gen_random_uuid(),
            leased_until=_lease_from_now,
            attempts=outbox.c.attempts + 1,
        )
        .returning(outbox)
    )


async def claim(database: Database, most: int, *, exports: bool = False) -> list[Row]:
    """Take the mail, or the exports, that are due longest, for a lease's length; all have to be begun at once."""
    async with database.transaction() as transaction:
        return await transaction.all(_claim(), most=most, exports=exports)


@cache
def _finish() -> Statement:
    state = bindparam("new_state", type_=Text())
    unserved = or_(state == OutboxState.QUEUED, state == OutboxState.DEAD)
    return Statement(
        update(outbox)
        .where(outbox.c.id == bindparam("row_id"), outbox.c.lease == bindparam("held"))
        .values(
            state=state,
            smtp_code=bindparam("code", type_=Integer()),
            next_at=func.clock() + bindparam("wait", type_=Interval()),
            finished_at=case((state == OutboxState.QUEUED, None), else_=func.clock()),
            # An address that stands nowhere else goes as soon as it has served; a dead mail may be retried.
            recipient=case((unserved, outbox.c.recipient), else_=None),
            recipient_name=case((unserved, outbox.c.recipient_name), else_=None),
            # So does an address's hash.
            dedupe_key=case((or_(unserved, ~_is_held), outbox.c.dedupe_key), else_=cast(outbox.c.id, Text)),
            lease=None,
            leased_until=None,
        )
    )


async def finish(
    database: Database, work: Row, state: OutboxState, *, code: int | None = None, wait: timedelta = timedelta(0)
) -> bool:
    """Record how the work ended; False if the lease was lost meanwhile, and then nothing is recorded."""
    async with database.transaction() as transaction:
        touched = await transaction.run(
            _finish(), row_id=work.id, held=work.lease, new_state=state, code=code, wait=wait
        )
    return touched == 1


def back_off(attempts: int) -> timedelta:
    """How long to wait after that many attempts: doubling from 10 s to six hours, with jitter so that none march."""
    doublings = min(attempts, MAX_ATTEMPTS) - 1
    longest = min(FIRST_WAIT.total_seconds() * 2**doublings, LONGEST_WAIT.total_seconds())
    return timedelta(seconds=uniform(longest / 2, longest))  # noqa: S311 - no secret


# What is held waits for no worker until it is due.
_waits_since = case(
    (_is_held & (outbox.c.attempts == 0), func.least(outbox.c.next_at, func.clock())), else_=outbox.c.created_at
)


@cache
def _census() -> Statement:
    # Only what is still to do or given up: the index of each holds just that, however much was done.
    return Statement(
        union_all(
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
    )


async def census(reading: Transaction) -> list[Row]:
    """Give `state` (QUEUED, DEAD), `kind`, `number` and `oldest` (what the oldest waits, seconds) of what is there."""
    return await reading.all(_census())


@cache
def _stuck() -> Statement:
    overdue = outbox.c.next_at < func.clock() - bindparam("overdue", OVERDUE, Interval())
    return Statement(select(select(outbox.c.id).where(_queued, overdue, _free).exists().label("stuck")))


async def is_stuck(reading: Transaction) -> bool:
    """Tell whether something has been due for `OVERDUE` and no worker has taken it: there is none, or it hangs."""
    return bool(await reading.value(_stuck()))


_longest_wait = case(
    (_is_held, bindparam("held", LONGEST_HELD, Interval())),
    else_=func.least(
        literal_column(f"interval '{FIRST_WAIT.total_seconds()} seconds' * power(2, attempts)"),
        bindparam("longest", LONGEST_WAIT, Interval()),
    ),
)
_HELD_BY_CLOCK = Statement(
    update(outbox)
    .where(
        _queued,
        or_(outbox.c.next_at > func.clock() + _longest_wait, outbox.c.leased_until > _lease_from_now),
    )
    .values(
        next_at=func.least(outbox.c.next_at, func.clock()),
        # Not least(): that would lease what nobody has claimed.
        leased_until=case((outbox.c.leased_until > _lease_from_now, _lease_from_now), else_=outbox.c.leased_until),
    )
)


async def release_from_clock(transaction: Transaction) -> int:
    """Make due what waits longer than any wait here lasts: the database's clock was ahead when it was written.

    A lease from then ends as if it began now. Gives how many rows there were.
    """
    return await transaction.run(_HELD_BY_CLOCK)


async def retry_dead(transaction: Transaction, outbox_id: UUID) -> bool:
    """Queue dead work once more, from its first attempt; False if there is no such."""
    transaction.wakes_worker = True
    return (
        await transaction.run(
            update(outbox)
            .where(outbox.c.id == outbox_id, outbox.c.state == OutboxState.DEAD)
            .values(state=OutboxState.QUEUED, attempts=0, next_at=func.clock(), finished_at=None)
        )
        == 1
    )
