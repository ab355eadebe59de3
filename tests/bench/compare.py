"""Compares the hub with the limit and with PostGraphile: `make bench`.

Three servers, with one process each, on one database: the hub as `logbook serve` runs it, including sessions, limits,
logs and the database's own rules; a bare handler with JSON made by PostgreSQL (the limit); PostGraphile with row-level
security. They answer three documents, about something else each time. First their answers are compared; then
PostGraphile is loaded for 20 seconds, and the others until they are warm; then they take turns, each for a second, in a
different order every round. A ratio is the median over the rounds, because whatever else the machine does affects
neighbours equally.
"""

import asyncio
import logging
import os
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import orjson
import structlog
import typer
import uvloop

from demo.embedded import Services, embedded
from models import migrate
from tests.bench import node
from tests.bench.cases import Asked, Case, cases, values
from tests.bench.load import CLIENTS, Connection, Measured, load, measured, resident
from tests.bench.rows import Size, fill
from tests.hub import settings_for
from tests.servers import environment
from tools import readme

HERE = Path(__file__).parent
SIZE = Size(mediators=2000, entries=60, fed=50, feedback=60)
ROUNDS = int(os.environ.get("ROUNDS", "9"))
SECONDS = 1.0
PORTS = {"hub": 8701, "limit": 8702, "postgraphile": 8703}
PAGE = HERE.parents[1] / "docs" / "performance.md"

Rounds = dict[tuple[str, str], list[Measured]]  # by case and server


def _requests(case: Case, server: str) -> list[bytes]:
    return [{"hub": one.hub, "limit": one.bare, "postgraphile": one.postgraphile}[server] for one in case.requests]


def _start(services: Services, folder: Path) -> dict[str, int]:
    """Start the servers; return their process ids."""
    sockets = urlsplit(services.admin_url).query.partition("host=")[2].partition("&")[0]
    program = node.node()
    node.install(program)
    commands: dict[str, list[str | Path]] = {
        "hub": [sys.executable, "-m", "cli", "serve", "--port", str(PORTS["hub"])],
        "limit": [sys.executable, "-m", "tests.bench.bare", sockets, str(PORTS["limit"])],
        "postgraphile": [program, node.FOLDER / "serve.mjs", sockets, "logbook", str(PORTS["postgraphile"])],
    }
    env = environment(settings_for(services, database_pool_size=10, mailbox=None))
    pids = {}
    for name, command in commands.items():
        services.processes.start(name, command, folder / f"{name}.log", env=env)
        pids[name] = services.processes._running[-1][1].pid
    for name, port in PORTS.items():
        services.processes.wait_for(name, Connection.possible(port))
    return pids


async def _answer(server: str, request: bytes) -> Any:
    async with Connection(PORTS[server]) as connection:
        return orjson.loads(await connection.ask(request))


async def check(case: Case, asked: Asked) -> int:
    """Compare the three answers to one request; return the size of the hub's in bytes."""
    hub, limit = await _answer("hub", asked.hub), await _answer("limit", asked.bare)
    postgraphile = await _answer("postgraphile", asked.postgraphile)
    assert "errors" not in hub, hub
    assert orjson.dumps(hub) == orjson.dumps(limit), (case.name, hub, limit)
    assert values(hub) == values(postgraphile), (case.name, hub, postgraphile)
    return len(orjson.dumps(hub))


async def _rounds(found: list[Case], pids: dict[str, int], postgres: int) -> Rounds:
    rounds: Rounds = defaultdict(list)
    servers = list(PORTS)
    for number in range(ROUNDS):
        for case in found:
            for server in (*servers[number % 3 :], *servers[: number % 3]):
                requests = _requests(case, server)
                rounds[case.name, server].append(
                    await measured(PORTS[server], pids[server], postgres, requests, SECONDS)
                )
    return rounds


HEAD = ("document", "to PostGraphile", "to the limit", "requests/s", "processor time", "with PostgreSQL's", "p99")


def _rows(found: list[Case], rounds: Rounds) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [HEAD]
    for case in found:
        by = {server: rounds[case.name, server] for server in PORTS}
        ratio = {
            server: median(own.rate / theirs.rate for own, theirs in zip(by["hub"], by[server], strict=True))
            for server in ("limit", "postgraphile")
        }
        own = " : ".join(f"{median(one.own for one in by[server]) * 1000:.2f}" for server in PORTS)
        both = " : ".join(f"{median(one.own + one.database for one in by[server]) * 1000:.2f}" for server in PORTS)
        late = " : ".join(
            f"{median(sorted(one.latencies)[int(len(one.latencies) * 0.99)] for one in by[server]) * 1000:.0f}"
            for server in PORTS
        )
        ratios = (f"{ratio['postgraphile']:.2f}", f"{ratio['limit']:.2f}")
        rate = f"{median(one.rate for one in by['hub']):.0f}"
        rows.append((f"{case.name}: {case.about}", *ratios, rate, own, both, late))
    return rows


def _report(rows: list[tuple[str, ...]], *remarks: str) -> None:
    """Print the table, and write it into the page on performance."""
    report = "\n".join([readme.markdown_table(*rows), *remarks, ""])
    typer.echo(report)
    PAGE.write_text(readme.placed(PAGE.read_text(encoding="utf-8"), "bench", report), encoding="utf-8")


async def _run(services: Services, folder: Path) -> None:
    admin_url = urlunsplit(urlsplit(services.admin_url)._replace(path="/logbook"))
    admin = await asyncpg.connect(admin_url)
    known = await fill(admin, SIZE)
    await admin.execute((HERE / "postgraphile.sql").read_text())
    await admin.close()
    postgres = services.processes._running[0][1].pid
    pids = _start(services, folder)
    found = cases(known)
    for case in found:
        sizes = [await check(case, asked) for asked in case.requests[:20]]
        typer.echo(f"{case.name}: the same from all three, {median(sizes) / 1000:.1f} KB", err=True)
    for server, seconds in (("postgraphile", 20.0), ("hub", 6.0), ("limit", 3.0)):
        for case in found:
            await load(PORTS[server], _requests(case, server), seconds / len(found))
    _report(
        _rows(found, await _rounds(found, pids, postgres)),
        "Times are those of hub : limit : PostGraphile, a request, in ms.",
        f"{CLIENTS} clients; {SIZE.mediators:,} mediators; medians of {ROUNDS} rounds.",
        f"Resident after the load, MB: {', '.join(f'{one} {resident(pids[one]):.0f}' for one in PORTS)}.",
    )


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as name, embedded(Path(name) / "data", durable=False) as running:
        migrate.upgrade(settings_for(running))
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        asyncio.run(_run(running, Path(name)))
