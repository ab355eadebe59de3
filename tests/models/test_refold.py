"""Folds that are missing or old are made again, when the fold's version has changed or somebody asks for it."""

import asyncio
from typing import Any

import pytest
from sqlmodel import SQLModel
from typer.testing import CliRunner, Result

from cli import main
from demo.embedded import Services
from models import refold
from models.folding import FOLD_VERSION
from models.folds import fold_columns
from tests.cli.test_operators import environment
from tests.hub import Hub
from tests.world import put_cases, put_cpd

TABLES = [table for table in SQLModel.metadata.sorted_tables if fold_columns(table)]
MARKS = "SELECT name FROM chore WHERE name LIKE 'fold %'"


async def stored(hub: Hub) -> dict[str, list[Any]]:
    """Every row that has folds."""
    return {table.name: await hub.rows(f"SELECT * FROM {table.name} ORDER BY id") for table in TABLES}


async def filled(hub: Hub) -> int:
    """Add people and entries with something in every text; return how many rows have folds."""
    for number in range(3):
        person = await hub.mediator(name=f"Łukasz O'Brien {number}")
        texts = {text: f"Ärger {number}" for table in TABLES for text in fold_columns(table).values() if text != "name"}
        await put_cases(hub, person, texts, texts | {"parties": "Ø"})
        await put_cpd(hub, person, texts)
    return sum(map(len, (await stored(hub)).values()))


async def outdate(hub: Hub) -> None:
    """Leave what versions before this one would have stored: nothing, or other folds."""
    await hub.rows("UPDATE account SET name_key = lower(name), name_words = NULL")
    for table in TABLES:
        if table.name != "account":
            old = ", ".join(f"{name} = nullif(upper({text}), 'Ø')" for name, text in fold_columns(table).items())
            await hub.rows(f"UPDATE {table.name} SET {old}")


async def test_every_text_and_name_is_folded_again_and_only_what_differs_is_written(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refold, "BATCH", 2)
    number = await filled(hub)
    before = await stored(hub)
    assert await refold.refold(hub.database) == 0
    await outdate(hub)
    assert await stored(hub) != before
    assert await refold.refold(hub.database) == number
    assert await stored(hub) == before
    written = "SELECT xmin::text, id FROM account ORDER BY id"
    unchanged = await hub.rows(written)
    await hub.rows("UPDATE account SET name_words = array_to_tsvector('{x}') WHERE id = $1", unchanged[0]["id"])
    assert await refold.refold(hub.database) == 1
    assert (await hub.rows(written))[1:] == unchanged[1:]
    assert await stored(hub) == before


async def test_folding_again_is_only_done_when_the_version_has_changed(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await filled(hub)
    assert await hub.rows(MARKS) == []
    await outdate(hub)
    assert await refold.refold_if_changed(hub.database) == number
    await outdate(hub)
    assert await refold.refold_if_changed(hub.database) == 0
    assert [row["name"] for row in await hub.rows(MARKS)] == [f"fold {FOLD_VERSION}"]
    monkeypatch.setattr(refold, "_MARK", "fold 9")
    assert await refold.refold_if_changed(hub.database) == number
    assert await refold.refold_if_changed(hub.database) == 0
    assert [row["name"] for row in await hub.rows(MARKS)] == ["fold 9"]


def command(name: str, services: Services, **changed: str | None) -> Result:
    return CliRunner().invoke(main, [name], env=environment(services, **changed))


async def test_the_commands_fold_again_what_an_older_version_wrote(hub: Hub) -> None:
    number = await filled(hub)
    before = await stored(hub)
    await outdate(hub)
    migrated = await asyncio.to_thread(command, "migrate", hub.services)
    assert (migrated.exit_code, migrated.output) == (0, "")
    assert await stored(hub) == before
    await outdate(hub)
    said = await asyncio.to_thread(command, "refold", hub.services)
    assert (said.exit_code, said.output) == (0, f"Folded again: {number} rows have changed.\n")
    assert await stored(hub) == before


async def test_only_the_owner_of_the_tables_folds_again(hub: Hub) -> None:
    await filled(hub)
    await outdate(hub)
    before = await stored(hub)
    for url, problem in (
        (None, "is not set: this runs as the role that owns the tables"),
        (hub.services.database_url, "is wrong: its role doesn't own the tables"),
        (hub.services.database_worker_url, "is wrong: its role doesn't own the tables"),
    ):
        said = await asyncio.to_thread(command, "refold", hub.services, DATABASE_OWNER_URL=url)
        assert (said.exit_code, said.stderr) == (1, f"DATABASE_OWNER_URL {problem}\n")
    assert await stored(hub) == before
    assert await hub.rows(MARKS) == []


def test_a_fold_is_in_the_table_of_its_text_so_the_same_rules_guard_both() -> None:
    assert {table.name for table in TABLES} == {
        "account",
        "logbook_entry",
        "logbook_private",
        "cpd_entry",
        "cpd_private",
    }
    for table in TABLES:
        assert set(fold_columns(table).values()) <= set(table.c.keys())
