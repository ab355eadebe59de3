"""Wakes the workers through Redis, once a change that leaves them work has been committed."""

import asyncio

import orjson
import structlog
from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from settings import Settings

log = structlog.get_logger()

WAKES = ("send_mail", "make_exports")  # the arq functions that look into the outbox
WAKE_TIMEOUT = 0.5  # seconds
SILENCE = 5.0  # seconds


def arq_redis(settings: Settings) -> ArqRedis:
    """Make a client that connects when it's used.

    Payloads are JSON, not pickles. No answer takes long, so a silent connection is a dead one: its other end may have
    vanished.
    """
    pool = ConnectionPool.from_url(settings.redis_url.get_secret_value(), socket_timeout=SILENCE)
    return ArqRedis(pool, job_serializer=orjson.dumps, job_deserializer=orjson.loads)


class Waker:
    """Wakes the workers after a commit, best effort: at most `WAKE_TIMEOUT`, in the background, never an error."""

    def __init__(self, settings: Settings) -> None:
        self._redis = arq_redis(settings)
        self._tasks: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Start waking them."""
        task = asyncio.create_task(self._wake())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wake(self) -> None:
        """Queue a job of each function, unless one waits already: they'd pile up while no worker listens."""
        try:
            async with asyncio.timeout(WAKE_TIMEOUT):
                for name in WAKES:
                    await self._redis.enqueue_job(name, _job_id=name)
        except (TimeoutError, OSError, RedisError):
            log.info("wake_failed")  # workers look for themselves

    async def close(self) -> None:
        """Let whatever is under way finish, and close the connections."""
        await asyncio.gather(*self._tasks)
        await self._redis.aclose(close_connection_pool=True)
