"""Drill of more than one machine: two web servers behind nginx, two workers, all behind PgBouncer, killed in turn."""

import asyncio
import os
import pwd
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx

from demo.processes import Command, Processes
from models.account import Role
from settings import Pooler
from tests.faults.installation import Installation, Process, installed
from tests.faults.line import Line
from tests.faults.machine import Machine
from tests.faults.people import CASE, PAUSE, new_request
from tests.hub import Answer, Person
from tests.nginx import PROGRAM as NGINX
from tests.nginx import listens, nginx
from tests.servers import free_port
from tests.waiting import until

PROGRAMS = {"nginx": NGINX, "pgbouncer": "/usr/sbin/pgbouncer"}

# Fewer connections than the pools of the processes ask for, so that the transactions of all of them share these.
PGBOUNCER = """
[databases]
{databases}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 6
max_client_conn = 200
query_wait_timeout = 10
server_login_retry = 1
"""


def missing() -> str | None:
    """Return why this machine can't run the drill; None if it can."""
    absent = [name for name, path in PROGRAMS.items() if not shutil.which(name) and not Path(path).exists()]
    return f"{' and '.join(absent)} not installed (Debian: apt-get install {' '.join(absent)})" if absent else None


def _program(name: str) -> str:
    return shutil.which(name) or PROGRAMS[name]


@contextmanager
def pgbouncer(processes: Processes, *urls: str) -> Iterator[list[str]]:
    """Run PgBouncer in front of a database with these URLs for roles; yields URLs through it, in the same order.

    It refuses to run as root. It asks for no password, so the database has a name for each role.
    """
    folder = Path(tempfile.mkdtemp(prefix="logbook-pgbouncer-", dir="/tmp"))
    try:
        user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        port = free_port()
        roles = {urlsplit(url).username: urlsplit(url) for url in urls}
        databases = "\n".join(
            f"{role} = host={parse_qs(url.query)['host'][0]} port=5432 dbname={url.path.strip('/')} user={role}"
            for role, url in roles.items()
        )
        (folder / "pgbouncer.ini").write_text(PGBOUNCER.format(databases=databases, port=port))
        if user:
            for path in (folder, folder / "pgbouncer.ini"):
                os.chown(path, user.pw_uid, user.pw_gid)
        command: Command = [_program("pgbouncer"), folder / "pgbouncer.ini"]
        processes.start("PgBouncer", command, folder / "log", env={}, user=user)
        processes.wait_for("PgBouncer", lambda: listens(port))
        yield [f"postgresql://{role}@127.0.0.1:{port}/{role}" for role in roles]
    finally:
        shutil.rmtree(folder)


@dataclass
class Traffic:
    """What people send, retried until it's answered."""

    site: Installation
    requests: int = 0
    retried: int = 0
    failed: int = 0
    entries: int = 0
    asked: int = 0

    async def _insist(self, ask: Any) -> Answer | None:
        """Ask up to five times; every change has a key, so that asking again is safe."""
        self.requests += 1
        for attempt in range(5):
            self.retried += attempt > 0
            try:
                answer: Answer = await ask()
            except (httpx.HTTPError, ValueError):
                await asyncio.sleep(PAUSE)
                continue
            if answer.status == 200 and "errors" not in answer.body:
                return answer
            await asyncio.sleep(PAUSE)
        self.failed += 1
        return None

    async def change(self, name: str, input: dict[str, Any], by: Person) -> bool:
        """Make a change with its own key."""
        keyed = input | {"requestKey": str(uuid4())}
        return await self._insist(lambda: self.site.hub.change(name, keyed, by=by)) is not None

    async def person(self, by: Person, stop: asyncio.Event) -> None:
        """Add entries, ask for feedback, and read, until told to stop."""
        while not stop.is_set():
            added = await self.change("addLogbookEntry", CASE, by)
            self.entries += added
            sent = await self.change("requestFeedback", new_request(), by)
            self.asked += sent
            await self._insist(lambda: self.site.hub.ask(READ, {"id": str(by.id)}, by=by))


