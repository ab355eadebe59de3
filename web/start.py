"""What a command makes sure of before it begins, and tells in one line where it is not so."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import typer
from alembic.util import CommandError
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from jobs.restore import is_at_home
from models.database import Unavailable, connect
from settings import Settings, SettingsError, load

_DATABASE_ERRORS = (
    Unavailable,
    OSError,
    ValueError,  # a part of the URL that the driver cannot read
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    SQLAlchemyError,
    CommandError,
)


def service_settings() -> Settings:
    """Read the settings; raise SettingsError also where what belongs to a demo stands alone."""
    settings = load()
    if settings.demo_clock_offset_hours and settings.mailbox is None:
        raise SettingsError("DEMO_CLOCK_OFFSET_HOURS is wrong: it is for a demo alone, which has a MAILBOX")
    return settings


@contextmanager
def usable_database(setting: str) -> Iterator[None]:
    """Raise SettingsError, which names the setting, where what is done in the block fails on the database."""
    try:
        yield
    except _DATABASE_ERRORS as error:
        cause = getattr(error, "orig", None) or error.__cause__ or error  # what the server or the system said
        lines = str(cause).splitlines() or [type(cause).__name__]
        raise SettingsError(f"{setting} leads to no usable database: {lines[0]}") from None


async def reach_database(settings: Settings) -> None:
    """Raise SettingsError unless the database answers, has its tables, and was not just restored from a backup."""
    with usable_database("DATABASE_URL"):
        async with connect(settings) as database, database.transaction() as transaction:
            migrated = await transaction.value(select(func.to_regprocedure("clock()").is_not(None)))
            at_home = not migrated or await is_at_home(transaction)
    if not at_home:
        raise SettingsError(
            "DATABASE_URL leads to a database that was restored from a backup: run `logbook restore-check` first"
        )
    if not migrated:
        raise SettingsError("DATABASE_URL leads to a database without tables: run `logbook migrate` first")


async def reach_services(settings: Settings) -> None:
    """Raise SettingsError unless the database can be used; only warn where Redis cannot, for all goes on without it."""
    await reach_database(settings)
    try:
        async with asyncio.timeout(1), Redis.from_url(settings.redis_url.get_secret_value()) as redis:
            await redis.ping()
    except (OSError, RedisError):
        typer.echo("REDIS_URL leads to no Redis that answers: going on without it", err=True)


def listen(host: str, port: int) -> socket.socket:
    """Open the socket that is served; SettingsError where the address is taken or not this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise SettingsError(f"--host {host} --port {port} cannot be used: {error.strerror}") from None
