"""Drill of an upgrade: the version before a release's migrations serves while they run, and after them."""

import asyncio
import sys
from functools import partial
from pathlib import Path

import httpx
from alembic import command

from demo.processes import Command
from models import migrate
from models.account import Role
from tests.faults.backup import logbook, run, writing
from tests.faults.installation import Installation, installed
from tests.faults.line import Line
from tests.faults.machine import Machine
from tests.faults.people import Doings
from tests.servers import environment, free_port
from tests.waiting import until

ROOT = Path(__file__).parents[2]


async def _code_before(revision: str, folder: Path) -> bool:
    """Unpack the last version that doesn't know a migration; False if the history isn't there."""
    (step,) = (ROOT / "models" / "migrations" / "versions").glob(f"{revision}_*.py")
    git = ("git", "-C", str(ROOT))
    # By first parents, because it may have come with a merge.
    how = ("--first-parent", "-m", "--diff-filter=A", "--format=%H", "-1")
    _, added = await run(*git, "log", *how, "--", str(step))
    packed = folder / "before.tar"
    status, _ = await run(*git, "archive", f"--output={packed}", f"{added.strip()}^")
    if status:
        return False
    (folder / "before").mkdir()
    status, _ = await run("tar", "--extract", f"--file={packed}", f"--directory={folder / 'before'}")
    return status == 0


async def _serve(site: Installation, code: Path) -> None:
    """Start a web server with that code, wait until it answers, and let `hub` use it from now on."""
    port = free_port()
    module = "cli" if (code / "cli").is_dir() else "web.command"  # the name in older versions
    words: Command = ["env", "-C", code, sys.executable, "-m", module, "serve", "--port", str(port)]
    env = environment(site.hub.settings) | {"PYTHONPATH": str(code), "BASE_URL": f"http://127.0.0.1:{port}"}
    log = site.folder / f"{port}.log"
    site.processes.start(str(port), words, log, env=env)
    site.hub.client = httpx.AsyncClient(base_url=env["BASE_URL"], timeout=30)

    async def answers() -> bool:
        try:
            return (await site.hub.client.get("/healthz")).status_code == 200
        except httpx.TransportError:
            return False

    await until(answers)


async def upgraded(machine: Machine, *, people: int = 20) -> Line:
    """Migrate while the version before is under load, then start the new one; nobody notices."""
    head, previous = migrate._revisions()[0], migrate.CONTRACTED
    newer = [revision for revision in migrate._revisions() if revision > previous]
    line = Line(f"schema migrated from {previous} to {head} under the version before", "changes")
    if not newer:
        line.notes.append(f"SKIPPED: {head} is for a service that has been stopped")
        return line
    async with installed(machine) as site:
        if not await _code_before(min(newer), site.folder):
            line.notes.append("SKIPPED: the history of this checkout does not reach back so far")
            return line
        owner = str(site.hub.services.database_owner_url)
        await asyncio.to_thread(partial(command.downgrade, migrate.config(owner), previous))
        await _serve(site, ROOT)
        behind = await site.hub.client.get("/readyz")
        line.promise(behind.status_code == 503, "the new version calls itself ready on the schema before")
        line.promise(
            (await site.hub.client.get("/signin")).status_code == 200,
            "the new version does not live on the schema before",
        )
        latest = site.hub.client
        await _serve(site, site.folder / "before")
        everybody = [await site.hub.person(Role.MEDIATOR) for _ in range(people)]
        doings = Doings(site)
        async with writing(doings, everybody):
            await _more(doings, 60)
            status, said = await logbook(site.hub.settings, "migrate")
            line.promise(status == 0, f"migrate ended with {status}: {said}")
            await _more(doings, 60)
        line.promise((await latest.get("/readyz")).status_code == 200, "the new version is not ready after migrate")
        await site.hub.client.aclose()
        site.hub.client = latest
        async with writing(doings, everybody):
            await _more(doings, 60)
        await _tally(line, site, doings)
    return line


async def _more(doings: Doings, changes: int) -> None:
    there = doings.made.total() + changes

    async def made() -> bool:
        return doings.made.total() >= there

    await until(made)


async def _tally(line: Line, site: Installation, doings: Doings) -> None:
    ((entries,),) = await site.hub.rows("SELECT count(*) FROM logbook_entry")
    ((asked,),) = await site.hub.rows("SELECT count(*) FROM feedback_request")
    line.count = doings.made.total()
    line.lost = max(0, line.count - entries - asked)
    line.notes.append(f"{doings.failed.total()} requests failed")
    doings.tell(line)
    line.promise(not doings.failed, "requests failed while the schema was migrated")
