"""The worker: drains the outbox when woken and on its own sweep, and runs the chores.

arq wakes it through Redis. The sweep needs PostgreSQL alone, so that nothing waits for Redis to be up; when Redis
goes away or restarts, the listener is started again while the sweep goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

import orjson
import structlog
from aiosmtplib import SMTPException
from arq.connections import ArqRedis, RedisSettings, create_pool
from arq.worker import Worker, func
from redis.exceptions import RedisError

from jobs import letters, mailer, outbox
from jobs.expiry import run_chores
from jobs.outbox import Kind
from models.database import Database, Row
from models.outbox import OutboxState
from settings import Settings

if TYPE_CHECKING:
    from arq.typing import WorkerCoroutine

log = structlog.get_logger()

SWEEP_EVERY = 5.0  # seconds
WAKE_TIMEOUT = 0.5  # seconds
_WAKE = "drain_outbox"

# A job that is no mail: given the work's row, it does it. `web` registers those that need the schema.
Job = Callable[[Database, Settings, Row], Awaitable[None]]
Jobs = Mapping[Kind, Job]


async def drain(database: Database, settings: Settings, jobs: Jobs, stop: asyncio.Event | None = None) -> int:
    """Do all the work that is due, or until `stop`; give how many rows were finished."""
    finished = 0
    while not (stop and stop.is_set()) and (work := await outbox.claim(database)):
        finished += await _do(database, settings, jobs, work)
    return finished


async def _do(database: Database, settings: Settings, jobs: Jobs, work: Row) -> bool:
    """Do one piece of work and record how it ended; a failure is put off, and given up after many or a 5xx."""
    code = None
    try:
        state = await _perform(database, settings, jobs, work)
    except Exception as error:  # noqa: BLE001 - a poisoned row must not stop the others
        code = mailer.refusal(error)
        final = work.attempts >= outbox.MAX_ATTEMPTS or (code is not None and code >= 500)
        state = OutboxState.DEAD if final else OutboxState.QUEUED
        if not isinstance(error, SMTPException | OSError | TimeoutError):
            log.error("work_failed", work=str(work.id), kind=work.kind, exc_info=error)
    wait = outbox.back_off(work.attempts)
    kept = await outbox.finish(database, work, state, code=code, wait=wait)
    log.info("work", work=str(work.id), kind=work.kind, state=state, attempts=work.attempts, code=code, fenced=not kept)
    return kept


async def _perform(database: Database, settings: Settings, jobs: Jobs, work: Row) -> OutboxState:
    kind = Kind(work.kind)
    if kind in jobs:
        await jobs[kind](database, settings, work)
        return OutboxState.DONE
    async with database.transaction() as transaction:
        letter = await letters.WRITERS[kind](transaction, settings, work)
    if letter is None:
        return OutboxState.DROPPED
    await mailer.hand_in(settings, mailer.compose(settings, letter, work.id))
    return OutboxState.DONE


class Waker:
    """Wakes the workers after a commit, best effort: at most `WAKE_TIMEOUT`, in the background, never an error."""

    def __init__(self, settings: Settings) -> None:
        self._redis_settings = redis_settings(settings)
        self._redis: ArqRedis | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Start to wake them."""
        task = asyncio.create_task(self._wake())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wake(self) -> None:
        try:
            async with asyncio.timeout(WAKE_TIMEOUT):
                if self._redis is None:
                    self._redis = await create_pool(
                        self._redis_settings, job_serializer=orjson.dumps, job_deserializer=orjson.loads
                    )
                await self._redis.enqueue_job(_WAKE)
        except (TimeoutError, OSError, RedisError):
            log.info("wake_failed")  # the sweep does it

    async def close(self) -> None:
        """Let what is under way end, and close the connection."""
        await asyncio.gather(*self._tasks)
        if self._redis is not None:
            await self._redis.aclose()


def redis_settings(settings: Settings) -> RedisSettings:
    """Read the URL; a connection is tried once, for whoever needs it can go on without."""
    made = RedisSettings.from_dsn(settings.redis_url.get_secret_value())
    made.conn_retries = 0
    return made


async def _sweep(database: Database, settings: Settings, jobs: Jobs, woken: asyncio.Event, stop: asyncio.Event) -> None:
    """Drain and run chores, when woken and every few seconds whether or not anybody wakes us."""
    while not stop.is_set():
        woken.clear()
        try:
            await drain(database, settings, jobs, stop)
            await run_chores(database, settings)
        except Exception as error:  # noqa: BLE001 - the database may be away; it will be back
            log.error("sweep_failed", exc_info=error)
        waits = [asyncio.create_task(woken.wait()), asyncio.create_task(stop.wait())]
        await asyncio.wait(waits, timeout=SWEEP_EVERY, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()


async def _listen(settings: Settings, woken: asyncio.Event) -> None:
    """Set `woken` whenever arq delivers a job; start again whenever Redis went away."""

    async def drain_outbox(_context: dict[Any, Any]) -> None:
        woken.set()

    while True:
        worker: Worker | None = None
        try:
            worker = Worker(
                functions=[func(cast("WorkerCoroutine", drain_outbox), name=_WAKE, keep_result=0, max_tries=1)],
                redis_settings=redis_settings(settings),
                handle_signals=False,
                log_results=False,
                job_serializer=orjson.dumps,
                job_deserializer=orjson.loads,
            )
            await worker.main()
        except (OSError, RedisError, TimeoutError) as error:
            log.info("listener_restarts", error=type(error).__name__)
        finally:
            if worker is not None:
                await worker.close()
        await asyncio.sleep(SWEEP_EVERY)


async def run(database: Database, settings: Settings, jobs: Jobs, stop: asyncio.Event) -> None:
    """Work until `stop` is set; what is being done then is finished first."""
    woken = asyncio.Event()
    listener = asyncio.create_task(_listen(settings, woken))
    try:
        await _sweep(database, settings, jobs, woken, stop)
    finally:
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)
