import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from redis.asyncio import Redis

from jobs import drain as jobs_drain
from jobs import mail, outbox, waker
from jobs.drain import AT_ONCE, Do, Drain
from jobs.outbox import MAKE_EXPORT, MAX_ATTEMPTS, WorkKind, WorkRow, enqueue
from jobs.waker import Waker
from models.account import Role
from models.outbox import OutboxState
from models.pool import Unavailable
from settings import Settings, load
from tests import hub as tests_hub
from tests.hub import Hub, opened, payload
from tests.jobs.post import PostOffice, message_ids, post_office, scripted
from tests.servers import environment, valkey
from tests.waiting import until
from web import worker

AWAY = "unix:///nonexistent/valkey.sock"
HEALTH = "arq:queue:health-check"  # arq's own name


@pytest.fixture
async def office() -> AsyncIterator[PostOffice]:
    async with post_office() as office:
        yield office


def with_settings(hub: Hub, **overrides: Any) -> Settings:
    return load(**dict(hub.settings) | overrides)


async def drain(hub: Hub, smtp_url: str, **overrides: Any) -> int:
    return await tests_hub.drain(hub.worker, with_settings(hub, smtp_url=smtp_url, **overrides))


async def queue(hub: Hub, number: int = 1, kind: WorkKind = mail.EMAIL_CHANGED) -> None:
    async with hub.database.transaction() as transaction:
        address = f"old{number}@demo.example"
        await enqueue(transaction, kind, uuid4(), recipient=address, recipient_name="Demo Name")


async def states(hub: Hub) -> list[tuple[str, int, int | None]]:
    rows = await hub.rows("SELECT state, attempts, smtp_code FROM outbox ORDER BY recipient, created_at")
    return [tuple(row) for row in rows]


async def all_offered(office: PostOffice) -> bool:
    """Whether the server has received as many mails as a worker sends at once."""
    return len(office.offered) == AT_ONCE


async def only_row(hub: Hub) -> asyncpg.Record:
    (row,) = await hub.rows("SELECT * FROM outbox")
    return row


async def test_a_greylisted_mail_is_sent_later_as_the_same_mail(
    hub: Hub, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "FIRST_WAIT", timedelta(minutes=30))
    began = datetime.now(UTC)
    office.to_content = ["451 4.7.1 come back later"]
    await queue(hub)
    assert await drain(hub, office.url) == 1
    row = await only_row(hub)
    assert (row["state"], row["attempts"], row["smtp_code"], row["recipient"]) == (
        "QUEUED",
        1,
        451,
        "old1@demo.example",
    )
    assert began + timedelta(minutes=15) <= row["next_at"] <= datetime.now(UTC) + timedelta(minutes=30)
    assert await drain(hub, office.url) == 0
    async with hub.later(hours=1) as later:
        assert await drain(later, office.url) == 1
    row = await only_row(hub)
    assert (row["state"], row["attempts"], row["smtp_code"], row["recipient"]) == ("DONE", 2, None, None)
    assert message_ids(office.offered) == [f"<{row['id']}@127.0.0.1>"] * 2
    assert len(office.accepted) == 1


async def test_mail_refused_for_good_is_dead_at_once_and_stops_no_other(hub: Hub, office: PostOffice) -> None:
    office.refuses = {"old1@demo.example": "550 no such user"}
    await queue(hub, 1)
    await queue(hub, 2)
    assert await drain(hub, office.url) == 2
    assert await states(hub) == [("DEAD", 1, 550), ("DONE", 1, None)]
    assert [mail.recipients for mail in office.accepted] == [["old2@demo.example"]]


async def test_no_mail_is_lost_while_the_mail_server_is_away(hub: Hub, office: PostOffice) -> None:
    for number in range(3):
        await queue(hub, number)
    assert await drain(hub, "smtp://127.0.0.1:1?tls=none") == 3
    assert await states(hub) == [("QUEUED", 1, None)] * 3
    async with hub.later(hours=1) as later:
        assert await drain(later, office.url) == 3
    assert await states(hub) == [("DONE", 2, None)] * 3
    assert len(office.accepted) == 3


async def test_mail_is_tried_again_if_the_connection_is_cut_after_its_content(hub: Hub) -> None:
    await queue(hub)
    answers = ("220 hello", "250 post", "250 OK", "250 OK", "354 go on", None)
    async with scripted(*answers) as url:
        await drain(hub, url)
    assert await states(hub) == [("QUEUED", 1, None)]


