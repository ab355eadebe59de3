"""The connections that statements share. They're lent and taken back here, because asyncpg's own pool does more work.

To lend and take back, asyncpg's pool makes tasks, a shield and context managers, and a request would pay for these with
each of its statements. Here a returned connection goes to whoever has waited longest, or rests for the next. asyncpg's
pool opens connections, and discards those that were lost or returned in the middle of a statement.
"""

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

import asyncpg

ACQUIRE_TIMEOUT = 5.0  # seconds to wait for a connection while all are in use or the server can't be reached

if TYPE_CHECKING:
    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]


class Unavailable(Exception):
    """No connection can be had, it was lost, or the database has no room left (its disk is full).

    The client may try again in a few seconds.
    """


class Pool:
    """Connections to one database, `size` at most."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", size: int) -> None:
        self._pool = pool
        self._size = size
        self._open = 0  # lent, resting, or about to be opened
        self._resting: list[Connection] = []
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()  # None: the waiter may open one

    def at_once(self) -> "Connection | None":
        """Lend a connection, if a sound one is resting on top."""
        return self._resting.pop() if self._resting and not is_lost(self._resting[-1]) else None

    async def acquire(self) -> "Connection":
        """Lend a connection.

        Raises:
            Unavailable: none was free within `ACQUIRE_TIMEOUT`.
        """
        while self._resting:
            connection = self._resting.pop()
            if not is_lost(connection):
                return connection
            await self._throw_away(connection)
        until = asyncio.get_running_loop().time() + ACQUIRE_TIMEOUT
        try:
            return await (self._opened(until) if self._open < self._size else self._handed_over(until))
        except (OSError, asyncpg.PostgresError, asyncpg.InternalClientError) as error:
            raise Unavailable from error

    async def _opened(self, until: float) -> "Connection":
        self._open += 1
        try:
            async with asyncio.timeout_at(until):
                return await self._pool.acquire()
        except BaseException:
            self._make_room()
            raise

    async def _handed_over(self, until: float) -> "Connection":
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[Connection | None] = loop.create_future()
        self._waiting.append(turn)
        timer = loop.call_at(until, _give_up, turn)  # `asyncio.timeout` would cost more than everything else here
        try:
            connection = await turn
        except asyncio.CancelledError:
            # A connection may have come just as waiting ended.
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                connection = turn.result()
                if connection is None:
                    self._next(None)
                else:
                    await self.release(connection, sound=True)
            raise
        finally:
            timer.cancel()
        return await self._opened(until) if connection is None else connection

    def returned(self, connection: "Connection") -> bool:
        """Take back a connection on which nothing is running; False if it's no longer usable."""
        if is_lost(connection):
            return False
        if not self._next(connection):
            self._resting.append(connection)
        return True

    async def release(self, connection: "Connection", *, sound: bool) -> None:
        """Take back a connection. `sound`: nothing was raised, so no statement can still be running."""
        if not sound or not self.returned(connection):
            await self._throw_away(connection)

    def _next(self, connection: "Connection | None") -> bool:
        """Give a connection, or leave to open one, to whoever has waited longest. False if no one is waiting."""
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
        """Return a connection to asyncpg's pool, which knows what to do with it."""
        try:
            # One that it has discarded belongs to no pool; another may die just as it's returned.
            with suppress(asyncpg.InterfaceError, asyncpg.InternalClientError):
                await self._pool.release(connection)
        finally:
            self._make_room()

    def in_use(self) -> int:
        """Give the number of connections that are lent, or about to be."""
        return self._open - len(self._resting)

    async def close(self) -> None:
        """Return the resting connections, before asyncpg's pool closes."""
        while self._resting:
            await self._throw_away(self._resting.pop())


def _give_up(turn: "asyncio.Future[Connection | None]") -> None:
    if not turn.done():
        turn.set_exception(TimeoutError())


def is_lost(connection: "Connection") -> bool:
    """Whether a connection is no longer usable."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:  # the pool has discarded it
        return True


class Lent:
    """A connection, while a block runs.

    Raises:
        Unavailable: none can be had, it was lost meanwhile, or the database has no room left.
    """

    _connection: "Connection"

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> "Connection":
        self._connection = self._pool.at_once() or await self._pool.acquire()
        return self._connection

    async def __aexit__(self, kind: object, error: BaseException | None, _trace: object) -> None:
        if error is None and self._pool.returned(self._connection):
            return
        away = isinstance(error, Exception) and (
            is_lost(self._connection) or isinstance(error, asyncpg.InsufficientResourcesError)
        )
        await self._pool.release(self._connection, sound=error is None)
        if away:
            raise Unavailable from error
