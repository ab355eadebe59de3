"""What `make bench-scale` does at each size: every list of the API, some pages, submissions and exports.

Each is about the same amount of data at every size, except for those `apart`, which count everybody or find a part of
them.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import asyncpg
import orjson

from jobs import outbox
from models.database import Database
from settings import Settings
from tests.bench.cases import ADD, ANSWERS, ENTRY, GIVE, A, B, C, post
from tests.bench.load import Connection
from tests.bench.population import Asked, Population
from web import export

_numbers = count(1)


@dataclass(frozen=True)
class Hub:
    """The service with a population."""

    population: Population
    port: int
    admin: "asyncpg.Connection[asyncpg.Record]"
    worker: Database
    settings: Settings
    connection: Connection

    async def ask(self, request: bytes) -> bytes:
        """Send a request."""
        return await self.connection.ask(request)


Ask = Callable[[Hub, Asked], Awaitable[float]]  # how long it took, in seconds


@dataclass(frozen=True)
class Case:
    """Something that is done at each size; `apart`: it counts everybody or finds a part of them."""

    name: str
    ask: Ask
    apart: bool = False


def _headers(who: str, hub: Hub, about: Asked) -> list[str]:
    # According to the proxy, each request comes from an address of its own, because attempts are counted by address.
    number = next(_numbers)
    headers = [f"X-Forwarded-For: 10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"]
    if who != "nobody":
        secret = about.secret if who == "mediator" else hub.population.secret(who)
        headers.append(f"Cookie: session={secret}")
    return headers


async def _timed(hub: Hub, request: bytes) -> tuple[float, bytes]:
    began = time.perf_counter()
    answer = await hub.ask(request)
    return time.perf_counter() - began, answer


def document(who: str, text: str, **more: Any) -> Ask:
    """Send a document about the id or family name of a mediator."""

    async def ask(hub: Hub, about: Asked) -> float:
        values = {"id": str(about.id), "search": about.family} | more
        body = {"query": text, "variables": {name: value for name, value in values.items() if f"${name}:" in text}}
        taken, answer = await _timed(hub, post(body, *_headers(who, hub, about)))
        found = orjson.loads(answer)
        assert "errors" not in found, found
        assert all(found["data"].values()), found
        assert not any(one.get("userErrors") for one in found["data"].values() if isinstance(one, dict)), found
        return taken

    return ask


def page(who: str, path: str) -> Ask:
    """Ask for a page of the web client, or a file."""

    async def ask(hub: Hub, about: Asked) -> float:
        lines = [f"GET {path.format(id=about.id)} HTTP/1.1", "Host: 127.0.0.1", *_headers(who, hub, about)]
        taken, answer = await _timed(hub, "\r\n".join([*lines, "", ""]).encode())
        assert answer
        return taken

    return ask


async def archive(hub: Hub, about: Asked) -> float:
    """Make the archive of everything that a mediator has, as the worker does."""
    await hub.admin.execute("DELETE FROM outbox WHERE state = 'QUEUED'")
    text = "mutation { exportMyData { userErrors { code } } }"
    await document("mediator", text)(hub, about)
    (work,) = await outbox.claim(hub.worker, 1, exports=True)
    began = time.perf_counter()
    await export.make(hub.worker, hub.settings, work)
    return time.perf_counter() - began


async def middle(hub: Hub, about: Asked) -> float:
    """Read the page after a mediator in the middle of the list."""
    text = "query($after: String) { mediators(first: 25, after: $after) { nodes { id name } } }"
    found = "query($search: String) { mediators(first: 1, search: $search) { pageInfo { endCursor } } }"
    body = post({"query": found, "variables": {"search": about.family}}, *_headers("directory", hub, about))
    cursor = orjson.loads(await hub.ask(body))["data"]["mediators"]["pageInfo"]["endCursor"]
    return await document("directory", text, after=cursor)(hub, about)


OWN = "query($id: ID!) { mediator(id: $id) { %s } }"


async def give(hub: Hub, about: Asked) -> float:
    """Submit feedback."""
    given = {"capacity": "PARTY", "actedAs": "MEDIATOR", "mediatorId": str(about.id), "share": True, "answers": ANSWERS}
    return await document("nobody", GIVE, input=given)(hub, about)


SUMMARY = "feedbackSummary { years { year questions { question average spread } } }"
CASES = [
    Case("mediator: logbook with totals (A)", document("mediator", A)),
    Case("mediator: logbook by role", document("mediator", OWN % "logbook(orderBy: { field: ROLE }) { nodes { id } }")),
    Case(
        "mediator: logbook, searched", document("mediator", OWN % 'logbook(filter: { text: "long" }) { nodes { id } }')
    ),
    Case("mediator: CPD", document("mediator", OWN % "cpd { totalCount nodes { title minutes takeaways } }")),
    Case("mediator: learnings", document("mediator", OWN % "learnings { totalCount nodes { text } }")),
    Case("mediator: feedback", document("mediator", OWN % "feedback { totalCount nodes { answers { text } } }")),
    Case("mediator: requests", document("mediator", OWN % "feedbackRequests { totalCount nodes { madeOn } }")),
    Case("mediator: reviewers to choose", document("mediator", "{ reviewers { nodes { id name } } }")),
    Case(
        "mediator: reviewers, searched",
        document(
            "mediator",
            "query($search: String) { reviewers(search: $search) { nodes { id } } directories { nodes { id } } }",
        ),
    ),
    Case("mediator who reviews: mediators", document("peer", "{ mediators { totalCount nodes { name } } }")),
    Case(
        "reviewer: their mediators",
        document("reviewer", "{ mediators(standing: REVIEWER) { totalCount nodes { name } } }"),
    ),
    Case("reviewer: overview", document("reviewer", OWN % SUMMARY)),
    Case("reviewer: feedback (C)", document("reviewer", C)),
    Case("directory: mediators", document("directory", "{ mediators { nodes { id name } } }")),
    Case("directory: mediators, from the middle", middle),
    Case("directory: search by name, hours by role (B)", document("directory", B)),
    Case(
        "directory: a mediator's cases, CPD, hours",
        document(
            "directory",
            OWN
            % "experience { minutes byYear { year minutes } } logbook { nodes { endedMonth } } cpd { nodes { title } }",
        ),
    ),
    Case("directory: directories", document("directory", "{ directories { totalCount nodes { name } } }")),
    Case(
        "party: search", document("nobody", "query($search: String!) { feedbackSubjects(search: $search) { id name } }")
    ),
    Case("administrator: accounts", document("admin", "{ accounts { nodes { id email } } }")),
    Case(
        "administrator: accounts, searched",
        document("admin", "query($search: String) { accounts(search: $search) { totalCount nodes { id email } } }"),
    ),
    Case("administrator: mediators", document("admin", "{ mediators { nodes { id name } } }")),
    Case(
        "administrator: waiting appointments", document("admin", "{ waitingAppointments { totalCount nodes { id } } }")
    ),
    Case("administrator: audit log", document("admin", "{ auditLog { nodes { id at } } }")),
    Case("administrator: dead mail", document("admin", "{ deadMail { totalCount nodes { id } } }")),
    Case("page: logbook", page("mediator", "/logbook")),
    Case("page: reviewer's overview", page("reviewer", "/review/{id}")),
    Case("page: mediators, to a directory", page("directory", "/mediators")),
    Case("page: a mediator, to a directory", page("directory", "/mediators/{id}")),
    Case("feedback submitted", give),
    Case("entry created", document("mediator", ADD, input=ENTRY)),
    Case("export: logbook as CSV", page("mediator", "/logbook.csv")),
    Case("export: archive of everything", archive),
    Case(
        "directory: mediators, counted", document("directory", "{ mediators { totalCount nodes { id } } }"), apart=True
    ),
    Case(
        "directory: search for a name of one in 20",
        document("directory", "query($word: String) { mediators(search: $word) { nodes { id } } }", word="given03"),
        apart=True,
    ),
    Case("administrator: accounts, counted", document("admin", "{ accounts { totalCount nodes { id } } }"), apart=True),
    Case("administrator: audit log, counted", document("admin", "{ auditLog { totalCount } }"), apart=True),
]