async def test_no_mail_becomes_dead_because_of_our_wrong_password(hub: Hub) -> None:
    await queue(hub)
    answers = ("220 hello", "250-post\r\n250 AUTH PLAIN", "535 5.7.8 wrong", "221 bye")
    async with scripted(*answers) as url:
        await drain(hub, url.replace("://", "://mailer:wrong@"))
    assert await states(hub) == [("QUEUED", 1, 535)]


async def test_mail_is_given_up_after_many_attempts_and_an_administrator_can_see_and_retry_it(
    hub: Hub, office: PostOffice
) -> None:
    admin = await hub.person(Role.ADMIN)
    await queue(hub)
    await hub.rows("UPDATE outbox SET attempts = $1", MAX_ATTEMPTS - 1)
    office.to_recipient = ["451 not now"]
    await drain(hub, office.url)
    row = await only_row(hub)
    assert (row["state"], row["attempts"], row["smtp_code"]) == ("DEAD", MAX_ATTEMPTS, 451)
    listed = (await hub.ask("{ deadMail { nodes { id kind attempts smtpCode } } }", by=admin)).data["deadMail"]["nodes"]
    assert listed == [{"id": str(row["id"]), "kind": "email_changed", "attempts": MAX_ATTEMPTS, "smtpCode": 451}]
    payload(await hub.change("retryMail", {"id": str(row["id"])}, by=admin))
    assert await drain(hub, office.url) == 1
    assert [mail.recipients for mail in office.accepted] == [["old1@demo.example"]]
    assert await states(hub) == [("DONE", 1, None)]


async def test_mail_to_an_invalid_address_is_dead_at_once(hub: Hub, office: PostOffice) -> None:
    async with hub.worker.transaction() as transaction:
        address = "=?utf-8?q?a=40b?=@c.example"
        await enqueue(transaction, mail.EMAIL_CHANGED, uuid4(), recipient=address, recipient_name="Demo Name")
    await drain(hub, office.url)
    assert await states(hub) == [("DEAD", 1, None)]
    assert office.offered == []


async def test_a_row_that_makes_its_job_fail_stops_no_other(hub: Hub, office: PostOffice) -> None:
    @asynccontextmanager
    async def breaking() -> AsyncIterator[Do]:
        async def broken(_work: WorkRow) -> OutboxState:
            raise RuntimeError

        yield broken

    async with hub.worker.transaction() as transaction:
        await enqueue(transaction, MAKE_EXPORT, uuid4())  # its job fails
    unknown = "INSERT INTO outbox (kind, subject_id, dedupe_key) VALUES ('unknown', gen_random_uuid(), 'unknown')"
    await hub.rows(unknown)
    await queue(hub)
    assert await Drain(hub.worker, breaking, exports=True).run() == 1
    assert await drain(hub, office.url) == 2
    rows = await hub.rows("SELECT kind, state, attempts FROM outbox WHERE state = 'QUEUED' ORDER BY kind")
    assert [tuple(row) for row in rows] == [
        ("make_export", "QUEUED", 1),
        ("unknown", "QUEUED", 1),
    ]
    assert [mail.recipients for mail in office.accepted] == [["old1@demo.example"]]


async def test_a_job_that_is_not_a_mail_gets_its_row_and_is_done(hub: Hub, office: PostOffice) -> None:
    seen = []

    @asynccontextmanager
    async def noting() -> AsyncIterator[Do]:
        async def note(work: WorkRow) -> OutboxState:
            seen.append(work.subject_id)
            return OutboxState.DONE

        yield note

    subject = uuid4()
    async with hub.worker.transaction() as transaction:
        await enqueue(transaction, MAKE_EXPORT, subject)
    assert await Drain(hub.worker, noting).run() == 0
    assert await Drain(hub.worker, noting, exports=True).run() == 1
    assert seen == [subject]
    assert await states(hub) == [("DONE", 1, None)]
    assert office.offered == []


async def test_a_worker_whose_lease_ran_out_records_nothing(hub: Hub, office: PostOffice) -> None:
    await queue(hub)
    office.open.clear()
    slow = asyncio.create_task(drain(hub, office.url))
    await office.waiting.wait()
    async with hub.later(hours=1) as later, post_office() as other:
        assert await drain(later, other.url) == 1
        before = await only_row(hub)
        office.to_content = ["550 too late"]
        office.open.set()
        assert await slow == 0
        assert await only_row(hub) == before
        assert message_ids(office.offered) == message_ids(other.offered)
    assert (before["state"], before["attempts"]) == ("DONE", 2)


