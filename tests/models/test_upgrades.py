"""Migrations on a database with something in it, and beside running services."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from uuid import UUID, uuid4

import asyncpg
import pytest
from alembic import command
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

from demo import seed
from demo.embedded import Services
from jobs import audit
from jobs.audit_check import check
from models import migrate
from models.database import connect
from settings import Settings
from tests.hub import Hub
from tests.models.test_migrations import empty_database, in_thread, owner_url, to

Contents = dict[tuple[str, str], tuple[int, str]]

COLUMNS = """
SELECT table_name, column_name, is_nullable = 'YES' AS nullable, column_default IS NOT NULL AS has_default,
       is_generated = 'ALWAYS' AS generated, udt_name
  FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
 WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND table_name <> 'alembic_version'
 ORDER BY table_name, ordinal_position
"""
REQUIRED = """
SELECT a.attname, format_type(a.atttypid, NULL) AS type, f.confrelid::regclass::text AS points_to,
       (SELECT pg_get_constraintdef(c.oid) FROM pg_constraint c
         WHERE c.contype = 'c' AND c.conrelid = a.attrelid AND c.conkey = ARRAY[a.attnum] LIMIT 1) AS checked
  FROM pg_attribute a
  LEFT JOIN pg_constraint f ON f.contype = 'f' AND f.conrelid = a.attrelid AND f.conkey = ARRAY[a.attnum]
 WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull AND NOT a.atthasdef
"""
RULES = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
 WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'f', 'x')
UNION ALL
SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexdef LIKE 'CREATE UNIQUE%'
"""
# Rules that a trigger makes true for what the previous version writes, with the test of that.
MENDED = ["logbook_entry.dispute_kind_known is a new rule for what was there"]
Found = tuple[dict[tuple[str, str], asyncpg.Record], dict[tuple[str, str], str]]


def sample(column: asyncpg.Record) -> str:
    """An SQL expression for some value that a column accepts."""
    if column["points_to"]:
        return f"(SELECT id FROM {column['points_to']} LIMIT 1)"
    if column["checked"] and (words := re.findall(r"'([\w/]+)'", column["checked"])):
        return f"'{words[0]}'"
    kinds = {
        "uuid": "gen_random_uuid()",
        "text": "'text'",
        "character varying": "'text'",
        "bytea": "'\\x01'",
        "boolean": "true",
        "integer": "1",
        "date": "current_date",
        "timestamp with time zone": "now()",
        "jsonb": "'{}'",
    }
    return kinds.get(column["type"], "'{}'")


async def fill_every_table(settings: Settings) -> None:
    """Add the demo's people and their past, and a row in each table that's still empty."""
    await seed.fill(settings)
    connection = await asyncpg.connect(owner_url(settings))
    try:
        for table in (table.name for table in SQLModel.metadata.sorted_tables):
            if not await connection.fetchval(f"SELECT EXISTS (SELECT FROM {table})"):
                columns = await connection.fetch(REQUIRED, table)
                names = ", ".join(column["attname"] for column in columns)
                await connection.execute(f"INSERT INTO {table} ({names}) SELECT {', '.join(map(sample, columns))}")
    finally:
        await connection.close()


async def contents(settings: Settings) -> Contents:
    """The number of rows and a checksum for each table and column."""
    connection = await asyncpg.connect(owner_url(settings))
    try:
        found = {}
        for table, column, *_ in await connection.fetch(COLUMNS):
            value = f"coalesce({column}::text, 'null')"
            (row,) = await connection.fetch(
                f"SELECT count(*), md5(coalesce(string_agg({value}, '|' ORDER BY {value}), '')) FROM {table}"
            )
            found[table, column] = (row[0], row[1])
    finally:
        await connection.close()
    return found


@pytest.fixture
async def filled(services: Services) -> AsyncIterator[Settings]:
    """Settings for a separate database with the newest schema and something in each table."""
    async with empty_database(services) as settings:
        await in_thread(partial(migrate.upgrade, settings))
        await fill_every_table(settings)
        yield settings


