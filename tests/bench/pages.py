"""What a page costs compared with its own document over HTTP: `python -m tests.bench.pages`, or `make bench-pages`.

The same application in this process answers both in turn, with the demo's data and for the same viewer; the time is
from the request to the last byte of the answer. The ratio in the table is that of the medians.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import structlog
import typer

from demo.embedded import Services, embedded
from models import migrate
from resolvers.context import Context
from schema import execution
from tests.browser.demo import Demo, demo_hub
from tests.hub import settings_for
from tools import readme

ROUNDS = 200
PAGE = Path(__file__).parents[2] / "docs" / "performance.md"

CASES = (
    ("logbook, 25 rows", "mediator", "/logbook"),
    ("learnings, 25 rows", "mediator", "/learnings"),
    ("reviewer's overview", "reviewer", "/review/{mediator}"),
    ("directory's view", "directory", "/mediators/{mediator}"),
)

Ask = Callable[[], Awaitable[httpx.Response]]


async def asked(ask: Ask) -> list[dict[str, Any]]:
    """Load a page, and return the requests over HTTP that ask for the same."""
    requests: list[dict[str, Any]] = []
    plain = execution.run

    async def noting(context: Context, text: str, variables: Any, operation: str | None) -> execution.OperationAnswer:
        requests.append({"query": text, "variables": variables, "operationName": operation})
        return await plain(context, text, variables, operation)

    execution.run = noting
    try:
        shown = await ask()
    finally:
        execution.run = plain
    assert shown.status_code == 200, shown.text
    return requests


async def measured(demo: Demo, by: str, path: str) -> tuple[float, float, int]:
    """Return the medians of page and document, in seconds, and the bytes of the page."""
    headers = {"cookie": f"session={(await demo.person(by)).cookie}"}
    client = demo.hub.client

    async def page() -> httpx.Response:
        return await client.get(path.format(**demo.places), headers=headers)

    requests = await asked(page)

    async def graphql() -> httpx.Response:
        for body in requests:
            answer = await client.post("/graphql", json=body, headers=headers)
        return answer

    assert "errors" not in (await graphql()).json()
    times: dict[Ask, list[float]] = {page: [], graphql: []}
    for _ in range(ROUNDS):
        for ask, taken in times.items():
            began = time.perf_counter()
            await ask()
            taken.append(time.perf_counter() - began)
    return median(times[page]), median(times[graphql]), len((await page()).content)


async def run(services: Services) -> None:
    """Measure every case; print the table, and write it into the page on performance."""
    rows = [("page", "ratio", "page, ms", "its document over HTTP, ms", "page, KB")]
    async with demo_hub(services) as demo:
        for name, by, path in CASES:
            page, graphql, size = await measured(demo, by, path)
            times = (f"{page / graphql:.2f}", f"{page * 1000:.1f}", f"{graphql * 1000:.1f}")
            rows.append((name, *times, f"{size / 1000:.1f}"))
    report = readme.markdown_table(*rows)
    typer.echo(report)
    PAGE.write_text(readme.placed(PAGE.read_text(encoding="utf-8"), "pages", report), encoding="utf-8")


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with TemporaryDirectory() as folder, embedded(Path(folder), durable=False) as services:
        migrate.upgrade(settings_for(services))
        asyncio.run(run(services))