@asynccontextmanager
async def running(hub: Hub, **overrides: Any) -> AsyncIterator[asyncio.Event]:
    """A worker as `logbook worker` runs it; the event stops it."""
    stop = asyncio.Event()
    settings = with_settings(hub, **overrides)
    work = worker.Work(hub.worker, settings)
    task = asyncio.create_task(worker.run_worker(work, stop))
    try:
        yield stop
    finally:
        stop.set()
        async with asyncio.timeout(60):
            await task


async def test_a_change_wakes_the_worker_through_redis(
    hub: Hub, office: PostOffice, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker, "SWEEP_EVERY", 3600.0)
    monkeypatch.setattr(waker, "WAKE_TIMEOUT", 60)  # this machine may be busy, too
    caplog.set_level("INFO", "arq.worker")
    async with Redis.from_url(hub.settings.redis_url.get_secret_value()) as redis:
        await redis.flushdb()  # what other tests left behind

        async def listening() -> bool:
            return bool(await redis.exists(HEALTH))

        async with running(hub, smtp_url=office.url):
            await until(listening)
            payload(await hub.change("signUp", {"name": "N", "email": "n@demo.example", "password": "long enough"}))
            async with asyncio.timeout(60):
                await office.waiting.wait()

            async def woken() -> bool:
                return "send_mail:send_mail()" in caplog.text  # the job from waking it, besides those from arq's cron

            await until(woken)
        assert await states(hub) == [("DONE", 1, None)]


async def test_mail_goes_out_while_redis_is_away(hub: Hub, office: PostOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "SWEEP_EVERY", 0.05)
    async with running(hub, smtp_url=office.url, redis_url=AWAY):
        for number in range(2):
            office.waiting.clear()
            await queue(hub, number)
            async with asyncio.timeout(60):
                await office.waiting.wait()
    assert await states(hub) == [("DONE", 1, None)] * 2


async def test_the_worker_listens_again_whenever_redis_comes_back(
    hub: Hub, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "SWEEP_EVERY", 0.05)
    monkeypatch.setattr("jobs.waker.WAKE_TIMEOUT", 60)
    with valkey() as server:
        settings = with_settings(hub, redis_url=server.url)
        async with running(hub, smtp_url=office.url, redis_url=server.url):
            for _ in range(2):
                await asyncio.to_thread(server.start)
                waker = Waker(settings)
                async with Redis.from_url(server.url) as redis:
                    waker.wake()
                    await waker.close()
                    assert [key async for key in redis.scan_iter("arq:*")]

                    async def heard(redis: Redis = redis) -> bool:
                        return not await redis.exists("arq:job:send_mail")

                    await until(heard)
                await asyncio.to_thread(server.stop)
            await queue(hub)
            async with asyncio.timeout(60):
                await office.waiting.wait()


async def test_the_worker_connects_again_when_redis_has_fallen_silent(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "SWEEP_EVERY", 0.05)
    monkeypatch.setattr(waker, "SILENCE", 0.05)
    connections = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.read(-1)
        writer.close()

    async def again() -> bool:
        return connections >= 3

    server = await asyncio.start_server(count, "127.0.0.1", 0)
    url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    async with server, running(hub, redis_url=url):
        await until(again)


async def test_a_task_that_swallows_its_cancellation_is_ended_anyway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "CANCEL_AGAIN", 0)
    lost = 0

    async def deaf() -> None:
        nonlocal lost
        while lost < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                lost += 1
        await asyncio.Event().wait()

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    await worker._end(task)
    assert (lost, task.cancelled()) == (3, True)


async def test_a_request_is_answered_while_redis_is_away(hub: Hub) -> None:
    async with opened(hub.services, settings=hub.settings, redis_url=AWAY) as alone:
        payload(await alone.change("signUp", {"name": "N", "email": "n@demo.example", "password": "long enough"}))
        assert await alone.work() == 1


async def test_a_request_does_not_wait_for_a_redis_that_hangs(hub: Hub) -> None:
    async with scripted() as url:
        waker = Waker(with_settings(hub, redis_url=url.replace("smtp", "redis").replace("?tls=none", "")))
        for _ in range(50):
            waker.wake()
        assert len(waker._tasks) == 50  # in progress, and nobody waited for any of them
        async with asyncio.timeout(60):
            await waker.close()


