import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlmodel import SQLModel

from demo.embedded import Services
from models import catalog, migrate, rules
from settings import Settings, SettingsError
from tests.hub import Hub, settings_for
from tests.servers import environment

T = TypeVar("T")

_numbers = count(1)


@asynccontextmanager
async def empty_database(services: Services) -> AsyncIterator[Settings]:
    """Settings for a database with nothing in it yet."""
    name = f"empty_{next(_numbers)}"
    admin = await asyncpg.connect(services.admin_url)
    try:
        await admin.execute(f"CREATE DATABASE {name} OWNER logbook_owner TEMPLATE template0")
        urls = (services.database_url, services.database_owner_url, services.database_worker_url)
        app, owner, worker = (urlunsplit(urlsplit(url)._replace(path=f"/{name}")) for url in urls)
        yield settings_for(services, database_url=app, database_owner_url=owner, database_worker_url=worker)
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


def owner_url(settings: Settings) -> str:
    assert settings.database_owner_url is not None
    return settings.database_owner_url.get_secret_value()


async def in_database(settings: Settings, work: Callable[[Connection], T]) -> T:
    """Do something as the owner, in one transaction."""
    engine = migrate.owner_engine(owner_url(settings))
    async with engine.begin() as connection:
        return await connection.run_sync(work)


async def tables(settings: Settings) -> set[str]:
    """The names of the tables, apart from the migrations' own."""
    found = await in_database(settings, catalog.read_catalog)
    return {name for kind, name in found if kind == "relation"} - {"alembic_version"}


async def in_thread(work: Callable[[], object]) -> None:
    """Run a migration, which has its own event loop."""
    await asyncio.to_thread(work)


def to(step: Callable[..., None], settings: Settings, revision: str) -> Callable[[], None]:
    return partial(step, migrate.config(owner_url(settings), secret_key=settings.secret_keys[0]), revision)


async def test_migrations_go_from_nothing_to_everything_and_back(services: Services) -> None:
    async with empty_database(services) as settings:
        await in_thread(partial(migrate.upgrade, settings))
        everything = await in_database(settings, catalog.read_catalog)
        await in_thread(to(command.downgrade, settings, "base"))
        left = await in_database(settings, catalog.read_catalog)
        assert {name for kind, name in left if kind in {"relation", "function", "policy", "type"}} == {
            "alembic_version"
        }
        await in_thread(partial(migrate.upgrade, settings))
        assert catalog.differences(await in_database(settings, catalog.read_catalog), everything) == []


async def test_migrating_again_changes_nothing(services: Services) -> None:
    async with empty_database(services) as settings:
        await in_thread(partial(migrate.upgrade, settings))
        before = await in_database(settings, catalog.read_catalog)
        await in_thread(partial(migrate.upgrade, settings))
        assert catalog.differences(before, await in_database(settings, catalog.read_catalog)) == []


def test_the_history_is_a_single_line_and_every_step_can_be_undone() -> None:
    script = ScriptDirectory.from_config(migrate.config("postgresql://nobody@nowhere.example/none"))
    assert len(script.get_heads()) == 1
    assert all(hasattr(revision.module, "downgrade") for revision in script.walk_revisions())


async def test_an_export_from_before_there_were_percentages_counts_as_complete(services: Services) -> None:
    async with empty_database(services) as settings:
        await in_thread(to(command.upgrade, settings, "0001"))
        connection = await asyncpg.connect(owner_url(settings))
        try:
            await connection.execute(
                """WITH made AS (
                    INSERT INTO account (name, name_key, email, email_key, roles) VALUES ('A', 'a', 'a', 'a', '{}')
                    RETURNING id
                )
                INSERT INTO data_export (account_id, secret_hash, ready_at)
                SELECT id, '\\x01'::bytea, clock() FROM made UNION ALL SELECT id, '\\x02', NULL FROM made"""
            )
            await in_thread(to(command.upgrade, settings, "head"))
            rows = await connection.fetch("SELECT ready_at IS NOT NULL AS is_ready, percent FROM data_export")
        finally:
            await connection.close()
        assert {tuple(row) for row in rows} == {(True, 100), (False, 0)}