async def test_every_migration_goes_down_and_up_and_loses_nothing_but_its_own_columns(filled: Settings) -> None:
    before = await contents(filled)
    assert {table for table, _ in before} == set(SQLModel.metadata.tables)
    assert all(rows for rows, _ in before.values())
    head, *older = migrate._revisions()
    older = [revision for revision in older if revision >= migrate.CONTRACTED]
    for revision in older:
        await in_thread(to(command.downgrade, filled, revision))
        after = await contents(filled)
        assert {key: value for key, value in after.items() if key in before} == {
            key: value for key, value in before.items() if key in after
        }, revision
    for revision in [*reversed(older), head]:
        await in_thread(to(command.upgrade, filled, revision))
    again = await contents(filled)
    assert set(again) == set(before)
    if older:
        assert {key: value for key, value in again.items() if key in after} == after
    with pytest.raises(RuntimeError, match="stays sealed"):
        await in_thread(to(command.downgrade, filled, "base"))
    assert await contents(filled) == again


async def look(connection: "asyncpg.Connection[asyncpg.Record]") -> Found:
    """The columns and the rules (constraints, unique indexes), each by table and name."""
    columns = {(row[0], row[1]): row for row in await connection.fetch(COLUMNS)}
    return columns, {(row[0], row[1]): row[2] for row in await connection.fetch(RULES)}


def in_the_way(before: Found, after: Found) -> list[str]:
    """Say where code that doesn't know about a migration would stumble."""
    (columns, rules), (columns_now, rules_now) = before, after
    tables = {table for table, _ in columns}
    said = [f"{table}.{name} is gone" for table, name in columns if (table, name) not in columns_now]
    for (table, name), now in columns_now.items():
        was = columns.get((table, name))
        if was is None and table in tables:
            if not (now["nullable"] or now["has_default"] or now["generated"]):
                said.append(f"{table}.{name} is new and required, without a default")
        elif was is not None and (was["udt_name"], was["nullable"], was["has_default"]) != (
            now["udt_name"],
            now["nullable"] and was["nullable"],
            now["has_default"] and was["has_default"],
        ):
            said.append(f"{table}.{name} has another type, or asks for more")
    for (table, name), rule in rules_now.items():
        new = {column for of, column in columns_now if of == table and (of, column) not in columns}
        is_about_new = any(re.search(rf"\b{column}\b", rule.partition("REFERENCES")[0]) for column in new)
        words, words_now = (set(re.findall(r"'(\w+)'", text)) for text in (rules.get((table, name), ""), rule))
        widened = bool(words) and words <= words_now
        if table in tables and rules.get((table, name)) != rule and not is_about_new and not widened:
            said.append(f"{table}.{name} is a new rule for what was there")
    return sorted(said)


async def test_migrations_since_only_expand_so_the_previous_version_still_runs(services: Services) -> None:
    head, *_ = migrate._revisions()
    async with empty_database(services) as settings:
        seen = []
        for revision in (migrate.CONTRACTED, head):
            await in_thread(to(command.upgrade, settings, revision))
            connection = await asyncpg.connect(owner_url(settings))
            seen.append(await look(connection))
            await connection.close()
    assert in_the_way(*seen) == MENDED


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("ALTER TABLE mediator DROP COLUMN about", ["mediator.about is gone"]),
        ("ALTER TABLE mediator RENAME about TO story", ["mediator.about is gone"]),
        ("DROP TABLE stopped_address", ["stopped_address.address_hash is gone"]),
        ("ALTER TABLE mediator ADD x int NOT NULL", ["mediator.x is new and required, without a default"]),
        ("ALTER TABLE mediator ALTER about SET NOT NULL", ["mediator.about has another type, or asks for more"]),
        (
            "ALTER TABLE mediator ALTER visibility DROP DEFAULT",
            ["mediator.visibility has another type, or asks for more"],
        ),
        (
            "ALTER TABLE mediator ALTER about TYPE jsonb USING NULL",
            ["mediator.about has another type, or asks for more"],
        ),
        ("ALTER TABLE mediator ADD CONSTRAINT c CHECK (about <> '')", ["mediator.c is a new rule for what was there"]),
        ("CREATE UNIQUE INDEX u ON mediator (about)", ["mediator.u is a new rule for what was there"]),
        ("ALTER TABLE mediator ADD x int, ADD y int NOT NULL DEFAULT 1 CHECK (y > 0)", []),
        ("ALTER TABLE mediator ALTER feedback_link_hash DROP NOT NULL", []),
        ("CREATE TABLE award (id uuid PRIMARY KEY, mediator_id uuid NOT NULL REFERENCES mediator)", []),
        ("CREATE INDEX i ON mediator (about)", []),
        (
            """ALTER TABLE mediator DROP CONSTRAINT visibility_known, ADD CONSTRAINT visibility_known
               CHECK (visibility IN ('DIRECTORIES', 'PRIVATE', 'REVIEWERS'))""",
            [],
        ),
    ],
)
async def test_changes_that_do_more_than_expand_are_reported(hub: Hub, statement: str, said: list[str]) -> None:
    connection = await asyncpg.connect(hub.services.admin_url)
    change = connection.transaction()
    await change.start()
    try:
        before = await look(connection)
        await connection.execute(statement)
        assert in_the_way(before, await look(connection)) == said
    finally:
        await change.rollback()
        await connection.close()


