"""Drills of a full disk: under PostgreSQL's tables, and under all of PostgreSQL."""

import asyncio
import os
import pwd
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path

import asyncpg

from demo.embedded import embedded
from models import migrate
from tests.faults.installation import Installation, installed
from tests.faults.line import Line
from tests.faults.machine import Machine
from tests.faults.people import CASE, Doings, new_request
from tests.faults.postgres import READ, whole
from tests.hub import settings_for

MEGABYTES = 64
TRIES = 60

# Without root there's no disk to fill: then the tables that would grow refuse to, with PostgreSQL's own error.
_REFUSE = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
"""
_TABLES = ("logbook_private", "feedback_request_details")


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True)


@contextmanager
def _small_disk(megabytes: int) -> Iterator[Path]:
    """Mount a small disk that PostgreSQL may write to; needs root."""
    user = pwd.getpwnam("nobody")
    folder = Path(tempfile.mkdtemp(prefix="logbook-disk-", dir="/tmp"))
    with ExitStack() as stack:
        stack.callback(folder.rmdir)
        how = f"size={megabytes}m,mode=0700,uid={user.pw_uid},gid={user.pw_gid}"
        _run("mount", "-t", "tmpfs", "-o", how, "tmpfs", folder)
        stack.callback(_run, "umount", "--lazy", folder)
        yield folder


@asynccontextmanager
async def _tablespace(machine: Machine, folder: Path) -> AsyncIterator[None]:
    """Make the folder a tablespace called `drill`."""
    await machine.run(f"CREATE TABLESPACE drill LOCATION '{folder}'")
    try:
        yield
    finally:
        await machine.run("DROP TABLESPACE drill")


@asynccontextmanager
async def _server(folder: Path) -> AsyncIterator[Machine]:
    """Run another PostgreSQL, entirely in the folder."""
    with ExitStack() as stack:
        services = await asyncio.to_thread(stack.enter_context, embedded(folder / "data", durable=False))
        await asyncio.to_thread(migrate.upgrade, settings_for(services))
        yield Machine(services, folder / "data")


def _fill(folder: Path) -> Callable[[], None]:
    """Leave no room; return a function that makes room again."""
    ballast = folder / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))
    return ballast.unlink


async def _go_down(site: Installation) -> None:
    """Ask for new segments of PostgreSQL's log, for which there's no room, until it goes down."""
    with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        for _ in range(100):
            await site.hub.rows("SELECT pg_logical_emit_message(true, 'drill', 'full'), pg_switch_wal()")


async def _drill(site: Installation, line: Line, folder: Path | None, *, down: bool = False) -> None:
    doings = Doings(site)
    mediator = await site.hub.mediator()
    case = CASE | {name: os.urandom(4000).hex() for name in ("notes", "didWell", "foundChallenging")}
    web, worker = await site.web(), await site.working()
    for _ in range(5):
        await doings.insist("addLogbookEntry", case, mediator)
    if folder is not None:
        free = _fill(folder)
    else:
        await site.hub.rows(_REFUSE)
        for table in _TABLES:
            await site.hub.rows(f"CREATE TRIGGER full_disk BEFORE INSERT ON {table} EXECUTE FUNCTION full_disk()")
    if down:
        await _go_down(site)
    for number in range(TRIES):
        if number % 3:
            await doings.change("addLogbookEntry", case, mediator)
        else:
            await doings.change("requestFeedback", new_request(), mediator)
    line.promise(doings.failed.total() > 0, "the disk was not full")
    read = await doings.timed(lambda: site.hub.ask(READ, by=mediator))
    line.promise(down or read is not None, "reading failed as well")
    line.promise((await site.hub.client.get("/healthz")).status_code == 200, "the web server does not answer")
    if folder is not None:
        free()
    else:
        for table in _TABLES:
            await site.hub.rows(f"DROP TRIGGER full_disk ON {table}")
    if down:
        line.promise(await site.machine.revive(), "PostgreSQL did not go down")
    failed = doings.failed.total()
    for _ in range(5):
        await doings.insist("addLogbookEntry", case, mediator)
        await doings.insist("requestFeedback", new_request(), mediator)
    line.promise(doings.failed.total() == failed, "a change failed though there was room again")
    await site.drained()
    await site.tally(line, {})
    line.promise(line.doubled == 0, "a mail was doubled")
    await whole(site, line, doings)
    doings.tell(line)
    line.promise(web.runs and worker.runs, "a process of ours ended")


async def full_disk(machine: Machine, *, small_disk: bool = os.geteuid() == 0) -> Line:
    """Fill the disk with the tables, or make them say that it's full, while somebody works; then make room."""
    how = f"a disk of {MEGABYTES} MB" if small_disk else "simulated by its error"
    line = Line(f"disk full under PostgreSQL's tables ({how}), then room again", "changes")
    if not small_disk:
        async with installed(machine) as site:
            await _drill(site, line, None)
        return line
    with _small_disk(MEGABYTES) as folder:
        async with _tablespace(machine, folder), installed(machine, place="TABLESPACE drill") as site:
            await _drill(site, line, folder)
    return line


async def full_server(_machine: Machine) -> Line:
    """Fill the disk with all of PostgreSQL, including its log, so that it goes down; then make room and start it."""
    line = Line("disk full under all of PostgreSQL, which goes down, then room again and started", "changes")
    if os.geteuid() != 0:
        line.notes.append("not tried: a small disk needs root")
        return line
    with _small_disk(4 * MEGABYTES) as folder:
        async with _server(folder) as machine, installed(machine) as site:
            await _drill(site, line, folder, down=True)
    return line
