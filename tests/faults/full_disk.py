"""The drill of a full disk under PostgreSQL's tables."""

import os
import pwd
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

from tests.faults.installation import Installation, installed
from tests.faults.line import Line
from tests.faults.machine import Machine
from tests.faults.people import CASE, Doings, new_request
from tests.faults.postgres import READ, whole

MEGABYTES = 64
TRIES = 60

# Without root there is no disk to fill: then the tables that grow refuse to, with PostgreSQL's own error.
_REFUSE = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
"""
_TABLES = ("logbook_private", "feedback_request_details")


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True)


@asynccontextmanager
async def _small_disk(machine: Machine) -> AsyncIterator[Path]:
    """Mount a small disk with a tablespace of PostgreSQL's, called `drill`."""
    user = pwd.getpwnam("nobody")
    folder = Path(tempfile.mkdtemp(prefix="logbook-disk-", dir="/tmp"))
    with ExitStack() as stack:
        stack.callback(folder.rmdir)
        how = f"size={MEGABYTES}m,mode=0700,uid={user.pw_uid},gid={user.pw_gid}"
        _run("mount", "-t", "tmpfs", "-o", how, "tmpfs", folder)
        stack.callback(_run, "umount", "--lazy", folder)
        await machine.run(f"CREATE TABLESPACE drill LOCATION '{folder}'")
        try:
            yield folder
        finally:
            await machine.run("DROP TABLESPACE drill")


def _fill(folder: Path) -> Callable[[], None]:
    """Leave no room; give what makes room again."""
    ballast = folder / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))
    return ballast.unlink


async def _drill(site: Installation, line: Line, folder: Path | None) -> None:
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
    for number in range(TRIES):
        if number % 3:
            await doings.change("addLogbookEntry", case, mediator)
        else:
            await doings.change("requestFeedback", new_request(), mediator)
    line.promise(doings.failed.total() > 0, "the disk was not full")
    line.promise(await doings.timed(lambda: site.hub.ask(READ, by=mediator)) is not None, "reading failed as well")
    line.promise((await site.hub.client.get("/healthz")).status_code == 200, "the web server does not answer")
    if folder is not None:
        free()
    else:
        for table in _TABLES:
            await site.hub.rows(f"DROP TRIGGER full_disk ON {table}")
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
    """Fill the disk of the tables, or have them say that it is full, while somebody works; then make room."""
    how = f"a disk of {MEGABYTES} MB" if small_disk else "simulated by its error"
    line = Line(f"disk full under PostgreSQL's tables ({how}), then room again", "changes")
    if not small_disk:
        async with installed(machine) as site:
            await _drill(site, line, None)
        return line
    async with _small_disk(machine) as folder, installed(machine, place="TABLESPACE drill") as site:
        await _drill(site, line, folder)
    return line
