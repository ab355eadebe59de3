"""What the database's own rules cost: three documents answered with and without them, in turn, in one process.

    make bench-wall

Without them, row-level security is off and the database isn't told who asks; everything else is the same, including the
data, and both must answer the same before anything is measured. Each round answers with and without, in alternating
order. Requests go to the application itself, because the time of a client would be on both sides. The measure is the
processor time of the application and PostgreSQL together (Linux), because that's the same on a machine that has other
things to do; ratios are medians over rounds.
"""

import asyncio
import gc
import logging
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import orjson
import structlog
import typer
import uvloop
from pydantic import SecretStr
from starlette.applications import Starlette

from demo.embedded import Services, embedded
from models import migrate
from models.account import Role
from models.database import Database
from models.row_security import Principal
from resolvers.survey import survey
from tests.hub import Hub, Person, opened, settings_for

ROUNDS = 25
REQUESTS = 80  # per round, each with and without
CLIENTS = 4

LOGBOOK = """{ me { mediator {
    logbook(first: 25) { nodes { id role medium startedOn endedOn minutes disputeKind outcome notes didWell } }
    experience { minutes cases }
} } }"""
FEEDBACK = """query($id: ID!) { mediator(id: $id) { feedback(first: 50) { nodes {
    id year receivedOn capacity actedAs shared byInvitation answers { question rating text }
} } } }"""
MEDIATORS = "{ mediators(first: 20) { nodes { name experience { byRole { role minutes } } } } }"

ENTRIES = """
WITH made AS (
    INSERT INTO logbook_entry (mediator_id, role, medium, started_on, ended_on, minutes, dispute_kind, outcome)
    SELECT mediator.id, (ARRAY['LEAD_MEDIATOR', 'CO_MEDIATOR', 'OBSERVER'])[1 + n % 3], 'ONLINE',
           date '2020-01-01' + n, date '2020-01-01' + n, 60 + n, 'NEIGHBOURS', 'SETTLED'
      FROM mediator, generate_series(1, 40) AS n
    RETURNING id, mediator_id
)
INSERT INTO logbook_private (id, mediator_id, notes, did_well) SELECT id, mediator_id, 'a note', 'listened' FROM made
"""
SURVEYS = """
WITH made AS (
    INSERT INTO feedback (mediator_id, capacity, acted_as, shared, released, by_invitation, received_on)
    SELECT mediator.id, 'PARTY', 'MEDIATOR', n % 2 = 0, n % 2 = 0, true, date '2023-01-01' + n
      FROM mediator, generate_series(1, 60) AS n
    RETURNING id, mediator_id
)
INSERT INTO feedback_answer (feedback_id, mediator_id, question, reviewer_only, rating)
SELECT made.id, made.mediator_id, question, question = 'for_reviewer', 4
  FROM made, unnest($1::text[]) AS question
"""


class Unguarded(Database):
    """A database that is never told who asks."""

    def asked_by(self, principal: Principal) -> Database:
        return self


@dataclass(frozen=True)
class Case:
    """One document, and who sends it."""

    name: str
    document: str
    by: Person
    variables: dict[str, Any]


async def fill(hub: Hub) -> list[Case]:
    """Add 200 mediators with 40 cases and 60 pieces of feedback each; one reviewer has 20 of them."""
    directory, rob = await hub.person(Role.DIRECTORY), await hub.person(Role.REVIEWER)
    mediators = [await hub.mediator() for _ in range(200)]
    for mediator in mediators[:20]:
        await hub.appointed(mediator, rob)
    await hub.rows(ENTRIES)
    await hub.rows(SURVEYS, [question.key for question in survey().questions])
    await hub.rows("VACUUM ANALYZE")
    ann = mediators[7]
    return [
        Case("25 logbook entries", LOGBOOK, ann, {}),
        Case("a reviewer's 50 feedback", FEEDBACK, rob, {"id": str(ann.id)}),
        Case("20 mediators with hours", MEDIATORS, directory, {}),
    ]


