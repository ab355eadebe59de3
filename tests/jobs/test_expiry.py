"""Expiry: what is erased, cleaned up and released by the clock, once per period however many workers there are."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import date, timedelta

import pytest

from jobs.expiry import erase_request_details
from models.database import Database, connect_worker
from settings import Settings
from tests.hub import Hub, Person, opened, payload
from tests.world import put_feedback
from web.worker import CHORES, JobFailed, Work

REQUEST = {
    "partyName": "Pat Party",
    "partyEmail": "pat@demo.example",
    "reference": "A-17",
    "mediationEndedOn": "2025-05-03",
    "partyAgreed": True,
}
ALL = ["erase_request_details", "release_from_clock", "clean_up", "erase_origins", "plan_releases", "release_shared"]
ALL += ["mix_answers", "enter_sign_in_trouble"]


async def run_chores(database: Database, settings: Settings) -> list[str]:
    """Call them all, and return the names of those that were due and didn't fail."""
    ran = []
    for chore in CHORES:
        with suppress(JobFailed):
            if await chore({"work": Work(database, settings)}):
                ran.append(chore.__qualname__)
    return ran


async def count(hub: Hub, table: str) -> int:
    (row,) = await hub.rows(f"SELECT count(*) FROM {table}")
    return int(row[0])


async def test_details_of_a_request_are_erased_after_120_hours_and_the_request_is_kept(hub: Hub) -> None:
    mediator = await hub.mediator()
    payload(await hub.change("requestFeedback", REQUEST, by=mediator))
    async with hub.later(hours=119) as later:
        await later.work()
        assert await count(hub, "feedback_request_details") == 1
    async with hub.later(hours=120) as later:
        await later.work()
        assert await count(hub, "feedback_request_details") == 0
    assert await count(hub, "feedback_request") == 1


async def test_the_details_of_each_request_are_erased_at_their_own_hour(hub: Hub) -> None:
    mediator = await hub.mediator()
    payload(await hub.change("requestFeedback", REQUEST, by=mediator))
    async with hub.later(hours=60) as later:
        payload(await later.change("requestFeedback", REQUEST, by=mediator))
    for hours, kept in ((119, 2), (121, 1), (179, 1), (181, 0)):
        async with hub.later(hours=hours) as later, later.worker.transaction() as transaction:
            erased = await erase_request_details(transaction)
        assert await count(hub, "feedback_request_details") == kept
        assert erased == (1 if hours in {121, 181} else 0)


async def test_who_gave_feedback_is_erased_after_so_many_months_and_the_feedback_is_kept(hub: Hub) -> None:
    ann = await hub.mediator()
    async with opened(hub.services, settings=hub.settings, origin_kept=3) as months:
        for day in (date(2024, 11, 29), date(2024, 12, 1)):
            await put_feedback(months, ann, name="Gil Giver", received_on=day)
        left = {}
        for today in (date(2025, 2, 28), date(2025, 3, 1), date(2025, 3, 2)):
            async with months.later(days=(today - months.database.now().date()).days) as then:
                await then.work()
            left[today.day] = await count(hub, "feedback_origin")
    assert left == {28: 2, 1: 1, 2: 0}
    assert await count(hub, "feedback") == 2


SESSION = """
INSERT INTO session (account_id, secret_hash, created_at, used_at)
VALUES ($1, '\\x01', now() - $2::interval, now() - $3::interval)
"""
FINISHED = """
INSERT INTO outbox (kind, subject_id, dedupe_key, state, finished_at)
VALUES ('email_changed', gen_random_uuid(), 'k', $1, now() - $2::interval)
"""


async def own(hub: Hub) -> Person:
    """Somebody who has nothing, not even a session."""
    person = await hub.mediator()
    await hub.rows("DELETE FROM session")
    return person


@pytest.mark.parametrize(
    ("created", "used", "kept"),
    [
        (timedelta(days=89), timedelta(days=13), True),
        (timedelta(days=15), timedelta(days=15), False),  # not used for two weeks
        (timedelta(days=91), timedelta(0), False),  # started three months ago
    ],
)
async def test_sessions_end_when_unused_or_too_old(hub: Hub, created: timedelta, used: timedelta, kept: bool) -> None:
    person = await own(hub)
    await hub.rows(SESSION, person.id, created, used)
    await hub.work()
    assert await count(hub, "session") == kept


OVER, TO_COME = "now() - interval '1 minute'", "now() + interval '1 minute'"


