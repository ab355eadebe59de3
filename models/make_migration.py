"""Writes the next migration: what the models and `rules.sql` say but the migrations don't do yet.

In one empty database, two are made in turn and rolled back: one by the migrations, one by the models and rules. Alembic
compares the tables; `catalog` compares what Alembic doesn't see: checks, defaults, functions and policies.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from io import StringIO
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.operations import ops
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, MetaData
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import SQLModel

from models import catalog, migrate, rules
from models.catalog import Catalog
from models.migration_steps import complete, contractions
from settings import SettingsError


@dataclass(frozen=True)
class Written:
    """The new migration's file (None if there was nothing to do), and what a person has to fix in it."""

    path: Path | None
    problems: list[str]


def make_migration(
    owner_url: str,
    what: str,
    *,
    metadata: MetaData = SQLModel.metadata,
    rules_text: str = rules.RULES,
    folder: Path = migrate.MIGRATIONS,
) -> Written:
    """Write a migration from the newest one in `folder` to `metadata` and the rules, and try it.

    `owner_url` is the owner's URL of an empty database, which is empty again afterwards. `what` is a sentence that says
    what the migration does.

    Raises:
        SettingsError: the database isn't empty.
    """
    config = migrate.config(owner_url)
    config.set_main_option("script_location", str(folder))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.attributes["metadata"] = metadata
    if find_spec("ruff"):  # a developer's tool; Alembic runs it on the file
        config.set_section_option("post_write_hooks", "hooks", "unused, format")
        for hook, options in (("unused", "check --fix --quiet --select F401,I"), ("format", "format --quiet")):
            config.set_section_option("post_write_hooks", f"{hook}.type", "module")
            config.set_section_option("post_write_hooks", f"{hook}.module", "ruff")
            config.set_section_option("post_write_hooks", f"{hook}.options", f"{options} REVISION_SCRIPT_FILENAME")
    return asyncio.run(_connected(owner_url, config, what.strip().removesuffix("."), metadata, rules_text))


async def _connected(owner_url: str, config: Config, what: str, metadata: MetaData, rules_text: str) -> Written:
    engine = migrate.owner_engine(owner_url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_write, config, what, metadata, rules_text)
    finally:
        await engine.dispose()


def _write(connection: Connection, config: Config, what: str, metadata: MetaData, rules_text: str) -> Written:
    config.attributes["connection"] = connection
    with _undone(connection):
        if any(kind == "relation" for kind, _ in catalog.read_catalog(connection)):
            raise SettingsError("DATABASE_OWNER_URL leads to a database with tables: make-migration needs an empty one")
    with _undone(connection):
        command.stamp(config, "head")  # makes the migrations' own table, and loads the models
        rules.create(connection, metadata, rules_text)
        wanted = catalog.read_catalog(connection)
    with _undone(connection):
        command.upgrade(config, "head")
        had = catalog.read_catalog(connection)
        seen: list[str] = []
        with redirect_stdout(StringIO()):  # Alembic prints that it runs ruff
            script = command.revision(
                config,
                what,
                autogenerate=True,
                rev_id=_next(config),
                process_revision_directives=lambda _context, _revision, directives: _complete(
                    directives, had, wanted, metadata, seen
                ),
            )
        if not isinstance(script, Script):
            left = catalog.differences(had, wanted)
            return Written(None, [f"Write it by hand: {line}" for line in left])
        return Written(Path(script.path), [*seen, *_tried(connection, config, had, wanted)])


@contextmanager
def _undone(connection: Connection) -> Iterator[None]:
    """Roll back what the block does."""
    transaction = connection.begin()
    try:
        yield
    finally:
        transaction.rollback()


def _next(config: Config) -> str:
    head = ScriptDirectory.from_config(config).get_current_head()
    return f"{int(head or 0) + 1:04}"


def _complete(
    directives: list[ops.MigrationScript], had: Catalog, wanted: Catalog, metadata: MetaData, seen: list[str]
) -> None:
    """Add to Alembic's steps what it doesn't see. If there's nothing to do, write nothing."""
    (script,) = directives
    complete(script, had, wanted, metadata)
    if script.upgrade_ops is None or script.upgrade_ops.is_empty():
        directives.clear()
    else:
        seen.extend(contractions(script.upgrade_ops))


def _tried(connection: Connection, config: Config, had: Catalog, wanted: Catalog) -> list[str]:
    """Run the new migration up and down, and say what isn't as it should be."""
    try:
        command.upgrade(config, "head")
        ahead = catalog.differences(catalog.read_catalog(connection), wanted)
        command.downgrade(config, "-1")
        back = {
            key: thing._replace(made=thing.made.removesuffix(" NOT VALID"))
            for key, thing in catalog.read_catalog(connection).items()
        }
    except (SQLAlchemyError, asyncpg.PostgresError) as error:
        return [f"It doesn't run as it is: {str(error).splitlines()[0]}"]
    return [
        *(f"Upgraded, it leaves a difference: {line}" for line in ahead),
        *(f"Downgraded, it leaves a difference: {line}" for line in catalog.differences(back, had)),
    ]
