"""Brings a database to the newest schema, as the role that owns it, and gives the other roles their rights."""

from enum import StrEnum
from functools import cache, partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from pydantic import SecretStr
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from settings import Settings, SettingsError

# Up to this one, the version before has to be stopped first: it doesn't run on what follows.
CONTRACTED = "0021"
MIGRATIONS = Path(__file__).parent / "migrations"


def config(owner_url: str, roles: tuple[str, str] | None = None, secret_key: bytes | None = None) -> Config:
    """Make Alembic's configuration for the database at this URL.

    `roles` are the web server's and the worker's; `secret_key` is for migrations that seal or sign what's stored.
    """
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS))
    made.attributes["url"] = owner_url
    made.attributes["roles"] = roles
    made.attributes["secret_key"] = secret_key
    return made


def owner_engine(owner_url: str) -> AsyncEngine:
    """Make an engine that connects to this URL, once for each use."""
    # asyncpg reads the URL itself, as it does for the application.
    connect = partial(asyncpg.connect, owner_url)
    return create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)


class Schema(StrEnum):
    """How a database's schema compares to this version of the code."""

    AT_HEAD = "at head"
    BEHIND = "behind"  # `logbook migrate` hasn't run yet
    AHEAD = "ahead"  # a newer version has migrated; migrations only expand, so this one runs on


@cache
def _revisions() -> list[str]:
    """Give the revisions that this code knows, newest first."""
    return [step.revision for step in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]


def schema_at(revision: str | None) -> Schema:
    """Compare a database's revision (None for an empty one) with the newest that this code knows."""
    if revision == _revisions()[0]:
        return Schema.AT_HEAD
    return Schema.BEHIND if revision is None or revision in _revisions() else Schema.AHEAD


def upgrade(settings: Settings) -> None:
    """Run the missing migrations. Two runs at once are safe: an advisory lock makes one wait."""
    if settings.database_owner_url is None:
        raise SettingsError("DATABASE_OWNER_URL is not set: migrate runs as the role that owns the tables")
    roles = (_role(settings.database_url), _role(settings.database_worker_url or settings.database_url))
    command.upgrade(config(settings.database_owner_url.get_secret_value(), roles, settings.secret_keys[0]), "head")


def _role(url: SecretStr) -> str:
    return unquote(urlsplit(url.get_secret_value()).username or "")
