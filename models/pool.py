"""The connections that statements share: lent and taken back here, because asyncpg's own pool does more each time.

To lend and take back, asyncpg's pool makes tasks, a shield and context managers; a request does it for each of its
statements. So whatever was given back goes to whoever waits longest, or lies here for the next. asyncpg's pool opens
connections, and throws away those that were lost or given back in the middle of a statement.
"""

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

import asyncpg

ACQUIRE_TIMEOUT = 5.0  # seconds to wait for a connection, while others use them all or the server is away

if TYPE_CHECKING:
    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]


class Unavailable(Exception):
    """No connection to the database can be had, it was lost, or the database has no room left (its disk is full).

    Whoever asked may try again in a few seconds.
    """


class Pool:
    """Connections to one database, `size` at most."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", size: int) -> None:
        self._pool = pool
        self._size = size
        self._open = 0  # lent, resting, or about to be opened
        self._resting: list[Connection] = []
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()  # None: one may be opened

    async def acquire(self) -> "Connection":
        """Lend a connection. Raises Unavailable, after `ACQUIRE_TIMEOUT` at the latest."""
        while self._resting:
            connection = self._resting.pop()
            if not is_lost(connection):
                return connection
            await self._throw_away(connection)
        try:
            async with asyncio.timeout(ACQUIRE_TIMEOUT):
                return await (self._opened() if self._open < self._size else self._handed_over())
        except (OSError, asyncpg.PostgresError, asyncpg.InternalClientError) as error:
            raise Unavailable from error

    async def _opened(self) -> "Connection":
        self._open += 1
        try:
            return await self._pool.acquire()
        except BaseException:
            self._make_room()
            raise

    async def _handed_over(self) -> "Connection":
        turn: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            connection = await turn
        except BaseException:
            # It may have come at the moment when waiting ended.
            if turn.done() and not turn.cancelled():
                connection = turn.result()
                if connection is None:
                    self._next(None)
                else:
                    await self.release(connection, sound=True)
            raise
        return await self._opened() if connection is None else connection

    async def release(self, connection: "Connection", *, sound: bool) -> None:
        """Take a connection back; `sound`: nothing was raised, so that no statement can still be under way."""
        if not sound or is_lost(connection):
            await self._throw_away(connection)
        elif not self._next(connection):
            self._resting.append(connection)

    def _next(self, connection: "Connection | None") -> bool:
        """Give a connection, or leave to open one, to whoever waits longest; tell whether anybody does."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return True
        return False

    def _make_room(self) -> None:
        self._open -= 1
        self._next(None)

    async def _throw_away(self, connection: "Connection") -> None:
        """Give back to asyncpg's pool, which knows what to do with it."""
        try:
            # One that it has thrown away already belongs to no pool; one may die just as it is given back.
            with suppress(asyncpg.InterfaceError, asyncpg.InternalClientError):
                await self._pool.release(connection)
        finally:
            self._make_room()

    def in_use(self) -> int:
        """Tell how many connections somebody has in hand, or is about to."""
        return self._open - len(self._resting)

    async def close(self) -> None:
        """Give back what rests, before asyncpg's pool closes."""
        while self._resting:
            await self._throw_away(self._resting.pop())


def is_lost(connection: "Connection") -> bool:
    """Whether a connection is of no use any more."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:  # the pool has thrown it away already
        return True


class Lent:
    """A connection for as long as a block runs. Raises Unavailable where it was lost meanwhile, or no room was left."""

    __slots__ = ("_connection", "_pool")

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> "Connection":
        self._connection = await self._pool.acquire()
        return self._connection

    async def __aexit__(self, kind: object, error: BaseException | None, _trace: object) -> None:
        away = isinstance(error, Exception) and (
            is_lost(self._connection) or isinstance(error, asyncpg.InsufficientResourcesError)
        )
        await self._pool.release(self._connection, sound=error is None)
        if away:
            raise Unavailable from error