async def test_the_models_and_the_rules_match_what_the_migrations_make(services: Services) -> None:
    async with empty_database(services) as migrated, empty_database(services) as made:
        await in_thread(partial(migrate.upgrade, migrated))
        await in_thread(partial(command.check, migrate.config(owner_url(migrated))))
        await in_thread(to(command.stamp, made, "head"))  # for the migrations' own table

        def make(connection: Connection) -> None:
            rules.create(connection, SQLModel.metadata, worker="logbook_worker")
            for role in ("logbook_app", "logbook_worker"):
                rules.give_rights(connection, role)

        await in_database(made, make)
        migrations, rest = (
            await in_database(migrated, catalog.read_catalog),
            await in_database(made, catalog.read_catalog),
        )
        assert {"function", "policy", "row security", "rights", "check"} <= {kind for kind, _ in rest}
        assert catalog.differences(migrations, rest) == []


async def test_two_processes_that_migrate_at_once_both_succeed(services: Services) -> None:
    script = "import settings; from models import migrate; migrate.upgrade(settings.load())"
    async with empty_database(services) as settings:
        env = environment(settings)
        both = [await asyncio.create_subprocess_exec(sys.executable, "-c", script, env=env) for _ in range(2)]
        assert [await process.wait() for process in both] == [0, 0]
        assert await tables(settings) == set(SQLModel.metadata.tables)


async def test_the_owners_url_is_read_the_way_postgresqls_own_programs_do(services: Services) -> None:
    async with empty_database(services) as settings:
        parts = urlsplit(owner_url(settings))
        url = f"postgresql://logbook%5Fowner:p%40ss%2Fw@{parts.path}?{parts.query}&sslmode=disable"
        assert settings.database_owner_url is not None
        other = settings_for(services, database_url=settings.database_url, database_owner_url=url)
        await in_thread(partial(migrate.upgrade, other))
        assert "account" in await tables(settings)


def test_migrating_without_the_owners_url_says_so(services: Services) -> None:
    with pytest.raises(SettingsError, match="DATABASE_OWNER_URL is not set"):
        migrate.upgrade(settings_for(services, database_owner_url=None))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id int)",
        "CREATE VIEW mine AS SELECT 1",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION clock() RETURNS timestamptz LANGUAGE sql AS 'SELECT now()'",
        "CREATE INDEX ON account (name)",
        "ALTER TABLE account ADD COLUMN mine int",
        "ALTER TABLE feedback_origin DISABLE TRIGGER ALL",
        "DROP TABLE account",
        "DROP FUNCTION clock()",
        "TRUNCATE outbox",
        "UPDATE audit_entry SET actor_id = subject_id",
        "DELETE FROM audit_entry",
        "TRUNCATE audit_entry",
        "ALTER TABLE feedback_origin DISABLE ROW LEVEL SECURITY",
        "CREATE POLICY mine ON feedback_origin USING (true)",
        "ALTER POLICY readable ON feedback_origin USING (true)",
        "CREATE OR REPLACE FUNCTION viewer() RETURNS uuid LANGUAGE sql AS 'SELECT gen_random_uuid()'",
        "SET ROLE logbook_owner",
        "INSERT INTO alembic_version VALUES ('0000')",
        "UPDATE alembic_version SET version_num = '0000'",
        "DELETE FROM alembic_version",
    ],
)
async def test_the_web_servers_and_workers_roles_cannot_change_tables_or_history(hub: Hub, statement: str) -> None:
    for url in (hub.services.database_url, hub.services.database_worker_url):
        connection = await asyncpg.connect(url)
        try:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        finally:
            await connection.close()


@pytest.mark.parametrize("role", ["logbook_app", "logbook_worker"])
async def test_the_web_servers_and_workers_roles_own_nothing(hub: Hub, role: str) -> None:
    owned = "SELECT count(*) FROM pg_shdepend WHERE refobjid = $1::text::regrole AND deptype = 'o'"
    assert (await hub.rows(owned, role))[0][0] == 0


