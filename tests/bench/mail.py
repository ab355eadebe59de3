"""How long a lot of mail takes: 10,000 queued mails, two workers as processes, a mail server on the loopback.

    make bench-mail

The server accepts everything, counts it and does nothing else, so the time is that of the workers and PostgreSQL.
"""

import asyncio
import os
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import typer
import uvloop

from demo.embedded import Services, embedded
from models import migrate
from tests.hub import settings_for
from tests.servers import environment

MAILS = int(os.environ.get("MAILS", "10000"))
WORKERS = 2
GIVEN_UP = 240  # seconds
QUEUE = """
INSERT INTO outbox (kind, subject_id, recipient, recipient_name, dedupe_key)
    SELECT 'email_changed', gen_random_uuid(), 'somebody' || n || '@demo.example', 'Demo Name', 'mail' || n
      FROM generate_series(1, $1::int) AS n
"""


class Sink:
    """A mail server that counts Message-IDs and connections."""

    def __init__(self) -> None:
        self.taken: Counter[bytes] = Counter()
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak to one client until it leaves."""
        self.connections += 1
        writer.write(b"220 sink\r\n")
        while line := await reader.readline():
            word = line[:4].upper()
            if word == b"DATA":
                writer.write(b"354 go on\r\n")
                content = await reader.readuntil(b"\r\n.\r\n")
                found = re.search(rb"(?im)^message-id:\s*(\S+)", content)
                self.taken[found.group(1) if found else b""] += 1
            writer.write(b"221 bye\r\n" if word == b"QUIT" else b"250 sink\r\n")
            if word == b"QUIT":
                break
        writer.close()


async def _run(services: Services, folder: Path) -> None:
    sink = Sink()
    server = await asyncio.start_server(sink.serve, "127.0.0.1", 0, limit=2**20)
    port = server.sockets[0].getsockname()[1]
    admin = await asyncpg.connect(urlunsplit(urlsplit(services.admin_url)._replace(path="/logbook")))
    await admin.execute(QUEUE, MAILS)
    env = environment(settings_for(services, smtp_url=f"smtp://127.0.0.1:{port}?tls=none", mailbox=None))
    began = time.perf_counter()
    for number in range(WORKERS):
        command: list[str | Path] = [sys.executable, "-m", "cli", "worker"]
        services.processes.start(f"worker {number}", command, folder / f"worker{number}.log", env=env)
    async with asyncio.timeout(GIVEN_UP):
        while await admin.fetchval("SELECT count(*) FROM outbox WHERE state = 'QUEUED'"):
            services.processes.check()
            await asyncio.sleep(0.2)
    taken = time.perf_counter() - began
    states = {row["state"]: row["count"] for row in await admin.fetch("SELECT state, count(*) FROM outbox GROUP BY 1")}
    await admin.close()
    server.close()
    doubled = sum(number - 1 for number in sink.taken.values())
    typer.echo(
        f"{MAILS:,} mails by {WORKERS} workers in {taken:.1f} s, their start included: {MAILS / taken:.0f} a second, "
        f"over {sink.connections} connections; {states}; lost {MAILS - len(sink.taken)}, doubled {doubled}."
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name, embedded(Path(name) / "data", durable=False) as running:
        migrate.upgrade(settings_for(running))
        uvloop.run(_run(running, Path(name)))
