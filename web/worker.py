"""The worker: its functions and cron jobs as arq knows them, run by `logbook worker` and by plain arq.

PostgreSQL says what has to be done and whose turn it is, so a function can be called from anywhere, any number of
times. `logbook worker` calls each every few seconds, and lets arq call them too while Redis is there. Plain `arq
web.worker.WorkerSettings` has arq alone.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, cast

import orjson
import structlog
from arq.connections import ArqRedis, RedisSettings
from arq.constants import in_progress_key_prefix
from arq.cron import cron
from arq.worker import create_worker
from redis.asyncio.connection import parse_url

from jobs import evidence, expiry, mixing, release, sign_in_trouble
from jobs.audit_anchor import AnchorFile
from jobs.drain import Do, Drain, sending
from jobs.expiry import Every, erase_request_details, take_turn
from jobs.ledger import Ledger, heads_beside, require_writable
from jobs.outbox import WorkRow, release_from_clock
from jobs.waker import WAKES, arq_redis
from models.database import Database, Transaction, connect_worker
from models.file_store import open_store
from models.outbox import OutboxState
from settings import Settings
from web import export, logs, metrics
from web.preflight import reach_services, reach_work, service_settings

if TYPE_CHECKING:
    from arq.typing import WorkerCoroutine

log = structlog.get_logger()

SWEEP_EVERY = 5.0  # seconds
TURN = 60.0  # seconds for which a function waits for a long queue, which is drained to the end even so
CANCEL_AGAIN = 1.0  # seconds


class Work:
    """What the functions share, once for each process: the database as the worker's role, and what they keep."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database = database
        self.settings = settings
        self.mail = Drain(database, partial(sending, database, settings))
        self.exports = Drain(database, partial(_exporting, database, settings), exports=True)
        ledger = settings.deletions_ledger
        self.ledger = Ledger(ledger) if ledger else None
        self.anchors = AnchorFile(heads_beside(ledger) if ledger else None)

    async def close(self) -> None:
        """Finish what's been started."""
        await asyncio.gather(self.mail.close(), self.exports.close())


@asynccontextmanager
async def _exporting(database: Database, settings: Settings) -> AsyncIterator[Do]:
    async def make(work: WorkRow) -> OutboxState:
        await export.make(database, settings, work)
        return OutboxState.DONE

    yield make


class JobFailed(Exception):
    """A function failed. The text is its name, and the log says where."""


def function(run: Callable[[Work], Awaitable[int]]) -> "WorkerCoroutine":
    """Make a function for arq. Raises only JobFailed, because arq logs an error's text, which could quote a row."""

    @wraps(run)
    async def job(context: dict[str, Work]) -> int:
        try:
            return await run(context["work"])
        except Exception as error:  # the database may be away, and will be back
            log.error("job_failed", job=run.__name__, exc_info=error)
            raise JobFailed(run.__name__) from None

    return cast("WorkerCoroutine", job)


@function
async def send_mail(work: Work) -> int:
    """Send the mail that is due; give how many pieces of work were finished."""
    return await work.mail.run(at_most=TURN)


@function
async def make_exports(work: Work) -> int:
    """Make the archives that people asked for, and mail their links; give how many pieces of work were finished."""
    made = await work.exports.run(at_most=TURN)
    return made + await work.mail.run(at_most=TURN) if made else 0


Job = Callable[[Transaction, Settings], Awaitable[int | None]]


def _in_turn(name: str, every: Every, job: Job) -> "WorkerCoroutine":
    """Make a function for arq of a job that's done once in a period, whichever worker takes the turn."""

    async def turn(work: Work) -> bool:
        return await take_turn(work.database, name, every, lambda transaction: job(transaction, work.settings))

    turn.__name__ = turn.__qualname__ = name
    return function(turn)


@function
async def rewrite_tables(work: Work) -> int:
    """Rewrite whole tables that hold traces of what was overwritten or deleted."""
    return await mixing.rewrite_tables(work.database)


@function
async def sweep_files(work: Work) -> int:
    """Remove the bytes of files that are gone; give how many."""
    return await evidence.sweep(work.database, open_store(work.settings))


@function
async def keep_ledger(work: Work) -> int:
    """Add what was deleted to this process's ledger, if it keeps one; give how many lines."""
    return await work.ledger.keep(work.database) if work.ledger else 0


@function
async def anchor_audit_log(work: Work) -> bool:
    """Record the audit log's head once a day, in this process's file and in the log."""
    return await work.anchors.keep(work.database)


DRAINS = (send_mail, make_exports)  # the web server wakes these
OWN_CHORES = (keep_ledger, anchor_audit_log)  # for each process, which has files of its own
CHORES = (
    _in_turn("erase_request_details", Every.MINUTE, lambda transaction, _: erase_request_details(transaction)),
    _in_turn("release_from_clock", Every.MINUTE, lambda transaction, _: release_from_clock(transaction)),
    _in_turn("clean_up", Every.HOUR, expiry.clean_up),
    _in_turn("erase_origins", Every.DAY, expiry.erase_origins),
    _in_turn("plan_releases", Every.DAY, release.plan_releases),
    _in_turn("release_shared", Every.MINUTE, release.release_shared),
    _in_turn("mix_answers", Every.DAY, mixing.mix),
    rewrite_tables,
    sweep_files,
    _in_turn("enter_sign_in_trouble", Every.HOUR, sign_in_trouble.enter),
    *OWN_CHORES,
)


