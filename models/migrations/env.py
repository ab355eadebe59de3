"""How Alembic connects: over asyncpg, as the owner, holding an advisory lock so that two starts don't meet."""

import asyncio
import importlib
from functools import partial

import asyncpg
from alembic import context
from sqlalchemy import Connection, pool, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

TABLES = ("account", "mediator", "logbook", "cpd", "feedback", "reviewer", "directory", "outbox")
LOCK = 7203311  # any number; this product's own


def _grant(connection: Connection, app_role: str) -> None:
    role = connection.dialect.identifier_preparer.quote(app_role)
    connection.execute(text(f"GRANT USAGE ON SCHEMA public TO {role}"))
    connection.execute(text(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"))
    # The audit log only grows; nobody but the owner touches the migrations' own table.
    connection.execute(text(f"REVOKE UPDATE, DELETE ON audit_entry FROM {role}"))
    connection.execute(text(f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {role}"))


def _migrate(connection: Connection) -> None:
    for noun in TABLES:
        importlib.import_module(f"models.{noun}")
    context.configure(connection=connection, target_metadata=SQLModel.metadata, transaction_per_migration=False)
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        # Whatever waits for a table makes all that comes after it wait too; and a backup holds tables for long.
        connection.execute(text("SET LOCAL lock_timeout = '5s'"))
        context.run_migrations()
        app_role = context.config.attributes.get("app_role")
        if app_role and app_role != connection.scalar(text("SELECT current_user")):
            _grant(connection, app_role)


async def _run() -> None:
    # asyncpg reads the URL itself, as it does for the application.
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=partial(asyncpg.connect, context.config.attributes["url"]),
        poolclass=pool.NullPool,
    )
    async with engine.connect() as connection:
        await connection.run_sync(_migrate)
        await connection.commit()
    await engine.dispose()


asyncio.run(_run())