READ = "query($id: ID!) { mediator(id: $id) { name experience { minutes cases } logbook { totalCount } } }"


async def _start(site: Installation, port: int, **settings: Any) -> Process:
    """Start a web server on that port, and wait until it's ready."""
    process = site._start("serve", "--port", str(port), **settings)

    async def is_ready() -> bool:
        assert process.runs, process.log.read_text()
        async with httpx.AsyncClient() as client:
            try:
                return (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
            except httpx.HTTPError:
                return False

    await until(is_ready)
    return process


async def balanced(machine: Machine, *, people: int = 8) -> Line:
    """Serve people with two of each, kill one of each in turn under load, and start it again."""
    line = Line(
        "two web servers behind nginx, two workers, PgBouncer in transaction mode, each killed -9 in turn", "changes"
    )
    if reason := missing():
        line.notes.append(f"SKIPPED: {reason}")
        return line
    async with installed(machine) as site:
        services = site.hub.services
        with pgbouncer(site.processes, services.database_url, services.database_worker_url) as (web_url, worker_url):
            front, *ports = free_port(), free_port(), free_port()
            own: dict[str, Any] = {
                "database_url": web_url,
                "database_worker_url": worker_url,
                "database_pooler": Pooler.TRANSACTION,
                "database_pool_size": 5,
                "base_url": f"http://127.0.0.1:{front}",
            }
            webs = [await _start(site, port, **own) for port in ports]
            workers = [site.worker(**own) for _ in range(2)]
            with nginx(site.processes, front, free_port(), *ports):
                site.hub.client = httpx.AsyncClient(base_url=own["base_url"], timeout=30)
                traffic = Traffic(site)
                everybody = [await site.hub.person(Role.MEDIATOR) for _ in range(people)]
                stop = asyncio.Event()
                going = [asyncio.create_task(traffic.person(person, stop)) for person in everybody]
                for number in range(2):
                    await _all_serve(webs)
                    await _more(traffic, 60)
                    for killed in (webs[number], workers[number]):
                        killed.send(signal.SIGKILL)
                        await killed.ended()
                    await _more(traffic, 60)
                    webs[number] = await _start(site, ports[number], **own)
                    workers[number] = site.worker(**own)
                await _all_serve(webs)
                stop.set()
                await asyncio.gather(*going)
                await site.drained()
                await _tally(line, site, traffic)
    return line


async def _all_serve(webs: list[Process]) -> None:
    """Wait until each has answered somebody: nginx tries a server that was away again after a second."""

    async def each() -> bool:
        return all(any(line["route"] == "/graphql" for line in web.lines("request")) for web in webs)

    await until(each)


async def _more(traffic: Traffic, requests: int) -> None:
    until_then = traffic.requests + requests

    async def there() -> bool:
        return traffic.requests >= until_then

    await until(there)


async def _tally(line: Line, site: Installation, traffic: Traffic) -> None:
    ((cut,),) = await site.hub.rows("SELECT count(*) FROM outbox WHERE attempts > 1")
    ((entries,),) = await site.hub.rows("SELECT count(*) FROM logbook_entry")
    ((asked,),) = await site.hub.rows("SELECT count(*) FROM feedback_request")
    mails = [mail_id for mail_id, _ in site.mail.taken]
    again = len(mails) - len(set(mails))
    made = traffic.entries + traffic.asked
    line.count = made
    line.lost = max(0, traffic.entries - entries) + max(0, traffic.asked - asked) + max(0, asked - len(set(mails)))
    line.doubled = max(0, entries - traffic.entries) + max(0, asked - traffic.asked)
    line.notes += [
        f"{traffic.requests} requests, {traffic.retried} sent again, {traffic.failed} failed after that",
        f"{asked} mails, {again} of them sent again ({cut} sends were cut)",
    ]
    line.promise(traffic.failed == 0, f"{traffic.failed} requests failed after retry")
    line.promise(again <= cut, "a mail was sent again though its send was not cut")
