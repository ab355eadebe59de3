"""The worker: drains the outbox when woken and on its own sweep, and runs the chores.

arq wakes it through Redis. The sweep needs PostgreSQL alone, so that nothing waits for Redis to be up; when Redis
goes away or restarts, the listener is started again while the sweep goes on.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

import orjson
import structlog
from aiosmtplib import SMTPException
from arq.connections import ArqRedis
from arq.worker import Worker, func
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from jobs import mailer, outbox
from jobs.expiry import run_chores
from jobs.ledger import Ledger
from jobs.mail import MAILS
from jobs.metrics import count_work
from jobs.outbox import Work
from models.database import Database
from models.outbox import OutboxState
from settings import Settings

if TYPE_CHECKING:
    from arq.typing import WorkerCoroutine

log = structlog.get_logger()

SWEEP_EVERY = 5.0  # seconds
WAKE_TIMEOUT = 0.5  # seconds
AT_ONCE = 8  # pieces of work that a worker has under way; each has a connection of its own to the mail server
RECORD_EVERY = 0.5  # seconds
SILENCE = 5.0  # seconds
CANCEL_AGAIN = 1.0  # seconds
_WAKE = "drain_outbox"

# A job that is no mail: given the work's row, it does it. `web` registers those that need the schema, by kind.
Job = Callable[[Database, Settings, Work], Awaitable[None]]
Jobs = Mapping[str, Job]


async def drain(database: Database, settings: Settings, jobs: Jobs, stop: asyncio.Event | None = None) -> int:
    """Do all the work that is due, or until `stop`; give how many rows were finished.

    As much is claimed as can be begun at once, or leases could end before it is. Work that was begun is finished in any
    case, or it would be done twice.
    """
    under_way: set[asyncio.Task[bool]] = set()
    finished: list[asyncio.Task[bool]] = []
    async with mailer.Post(settings) as post:
        try:
            while not (stop and stop.is_set()):
                for work in await outbox.claim(database, AT_ONCE - len(under_way)):
                    under_way.add(asyncio.create_task(_do(database, settings, post, jobs, work)))
                if not under_way:
                    break
                finished += await _some_of(under_way)
        finally:
            if under_way:
                finished += (await asyncio.wait(under_way))[0]
            errors = [error for task in finished if (error := task.exception())]
    if errors:  # the database went away, and the outbox does not know of them
        raise errors[0]
    return sum(task.result() for task in finished)


async def _some_of(under_way: set["asyncio.Task[bool]"]) -> list["asyncio.Task[bool]"]:
    """Wait until there is room for half of what is done at once, and take away what is finished."""
    finished: list[asyncio.Task[bool]] = []
    room = AT_ONCE - len(under_way)
    while under_way and room + len(finished) < AT_ONCE // 2:
        done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
        under_way -= done
        finished += done
    if not finished:  # nothing more was due: it may be when one of these has ended
        done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
        under_way -= done
        finished += done
    return finished


async def _do(database: Database, settings: Settings, post: mailer.Post, jobs: Jobs, work: Work) -> bool:
    """Do one piece of work and record how it ended; a failure is put off, and given up after many."""
    code = None
    try:
        state = await _perform(database, settings, post, jobs, work)
    except mailer.Undeliverable as error:
        code, state = error.code, OutboxState.DEAD
    except Exception as error:  # a poisoned row must not stop the others
        code = mailer.refusal(error)
        state = OutboxState.DEAD if work.attempts >= outbox.MAX_ATTEMPTS else OutboxState.QUEUED
        if not isinstance(error, SMTPException | OSError | TimeoutError):
            log.error("work_failed", work=str(work.id), kind=work.kind, exc_info=error)
    wait = outbox.back_off(work.attempts)
    kept = await _record(lambda: outbox.finish(database, work, state, code=code, wait=wait))
    count_work(work.kind, state, is_mail=work.kind in MAILS, kept=kept)
    log.info("work", work=str(work.id), kind=work.kind, state=state, attempts=work.attempts, code=code, fenced=not kept)
    return kept


async def _record(finish: Callable[[], Awaitable[bool]]) -> bool:
    """Record how work ended, as soon as the database is there: what was sent and not recorded would be sent again."""
    given_up = time.monotonic() + outbox.LEASE.total_seconds()
    while True:
        try:
            return await finish()
        except Exception as error:
            if time.monotonic() > given_up:
                raise
            log.error("record_failed", exc_info=error)
        await asyncio.sleep(RECORD_EVERY)


async def _perform(database: Database, settings: Settings, post: mailer.Post, jobs: Jobs, work: Work) -> OutboxState:
    if work.attempts > outbox.MAX_ATTEMPTS:  # attempts ended their workers, before they could be recorded
        raise mailer.Undeliverable
    if work.kind in jobs:
        await jobs[work.kind](database, settings, work)
        return OutboxState.DONE
    async with database.transaction() as transaction:
        letter = await MAILS[work.kind].letter(transaction, settings, work)
    if letter is None:
        return OutboxState.DROPPED
    await post.hand_in(mailer.compose(settings, letter, work.id))
    return OutboxState.DONE


def _redis(settings: Settings) -> ArqRedis:
    """Make a client that connects when it is used; arq's payloads are JSON, not pickles.

    arq asks and never waits for long, so a silent connection is a dead one: its other end may have vanished.
    """
    pool = ConnectionPool.from_url(settings.redis_url.get_secret_value(), socket_timeout=SILENCE)
    return ArqRedis(pool, job_serializer=orjson.dumps, job_deserializer=orjson.loads)


class Waker:
    """Wakes the workers after a commit, best effort: at most `WAKE_TIMEOUT`, in the background, never an error."""

    def __init__(self, settings: Settings) -> None:
        self._redis = _redis(settings)
        self._tasks: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Start to wake them."""
        task = asyncio.create_task(self._wake())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wake(self) -> None:
        try:
            async with asyncio.timeout(WAKE_TIMEOUT):
                await self._redis.enqueue_job(_WAKE)
        except (TimeoutError, OSError, RedisError):
            log.info("wake_failed")  # the sweep does it

    async def close(self) -> None:
        """Let what is under way end, and close the connections."""
        await asyncio.gather(*self._tasks)
        await self._redis.aclose(close_connection_pool=True)


