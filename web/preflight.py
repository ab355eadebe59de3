"""What a command checks before it begins; if something's wrong, it says so in one line."""

import asyncio
import gc
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import typer
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import Boolean, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from jobs.file_keys import lacks_keys
from jobs.restore import is_at_home
from models.database import connect, connect_worker
from models.file_store import StoreAway, open_store
from models.pool import Unavailable
from settings import Settings, SettingsError, load

_NEWEST_FUNCTION = "ask(uuid,integer,boolean,bytea,boolean)"

# Without its policies, a worker would find nothing to mail, release or erase, and wouldn't notice.
_MAY_WORK = text(
    "SELECT count(*) > 0 FROM pg_policies WHERE policyname LIKE 'work%' AND current_user = ANY (roles)"
).columns(may_work=Boolean())

_DATABASE_ERRORS = (
    Unavailable,
    OSError,
    ValueError,  # part of the URL that the driver can't read
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    SQLAlchemyError,
)


def service_settings() -> Settings:
    """Read the settings; also raise SettingsError if a demo's setting is used outside a demo."""
    settings = load()
    if settings.demo_clock_offset_hours and settings.mailbox is None:
        raise SettingsError("DEMO_CLOCK_OFFSET_HOURS is wrong: it's only for a demo, which has a MAILBOX")
    return settings


@contextmanager
def usable_database(setting: str, *more: type[Exception]) -> Iterator[None]:
    """Raise a SettingsError that names the setting if the block fails on the database."""
    caught: tuple[type[Exception], ...] = (*_DATABASE_ERRORS, *more)
    try:
        yield
    except caught as error:
        cause = getattr(error, "orig", None) or error.__cause__ or error  # what the server or the system said
        lines = str(cause).splitlines() or [type(cause).__name__]
        raise SettingsError(f"{setting} doesn't lead to a usable database: {lines[0]}") from None


async def reach_database(settings: Settings) -> None:
    """Raise SettingsError unless the database answers, has its tables, applies its rules to the role, and is at home.

    After it was restored from a backup, it isn't.
    """
    with usable_database("DATABASE_URL"):
        async with connect(settings) as database, database.transaction() as transaction:
            migrated = await transaction.value(select(func.to_regprocedure(_NEWEST_FUNCTION).is_not(None)), bool)
            guarded = migrated and await transaction.value(select(func.row_security_active("feedback")), bool)
            at_home = not migrated or await is_at_home(transaction)
    if not at_home:
        raise SettingsError(
            "DATABASE_URL leads to a database that was restored from a backup: run `logbook restore-check` first"
        )
    if not migrated:
        raise SettingsError("DATABASE_URL leads to a database without tables: run `logbook migrate` first")
    if not guarded:
        raise SettingsError(
            "DATABASE_URL is wrong: its role bypasses row-level security; use one that owns nothing, not a superuser"
        )


async def reach_work(settings: Settings) -> None:
    """Raise SettingsError unless the database lets the worker's role do the worker's work."""
    setting = "DATABASE_WORKER_URL" if settings.database_worker_url else "DATABASE_URL"
    with usable_database(setting):
        async with connect_worker(settings) as database, database.reading() as reading:
            may_work = await reading.value(_MAY_WORK, bool)
    if not may_work:
        raise SettingsError(f"{setting} has a role that isn't the worker's: set DATABASE_WORKER_URL, then migrate")


async def reach_files(settings: Settings) -> None:
    """Raise SettingsError unless all keys are there that files need, and their folder can be written to.

    Only warn about a bucket that doesn't answer: all else works without it.
    """
    with usable_database("DATABASE_URL"):
        async with connect(settings) as database, database.reading() as reading:
            is_there = await reading.value(select(func.to_regprocedure("file_key_ids()").is_not(None)), bool)
            lacking = is_there and await lacks_keys(reading, settings)
    if lacking:
        raise SettingsError(
            "FILES_KEYS is wrong: it lacks a key that files need. Put it back, or give up these files with "
            "`logbook rotate-keys --delete-lost`"
        )
    try:
        if store := open_store(settings):
            await store.probe()
    except StoreAway as error:
        if settings.files_store and settings.files_store.startswith("/"):
            raise SettingsError(f"FILES_STORE cannot be written: {error}") from None
        typer.echo("FILES_STORE doesn't lead to a bucket that answers: going on without files", err=True)


async def reach_services(settings: Settings) -> None:
    """Raise SettingsError unless the database and the files can be used.

    Only warn about Redis: everything works without it.
    """
    await reach_database(settings)
    await reach_files(settings)
    try:
        async with asyncio.timeout(1), Redis.from_url(settings.redis_url.get_secret_value()) as redis:
            await redis.ping()
    except (OSError, RedisError):
        typer.echo("REDIS_URL doesn't lead to a Redis that answers: going on without it", err=True)


def spare_collection() -> None:
    """Keep the garbage collector away from what start-up made, and from what a request makes and soon drops.

    It would look through all of it again and again in the middle of requests, which took up to three times as long.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 50)


def listen(host: str, port: int) -> socket.socket:
    """Open the socket that is served; SettingsError if the address is taken or isn't this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise SettingsError(f"--host {host} --port {port} cannot be used: {error.strerror}") from None
