"""How Alembic connects: over asyncpg, as the owner, holding an advisory lock so that two starts don't meet."""

import asyncio
import importlib
from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection, text
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine
from sqlmodel import AutoString, SQLModel

from models import rules
from models.migrate import owner_engine

TABLES = (
    *("account", "mediator", "logbook", "case_session", "opening_balance", "cpd", "evidence", "feedback", "reviewer"),
    *("directory", "outbox"),
)
LOCK = 7203311  # any number; this product's own


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
        rules.give_rights(connection, quote(role))
    if worker:
        _put_to_work(connection, worker)


def _rendered(kind: str, item: SchemaItem | TypeEngine[str], _context: AutogenContext) -> str | Literal[False]:
    """Write SQLModel's own type for strings as what it makes of a column; False leaves the rest to Alembic."""
    return "sa.String()" if kind == "type" and isinstance(item, AutoString) else False


def _migrate(connection: Connection) -> None:
    for noun in TABLES:
        importlib.import_module(f"models.{noun}")
    context.configure(
        connection=connection,
        target_metadata=context.config.attributes.get("metadata", SQLModel.metadata),
        transaction_per_migration=False,
        render_item=_rendered,
    )
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        # Whatever waits for a table makes all that comes after it wait too; and a backup holds tables for long.
        connection.execute(text("SET LOCAL lock_timeout = '5s'"))
        context.run_migrations()
        roles = context.config.attributes.get("roles")
        if roles:
            _give_rights(connection, *roles)


async def _run() -> None:
    engine = owner_engine(context.config.attributes["url"])
    async with engine.connect() as connection:
        await connection.run_sync(_migrate)
        await connection.commit()
    await engine.dispose()


# A connection that is given stays in its own transaction, which may be rolled back.
if (given := context.config.attributes.get("connection")) is not None:
    _migrate(given)
else:
    asyncio.run(_run())
