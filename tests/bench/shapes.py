"""What many shapes of one list leave behind in the web server and in PostgreSQL, and how long others wait meanwhile.

    make bench-shapes

A client asks for pages of a logbook in ever different shapes (filters, order, direction, cursor, counted or not), so
that each statement is a new one. After 50 shapes, and then after 5,000, the memory of this process and the private
memory of PostgreSQL's connections are read, in MB. In between, another client asks for the same page again and again;
how long it waits, while shapes are new and while they have been asked for before, is in milliseconds. Linux.
"""

import asyncio
import gc
import logging
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
import typer
import uvloop

from demo.embedded import Services, embedded
from models import migrate
from resolvers.paging import encode_cursor
from tests.hub import Hub, Person, opened, settings_for
from tests.world import put_cases
from web.preflight import spare_collection

FEW, MANY = 50, 5_000
SIZE = os.sysconf("SC_PAGE_SIZE") / 1e6

DOCUMENT = """query(
    $filter: LogbookFilter, $order: LogbookOrder, $first: Int, $last: Int, $after: String, $before: String
) {
    me { mediator { logbook(
        first: $first, last: $last, after: $after, before: $before, filter: $filter, orderBy: $order
    ) { nodes { id notes } } } }
}"""
COUNTED = DOCUMENT.replace("nodes {", "totalCount nodes {")
OTHER = "{ me { mediator { logbook { nodes { id role notes } } } } }"
FILTERS: dict[str, Any] = {
    "role": "OBSERVER", "medium": "ONLINE", "year": 2024, "disputeKind": "OTHER", "country": "b", "outcome": "SETTLED",
    "simulated": False, "text": "x",
}  # fmt: skip
ORDERS = ("ROLE", "MEDIUM", "STARTED_ON", "ENDED_ON", "MINUTES", "DISPUTE_KIND", "COUNTRY", "PARTY_COUNT", "OUTCOME")


def shapes() -> Iterator[tuple[str, dict[str, Any]]]:
    """Documents and variables, no two of the same shape."""
    chance, seen = random.Random(1), set()
    while True:
        filters = {name: value for name, value in FILTERS.items() if chance.random() < 0.5}
        order = {"field": chance.choice(ORDERS), "direction": chance.choice(("ASC", "DESC"))}
        backwards, counted, cursor = (chance.random() < 0.5 for _ in range(3))
        shape = (*filters, *order.values(), backwards, counted, cursor)
        if shape not in seen:
            seen.add(shape)
            values: dict[str, Any] = {"filter": filters, "order": order, ("last" if backwards else "first"): 5}
            if cursor:
                row = encode_cursor(order["field"].lower(), None, UUID(int=0))
                values["before" if backwards else "after"] = row
            yield (COUNTED if counted else DOCUMENT), values


async def memory(hub: Hub) -> tuple[float, float]:
    """The memory of this process and of PostgreSQL, in MB."""
    gc.collect()
    rows = await hub.rows("SELECT pid FROM pg_stat_activity WHERE application_name = 'logbook'")
    return _private("self"), sum(_private(row["pid"]) for row in rows)


def _private(process: object) -> float:
    _, resident, shared, *_ = Path(f"/proc/{process}/statm").read_text().split()
    return (int(resident) - int(shared)) * SIZE


async def seconds_each(hub: Hub, person: Person, some: list[tuple[str, dict[str, Any]]]) -> list[float]:
    """Ask for some shapes; return how long somebody else waited each time meanwhile, in milliseconds."""
    waits: list[float] = []
    done = asyncio.Event()

    async def another() -> None:
        while not done.is_set():
            began = time.perf_counter()
            assert (await hub.ask(OTHER, by=person)).data
            waits.append((time.perf_counter() - began) * 1000)

    asking = asyncio.create_task(another())
    for document, variables in some:
        assert (await hub.ask(document, variables, by=person)).data
    done.set()
    await asking
    return waits


async def measure(services: Services) -> None:
    """Ask, and report."""
    async with opened(services) as hub:
        person = await hub.mediator()
        await put_cases(hub, person, *({"notes": "x" * 100} for _ in range(50)))
        every = shapes()
        few = [*islice(every, FEW)]
        spare_collection()
        new, again = await seconds_each(hub, person, few), await seconds_each(hub, person, few)
        before = await memory(hub)
        new += await seconds_each(hub, person, [*islice(every, MANY - FEW)])
        after = await memory(hub)
    for what, old, now in zip(("this process", "PostgreSQL"), before, after, strict=True):
        typer.echo(f"{what:14} {old:8.0f} MB after {FEW} shapes {now:8.0f} MB after {MANY:,}: {now / old:.2f}")
    for what, waits in (("new shapes", new), ("known shapes", again)):
        typer.echo(f"another waits beside {what:14} median {statistics.median(waits):6.1f} ms")


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory(prefix="logbook-") as folder, embedded(Path(folder), durable=False) as embeds:
        migrate.upgrade(settings_for(embeds))
        uvloop.run(measure(embeds))
