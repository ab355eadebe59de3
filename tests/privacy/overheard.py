"""What's written down besides the answers: log lines as the product writes them, Redis, the outbox."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import structlog
from redis.asyncio import Redis

from tests.hub import Hub
from web.logs import configure


@contextmanager
def logged() -> Iterator[StringIO]:
    """Write logs as the product does, but into a text that we can read."""
    before, handlers, level = structlog.get_config(), logging.root.handlers[:], logging.root.level
    configure()
    written = StringIO()
    # Nothing may hold on to a logger that writes here.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(written), cache_logger_on_first_use=False)
    try:
        yield written
    finally:
        structlog.configure(**before)
        logging.basicConfig(level=level, handlers=handlers, force=True)


async def kept_in_redis(hub: Hub) -> str:
    """Every key in Redis with what it holds: counters of limits, and jobs with their payloads."""
    texts = []
    async with Redis.from_url(hub.settings.redis_url.get_secret_value()) as redis:
        async for key in redis.scan_iter():
            kind = (await redis.type(key)).decode()
            held: Any = ""
            if kind == "string":
                held = await redis.get(key)
            elif kind == "zset":
                held = await redis.zrange(key, 0, -1, withscores=True)
            elif kind == "list":
                held = await redis.lrange(key, 0, -1)
            else:
                assert kind == "none", f"nothing reads a {kind} yet"  # none: it has expired meanwhile
            texts.append(f"{key!r} {held!r}")
    return "\n".join(texts)


async def empty_redis(hub: Hub) -> None:
    """Delete everything in Redis."""
    async with Redis.from_url(hub.settings.redis_url.get_secret_value()) as redis:
        await redis.flushdb()


async def queued(hub: Hub) -> list[tuple[str, str]]:
    """Kind and text of every row of the outbox."""
    return [(row["kind"], row["text"]) for row in await hub.rows("SELECT kind, o::text AS text FROM outbox o")]
