"""Connections that the tests in one process share: opening one costs PostgreSQL more than most tests do.

They lead to the database that each test leaves empty, with the machine's clock. Tests that differ open their own.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
from pydantic import SecretStr

from models.database import Database, connect
from settings import Settings


@dataclass
class _Warm:
    urls: frozenset[str] = frozenset()
    databases: dict[tuple[object, ...], Database] = field(default_factory=dict)
    admins: dict[str, "asyncpg.Pool[asyncpg.Record]"] = field(default_factory=dict)
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)


_warm = _Warm()


@asynccontextmanager
async def keeping(*urls: str) -> AsyncIterator[None]:
    """Share the connections to these databases until the block ends; each is opened when it's first needed."""
    global _warm  # noqa: PLW0603 - there is one set of them in a process
    _warm = _Warm(frozenset(urls))
    async with _warm.closing:
        yield
    _warm = _Warm()


@asynccontextmanager
async def connected(settings: Settings, url: SecretStr | None = None) -> AsyncIterator[Database]:
    """Return a database as `models.database.connect` does."""
    leads_to = (url or settings.database_url).get_secret_value()
    if leads_to not in _warm.urls or settings.clock_offset:
        async with connect(settings, url) as database:
            yield database
        return
    how = (leads_to, settings.database_pool_size, settings.database_pooler)
    if how not in _warm.databases:
        _warm.databases[how] = await _warm.closing.enter_async_context(connect(settings, url))
    yield Database(_warm.databases[how]._pool, settings.clock_offset)  # a test may break it


@asynccontextmanager
async def admin(url: str) -> AsyncIterator["asyncpg.pool.PoolConnectionProxy[asyncpg.Record] | asyncpg.Connection"]:
    """Yield a connection that bypasses row-level security, with the URL of a superuser."""
    if url not in _warm.urls:
        connection = await asyncpg.connect(url)
        try:
            yield connection
        finally:
            await connection.close()
        return
    if url not in _warm.admins:
        pool = asyncpg.create_pool(url, min_size=0, max_size=5)
        _warm.admins[url] = await _warm.closing.enter_async_context(pool)
    async with _warm.admins[url].acquire() as shared:
        yield shared