async def _repeat(work: Callable[[], Awaitable[object]], woken: asyncio.Event, stop: asyncio.Event) -> None:
    """Do it until `stop`: when woken, and every few seconds whether or not anybody wakes us."""
    while not stop.is_set():
        woken.clear()
        try:
            await work()
        except Exception as error:  # the database may be away; it will be back
            log.error("sweep_failed", exc_info=error)
        waits = [asyncio.create_task(woken.wait()), asyncio.create_task(stop.wait())]
        await asyncio.wait(waits, timeout=SWEEP_EVERY, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()


async def _listen(settings: Settings, woken: asyncio.Event) -> None:
    """Set `woken` whenever arq delivers a job; start again whenever Redis went away."""
    while True:
        try:
            await _hear(settings, woken)
        except Exception as error:  # noqa: BLE001 - whatever ails Redis, the sweep does without
            log.info("listener_restarts", error=type(error).__name__)
        await asyncio.sleep(SWEEP_EVERY)


async def _hear(settings: Settings, woken: asyncio.Event) -> None:
    async def drain_outbox(_context: dict[Any, Any]) -> None:
        woken.set()

    redis = _redis(settings)
    worker = Worker(
        functions=[func(cast("WorkerCoroutine", drain_outbox), name=_WAKE, keep_result=0, max_tries=1)],
        redis_pool=redis,
        handle_signals=False,
        log_results=False,
        job_serializer=orjson.dumps,
        job_deserializer=orjson.loads,
    )
    try:
        await worker.main()
    finally:
        for task in worker.tasks.values():
            task.cancel()
        await asyncio.gather(*worker.tasks.values(), return_exceptions=True)
        await redis.aclose(close_connection_pool=True)


async def run(database: Database, settings: Settings, jobs: Jobs, stop: asyncio.Event) -> None:
    """Work until `stop` is set; what is being done then is finished first."""
    woken, never = asyncio.Event(), asyncio.Event()
    listener = asyncio.create_task(_listen(settings, woken))
    try:
        # Side by side, so that a mail server that hangs does not hold up what has to be erased.
        async with asyncio.TaskGroup() as group:
            group.create_task(_repeat(lambda: drain(database, settings, jobs, stop), woken, stop))
            group.create_task(_repeat(lambda: run_chores(database, settings), never, stop))
            if settings.deletions_ledger is not None:
                ledger = Ledger(settings.deletions_ledger)
                group.create_task(_repeat(lambda: ledger.keep(database), never, stop))
    finally:
        await end(listener)


async def end(task: "asyncio.Task[None]") -> None:
    """Cancel a task until it has ended: Redis's client loses a cancellation that comes just as it gives up waiting."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_AGAIN)
