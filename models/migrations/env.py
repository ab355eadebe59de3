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


def _grant(connection: Connection, role: str) -> None:
    """Let a role use every table; which rows of the private ones is for the policies to say."""
    connection.execute(text(f"GRANT USAGE ON SCHEMA public TO {role}"))
    connection.execute(text(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"))
    # The audit log only grows; nobody but the owner touches the migrations' own table.
    connection.execute(text(f"REVOKE UPDATE, DELETE ON audit_entry FROM {role}"))
    connection.execute(text(f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {role}"))
    connection.execute(text(f"GRANT EXECUTE ON FUNCTION erase_origins, ids_of, about_viewer, end_exports TO {role}"))


def _put_to_work(connection: Connection, role: str) -> None:
    """Give the policies for the worker's work to its role alone."""
    # Only where they are not yet its own: to alter a policy locks its table, and several of them block whoever writes.
    others = """
        SELECT tablename, policyname FROM pg_policies
         WHERE schemaname = 'public' AND policyname LIKE 'work%' AND roles <> ARRAY[CAST(:role AS name)]"""
    quoted = connection.dialect.identifier_preparer.quote(role)
    for table, policy in connection.execute(text(others), {"role": role}).all():
        connection.execute(text(f"ALTER POLICY {policy} ON {table} TO {quoted}"))


def _give_rights(connection: Connection, web: str, worker: str) -> None:
    """Give both roles their rights; one that is the owner's has them."""
    owner = connection.scalar(text("SELECT current_user"))
    quote = connection.dialect.identifier_preparer.quote
    for role in {web, worker} - {"", owner}:
        _grant(connection, quote(role))
    if worker:
        _put_to_work(connection, worker)


def _migrate(connection: Connection) -> None:
    for noun in TABLES:
        importlib.import_module(f"models.{noun}")
    context.configure(connection=connection, target_metadata=SQLModel.metadata, transaction_per_migration=False)
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        # Whatever waits for a table makes all that comes after it wait too; and a backup holds tables for long.
        connection.execute(text("SET LOCAL lock_timeout = '5s'"))
        context.run_migrations()
        roles = context.config.attributes.get("roles")
        if roles:
            _give_rights(connection, *roles)


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
