"""Fixtures: the embedded services once per test process, and for each test its own hub on an empty database."""

import asyncio
import gc
import logging
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
import structlog
from argon2 import PasswordHasher
from hypothesis import is_hypothesis_test

from demo.embedded import Services, embedded
from demo.mailcatcher import catching
from models import migrate
from permissions import passwords
from tests import volume  # noqa: F401 - sets how much hypothesis tries
from tests.hub import Hub, opened, settings_for
from tests.servers import PRISTINE, keep_pristine
from tests.warm import admin, keeping

OWN_FOLDER = "logbook-tests-"
_numbers = count()


def pytest_configure(config: pytest.Config) -> None:
    """Give this run a folder of its own.

    PostgreSQL runs as `nobody` and has to reach its data, but whenever the same user starts pytest, it locks the
    folder that all their runs share by default: a second run would take the database away from the first.
    """
    if config.option.basetemp is None:
        config.option.basetemp = tempfile.mkdtemp(prefix=OWN_FOLDER)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remove the folder, unless a failure left logs there to look at."""
    folder = Path(session.config.option.basetemp)
    if exitstatus == 0 and folder.name.startswith(OWN_FOLDER):  # neither named by hand nor a worker's part
        shutil.rmtree(folder)


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test that drives a browser or gets its input from hypothesis, so that none can forget to."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
        if is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker("long")


def pytest_collection_finish() -> None:
    """Keep the garbage collector away from what stays until the end: thousands of tests, and all modules."""
    gc.collect()
    gc.freeze()


# httpx tries to import sniffio for each request, to learn whether Trio runs. It's absent, and this saves the search.
if find_spec("sniffio") is None:
    sys.modules["sniffio"] = None  # type: ignore[assignment]  # which is how Python writes that

# A failing test shows what was logged, with plain tracebacks.
structlog.configure(processors=[structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)])


FULL_COST = passwords.HASHER


@pytest.fixture(scope="session", autouse=True)
def cheap_hashes() -> Iterator[None]:
    """Hash passwords with argon2 as usual, but with parameters that cost next to nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        passwords._nobodys_hash.cache_clear()
        yield


@pytest.fixture
def full_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords with the parameters of the product."""
    monkeypatch.setattr(passwords, "HASHER", FULL_COST)


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """The real services, with a migrated database: the template for those of the tests."""
    with embedded(tmp_path_factory.mktemp("services"), durable=False) as services:
        migrate.upgrade(settings_for(services))
        asyncio.run(keep_pristine(services))
        yield services


def _named(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


@asynccontextmanager
async def fresh_database(services: Services, mailbox: Path) -> AsyncIterator[Services]:
    """Yield the services with a new, empty database."""
    name = f"test_{next(_numbers)}"
    async with admin(services.admin_url) as superuser:
        await superuser.execute(f"CREATE DATABASE {name} TEMPLATE {PRISTINE} STRATEGY file_copy OWNER logbook_owner")
    yield replace(
        services,
        database_url=_named(services.database_url, name),
        database_owner_url=_named(services.database_owner_url, name),
        database_worker_url=_named(services.database_worker_url, name),
        admin_url=_named(services.admin_url, name),
        mailbox=mailbox,
    )
    async with admin(services.admin_url) as superuser:
        await superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
async def warm(services: Services, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Services]:
    """The services with the connections and the database that tests share; each test leaves it empty."""
    async with fresh_database(services, tmp_path_factory.mktemp("mailbox")) as shared:
        urls = (shared.database_url, shared.database_owner_url, shared.database_worker_url, shared.admin_url)
        async with keeping(*urls):
            yield shared


@pytest.fixture(autouse=True)
def loggers_still_heard() -> Iterator[None]:
    """No test leaves a logger disabled: later ones in the same process would wait for its lines in vain."""
    yield
    known = logging.root.manager.loggerDict.values()
    assert [one.name for one in known if isinstance(one, logging.Logger) and one.disabled] == []


@pytest.fixture
async def hub(warm: Services, tmp_path: Path) -> AsyncIterator[Hub]:
    """A running hub with an empty database and its own mailbox."""
    warm.processes.check()  # a server that has ended is named, with the end of its log
    with catching(tmp_path) as smtp_url:
        own = replace(warm, smtp_url=smtp_url, mailbox=tmp_path)
        try:
            async with opened(own) as hub:
                yield hub
        finally:
            await _empty(own.admin_url)


async def _empty(admin_url: str) -> None:
    """Delete every row: faster than a database for each test."""
    async with admin(admin_url) as connection:
        tables = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        )
        await connection.execute("; ".join(f"DELETE FROM {table['tablename']}" for table in tables))
