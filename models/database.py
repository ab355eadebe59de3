"""The one way to the data: statements written with SQLModel, compiled to SQL text, and run by asyncpg in a transaction.

Rows come back as records whose columns are attributes. There's no ORM session: reads need columns, writes name what
they change, and both share one pool and one transaction.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Self
from uuid import UUID

import asyncpg
import orjson
from pydantic import SecretStr
from sqlalchemy import ClauseElement, Table, bindparam, func, insert, literal_column, select
from sqlalchemy.dialects.postgresql import JSONB

from models.pool import Lent, Pool, is_lost
from models.row_security import WORKER, Principal
from models.statement import Expression, Row, RowT, Statement, Value, Values
from settings import Pooler, Settings

IDLE_TIMEOUT = "30s"  # after this, PostgreSQL releases the locks of a process that froze or disappeared


STATEMENTS_KEPT = 100  # per connection; PostgreSQL needs up to 80 KB for each


Runnable = Statement[Row] | ClauseElement


def _statement(clause: Runnable) -> Statement[Row]:
    return clause if isinstance(clause, Statement) else Statement(clause, Row)


class Reads:
    """What reads: methods that take a statement and its named values.

    With a `principal`, each statement is a transaction of its own, and says by itself who's asking.
    """

    _connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
    _principal: Principal | None = None

    def _told(self, statement: Statement[Row], values: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """Give the SQL text and its arguments."""
        if self._principal is None:
            return statement.sql, statement.arguments(values)
        return statement.as_principal, [*statement.arguments(values), *self._principal.values]

    async def all(self, statement: Statement[RowT], **values: Any) -> list[RowT]:
        """Give every row."""
        sql, arguments = self._told(statement, values)
        return await self._connection.fetch(sql, *arguments, record_class=statement.row_class)

    async def first(self, statement: Statement[RowT], **values: Any) -> RowT | None:
        """Give the first row, or None."""
        sql, arguments = self._told(statement, values)
        return await self._connection.fetchrow(sql, *arguments, record_class=statement.row_class)

    async def one(self, statement: Statement[RowT], **values: Any) -> RowT:
        """Give the only row.

        Raises:
            ValueError: there are no rows, or several.
        """
        (row,) = await self.all(statement, **values)
        return row

    async def value(self, clause: Runnable, expected: type[Value], **values: Any) -> Value | None:
        """Give the first column of the first row, or None.

        Raises:
            TypeError: it isn't of the expected type.
        """
        sql, arguments = self._told(_statement(clause), values)
        found = await self._connection.fetchval(sql, *arguments)
        if found is None or isinstance(found, expected):
            return found
        raise TypeError(type(found))


class Transaction(Reads):
    """An open transaction, which also writes. `noted` is what the audit log is to say about it, written at its end."""

    def __init__(self, connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]") -> None:
        self._connection = connection
        self.wakes_worker = False
        self.noted: list[Values] = []

    async def run(self, clause: Runnable, **values: Any) -> int:
        """Execute the statement. Gives the number of rows affected."""
        statement = _statement(clause)
        status = await self._connection.execute(statement.sql, *statement.arguments(values))
        return int(status.rsplit(" ", 1)[-1])

    async def call(self, function: Expression, seconds: float) -> object:
        """Call a function of the database that may take longer than a statement usually does; give its result."""
        statement = _statement(select(function))
        return await self._connection.fetchval(statement.sql, *statement.arguments({}), timeout=seconds)

    async def savepoint(self) -> None:
        """Begin the part of this transaction that `rollback_to` undoes."""
        await self._connection.execute("SAVEPOINT part")

    async def rollback_to(self) -> None:
        """Undo what was written since `savepoint`."""
        await self._connection.execute("ROLLBACK TO SAVEPOINT part")

    async def release(self) -> None:
        """Keep what was written since `savepoint`, if the whole transaction commits."""
        await self._connection.execute("RELEASE SAVEPOINT part")

    async def insert(self, table: Table, rows: list[dict[str, Any]]) -> None:
        """Insert one or more rows, which all have the same columns."""
        await self.run(_insert_all(table, tuple(rows[0])), rows=rows)


@lru_cache(maxsize=100)
def _insert_all(table: Table, names: tuple[str, ...]) -> Statement[Row]:
    """Insert the rows in the parameter `rows`.

    They're sent as one JSON value: a statement with a parameter for each of thousands of values takes seconds to write.
    """
    given = func.jsonb_populate_recordset(literal_column(f"NULL::{table.name}"), bindparam("rows", type_=JSONB()))
    columns = given.table_valued(*names)
    return Statement(insert(table).from_select(names, select(*(columns.c[name] for name in names))), Row)


class Reading(Lent, Reads):
    """Reads with single statements, while a block runs."""

    def __init__(self, pool: Pool, principal: Principal | None) -> None:
        self._pool = pool
        self._principal = principal

    async def __aenter__(self) -> Self:  # type: ignore[override]  # the connection, with what a statement needs
        self._connection = self._pool.at_once() or await self._pool.acquire()
        return self


class Database:
    """A pool of connections to one database, the asker, and the service's clock.

    When it's first connected there's no asker, so the database's rules show no private rows.
    """

    def __init__(self, pool: Pool, clock_offset: timedelta, principal: Principal | None = None) -> None:
        self._pool = pool
        self._clock_offset = clock_offset
        self._principal = principal

    def asked_by(self, principal: Principal) -> "Database":
        """Give the same database with this asker."""
        return Database(self._pool, self._clock_offset, principal)

    def opened_by(self, link: bytes | None) -> "Database":
        """Give the same database with an asker who also holds a link, known by its hash; None for no link."""
        return self.asked_by(replace(self._principal or Principal(), link=link)) if link else self

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Commit at the end, or roll back if anything is raised.

        Raises:
            Unavailable: no connection can be had, or it was lost.
        """
        async with Lent(self._pool) as connection:
            try:
                await connection.execute(self._principal.begin if self._principal else "BEGIN")
                yield Transaction(connection)
                await connection.execute("COMMIT")
            except BaseException:
                await _roll_back(connection)
                raise

    def reading(self) -> "Reading":
        """Read with single statements. Each sees its own moment, and nothing needs a commit.

        Raises:
            Unavailable: no connection can be had, or it was lost.
        """
        return Reading(self._pool, self._principal)

    def in_use(self) -> int:
        """Give the number of the pool's connections in use."""
        return self._pool.in_use()

    def now(self) -> datetime:
        """Give this process's time, moved as the service's clock is. Expiry goes by the database's `clock()`."""
        return datetime.now(UTC) + self._clock_offset

    def latest_today(self) -> date:
        """Give the date at UTC+14: the latest that is "today" anywhere, as the bound for dates that people enter."""
        return (self.now() + timedelta(hours=14)).date()


