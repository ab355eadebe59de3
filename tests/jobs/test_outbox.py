import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from jobs import mail, outbox
from jobs.outbox import WorkKind
from models.database import Database, connect_worker
from models.outbox import OutboxState
from tests.hub import Hub


@pytest.fixture
async def other(hub: Hub) -> AsyncIterator[Database]:
    """The connections of a second worker."""
    async with connect_worker(hub.settings) as database:
        yield database


async def queue(hub: Hub, kind: WorkKind = mail.EMAIL_CHANGED, **facts: Any) -> None:
    async with hub.worker.transaction() as transaction:
        await outbox.enqueue(transaction, kind, uuid4(), **facts)
        assert transaction.wakes_worker


async def claimed(database: Database) -> outbox.WorkRow:
    (work,) = await outbox.claim(database, 1)
    return work


async def row_of(hub: Hub, work: outbox.WorkRow) -> asyncpg.Record:
    (row,) = await hub.rows("SELECT * FROM outbox WHERE id = $1", work.id)
    return row


async def test_two_workers_share_the_work_and_each_piece_is_done_once(hub: Hub, other: Database) -> None:
    for _ in range(30):
        await queue(hub)
    done: list[UUID] = []
    each_has_some = asyncio.Barrier(3)

    async def work_at(database: Database) -> int:
        count = 0
        while works := await outbox.claim(database, 1):
            (work,) = works
            if not count:
                await each_has_some.wait()
            done.append(work.id)
            assert await outbox.finish(database, work, OutboxState.DONE)
            count += 1
        return count

    shares = await asyncio.gather(work_at(hub.worker), work_at(other), work_at(other))
    assert sum(shares) == len(done) == len(set(done)) == 30
    assert all(shares)
    (row,) = await hub.rows(
        "SELECT min(attempts) least, max(attempts) most, array_agg(DISTINCT state) states FROM outbox"
    )
    assert (row["least"], row["most"], row["states"]) == (1, 1, ["DONE"])


async def test_claimed_work_belongs_to_one_worker_until_its_lease_runs_out(hub: Hub, other: Database) -> None:
    await queue(hub)
    first = await claimed(hub.worker)
    assert not await outbox.claim(other, 1)
    async with hub.later(hours=1) as later:
        assert (await claimed(later.worker)).id == first.id


async def test_a_worker_that_lost_the_lease_cannot_finish_what_another_took_over(hub: Hub) -> None:
    await queue(hub, recipient="old@demo.example", recipient_name="Demo Name")
    late = await claimed(hub.worker)
    async with hub.later(hours=1) as later:
        taken = await claimed(later.worker)
        before = await row_of(hub, late)
        for state in (OutboxState.DONE, OutboxState.DEAD, OutboxState.QUEUED):
            assert not await outbox.finish(hub.worker, late, state, code=550)
        assert await row_of(hub, late) == before
        assert await outbox.finish(later.worker, taken, OutboxState.DONE)
        assert not await outbox.finish(hub.worker, late, OutboxState.QUEUED)
    row = await row_of(hub, late)
    assert (row["state"], row["attempts"], row["lease"]) == ("DONE", 2, None)


async def test_finished_work_cannot_be_finished_again(hub: Hub) -> None:
    await queue(hub)
    work = await claimed(hub.worker)
    assert await outbox.finish(hub.worker, work, OutboxState.DONE)
    assert not await outbox.finish(hub.worker, work, OutboxState.QUEUED)
    assert (await row_of(hub, work))["state"] == "DONE"


async def test_the_longest_due_work_comes_first_and_nothing_comes_before_it_is_due(hub: Hub) -> None:
    await queue(hub, dedupe_key="first")
    await queue(hub, dedupe_key="second")
    first = await claimed(hub.worker)
    assert (await row_of(hub, first))["dedupe_key"] == "first"
    assert await outbox.finish(hub.worker, first, OutboxState.QUEUED, wait=timedelta(minutes=90))
    second = await claimed(hub.worker)
    assert (await row_of(hub, second))["dedupe_key"] == "second"
    assert await outbox.finish(hub.worker, second, OutboxState.DONE)
    assert not await outbox.claim(hub.worker, 1)
    async with hub.later(hours=1) as later:
        assert not await outbox.claim(later.worker, 1)
    async with hub.later(hours=2) as later:
        assert (await claimed(later.worker)).id == first.id


@pytest.mark.parametrize("state", [OutboxState.DONE, OutboxState.DROPPED, OutboxState.DEAD])
async def test_work_that_has_ended_is_not_claimed_again(hub: Hub, state: OutboxState) -> None:
    await queue(hub)
    assert await outbox.finish(hub.worker, await claimed(hub.worker), state)
    async with hub.later(days=2) as later:
        assert not await outbox.claim(later.worker, 1)


@pytest.mark.parametrize(
    ("state", "kept"),
    [
        (OutboxState.DONE, False),
        (OutboxState.DROPPED, False),
        (OutboxState.QUEUED, True),
        (OutboxState.DEAD, True),
    ],
)
async def test_an_address_is_kept_only_while_it_is_needed(hub: Hub, state: OutboxState, kept: bool) -> None:
    await queue(hub, recipient="old@demo.example", recipient_name="Demo Name")
    work = await claimed(hub.worker)
    await outbox.finish(hub.worker, work, state, code=250)
    row = await row_of(hub, work)
    expected = ("old@demo.example", "Demo Name") if kept else (None, None)
    assert (row["recipient"], row["recipient_name"]) == expected
    assert (row["finished_at"] is None) == (state is OutboxState.QUEUED)
    assert row["smtp_code"] == 250