async def test_a_migration_that_has_to_wait_gives_up_before_others_queue_behind_it(services: Services) -> None:
    first = migrate._revisions()[-1]  # the ones after it alter tables
    async with empty_database(services) as settings:
        await in_thread(to(command.upgrade, settings, first))
        backup = await asyncpg.connect(owner_url(settings))
        try:
            async with backup.transaction():
                await backup.execute("LOCK TABLE request_key, data_export IN ACCESS SHARE MODE")  # as pg_dump does
                migrating = asyncio.create_task(in_thread(partial(migrate.upgrade, settings)))
                with pytest.raises(DBAPIError, match="lock timeout"):
                    await migrating
                assert await backup.fetchval("SELECT version_num FROM alembic_version") == first
        finally:
            await backup.close()
        await in_thread(partial(migrate.upgrade, settings))


async def test_migrating_with_nothing_to_do_does_not_wait_for_readers_or_writers(services: Services) -> None:
    async with empty_database(services) as settings:
        await in_thread(partial(migrate.upgrade, settings))
        somebody = await asyncpg.connect(owner_url(settings))
        try:
            async with somebody.transaction():
                tables = ", ".join(f'"{table}"' for table in SQLModel.metadata.tables)
                await somebody.execute(f"LOCK TABLE {tables} IN ROW EXCLUSIVE MODE")
                await in_thread(partial(migrate.upgrade, settings))
        finally:
            await somebody.close()


async def a_mediator(connection: "asyncpg.Connection[asyncpg.Record]") -> UUID:
    """Add an account of a mediator's."""
    row = await connection.fetchrow(
        """INSERT INTO account (name, name_key, email, email_key, password_hash, roles)
        VALUES ('A', 'a', 'a@demo.example', 'a@demo.example', 'none', '{MEDIATOR}') RETURNING id"""
    )
    assert row
    await connection.execute("INSERT INTO mediator (id, feedback_link_hash) VALUES ($1, sha256('x'))", row["id"])
    found: UUID = row["id"]
    return found


async def test_entries_from_before_the_chain_begin_it(services: Services) -> None:
    subject = uuid4()
    async with empty_database(services) as settings:
        await in_thread(to(command.upgrade, settings, "0017"))
        connection = await asyncpg.connect(owner_url(settings))
        insert = "INSERT INTO audit_entry (at, actor_id, action, subject_id) VALUES ($1, $2, $3, $4)"
        for day, action in ((2, "PAID_ACCESS_ENDED"), (1, "ORIGIN_READ"), (3, "ACCOUNT_DELETED")):
            await connection.execute(
                insert, datetime(2026, 1, day, 12, 30, 15, 1000 * (day - 1), UTC), uuid4(), action, subject
            )
        await in_thread(partial(migrate.upgrade, settings))
        rows = await connection.fetch("SELECT action, account_id FROM audit_entry ORDER BY sequence")
        await connection.close()
        assert [tuple(row) for row in rows] == [
            ("ORIGIN_READ", None),  # nobody knows any more whom it was about
            ("PAID_ACCESS_ENDED", subject),
            ("ACCOUNT_DELETED", subject),
        ]
        async with connect(settings) as database, database.transaction() as transaction:
            await audit.write(transaction, settings, [{"action": "SIGNED_OUT"}])
            found = await check(transaction, settings, [])
    assert (found.length, found.wrong) == (4, [])


