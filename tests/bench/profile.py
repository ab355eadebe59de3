"""Where the time of a request goes: `make profile`, or `STACKS=folder make profile` to keep files for flame graphs.

The web process runs as usual, except that its stack is noted every few milliseconds of processor time
(`tests/bench/sampled.py`). A sample counts for the innermost frame that belongs to an area; what C code does counts for
the Python code that called it or goes on after it, so that neighbours blur a little. How long a request takes, and what
it waits for, is measured first, without the sampler.
"""

import logging
import os
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import structlog
import typer
import uvloop

from demo.embedded import Services, embedded
from models import migrate
from tests.bench.cases import cases
from tests.bench.load import Connection, load, measured, processor_time
from tests.bench.rows import Known, Size, fill
from tests.hub import settings_for
from tests.servers import environment

PORT = 8706
SIZE = Size(mediators=2000, entries=60, fed=50, feedback=60)
SECONDS = float(os.environ.get("SECONDS", "8"))
STACKS = Path(os.environ["STACKS"]) if "STACKS" in os.environ else None

# The innermost frame that starts with one of these decides.
AREAS = {
    "the SQL client": ("asyncpg/", "models/"),
    "GraphQL": ("graphql/", "strawberry/", "schema/"),
    "the page's template": (
        "jinja2/",
        "markupsafe/",
        "web/templates",
        "web/table_html.py",
        "web/rendering.py",
        "<template>",
    ),
    "the page": ("web/pages/", "web/listing.py", "web/client.py", "web/charts.py", "web/labels.py"),
    "JSON": ("web/graphql.py:_respond", "web/graphql.py:_parameters", "orjson/"),
    "who asks": ("web/viewers.py:Viewers", "web/viewers.py:_viewer", "resolvers/access.py", "permissions/"),
    "log and metrics": ("web/logs.py", "web/metrics.py", "structlog/", "prometheus_client/"),
    "resolvers and loaders": ("resolvers/", "sqlalchemy/", "jobs/"),
    "HTTP: uvicorn, Starlette, headers": ("uvicorn/", "starlette/", "web/", "httptools/", "h11/"),
}
REST = "the event loop and the rest"


def area(stack: list[str]) -> str:
    """Name the area of a sample, given its frames, outermost first."""
    for frame in reversed(stack):
        for name, beginnings in AREAS.items():
            if frame.startswith(beginnings):
                # Anything that merely waits in the loop only has the start of uvicorn on its stack.
                return name if not frame.startswith("uvicorn/server.py") else REST
    return REST


def shares(folded: str) -> dict[str, float]:
    """Return the share of each area in the samples, from lines `outermost;...;innermost count`."""
    found: Counter[str] = Counter()
    for line in folded.splitlines():
        stack, _, number = line.rpartition(" ")
        found[area(stack.split(";"))] += int(number)
    return {name: number / found.total() for name, number in found.items()}


def _page(known: Known) -> list[bytes]:
    lines = "GET /logbook HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: session={}\r\n\r\n"
    return [lines.format(secret).encode() for _, secret in known.mediators]


def _start(services: Services, folder: Path, *how: str) -> int:
    env = environment(settings_for(services, database_pool_size=10, mailbox=None))
    command: list[str | Path] = [sys.executable, "-m", *how, "serve", "--port", str(PORT)]
    services.processes.start("hub", command, folder / "hub.log", env=env)
    services.processes.wait_for("hub", Connection.possible(PORT))
    return services.processes._running[-1][1].pid


def _stop(services: Services) -> None:
    _, process, _ = services.processes._running.pop()
    process.send_signal(signal.SIGINT)  # after SIGTERM, uvicorn would end the process before the stacks are written
    process.wait()


async def _run(services: Services, folder: Path) -> None:
    admin = await asyncpg.connect(urlunsplit(urlsplit(services.admin_url)._replace(path="/logbook")))
    known = await fill(admin, SIZE)
    await admin.close()
    postgres = services.processes._running[0][1].pid
    asked = {case.name: [one.hub for one in case.requests] for case in cases(known)} | {"logbook page": _page(known)}
    own, split = {}, {}
    pid = _start(services, folder, "cli")
    rows = []
    for name, requests in asked.items():
        await load(PORT, requests, SECONDS / 4)
        spent = processor_time([pid])
        latencies = sorted(await load(PORT, requests, SECONDS / 4, clients=1))
        # The fastest tenth, when nothing else had the processor.
        alone = latencies[len(latencies) // 10] * 1000
        waits = alone - (processor_time([pid]) - spent) / len(latencies) * 1000
        busy = await measured(PORT, pid, postgres, requests, SECONDS / 2)
        own[name] = busy.own * 1000
        figures = f"{alone:.2f} | {waits:.2f} | {own[name]:.2f} | {busy.database * 1000:.2f} | {busy.rate:.0f}"
        rows.append(f"| {name} | {figures} |")
    _stop(services)
    for name, requests in asked.items():
        stacks = folder / "stacks"
        pid = _start(services, folder, "tests.bench.sampled", str(stacks))
        await load(PORT, requests, SECONDS / 4)
        os.kill(pid, signal.SIGUSR1)  # nothing so far counts
        await load(PORT, requests, SECONDS)
        _stop(services)
        split[name] = shares(stacks.read_text())
        if STACKS is not None:
            (STACKS / f"{name.replace(' ', '-')}.stacks").write_text(stacks.read_text())
    typer.echo(
        "| | alone, in quiet moments, ms | of which the web process waits, for PostgreSQL above all "
        "| 16 at a time: web process, ms | PostgreSQL, ms | requests a second |"
    )
    typer.echo("| --- | --- | --- | --- | --- | --- |")
    typer.echo("\n".join(rows))
    typer.echo("\nOf the web process's time, in ms and as a part:\n")
    typer.echo(f"| | {' | '.join(asked)} |\n| --- | {' | '.join('---' for _ in asked)} |")
    for name in [*AREAS, REST]:
        parts = [f"{own[case] * split[case].get(name, 0):.2f} ({split[case].get(name, 0):.0%})" for case in asked]
        typer.echo(f"| {name} | {' | '.join(parts)} |")


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if STACKS is not None:
        STACKS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, embedded(Path(name) / "data", durable=False) as running:
        migrate.upgrade(settings_for(running))
        uvloop.run(_run(running, Path(name)))
