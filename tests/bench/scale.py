"""What grows with the number of mediators: `make bench-scale`, or `SIZES=2000,50000 make bench-scale`.

There's a database and a `logbook serve` for each size, side by side. Every case is sent to each of them in turn, one
request at a time, about the same amount of data, so that whatever else the machine does affects neighbours equally. A
ratio is the median of the rounds' ratios to the smallest size. Cases that count everybody are listed separately.
"""

import logging
import os
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median

import asyncpg
import structlog
import typer
import uvloop

from demo.embedded import Services, embedded
from models import migrate
from models.database import connect_worker
from tests.bench.load import Connection
from tests.bench.population import ASKED, HAS, Population, fill
from tests.bench.scale_cases import CASES, Case, Hub
from tests.conftest import _named
from tests.hub import settings_for
from tests.servers import environment

EACH = {2_000: 20, 50_000: 8, 1_000_000: 2}
SIZES = [int(size) for size in os.environ.get("SIZES", ",".join(map(str, EACH))).split(",")]
ROUNDS = int(os.environ.get("ROUNDS", "15"))
REPEATS = 3
PORT = 8710


async def _measure(hubs: list[Hub], cases: list[Case], repeats: int, warm: int) -> dict[str, list[list[float]]]:
    """Return, for each case and each round after the warm-up, the median time at each size, in seconds."""
    found: dict[str, list[list[float]]] = defaultdict(list)
    for number in range(-warm, ROUNDS):
        for place, case in enumerate(cases):
            times: dict[int, list[float]] = defaultdict(list)
            for turn in range(repeats):
                start = (number + place + turn) % len(hubs)
                for hub in (*hubs[start:], *hubs[:start]):
                    about = hub.population.asked[(number * repeats + turn) % ASKED]
                    times[hub.port].append(await case.ask(hub, about))
            if number >= 0:
                found[case.name].append([median(times[hub.port]) for hub in hubs])
    return found


def _table(hubs: list[Hub], found: dict[str, list[list[float]]], cases: list[Case]) -> list[str]:
    sizes = [hub.population.mediators for hub in hubs]
    names = [f"{size:,}" for size in sizes]
    lines = [
        f"| | {', '.join(names)} mediators, ms | {' | '.join(f'{name} : {names[0]}' for name in names[1:])} |",
        f"| --- | --- | {' | '.join('---' for _ in names[1:])} |",
    ]
    for case in cases:
        rounds = found[case.name]
        times = ", ".join(f"{median(one[place] for one in rounds) * 1000:.1f}" for place in range(len(sizes)))
        ratios = [f"{median(one[place] / one[0] for one in rounds):.2f}" for place in range(1, len(sizes))]
        lines.append(f"| {case.name} | {times} | {' | '.join(ratios)} |")
    return lines


async def _hub(services: Services, folder: Path, stack: AsyncExitStack, place: int, mediators: int) -> Hub:
    """Create the database of a size, fill it, and start the service on it."""
    name, port = f"scale_{mediators}", PORT + place
    admin = await asyncpg.connect(services.admin_url)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE logbook STRATEGY file_copy OWNER logbook_owner")
    await admin.close()
    own = replace(
        services,
        database_url=_named(services.database_url, name),
        database_owner_url=_named(services.database_owner_url, name),
        database_worker_url=_named(services.database_worker_url, name),
        admin_url=_named(services.admin_url, name),
    )
    admin = await asyncpg.connect(own.admin_url)
    stack.push_async_callback(admin.close)
    population, began = Population(mediators, EACH.get(mediators, 2)), time.perf_counter()
    rows = await fill(admin, population)
    size = await admin.fetchval("SELECT pg_database_size(current_database())") / 1e9
    typer.echo(
        f"{mediators:,} mediators, {population.each} cases each: {rows:,} rows, {size:.2f} GB, "
        f"in {time.perf_counter() - began:.0f} s",
        err=True,
    )
    settings = settings_for(own, database_pool_size=5, mailbox=None)
    command: list[str | Path] = [sys.executable, "-m", "cli", "serve", "--port", str(port)]
    services.processes.start(f"hub {mediators}", command, folder / f"{name}.log", env=environment(settings))
    services.processes.wait_for(f"hub {mediators}", Connection.possible(port))
    return Hub(
        population,
        port,
        admin,
        await stack.enter_async_context(connect_worker(settings)),
        settings,
        await stack.enter_async_context(Connection(port)),
    )


async def _give_memory(services: Services) -> None:
    """Give PostgreSQL as much memory as somebody with that much data would; its default is for a small machine."""
    admin = await asyncpg.connect(services.admin_url)
    await admin.execute("ALTER SYSTEM SET shared_buffers = '1GB'")
    await admin.close()


async def _run(services: Services, folder: Path) -> None:
    async with AsyncExitStack() as stack:
        hubs = [await _hub(services, folder, stack, place, size) for place, size in enumerate(SIZES)]
        plain = [case for case in CASES if not case.apart]
        apart = [case for case in CASES if case.apart]
        # Each mediator is asked about once before anything counts, so that everything asked for is in memory.
        found = await _measure(hubs, plain, REPEATS, ASKED // REPEATS)
        found |= await _measure(hubs, apart, 1, 1)
        has = ", ".join(f"{number} {kind}" for kind, number in HAS.items())
        lines = _table(hubs, found, plain)
        lines += ["", "What counts or finds a part of everybody:", ""]
        lines += _table(hubs, found, apart)
        lines += ["", f"Medians of {ROUNDS} rounds; each mediator asked about has {has}, at every size."]
        typer.echo("\n".join(lines))


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as name:
        with embedded(Path(name) / "data", durable=False) as running:
            migrate.upgrade(settings_for(running))
            uvloop.run(_give_memory(running))
        with embedded(Path(name) / "data", durable=False) as running:  # this needs a restart
            uvloop.run(_run(running, Path(name)))