async def test_the_same_key_is_queued_once_even_after_it_was_done(hub: Hub) -> None:
    for _ in range(2):
        await queue(hub, dedupe_key="once")
    work = await claimed(hub.worker)
    assert not await outbox.claim(hub.worker, 1)
    await outbox.finish(hub.worker, work, OutboxState.DONE)
    await queue(hub, dedupe_key="once")
    assert not await outbox.claim(hub.worker, 1)


async def test_work_is_queued_with_the_change_that_causes_it_or_not_at_all(hub: Hub) -> None:
    async def change_and_fail() -> None:
        async with hub.worker.transaction() as transaction:
            await outbox.enqueue(transaction, mail.PASSWORD_CHANGED, uuid4())
            raise LookupError

    with pytest.raises(LookupError):
        await change_and_fail()
    assert not await outbox.claim(hub.worker, 1)


def test_waits_double_up_to_six_hours_and_differ_at_random() -> None:
    for attempts in range(1, outbox.MAX_ATTEMPTS):
        longest = min(timedelta(seconds=10 * 2 ** (attempts - 1)), timedelta(hours=6))
        waits = {outbox.back_off(attempts) for _ in range(50)}
        assert len(waits) > 40
        assert all(longest / 2 <= wait <= longest for wait in waits)


def test_mail_is_tried_for_long_enough_to_outlast_a_weekend() -> None:
    shortest = [min(timedelta(seconds=5 * 2**n), timedelta(hours=3)) for n in range(outbox.MAX_ATTEMPTS - 1)]
    assert timedelta(days=1.5) < sum(shortest, timedelta())
    assert sum(shortest, timedelta()) * 2 < timedelta(hours=120)


async def test_only_dead_work_is_queued_again(hub: Hub) -> None:
    await queue(hub, recipient="old@demo.example", recipient_name="Demo Name")
    work = await claimed(hub.worker)

    async def retry(outbox_id: UUID) -> bool:
        async with hub.worker.transaction() as transaction:
            return await outbox.retry_dead(transaction, outbox_id)

    assert not await retry(work.id)
    await outbox.finish(hub.worker, work, OutboxState.DEAD, code=550)
    assert not await retry(uuid4())
    assert await retry(work.id)
    assert not await retry(work.id)
    again = await claimed(hub.worker)
    assert (again.id, again.attempts, again.recipient) == (work.id, 1, "old@demo.example")
    await outbox.finish(hub.worker, again, OutboxState.DONE)
    assert not await retry(work.id)


async def test_due_work_is_found_through_an_index_however_much_was_done_before(hub: Hub) -> None:
    connection = await asyncpg.connect(hub.services.admin_url)
    try:
        await connection.execute(
            """
            INSERT INTO outbox (kind, subject_id, dedupe_key, state, finished_at)
            SELECT 'email_changed', gen_random_uuid(), n::text, CASE WHEN n % 20 = 0 THEN 'QUEUED' ELSE 'DONE' END,
                   CASE WHEN n % 20 = 0 THEN NULL ELSE now() END
              FROM generate_series(1, 20000) n;
            ANALYZE outbox;
            SET plan_cache_mode = force_generic_plan;
            """
        )
        claim = outbox._claim()
        await connection.execute(f"PREPARE claim AS {claim.sql}")
        steps = await connection.fetch(f"EXPLAIN EXECUTE claim ({', '.join('NULL' for _ in claim.names)})")
    finally:
        await connection.close()
    plan = "\n".join(step[0] for step in steps)
    assert "using outbox_due" in plan
    assert "Seq Scan" not in plan
    assert "Sort" not in plan


async def test_work_queued_while_the_clock_was_ahead_is_due_once_the_clock_is_right(hub: Hub) -> None:
    async with hub.later(hours=1) as ahead:
        await queue(ahead, recipient="late@demo.example")
        held = await claimed(ahead.database)
        await queue(ahead)
        assert await outbox.finish(ahead.database, await claimed(ahead.database), OutboxState.QUEUED)
        await queue(ahead)
    assert not await outbox.claim(hub.database, 1)
    async with hub.database.transaction() as transaction:
        assert await outbox.release_from_clock(transaction) == 3
        assert await outbox.release_from_clock(transaction) == 0
    due = [await claimed(hub.database) for _ in range(2)]  # the one that was put off, and the one that was never tried
    assert held.id not in {work.id for work in due}
    assert not await outbox.claim(hub.database, 1)  # its worker still has the lease
    (row,) = await hub.rows("SELECT leased_until - now() AS left FROM outbox WHERE id = $1", held.id)
    assert outbox.LEASE - timedelta(seconds=50) < row["left"] <= outbox.LEASE
    assert await outbox.finish(hub.database, held, OutboxState.DONE)


@pytest.mark.parametrize("attempts", range(1, outbox.MAX_ATTEMPTS + 1))
async def test_a_back_off_is_never_mistaken_for_a_clock_that_was_ahead(hub: Hub, attempts: int) -> None:
    await queue(hub)
    longest = min(outbox.FIRST_WAIT * 2 ** (attempts - 1), outbox.LONGEST_WAIT)
    await hub.rows("UPDATE outbox SET attempts = $1, next_at = now() + $2", attempts, longest)
    async with hub.database.transaction() as transaction:
        assert await outbox.release_from_clock(transaction) == 0
