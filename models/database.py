"""The one way to the data: statements written with SQLModel, compiled to SQL text, run by asyncpg in a transaction.

Rows come back as records whose columns are attributes. There is no ORM session: reads need columns, writes name what
they change, and both share one pool and one transaction.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import asyncpg
import orjson
from pydantic import SecretStr
from sqlalchemy import ClauseElement, Table, bindparam, func, insert, literal_column, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.sql.compiler import SQLCompiler

from settings import Pooler, Settings

_DIALECT = asyncpg_dialect()  # type: ignore[no-untyped-call]

ACQUIRE_TIMEOUT = 5.0  # seconds to wait for a connection, while others use them all or the server is away

IDLE_TIMEOUT = "30s"  # then PostgreSQL frees what a process locked that was frozen, or whose machine is gone


class Unavailable(Exception):
    """No connection to the database can be had, it was lost, or the database has no room left (its disk is full).

    Whoever asked may try again in a few seconds.
    """


class Row(asyncpg.Record):
    """One row; each column is an attribute."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


class Statement:
    """A statement compiled once: SQL text, its parameters' names in order, the class of its rows."""

    __slots__ = ("defaults", "names", "row_class", "sql")

    def __init__(self, clause: ClauseElement) -> None:
        compiled = cast("SQLCompiler", clause.compile(dialect=_DIALECT))
        self.sql = str(compiled)
        self.names: tuple[str, ...] = tuple(compiled.positiontup or ())
        self.defaults: Mapping[str, Any] = compiled.params
        columns = [entry.keyname for entry in compiled._result_columns]  # noqa: SLF001 - no public name for it
        # A property a column, not __getattr__: Strawberry probes values for attributes such as __await__.
        self.row_class: type[Row] = type(
            "Row", (Row,), {name: property(itemgetter(place)) for place, name in enumerate(columns)}
        )

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """Put the values in the order of the statement's parameters; KeyError if one is unknown."""
        for name in values:
            if name not in self.defaults:
                raise KeyError(name)
        return [values[name] if name in values else self.defaults[name] for name in self.names]


Runnable = Statement | ClauseElement


def _statement(clause: Runnable) -> Statement:
    return clause if isinstance(clause, Statement) else Statement(clause)


class Transaction:
    """An open transaction. Methods take a statement and its named values."""

    def __init__(self, connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]") -> None:
        self._connection = connection
        self.wakes_worker = False

    async def all(self, clause: Runnable, **values: Any) -> list[Row]:
        """Give every row."""
        statement = _statement(clause)
        return await self._connection.fetch(
            statement.sql, *statement.arguments(values), record_class=statement.row_class
        )

    async def first(self, clause: Runnable, **values: Any) -> Row | None:
        """Give the first row, or None."""
        statement = _statement(clause)
        return await self._connection.fetchrow(
            statement.sql, *statement.arguments(values), record_class=statement.row_class
        )

    async def value(self, clause: Runnable, **values: Any) -> Any:
        """Give the first column of the first row, or None."""
        statement = _statement(clause)
        return await self._connection.fetchval(statement.sql, *statement.arguments(values))

    async def run(self, clause: Runnable, **values: Any) -> int:
        """Execute; give the number of rows touched."""
        statement = _statement(clause)
        status = await self._connection.execute(statement.sql, *statement.arguments(values))
        return int(status.rsplit(" ", 1)[-1])

    async def insert(self, table: Table, rows: list[dict[str, Any]]) -> None:
        """Insert one row or many that all have the same columns, none of them binary."""
        await self.run(_insert_all(table, tuple(rows[0])), rows=rows)


@cache
def _insert_all(table: Table, names: tuple[str, ...]) -> Statement:
    """Insert the rows in the parameter `rows`.

    They travel as one JSON value: a statement with a parameter for each of thousands of values takes seconds to write.
    """
    given = func.jsonb_populate_recordset(literal_column(f"NULL::{table.name}"), bindparam("rows", type_=JSONB()))
    columns = given.table_valued(*names)
    return Statement(insert(table).from_select(names, select(*(columns.c[name] for name in names))))


class Database:
    """The pool of connections to one database, and the service's clock."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", clock_offset: timedelta) -> None:
        self._pool = pool
        self._clock_offset = clock_offset

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator["asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"]:
        try:
            async with asyncio.timeout(ACQUIRE_TIMEOUT):
                connection = await self._pool.acquire()
        except (OSError, asyncpg.PostgresError, asyncpg.InternalClientError) as error:
            raise Unavailable from error
        try:
            yield connection
        except Exception as error:
            if _is_lost(connection) or isinstance(error, asyncpg.InsufficientResourcesError):
                raise Unavailable from error
            raise
        finally:
            with suppress(asyncpg.InternalClientError):  # it died just as the block ended, and is given back already
                await self._pool.release(connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Commit at the end, roll back if anything is raised. Raises Unavailable."""
        async with self._connection() as connection, connection.transaction():
            yield Transaction(connection)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """Read by single statements; each sees its own moment, and nothing needs a commit. Raises Unavailable."""
        async with self._connection() as connection:
            yield Transaction(connection)

    def in_use(self) -> int:
        """Tell how many of the pool's connections somebody has in hand."""
        return self._pool.get_size() - self._pool.get_idle_size()

    def now(self) -> datetime:
        """Tell this process's clock, moved as the service's is; expiry goes by the database's `clock()`."""
        return datetime.now(UTC) + self._clock_offset

    def latest_today(self) -> date:
        """Give the date at UTC+14: the latest that is "today" anywhere (the bound for dates typed in)."""
        return (self.now() + timedelta(hours=14)).date()


def _is_lost(connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]") -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:  # the pool has thrown it away already
        return True


def _id_as_text(value: object) -> str:
    if isinstance(value, UUID):  # asyncpg's are of a subclass, which orjson does not take
        return str(value)
    raise TypeError(value)


async def _prepare(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda v: orjson.dumps(v, default=_id_as_text).decode(),
        decoder=orjson.loads,
        format="text",
    )


async def _no_reset(_connection: object) -> None:
    """Nothing to undo: no session-level SET, LISTEN or advisory lock is ever used on the pool."""


@asynccontextmanager
async def connect(settings: Settings, url: SecretStr | None = None) -> AsyncIterator[Database]:
    """Open the pool for as long as the block runs, as the application's role unless another's URL is given."""
    server_settings = {"application_name": "logbook"}
    if settings.database_pooler is Pooler.NONE:  # PgBouncer takes no such setting, and has one of its own
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
        statement_cache_size=0 if settings.database_pooler is Pooler.TRANSACTION else 500,
        command_timeout=30,
    )
    async with pool:
        yield Database(pool, settings.clock_offset)