async def post(app: Starlette, case: Case) -> bytes:
    """Answer one request; return the body of the answer."""
    body = orjson.dumps({"query": case.document, "variables": case.variables})
    headers = [
        (b"content-type", b"application/json"),
        (b"accept", b"application/json"),
        (b"cookie", f"session={case.by.cookie}".encode()),
    ]
    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
        "scheme": "http",
        "http_version": "1.1",
        "root_path": "",
    }
    answered = bytearray()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        answered.extend(message.get("body", b""))

    await app(scope, receive, send)
    return bytes(answered)


def spent(backends: list[int]) -> tuple[float, float]:
    """Return the processor seconds used so far by this process and by those of PostgreSQL."""
    schedules = (Path(f"/proc/{backend}/schedstat").read_text() for backend in backends)
    return time.process_time(), sum(int(schedule.split()[0]) for schedule in schedules) / 1e9


async def cost(app: Starlette, case: Case, backends: list[int]) -> tuple[float, float]:
    """Return how many milliseconds of processor time a request takes, here and in PostgreSQL."""

    async def client() -> None:
        for _ in range(REQUESTS // CLIENTS):
            await post(app, case)

    gc.collect()
    before = spent(backends)
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    here, there = (1000 * (now - then) / REQUESTS for now, then in zip(spent(backends), before, strict=True))
    return here, there


async def compare(with_wall: Hub, without: Hub, case: Case) -> None:
    """Measure one document and print its line."""
    on, off = with_wall.app, without.app
    answer = await post(on, case)
    assert answer == await post(off, case), "the database's rules changed the answer"
    assert b'"errors"' not in answer
    assert len(answer) > 1000
    costs: dict[Starlette, list[tuple[float, float]]] = {on: [], off: []}
    for number in range(ROUNDS + 3):
        found = await with_wall.rows("SELECT pid FROM pg_stat_activity WHERE application_name = 'logbook'")
        backends = [row["pid"] for row in found]
        for app in (on, off) if number % 2 else (off, on):
            spent_on_one = await cost(app, case, backends)
            if number >= 3:  # the first rounds warm up
                costs[app].append(spent_on_one)
    ratios = sorted(sum(without) / sum(guarded) for guarded, without in zip(costs[on], costs[off], strict=True))
    parts = [
        f"{name} {statistics.median(here for here, _ in costs[app]):.2f} ms"
        f" + {statistics.median(there for _, there in costs[app]):.2f} in PostgreSQL"
        for name, app in (("on", on), ("off", off))
    ]
    spread = f"quartiles {ratios[len(ratios) // 4]:.2f} to {ratios[3 * len(ratios) // 4]:.2f}"
    typer.echo(f"{case.name:24} {', '.join(parts)}; on/off {statistics.median(ratios):.3f} ({spread})")


def named(services: Services, name: str) -> Services:
    """Return the same services with another database."""
    fields = ("database_url", "database_owner_url", "database_worker_url", "admin_url")
    urls = {field: urlunsplit(urlsplit(getattr(services, field))._replace(path=f"/{name}")) for field in fields}
    return replace(services, **urls)


async def measure(services: Services) -> None:
    """Fill two databases with the same data, remove the rules from one, and compare."""
    on = named(services, "logbook")
    async with opened(on) as hub:
        cases = await fill(hub)
        settings = hub.settings
    admin = await asyncpg.connect(services.admin_url)
    await admin.execute("CREATE DATABASE unguarded TEMPLATE logbook STRATEGY file_copy OWNER logbook_owner")
    await admin.close()
    off = named(services, "unguarded")
    same = settings.model_copy(
        update={
            "database_url": SecretStr(off.database_url),
            "database_owner_url": SecretStr(off.database_owner_url),
            "database_worker_url": SecretStr(off.database_worker_url),
        }
    )
    async with opened(on, settings=settings) as with_wall, opened(off, settings=same) as without:
        for row in await without.rows("SELECT relname FROM pg_class WHERE relrowsecurity"):
            await without.rows(f"ALTER TABLE {row['relname']} DISABLE ROW LEVEL SECURITY")
        await without.rows("VACUUM ANALYZE")
        without.app.state.database = Unguarded(without.app.state.database._pool, without.moved)
        for case in cases:
            await compare(with_wall, without, case)


def main() -> None:
    """Run it."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory(prefix="logbook-bench-") as folder, embedded(Path(folder), durable=False) as found:
        migrate.upgrade(settings_for(found))
        uvloop.run(measure(found))


if __name__ == "__main__":
    main()
