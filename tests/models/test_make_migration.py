"""What `logbook make-migration` writes, on a copy of the migrations, the models and the rules."""

import shutil
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from alembic import command
from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Column,
    DefaultClause,
    ForeignKey,
    Index,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)
from sqlmodel import SQLModel

from demo.embedded import Services
from models import migrate, rules
from models.columns import one_of
from models.logbook import Outcome
from models.make_migration import Written, make_migration
from models.migrate import MIGRATIONS
from settings import Settings, SettingsError
from tests.models.test_migrations import empty_database, in_thread, owner_url, tables

NEXT = f"{int(migrate._revisions()[0]) + 1:04}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the migrations."""
    copy = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture
def models() -> MetaData:
    """A copy of the models' tables."""
    copy = MetaData()
    for table in SQLModel.metadata.sorted_tables:
        table.to_metadata(copy)
    return copy


async def made(
    settings: Settings,
    folder: Path,
    models: MetaData,
    changed_rules: str = rules.RULES,
    what: str = "Entries have more",
) -> Written:
    found: list[Written] = []
    make = partial(make_migration, owner_url(settings), what, metadata=models, rules_text=changed_rules, folder=folder)
    await in_thread(lambda: found.append(make()))
    return found[0]


def files(folder: Path) -> set[str]:
    return {path.name for path in (folder / "versions").glob("*.py")}


def change(table: Table, name: str, words: list[str]) -> None:
    """Let a column hold other words."""
    (old,) = (one for one in table.constraints if one.name == f"{name}_known")
    table.constraints.remove(old)
    table.append_constraint(CheckConstraint(f"{name} IN ({', '.join(map(repr, words))})", name=f"{name}_known"))


async def test_nothing_is_written_when_nothing_has_changed(services: Services, folder: Path, models: MetaData) -> None:
    async with empty_database(services) as settings:
        assert await made(settings, folder, models) == Written(None, [])
        assert files(folder) == files(MIGRATIONS)
        assert await tables(settings) == set()


async def test_new_columns_words_and_indexes_make_a_migration_that_leaves_no_difference(
    services: Services, folder: Path, models: MetaData
) -> None:
    entry = models.tables["logbook_entry"]
    entry.append_column(Column("trial_words", ARRAY(Text), server_default=text("'{}'"), nullable=False))
    entry.append_column(Column("settled_how", Text))
    entry.append_constraint(one_of("settled_how", Outcome))
    change(entry, "outcome", [*map(str, Outcome), "ADJOURNED"])
    Index("logbook_entry_by_trial_words", entry.c.trial_words, postgresql_using="gin")
    models.tables["cpd_entry"].c.provider.server_default = DefaultClause("nobody")
    models.tables["cpd_entry"].c.version.server_default = DefaultClause(text("2"))
    models.tables["mediator"].append_column(Column("code", Text, unique=True))
    models.tables["cpd_entry"].append_column(Column("checked_by", Uuid, ForeignKey("account.id", ondelete="SET NULL")))
    models.tables["cpd_private"].append_column(Column("doubts", Text))
    async with empty_database(services) as settings:
        written = await made(settings, folder, models, what="Entries have languages.")
        assert written == Written(folder / "versions" / f"{NEXT}_entries_have_languages.py", [])
        assert written.path is not None
        source = written.path.read_text()
        assert source.startswith('"""Entries have languages."""\n\nimport sqlalchemy as sa\nfrom alembic import op\n')
        assert f'revision = "{NEXT}"\n' in source
        assert """'ONGOING', 'NOT_KNOWN', 'ADJOURNED')""" in source
        assert "###" not in source
        # As in a real database: its roles need no grant for what's new.
        roles = migrate.config(owner_url(settings), ("logbook_app", "logbook_worker"))
        roles.set_main_option("script_location", str(folder))
        await in_thread(partial(command.upgrade, roles, "head"))
        connection = await asyncpg.connect(settings.database_url.get_secret_value())
        assert await connection.fetch("SELECT trial_words, settled_how FROM logbook_entry") == []
        await connection.close()