@pytest.mark.parametrize(
    ("table", "facts", "kept"),
    [
        ("api_token", {"name": "'n'"}, False),  # from an older version, without an end
        ("api_token", {"name": "'n'", "expires_at": TO_COME}, True),
        ("api_token", {"name": "'n'", "expires_at": OVER}, False),
        ("api_token", {"name": "'n'", "revoked_at": OVER}, False),
        ("account_link", {"purpose": "'RESET_PASSWORD'", "expires_at": TO_COME}, True),
        ("account_link", {"purpose": "'RESET_PASSWORD'", "expires_at": OVER}, False),
        ("reviewer_invitation", {"email": "'r'", "email_key": "'r'", "expires_at": TO_COME}, True),
        ("reviewer_invitation", {"email": "'r'", "email_key": "'r'", "expires_at": OVER}, False),
        ("data_export", {}, True),  # not made yet
        ("data_export", {"expires_at": TO_COME, "archive": "''"}, True),
        ("data_export", {"expires_at": OVER, "archive": "''"}, False),
        ("request_key", {"made_at": "now() - interval '23 hours'"}, True),
        ("request_key", {"made_at": "now() - interval '25 hours'"}, False),
    ],
)
async def test_expired_and_revoked_rows_are_cleaned_up(hub: Hub, table: str, facts: dict[str, str], kept: bool) -> None:
    person = await own(hub)
    owner = "mediator_id" if table == "reviewer_invitation" else "account_id"
    secret = "key_hash" if table == "request_key" else "secret_hash"
    row = {owner: "$1", secret: "'\\x01'", **facts}
    await hub.rows(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(row.values())})", person.id)
    await hub.work()
    assert await count(hub, table) == kept


@pytest.mark.parametrize(
    ("state", "days", "kept"),
    [
        ("DONE", 6, True),
        ("DONE", 8, False),
        ("DROPPED", 8, False),
        ("DEAD", 29, True),
        ("DEAD", 31, False),
    ],
)
async def test_finished_mail_is_deleted_after_a_week_and_dead_mail_after_a_month(
    hub: Hub, state: str, days: int, kept: bool
) -> None:
    await hub.rows(FINISHED, state, timedelta(days=days))
    await hub.work()
    assert await count(hub, "outbox") == kept


async def test_waiting_mail_is_never_cleaned_up(hub: Hub) -> None:
    await hub.rows(
        "INSERT INTO outbox (kind, subject_id, dedupe_key, next_at, created_at) "
        "VALUES ('email_changed', gen_random_uuid(), 'k', now() + interval '1 year', now() - interval '1 year')"
    )
    await hub.work()
    assert await count(hub, "outbox") == 1


@pytest.fixture
async def second(hub: Hub) -> AsyncIterator[Database]:
    """The connections of a second worker."""
    async with connect_worker(hub.settings) as database:
        yield database


async def in_one(hub: Hub, period: str, run: Callable[[], Awaitable[list[str]]]) -> list[str]:
    """Return what `run` gives within one period of the clock; if the period ended meanwhile, run it again."""
    while True:
        began = await hub.rows(f"SELECT date_trunc('{period}', clock())")
        given = await run()
        if await hub.rows(f"SELECT date_trunc('{period}', clock())") == began:
            return given


async def test_two_workers_share_one_schedule_of_chores(hub: Hub, second: Database) -> None:

    async def all_at_once() -> list[str]:
        await hub.rows("DELETE FROM chore")
        chores = [run_chores(database, hub.settings) for database in (hub.worker, second) * 3]
        return [name for names in await asyncio.gather(*chores) for name in names]

    assert sorted(await in_one(hub, "minute", all_at_once)) == sorted(ALL)


@pytest.mark.parametrize(
    ("chore", "period"), [("erase_request_details", "minute"), ("clean_up", "hour"), ("plan_releases", "day")]
)
async def test_a_chore_is_due_once_per_period(hub: Hub, chore: str, period: str) -> None:
    assert await run_chores(hub.worker, hub.settings) == ALL

    async def after_the_first_moment() -> list[str]:
        await hub.rows(f"UPDATE chore SET ran_at = date_trunc('{period}', clock())")
        return await run_chores(hub.worker, hub.settings)

    assert chore not in await in_one(hub, period, after_the_first_moment)
    await hub.rows(f"UPDATE chore SET ran_at = date_trunc('{period}', clock()) - interval '1 microsecond'")
    assert chore in await run_chores(hub.worker, hub.settings)


async def test_a_clock_that_is_set_back_stops_no_chore(hub: Hub) -> None:
    async with hub.later(days=2) as later:
        assert await run_chores(later.worker, hub.settings) == ALL
    assert await run_chores(hub.worker, hub.settings) == ALL


async def test_a_chore_that_fails_stops_no_other_and_is_tried_again(hub: Hub) -> None:
    await hub.rows("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$")
    await hub.rows("CREATE TRIGGER refuse BEFORE DELETE ON session EXECUTE FUNCTION refuse()")
    try:
        assert await run_chores(hub.worker, hub.settings) == [name for name in ALL if name != "clean_up"]
    finally:
        await hub.rows("DROP TRIGGER refuse ON session")
        await hub.rows("DROP FUNCTION refuse()")
    assert await run_chores(hub.worker, hub.settings) == ["clean_up"]
