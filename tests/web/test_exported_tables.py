"""A table's export keeps one part in memory at a time, however long the list is."""

import asyncio
import gc
import tracemalloc
from typing import Any

from starlette.types import Message

from tests.hub import Hub, Person
from tests.web.reading import cookie

MANY = """
INSERT INTO logbook_entry (id, mediator_id, role, medium, started_on, ended_on, minutes, outcome, simulated)
SELECT gen_random_uuid(), $1, 'OBSERVER', 'ONLINE', '2024-01-01', '2024-01-02', 60, 'SETTLED', false
FROM generate_series(1, $2::int)
"""
TEXTS = (
    "INSERT INTO logbook_private (id, mediator_id, notes) SELECT id, mediator_id, repeat('n', 500) FROM logbook_entry"
)


async def exported(hub: Hub, who: Person) -> tuple[int, int]:
    """Export a logbook to a reader that keeps nothing; return its lines, and the most memory held, in bytes."""
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/logbook.csv",
        "raw_path": b"/logbook.csv",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in cookie(who).items()],
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 1),
        "state": {},
    }
    lines = held = 0

    async def receive() -> Message:
        await asyncio.get_running_loop().create_future()  # stays connected, and says nothing
        raise AssertionError

    async def send(message: Message) -> None:
        nonlocal held, lines
        gc.collect()  # what nobody holds any more isn't counted
        held = max(held, tracemalloc.get_traced_memory()[0])
        lines += message.get("body", b"").count(b"\r\n")

    tracemalloc.start()
    try:
        await hub.app(scope, receive, send)
        return lines, held
    finally:
        tracemalloc.stop()


async def test_a_long_logbook_takes_no_more_memory_to_export_than_a_short_one(hub: Hub) -> None:
    short, long = await hub.mediator(), await hub.mediator()
    await hub.rows(MANY, short.id, 400)
    await hub.rows(MANY, long.id, 2000)
    await hub.rows(TEXTS)
    await exported(hub, short)  # what is made only once, such as compiled statements, exists from now on
    few, usual = await exported(hub, short)
    many, most = await exported(hub, long)
    assert (few, many) == (401, 2001)
    assert most < 1.5 * usual, (usual, most)