async def test_erasing_does_not_wait_for_a_mail_server_that_hangs(
    hub: Hub, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "SWEEP_EVERY", 0.05)
    office.open.clear()
    await queue(hub)

    async def chores_ran() -> bool:
        return bool(await hub.rows("SELECT FROM chore WHERE name = 'erase_request_details'"))

    async with running(hub, smtp_url=office.url, smtp_timeout=50, redis_url=AWAY):
        await office.waiting.wait()
        await hub.rows("DELETE FROM chore")
        await until(chores_ran, seconds=30)
        office.open.set()


async def test_a_worker_without_a_database_waits_for_it(
    hub: Hub, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "SWEEP_EVERY", 0.05)
    kick = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'logbook_worker'"
    async with running(hub, smtp_url=office.url, redis_url=AWAY):
        for number in range(3):
            office.waiting.clear()
            await queue(hub, number)
            async with asyncio.timeout(60):
                await office.waiting.wait()
            await hub.rows(kick)

            async def back() -> bool:
                try:
                    async with hub.worker.reading():
                        return True
                except Unavailable:
                    return False

            await until(back)


async def start_worker(hub: Hub, office: PostOffice) -> asyncio.subprocess.Process:
    env = environment(with_settings(hub, smtp_url=office.url))
    command = (sys.executable, "-m", "cli", "worker")
    return await asyncio.create_subprocess_exec(*command, env=env, stdout=asyncio.subprocess.DEVNULL)


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
async def test_a_worker_told_to_stop_finishes_its_mail_and_sends_nothing_twice(
    hub: Hub, office: PostOffice, sign: signal.Signals
) -> None:
    numbers = range(AT_ONCE + 1)
    for number in numbers:
        await queue(hub, number)
    office.open.clear()
    process = await start_worker(hub, office)
    async with asyncio.timeout(60):
        await until(lambda: all_offered(office))
        process.send_signal(sign)
        office.open.set()
        assert await process.wait() == 0
    assert sorted(await states(hub)) == [*[("DONE", 1, None)] * AT_ONCE, ("QUEUED", 0, None)]
    assert await drain(hub, office.url) == 1
    assert sorted(mail.recipients[0] for mail in office.accepted) == [f"old{number}@demo.example" for number in numbers]


async def test_mail_of_a_killed_worker_is_sent_by_another_with_the_same_id(hub: Hub, office: PostOffice) -> None:
    await queue(hub)
    office.open.clear()
    process = await start_worker(hub, office)
    async with asyncio.timeout(60):
        await office.waiting.wait()
    process.kill()
    await process.wait()
    async with post_office() as other:
        assert await drain(hub, other.url) == 0  # the dead worker still has the lease
        async with hub.later(hours=1) as later:
            assert await drain(later, other.url) == 1
        assert message_ids(office.offered) == message_ids(other.offered)
    assert await states(hub) == [("DONE", 2, None)]


async def test_work_that_killed_its_worker_each_time_is_given_up(hub: Hub, office: PostOffice) -> None:
    await queue(hub, 1)
    await hub.rows("UPDATE outbox SET attempts = $1", MAX_ATTEMPTS)
    await queue(hub, 2)
    assert await drain(hub, office.url) == 2
    assert await states(hub) == [("DEAD", MAX_ATTEMPTS + 1, None), ("DONE", 1, None)]
    assert [mail.recipients for mail in office.accepted] == [["old2@demo.example"]]


async def test_sent_mail_is_recorded_once_the_database_is_back_and_not_sent_again(
    hub: Hub, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_drain, "RECORD_EVERY", 0.05)
    await hub.rows("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$")
    await queue(hub)
    office.open.clear()
    draining = asyncio.create_task(drain(hub, office.url))
    await office.waiting.wait()
    await hub.rows("CREATE TRIGGER refuse BEFORE UPDATE ON outbox EXECUTE FUNCTION refuse()")
    try:
        office.open.set()

        async def sent() -> bool:
            return bool(office.accepted)

        await until(sent)
        assert await states(hub) == [("QUEUED", 1, None)]
    finally:
        await hub.rows("DROP TRIGGER refuse ON outbox")
        await hub.rows("DROP FUNCTION refuse()")
    assert await draining == 1
    assert await states(hub) == [("DONE", 1, None)]
    assert len(office.offered) == 1