async def workers(settings: Settings) -> set[str]:
    """The roles that do the worker's work."""
    found = await in_database(settings, catalog.read_catalog)
    work = [thing.made for (kind, name), thing in found.items() if kind == "policy" and ".work_" in name]
    return {made.partition(" TO ")[2].partition(" ")[0] for made in work}


async def test_the_workers_work_belongs_to_the_role_named_in_the_settings(services: Services) -> None:
    async with empty_database(services) as settings:
        one_role = settings.model_copy(update={"database_worker_url": None})
        for now, role in ((settings, "logbook_worker"), (one_role, "logbook_app"), (settings, "logbook_worker")):
            await in_thread(partial(migrate.upgrade, now))
            assert await workers(settings) == {role}


async def test_only_its_owner_gets_past_the_policies_of_a_guarded_table(hub: Hub) -> None:
    """Backups and cascades run as the owner, past the policies; no other role gets past them."""
    guarded = "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class WHERE relrowsecurity"
    found = {tuple(row) for row in await hub.rows(guarded)}
    assert {name for name, *_ in found} == {
        "logbook_private",
        "cpd_private",
        "evidence_file",
        "deleted_file",
        "feedback_request",
        "reviewer_invitation",
        "feedback_request_details",
        "details_key",
        "spent_link",
        "feedback",
        "feedback_answer",
        "feedback_origin",
        "data_export",
    }
    assert {tuple(flags) for _, *flags in found} == {(True, False)}
    passing = "SELECT rolname FROM pg_roles WHERE rolname LIKE 'logbook%' AND (rolbypassrls OR rolsuper)"
    assert await hub.rows(passing) == []


@pytest.mark.parametrize("role", ["database_url", "database_worker_url"])
async def test_the_audit_log_can_be_added_to_and_read(hub: Hub, role: str) -> None:
    connection = await asyncpg.connect(getattr(hub.services, role))
    try:
        await connection.execute(
            "INSERT INTO audit_entry (actor_id, action, subject_id) "
            "VALUES (gen_random_uuid(), 'ORIGIN_READ', gen_random_uuid())"
        )
        assert await connection.fetchval("SELECT count(*) FROM audit_entry") == 1
    finally:
        await connection.close()


async def test_reviewers_of_before_have_accepted_and_are_confirmed_and_choices_that_waited_wait_for_them(
    services: Services,
) -> None:
    mediators, reviewers = [uuid4() for _ in range(2)], [uuid4() for _ in range(2)]
    async with empty_database(services) as settings:
        await in_thread(to(command.upgrade, settings, "0017"))
        connection = await asyncpg.connect(owner_url(settings))
        try:
            for role, ids in (("MEDIATOR", mediators), ("REVIEWER", reviewers)):
                await connection.execute(
                    "INSERT INTO account (id, name, name_key, email, email_key, roles)"
                    " SELECT id, 'N', 'n', id::text, id::text, ARRAY[$1] FROM unnest($2::uuid[]) AS id",
                    role,
                    ids,
                )
            await connection.execute(
                "INSERT INTO mediator (id, feedback_link_hash) SELECT id, uuid_send(id) FROM unnest($1::uuid[]) AS id",
                mediators,
            )
            await connection.execute(
                "INSERT INTO appointment (mediator_id, reviewer_id, approved)"
                " SELECT * FROM unnest($1::uuid[], $2::uuid[], ARRAY[true, false])",
                mediators,
                reviewers,
            )
            await in_thread(to(command.upgrade, settings, "head"))
            found = await connection.fetch(
                "SELECT reviewer_id, in_force, accepted_at = since, approval, relation, reviewer_confirmed_at IS NULL"
                "  FROM appointment JOIN account ON account.id = reviewer_id ORDER BY in_force"
            )
        finally:
            await connection.close()
    assert [tuple(row) for row in found] == [
        (reviewers[1], False, None, "each", None, True),
        (reviewers[0], True, True, "new", None, False),
    ]