OLD_CASE = """
INSERT INTO logbook_entry (mediator_id, role, medium, started_on, ended_on, minutes, dispute_kind, dispute_kind_folded)
VALUES ($1, 'OBSERVER', 'ONLINE', '2024-01-01', '2024-01-01', 60, $2, lower($2)) RETURNING id
"""
OLD_PRIVATE = "INSERT INTO logbook_private (id, mediator_id, notes) VALUES ($1, $2, 'note')"
KINDS = (
    "SELECT dispute_kind, dispute_kind_folded, subject FROM logbook_entry JOIN logbook_private USING (id) WHERE id = $1"
)


@pytest.mark.parametrize(
    ("typed", "kind", "subject"),
    [
        ("Neighbours", "NEIGHBOURS", "Neighbours"),
        (" landlord-and  tenant ", "PROPERTY", " landlord-and  tenant "),
        ("Ann Archer v Bob Baker", "OTHER", "Ann Archer v Bob Baker"),
        ("", "OTHER", ""),
        (None, None, None),
    ],
)
async def test_kinds_of_dispute_that_were_typed_become_words_of_the_list_and_private_subjects(
    services: Services, typed: str | None, kind: str | None, subject: str | None
) -> None:
    async with empty_database(services) as settings:
        await in_thread(to(command.upgrade, settings, "0021"))
        connection = await asyncpg.connect(owner_url(settings))
        try:
            mediator = await a_mediator(connection)
            case = await connection.fetchval(OLD_CASE, mediator, typed)
            if typed != "":  # one whose private part is missing gets it
                await connection.execute(OLD_PRIVATE, case, mediator)
            await connection.execute("UPDATE logbook_entry SET outcome = 'ONGOING'")
            await in_thread(partial(migrate.upgrade, settings))
            assert [tuple(row) for row in await connection.fetch(KINDS, case)] == [(kind, None, subject)]
            assert await connection.fetchval("SELECT completed FROM logbook_entry") is False
            # Down and up again, nothing is moved twice.
            await in_thread(to(command.downgrade, settings, "0021"))
            await in_thread(partial(migrate.upgrade, settings))
            assert await connection.fetchval("SELECT dispute_kind FROM logbook_entry") == kind
        finally:
            await connection.close()


async def test_a_kind_that_the_version_before_writes_meanwhile_spills_into_the_private_subject(hub: Hub) -> None:
    ann = await hub.mediator()
    web = await asyncpg.connect(hub.services.database_url)
    try:
        async with web.transaction():
            await web.execute("SELECT ask($1, 1, false, NULL, false)", ann.id)
            cases = [await web.fetchval(OLD_CASE, ann.id, text) for text in ("Ann v Bob", "A hedge", None)]
            for case in cases:
                await web.execute(OLD_PRIVATE, case, ann.id)
        async with web.transaction():
            await web.execute("SELECT ask($1, 1, false, NULL, false)", ann.id)
            change = "UPDATE logbook_entry SET dispute_kind = $2, dispute_kind_folded = lower($2) WHERE id = $1"
            await web.execute(change, cases[0], "Ann v Cyd")
            await web.execute("UPDATE logbook_private SET notes = 'new' WHERE id = $1", cases[0])
            await web.execute(change, cases[1], "OTHER")  # what its form showed
            await web.execute("UPDATE logbook_private SET notes = 'new' WHERE id = $1", cases[1])
    finally:
        await web.close()
    found = [tuple(row) for case in cases for row in await hub.rows(KINDS, case)]
    assert found == [("OTHER", None, "Ann v Bob; Ann v Cyd"), ("OTHER", None, "A hedge"), (None, None, None)]