def _as_text(value: object) -> str:
    if isinstance(value, UUID):  # asyncpg's are of a subclass, which orjson doesn't accept
        return str(value)
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"  # as PostgreSQL writes them
    raise TypeError(type(value))


async def _roll_back(connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]") -> None:
    """Undo a transaction. If that fails, the connection isn't used again: it might still know the asker."""
    try:
        await connection.execute("ROLLBACK")
    except BaseException as error:
        if not is_lost(connection):
            connection.terminate()
        if not isinstance(error, Exception):
            raise


async def _prepare(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda v: orjson.dumps(v, default=_as_text).decode(),
        decoder=orjson.loads,
        format="text",
    )


async def _no_reset(_connection: object) -> None:
    """Do nothing: no session-level SET, LISTEN or advisory lock is ever used on the pool."""


@asynccontextmanager
async def connect(settings: Settings, url: SecretStr | None = None) -> AsyncIterator[Database]:
    """Open the pool while the block runs, as the application's role unless another URL is given."""
    server_settings = {"application_name": "logbook"}
    if settings.database_pooler is Pooler.NONE:  # PgBouncer doesn't accept this setting, and has its own
        server_settings["idle_in_transaction_session_timeout"] = IDLE_TIMEOUT
    if settings.clock_offset:
        server_settings["logbook.clock_offset"] = f"{settings.clock_offset.total_seconds()} seconds"
    pool = asyncpg.create_pool(
        (url or settings.database_url).get_secret_value(),
        min_size=1,
        max_size=settings.database_pool_size,
        init=_prepare,
        reset=_no_reset,
        server_settings=server_settings,
        statement_cache_size=0 if settings.database_pooler is Pooler.TRANSACTION else STATEMENTS_KEPT,
        command_timeout=30,
    )
    async with pool:
        lending = Pool(pool, settings.database_pool_size)
        try:
            yield Database(lending, settings.clock_offset)
        finally:
            await lending.close()


@asynccontextmanager
async def connect_worker(settings: Settings) -> AsyncIterator[Database]:
    """Open the pool as the worker's role, for the worker's own work."""
    async with connect(settings, settings.database_worker_url) as database:
        yield database.asked_by(WORKER)
