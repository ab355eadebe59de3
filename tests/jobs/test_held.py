"""Mail that is held for a mailbox that has had enough: when it's due, and what replaces it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from jobs import mail, outbox
from jobs.outbox import WorkKind
from jobs.outbox_census import census
from models.database import Transaction
from models.outbox import OutboxState
from tests.hub import Hub
from tests.volume import tries


@pytest.fixture
async def hub(hub: Hub) -> AsyncIterator[Hub]:
    """A hub whose clock starts at half past, so that no full hour passes during a test."""
    async with hub.later(minutes=30 - datetime.now(UTC).minute) as then:
        yield then


async def hold(
    hub: Hub,
    subject: UUID | None = None,
    kind: WorkKind = mail.CHANGE_EMAIL,
    mailbox: str = "m",
    other: UUID | None = None,
) -> datetime:
    async with hub.worker.transaction() as transaction:
        return await outbox.enqueue_mail(transaction, kind, subject or uuid4(), mailbox, other_id=other)


def full_hour(hub: Hub, hours: int) -> datetime:
    return hub.database.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=hours)


async def test_mail_that_is_not_held_is_due_at_once(hub: Hub) -> None:
    async with hub.worker.transaction() as transaction:
        due = await outbox.enqueue_mail(transaction, mail.VERIFY_EMAIL, uuid4(), None)
        assert transaction.wakes_worker
    assert abs(due - hub.database.now()) < timedelta(minutes=5)
    assert len(await outbox.claim(hub.worker, 9)) == 1


async def test_newer_mail_replaces_waiting_mail_with_the_same_other_and_the_rest_waits_longer(hub: Hub) -> None:
    ann, bob, newest = uuid4(), uuid4(), uuid4()
    assert await hold(hub, other=ann) == full_hour(hub, 1)
    assert await hold(hub, other=bob) == full_hour(hub, 2)
    assert await hold(hub) == full_hour(hub, 3)
    assert await hold(hub, newest, other=bob) == full_hour(hub, 2)
    assert await hold(hub, newest) == full_hour(hub, 3)
    assert await hold(hub, kind=mail.VERIFY_EMAIL) == full_hour(hub, 1)
    assert await hold(hub, mailbox="n") == full_hour(hub, 1)
    assert not await outbox.claim(hub.worker, 9)
    rows = await hub.rows(
        "SELECT subject_id FROM outbox WHERE dedupe_key LIKE 'held:change_email:m:%' ORDER BY next_at"
    )
    assert [row["subject_id"] == newest for row in rows] == [False, True, True]


@pytest.mark.parametrize("alike", [False, True])
async def test_none_of_many_mails_at_once_is_lost_or_duplicated(hub: Hub, alike: bool) -> None:
    due = await asyncio.gather(*(hold(hub, other=None if alike else uuid4()) for _ in range(12)))
    assert sorted(due) == [full_hour(hub, 1 if alike else hours) for hours in range(1, 13)]
    assert len(await hub.rows("SELECT 1 FROM outbox")) == len(set(due))


async def test_mail_that_a_worker_has_started_is_unchanged_and_the_newest_goes_an_hour_later(hub: Hub) -> None:
    older, newest = uuid4(), uuid4()
    await hold(hub, older)
    async with hub.later(hours=1) as then:
        (work,) = await outbox.claim(then.worker, 9)
    # Written by a transaction that began before the full hour.
    assert await hold(hub, newest) == full_hour(hub, 2)
    assert await outbox.finish(hub.worker, work, OutboxState.QUEUED, wait=timedelta(hours=6))
    assert await hold(hub, newest) == full_hour(hub, 2)
    rows = await hub.rows("SELECT subject_id FROM outbox ORDER BY attempts DESC")
    assert [row["subject_id"] for row in rows] == [older, newest]


@pytest.mark.parametrize(
    ("state", "kept"),
    [(OutboxState.DONE, False), (OutboxState.DROPPED, False), (OutboxState.QUEUED, True), (OutboxState.DEAD, True)],
)
async def test_the_hash_of_the_mailbox_is_kept_only_while_it_is_needed(
    hub: Hub, state: OutboxState, kept: bool
) -> None:
    await hold(hub, mailbox="0123456789abcdef")
    async with hub.later(hours=1) as then:
        (work,) = await outbox.claim(then.worker, 9)
        await outbox.finish(then.worker, work, state)
    (row,) = await hub.rows("SELECT dedupe_key FROM outbox")
    assert ("0123456789abcdef" in row["dedupe_key"]) == kept


async def test_held_mail_is_released_from_a_clock_that_was_ahead_only_if_it_waits_too_long(hub: Hub) -> None:
    for _ in range(3):
        await hold(hub, other=uuid4())
    async with hub.worker.transaction() as transaction:
        assert await outbox.release_from_clock(transaction) == 0
    await hub.rows("UPDATE outbox SET next_at = next_at + interval '1 year'")
    async with hub.worker.transaction() as transaction:
        assert await outbox.release_from_clock(transaction) == 3
    assert len(await outbox.claim(hub.worker, 9)) == 3


async def test_held_mail_does_not_count_as_waiting_for_a_worker_until_it_is_due(hub: Hub) -> None:
    await hold(hub)

    async def oldest(there: Hub) -> float:
        async with there.worker.reading() as reading:
            (row,) = await census(reading)
        assert row.number == 1
        return float(row.oldest)

    assert await oldest(hub) == 0
    async with hub.later(hours=3) as then:
        assert 2 * 3600 < await oldest(then) < 3 * 3600


# The fixture's tables are emptied for each example.
@effort(
    max_examples=tries(15, 300),
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([None, 1, 2, 3])), max_size=25))
async def test_one_mail_goes_out_per_hour_and_everyone_who_asks_has_just_one_waiting(
    hub: Hub, asked: list[tuple[str, int | None]]
) -> None:
    async def ask(transaction: Transaction, mailbox: str, other: int | None) -> datetime:
        whose = UUID(int=other) if other else None
        return await outbox.enqueue_mail(transaction, mail.REVIEWER_INVITED, uuid4(), mailbox, other_id=whose)

    await hub.rows("DELETE FROM outbox")
    places: dict[tuple[str, int | None], datetime] = {}
    async with hub.worker.transaction() as transaction:
        for mailbox, other in asked:
            due = await ask(transaction, mailbox, other)
            assert places.setdefault((mailbox, other), due) == due
    for mailbox in "ab":
        hours = sorted(due for (whose, _), due in places.items() if whose == mailbox)
        assert hours == [full_hour(hub, place) for place in range(1, len(hours) + 1)]
    assert len(await hub.rows("SELECT 1 FROM outbox")) == len(places)
