"""An installation of the service for one drill: its database, its mail server, its web server and workers as processes.

The processes are those that an operator starts, `logbook serve` and `logbook worker`, with their own settings.
"""

import asyncio
import json
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from subprocess import Popen
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from demo.processes import Processes
from jobs import mail
from jobs.outbox import enqueue
from settings import load
from tests.faults.line import Line
from tests.faults.machine import Machine
from tests.faults.mail_server import MailServer, mail_server
from tests.hub import Hub, opened
from tests.servers import environment, free_port
from tests.waiting import until

PATIENCE = 120.0
"""Seconds that a drill waits for what should come, before it counts what didn't."""

Cut = tuple[str, Any]
"""A row that was being sent when its worker was cut off: its Message-ID and its lease."""


@dataclass
class Process:
    """One of the service's processes."""

    popen: "Popen[bytes]"
    log: Path

    def send(self, sign: signal.Signals) -> None:
        """Send a signal to it."""
        self.popen.send_signal(sign)

    async def ended(self) -> int:
        """Wait until it has ended; return its status."""
        return await asyncio.to_thread(self.popen.wait)

    @property
    def runs(self) -> bool:
        """Whether it hasn't ended."""
        return self.popen.poll() is None

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return what it logged about an event."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def resident(self) -> float:
        """Return how much memory it has, in MB."""
        status = Path(f"/proc/{self.popen.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@dataclass
class Installation:
    """`hub` reads its tables, adds people, and asks the web server once it runs."""

    machine: Machine
    hub: Hub
    mail: MailServer
    processes: Processes
    folder: Path
    _numbers: Any = field(default_factory=lambda: count(1))

    def _start(self, *command: str, **settings: Any) -> Process:
        env = environment(load(**dict(self.hub.settings) | settings)) | {"PYTHONUNBUFFERED": "1"}
        log = self.folder / f"{next(self._numbers)}.log"
        self.processes.start(command[0], [sys.executable, "-m", "cli", *command], log, env=env)
        return Process(self.processes._running[-1][1], log)

    def worker(self, **settings: Any) -> Process:
        """Start a worker."""
        return self._start("worker", **settings)

    async def working(self, **settings: Any) -> Process:
        """Start a worker, and wait until it works."""
        process = self.worker(**settings)

        async def works() -> bool:
            assert process.runs, process.log.read_text()
            return bool(process.lines("chore"))

        await until(works)
        return process

    async def web(self, **settings: Any) -> Process:
        """Start a web server, wait until it answers, and let `hub` use it from now on."""
        port = free_port()
        base_url = f"http://127.0.0.1:{port}"
        process = self._start("serve", "--port", str(port), base_url=base_url, **settings)
        # It closes idle connections before the server does, so that none ends just as it's used.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=2)
        await self.hub.client.aclose()
        self.hub.client = httpx.AsyncClient(base_url=base_url, timeout=30, limits=limits)

        async def answers() -> bool:
            assert process.runs, process.log.read_text()
            try:
                return (await self.hub.client.get("/healthz")).status_code == 200
            except httpx.TransportError:
                return False

        await until(answers)
        return process

    async def queue(self, mails: int) -> None:
        """Queue that many mails, each to somebody else."""
        async with self.hub.database.transaction() as transaction:
            for _ in range(mails):
                address = f"party{next(self._numbers)}@demo.example"
                await enqueue(transaction, mail.EMAIL_CHANGED, uuid4(), recipient=address, recipient_name="Demo Name")

    async def outbox(self, where: str = "true") -> list[asyncpg.Record]:
        """Read its rows."""
        return await self.hub.rows(f"SELECT * FROM outbox WHERE {where} ORDER BY created_at, id")

    async def cut(self) -> dict[Cut, asyncpg.Record]:
        """Return the rows under a lease."""
        rows = await self.outbox("state = 'QUEUED' AND lease IS NOT NULL")
        return {(self.message_id(row), row["lease"]): row for row in rows}

    def message_id(self, row: asyncpg.Record) -> str:
        """Return the Message-ID of a row's mail."""
        return f"<{row['id']}@127.0.0.1>"

    async def drained(self, seconds: float = PATIENCE) -> None:
        """Return when no more work is queued, or after that many seconds."""

        async def done() -> bool:
            return not await self.outbox("state = 'QUEUED'")

        try:
            await until(done, seconds)
        except TimeoutError:
            return

    async def tally(self, line: Line, cuts: dict[Cut, asyncpg.Record] | None = None, but: str = "false") -> None:
        """Count the mails of all rows, lost and doubled; those that match `but` must not have been sent at all."""
        line.of = "mails"
        times = Counter(mail_id for mail_id, _ in self.mail.taken)
        cut = Counter(mail_id for mail_id, _ in cuts or {})
        due = [self.message_id(row) for row in await self.outbox(f"NOT ({but})")]
        line.count = len(due)
        line.lost = sum(not times[mail_id] for mail_id in due)
        line.doubled = sum(max(0, times[mail_id] - 1) for mail_id in times)
        if cuts is not None:
            line.notes.append(f"{len(cuts)} sends cut")
        over = [mail_id for mail_id in times if times[mail_id] > 1 + cut[mail_id]]
        line.promise(not over, f"{len(over)} mails sent again though their sends were not cut")
        line.promise(set(times) <= set(due), "a mail went out that must not, or under another Message-ID")
        line.promise(len(set(self.mail.taken)) == len(times), "a mail went to two people")


@asynccontextmanager
async def installed(machine: Machine, *, place: str = "", **settings: Any) -> AsyncIterator[Installation]:
    """Set one up on the machine; only its mail server is running yet. For `place`, see `Machine.database`."""
    with tempfile.TemporaryDirectory(prefix="logbook-drill-") as name:
        folder = Path(name)
        async with machine.database(place) as services, mail_server() as mail:
            own: dict[str, Any] = {
                "smtp_url": mail.url,
                "mailbox": folder / "mailbox",
                "database_pool_size": 10,
            } | settings
            with Processes(Path(tempfile.mkdtemp(prefix="logbook-drill-"))) as processes:
                async with opened(services, **(own | settings)) as hub:
                    try:
                        yield Installation(machine, hub, mail, processes, folder)
                    finally:
                        await hub.client.aclose()