async def _forget_cut_off(context: dict[str, ArqRedis]) -> None:
    """Keep a job that was cut off from holding up the next of its name until arq gives up on it."""
    await context["redis"].delete(*(in_progress_key_prefix + name for name in WAKES))


def worker_settings(settings: Settings) -> type:
    """Give the class that arq reads. It doesn't look into base classes."""
    stack = AsyncExitStack()

    async def startup(context: dict[str, Any]) -> None:
        context["work"] = await stack.enter_async_context(at_work(settings))
        await _forget_cut_off(context)

    async def shutdown(_context: dict[str, Any]) -> None:
        await stack.aclose()

    class WorkerSettings:
        functions = DRAINS
        # How often arq asks, by its machine's clock. Whether it's a turn, PostgreSQL says: once a minute, hour or day.
        cron_jobs = (
            *(cron(job, second=set(range(0, 60, 5)), run_at_startup=True) for job in DRAINS),
            *(cron(job, run_at_startup=True, unique=job not in OWN_CHORES) for job in CHORES),
        )
        on_startup = startup
        on_shutdown = shutdown
        redis_pool = arq_redis(settings)
        redis_settings = _redis_settings(settings)  # for `arq --check`, which doesn't look at the pool
        job_serializer = orjson.dumps
        job_deserializer = orjson.loads
        keep_result = 0  # a stored result would hold up the next job of the same id
        job_timeout = 2 * TURN
        health_check_interval = 10

    return WorkerSettings


def _redis_settings(settings: Settings) -> RedisSettings:
    """Give REDIS_URL as arq has it. arq's own reader of URLs leaves a password percent-encoded."""
    url = settings.redis_url.get_secret_value()
    found = RedisSettings(ssl=url.startswith("rediss:"))
    for name, value in parse_url(url).items():
        setattr(found, {"db": "database", "path": "unix_socket_path"}.get(name, name), value)
    return found


if not TYPE_CHECKING:  # which would excuse every misspelt name

    def __getattr__(name: str) -> type:
        """Give `WorkerSettings` to arq. It's made when it's asked for, because it reads the environment."""
        if name != "WorkerSettings":
            raise AttributeError(name)
        return worker_settings(service_settings())


@asynccontextmanager
async def at_work(settings: Settings) -> AsyncIterator[Work]:
    """Check what a worker needs, log, serve metrics and connect; at the end, finish what's been started.

    Raises:
        SettingsError: what is wrong, in one line.
    """
    await reach_services(settings)
    await reach_work(settings)
    require_writable(settings)
    with metrics.served(settings):
        logs.configure()
        async with connect_worker(settings) as database:
            metrics.watch_pool(database, settings)
            work = Work(database, settings)
            try:
                yield work
            finally:
                await work.close()


async def main(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT. Raises SettingsError as `at_work` does."""
    stop = asyncio.Event()
    async with at_work(settings) as work:
        for sign in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(sign, stop.set)
        await run_worker(work, stop)


async def run_worker(work: Work, stop: asyncio.Event) -> None:
    """Call every function every few seconds until `stop` is set, and let arq call them too while Redis is there."""
    # Each by itself, so that a mail server that hangs doesn't hold up erasing.
    tasks = [asyncio.create_task(_repeat(job, work), name=job.__qualname__) for job in (*DRAINS, *CHORES)]
    tasks.append(asyncio.create_task(_listen(work)))
    await stop.wait()
    await asyncio.gather(work.close(), *map(_end, tasks))


async def _repeat(job: "WorkerCoroutine", work: Work) -> None:
    while True:
        with suppress(JobFailed):  # it has said so
            await job({"work": work})
        await asyncio.sleep(SWEEP_EVERY)


async def _listen(work: Work) -> None:
    """Run arq; start it again whenever Redis goes away, or isn't there yet."""
    while True:
        try:
            await _hear(work)
        except Exception as error:  # noqa: BLE001 - whatever ails Redis, the sweep does without
            log.info("listener_restarts", error=type(error).__name__)
        await asyncio.sleep(SWEEP_EVERY)


async def _hear(work: Work) -> None:
    redis = arq_redis(work.settings)
    own = {"redis_pool": redis, "ctx": {"work": work}, "on_startup": _forget_cut_off, "on_shutdown": None}
    # A new one each time: cron jobs remember when they're next, and would make up for all the time that Redis was away.
    worker = create_worker(worker_settings(work.settings), handle_signals=False, **own)
    try:
        await worker.main()
    finally:
        for task in worker.tasks.values():
            task.cancel()
        await asyncio.gather(*worker.tasks.values(), return_exceptions=True)
        await redis.aclose(close_connection_pool=True)


async def _end(task: "asyncio.Task[None]") -> None:
    """Cancel a task until it has ended.

    The Redis client loses a cancellation that comes just as it gives up waiting.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_AGAIN)
