"""Fixtures: the embedded services once a test process, and for each test a hub of its own on an empty database."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import structlog

from models import migrate
from tests.hub import Hub, opened, settings_for
from web.embedded import Services, embedded
from web.mailcatcher import catching

_numbers = count()

# A failing test shows what was logged, with plain tracebacks.
structlog.configure(processors=[structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)])


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """The real services, their database migrated: a template for each test's own."""
    with embedded(tmp_path_factory.mktemp("services"), durable=False) as services:
        migrate.upgrade(settings_for(services))
        yield services


def _named(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


@asynccontextmanager
async def fresh_database(services: Services, mailbox: Path) -> AsyncIterator[Services]:
    name = f"test_{next(_numbers)}"
    admin = await asyncpg.connect(services.admin_url)
    try:
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE logbook STRATEGY file_copy OWNER logbook_owner")
        yield replace(
            services,
            database_url=_named(services.database_url, name),
            database_owner_url=_named(services.database_owner_url, name),
            database_worker_url=_named(services.database_worker_url, name),
            admin_url=_named(services.admin_url, name),
            mailbox=mailbox,
        )
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


@pytest.fixture
async def hub(services: Services, tmp_path: Path) -> AsyncIterator[Hub]:
    """A running hub with an empty database and a mailbox of its own."""
    with catching(tmp_path) as smtp_url:
        own = replace(services, admin_url=_named(services.admin_url, "logbook"), smtp_url=smtp_url, mailbox=tmp_path)
        try:
            async with opened(own) as hub:
                yield hub
        finally:
            await _empty(own.admin_url)


async def _empty(admin_url: str) -> None:
    """Delete every row: quicker than a database for each test."""
    admin = await asyncpg.connect(admin_url)
    try:
        tables = await admin.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        )
        await admin.execute("; ".join(f"DELETE FROM {table['tablename']}" for table in tables))
    finally:
        await admin.close()