GUARDED = """
CREATE FUNCTION own_notes() RETURNS SETOF uuid STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT id FROM note WHERE mediator_id = own_record();
END;

REVOKE EXECUTE ON FUNCTION own_notes FROM PUBLIC;

ALTER TABLE note ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON note USING (mediator_id IN (SELECT own_record()));
CREATE POLICY work_reads ON note FOR SELECT TO :"worker" USING ((SELECT at_work()));

-- Part 4"""


async def test_rules_that_are_new_changed_or_removed_are_written_too(
    services: Services, folder: Path, models: MetaData
) -> None:
    note = Table(
        "note",
        models,
        Column("id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
        Column("mediator_id", Uuid, ForeignKey("mediator.id", ondelete="CASCADE"), nullable=False, index=True),
        Column("mood", Text, nullable=False, server_default="GOOD"),
    )
    change_rules = {
        "interval '120 hours'": "interval '96 hours'",
        "FROM cpd_entry WHERE mediator_id = owner\n": "FROM note WHERE mediator_id = owner\n",
        "coalesce(viewer::text, '')": "coalesce(viewer::text, 'nobody')",
        "\n-- Part 4": GUARDED,
        'CREATE POLICY work_makes ON data_export FOR UPDATE TO :"worker" USING ((SELECT at_work()));\n': "",
        "REVOKE EXECUTE ON FUNCTION end_exports FROM PUBLIC;": "",
    }
    changed_rules = rules.RULES
    for old, new in change_rules.items():
        assert changed_rules.count(old) == 1
        changed_rules = changed_rules.replace(old, new)
    note.append_constraint(CheckConstraint("mood IN ('GOOD', 'BAD')", name="mood_known"))
    async with empty_database(services) as settings:
        written = await made(settings, folder, models, changed_rules, what="Mediators keep notes")
        assert written.path is not None
        source = written.path.read_text()
        assert written.problems == []
        for policy in ("own ON note", "own_for_five_days", "work_makes"):
            assert f"CREATE POLICY {policy}" in source
        assert (await made(settings, folder, models, changed_rules)).path is None


async def test_changes_that_do_more_than_expand_are_reported(
    services: Services, folder: Path, models: MetaData
) -> None:
    mediator = models.tables["mediator"]
    mediator._columns.remove(mediator.c.about)  # there's no public way to remove one
    mediator.c.profile_url.nullable = False
    mediator.c.visibility.server_default = None
    mediator.append_column(Column("motto", Text, nullable=False))
    async with empty_database(services) as settings:
        written = await made(settings, folder, models)
    assert written.path is not None
    assert {said.partition(": ")[2] for said in written.problems} == {
        "mediator.about is dropped",
        "mediator.profile_url becomes required",
        "mediator.motto is required and has no default",
        "a column loses its default (ALTER TABLE mediator ALTER visibility DROP DEFAULT)",
    }


async def test_what_has_to_be_written_by_hand_is_reported(services: Services, folder: Path, models: MetaData) -> None:
    changed_rules = rules.RULES.replace("\n-- Part 4", "CREATE TYPE mood AS ENUM ('GOOD');\n\n-- Part 4")
    async with empty_database(services) as settings:
        written = await made(settings, folder, models, changed_rules)
    assert (written.path, [said[:28] for said in written.problems]) == (None, ["Write it by hand: type mood:"])


async def test_a_migration_that_does_not_run_is_reported(services: Services, folder: Path, models: MetaData) -> None:
    changed_rules = rules.RULES.replace("about_viewer() RETURNS SETOF uuid", "about_viewer() RETURNS uuid")
    async with empty_database(services) as settings:
        written = await made(settings, folder, models, changed_rules)
        assert await tables(settings) == set()
    assert written.path is not None
    assert [said for said in written.problems if said.startswith("It doesn't run as it is: ")] == written.problems
    assert "cannot change return type of existing function" in written.problems[0]


async def test_a_database_with_something_in_it_is_refused(services: Services, folder: Path, models: MetaData) -> None:
    async with empty_database(services) as settings:
        await in_thread(partial(migrate.upgrade, settings))
        with pytest.raises(SettingsError, match="needs an empty one"):
            await made(settings, folder, models)
