"""The worker as arq knows it: which functions there are, that plain arq runs them, and what Redis holds of it."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
from arq.utils import import_string
from arq.worker import Worker, create_worker
from redis.asyncio import Redis

from jobs import outbox
from jobs.mail import MAILS
from jobs.outbox import MAKE_EXPORT, WorkKind, enqueue
from jobs.waker import WAKES, Waker
from settings import Settings, load
from tests.hub import Hub, payload
from tests.jobs.post import PostOffice, post_office
from tests.jobs.test_worker import queue, states, with_settings
from tests.servers import Server, environment, valkey
from tests.waiting import until
from web import worker
from web.worker import CHORES, DRAINS, OWN_CHORES, rewrite_tables

NAMES = {job.__qualname__ for job in (*DRAINS, *CHORES)}
ARQ = Path(sys.executable).parent / "arq"


@pytest.fixture
async def office() -> AsyncIterator[PostOffice]:
    async with post_office() as office:
        yield office


@pytest.fixture
async def redis() -> AsyncIterator[Server]:
    with valkey() as server:
        await asyncio.to_thread(server.start)
        yield server


def arq_worker(settings: Settings) -> Worker:
    return create_worker(worker.worker_settings(settings), handle_signals=False)


async def test_arq_and_the_command_run_the_same_functions(hub: Hub) -> None:
    of_arq = arq_worker(hub.settings).functions
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run_worker(worker.Work(hub.worker, hub.settings), stop))
    await asyncio.sleep(0)
    of_the_command = {task.get_name() for task in asyncio.all_tasks()}
    stop.set()
    await running
    assert {name.removeprefix("cron:") for name in of_arq} == NAMES
    assert {f"cron:{name}" for name in NAMES} == {name for name in of_arq if name.startswith("cron:")}
    assert of_the_command >= NAMES


async def test_every_function_that_a_change_wakes_exists(hub: Hub) -> None:
    # Within a loop: otherwise arq's worker makes one, and nobody closes it.
    assert set(WAKES) == {job.__qualname__ for job in DRAINS} <= set(arq_worker(hub.settings).functions)


def test_the_module_offers_arq_its_class_and_nothing_else(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(hub.settings).items():
        monkeypatch.setenv(name, value)
    assert import_string("web.worker.WorkerSettings").functions == DRAINS
    with pytest.raises(ImportError):
        import_string("web.worker.WorkerSetting")


async def test_each_kind_of_work_is_done_by_one_function(hub: Hub) -> None:
    async with hub.worker.transaction() as transaction:
        for name in {*MAILS, MAKE_EXPORT.name}:
            await enqueue(transaction, WorkKind(name), uuid4())
    exports = {work.kind for work in await outbox.claim(hub.worker, 99, exports=True)}
    mail = {work.kind for work in await outbox.claim(hub.worker, 99)}
    assert exports == {MAKE_EXPORT.name}
    assert mail == set(MAILS)


async def test_wake_ups_do_not_pile_up_without_a_worker_and_hold_no_data(
    hub: Hub, redis: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.waker.WAKE_TIMEOUT", 60)  # this machine may be busy, too
    waker = Waker(with_settings(hub, redis_url=redis.url))
    for _ in range(20):
        waker.wake()
    await waker.close()
    async with Redis.from_url(redis.url) as client:
        assert {name.decode() for name in await client.zrange("arq:queue", 0, -1)} == set(WAKES)
        jobs = [orjson.loads(await client.get(f"arq:job:{name}")) for name in WAKES]
    assert [(job["f"], job["a"], job["k"]) for job in jobs] == [(name, [], {}) for name in WAKES]


async def test_an_interrupted_job_holds_up_no_other(hub: Hub, redis: Server) -> None:
    settings = with_settings(hub, redis_url=redis.url)
    stop = asyncio.Event()
    async with Redis.from_url(redis.url) as client:
        for name in WAKES:
            await client.set(f"arq:in-progress:{name}", b"1")
        waker = Waker(settings)
        waker.wake()
        await waker.close()
        running = asyncio.create_task(worker.run_worker(worker.Work(hub.worker, settings), stop))

        async def done() -> bool:
            return not await client.exists(*(f"arq:job:{name}" for name in WAKES))

        await until(done)
        stop.set()
        await running


async def test_arq_only_learns_the_name_of_a_job_that_failed(hub: Hub) -> None:
    await hub.rows("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$")
    await hub.rows("CREATE TRIGGER refuse BEFORE DELETE ON session EXECUTE FUNCTION refuse()")
    try:
        (clean_up,) = [chore for chore in CHORES if chore.__qualname__ == "clean_up"]
        with pytest.raises(worker.JobFailed) as failed:
            await clean_up({"work": worker.Work(hub.worker, hub.settings)})
    finally:
        await hub.rows("DROP TRIGGER refuse ON session")
        await hub.rows("DROP FUNCTION refuse()")
    assert str(failed.value) == "clean_up"
    assert (failed.value.__cause__, failed.value.__suppress_context__) == (None, True)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://u:p%2Fw@h.example:7/3", ("h.example", 7, 3, "u", "p/w", None, False)),
        ("rediss://h.example", ("h.example", 6379, 0, None, None, None, True)),
        ("unix:///run/valkey.sock?db=2", ("localhost", 6379, 2, None, None, "/run/valkey.sock", False)),
    ],
)
def test_the_check_of_arq_reads_redis_url_like_everything_else(
    hub: Hub, url: str, expected: tuple[object, ...]
) -> None:
    found = worker._redis_settings(load(**dict(hub.settings) | {"redis_url": url}))
    assert expected == (
        found.host,
        found.port,
        found.database,
        found.username,
        found.password,
        found.unix_socket_path,
        found.ssl,
    )


@asynccontextmanager
async def plain_arq(settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    """`arq web.worker.WorkerSettings`, from the moment it listens."""
    command = (ARQ, "web.worker.WorkerSettings")
    process = await asyncio.create_subprocess_exec(
        *command, env=environment(settings), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with Redis.from_url(settings.redis_url.get_secret_value()) as client:

            async def listens() -> bool:
                assert process.returncode is None
                return bool(await client.exists("arq:queue:health-check"))

            await until(listens, seconds=180)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def checked(settings: Settings) -> int:
    """The status of `arq --check`."""
    command = (ARQ, "web.worker.WorkerSettings", "--check")
    check = await asyncio.create_subprocess_exec(*command, env=environment(settings), stderr=asyncio.subprocess.DEVNULL)
    return await check.wait()


async def test_plain_arq_does_all_the_work_and_finishes_its_mail_when_told_to_stop(
    hub: Hub, office: PostOffice, redis: Server
) -> None:
    settings = with_settings(hub, redis_url=redis.url, smtp_url=office.url)
    mediator = await hub.mediator()
    async with plain_arq(settings) as process:
        payload(await hub.change("exportMyData", {}, by=mediator))

        async def exported() -> bool:
            return bool(office.accepted)

        async def chores_ran() -> bool:
            ran = await hub.rows("SELECT FROM chore WHERE name = ANY($1)", [*NAMES])
            own = [*OWN_CHORES, rewrite_tables]  # which take no turns
            return len(ran) == len(CHORES) - len(own)

        async def healthy() -> bool:
            return await checked(settings) == 0

        await until(exported)
        await until(chores_ran)
        await until(healthy, seconds=180)
        office.waiting.clear()
        office.open.clear()
        await queue(hub)
        async with asyncio.timeout(60):
            await office.waiting.wait()
            process.send_signal(signal.SIGTERM)
            office.open.set()
            assert await process.wait() == 0
    assert set(await states(hub)) == {("DONE", 1, None)}
    assert await checked(settings) == 1


async def test_plain_arq_exits_without_redis_so_that_its_supervisor_can_restart_it(
    hub: Hub, office: PostOffice, redis: Server
) -> None:
    async with plain_arq(with_settings(hub, redis_url=redis.url, smtp_url=office.url)) as process:
        await asyncio.to_thread(redis.stop)
        async with asyncio.timeout(60):
            assert await process.wait() != 0
