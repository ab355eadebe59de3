"""Drills with many people at once: a mixture of pages and API, and more requests than there are connections."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import mean, quantiles
from typing import Any
from uuid import UUID

import asyncpg
import httpx
from sqlalchemy import insert

from demo import seed
from models.account import sessions
from models.pool import ACQUIRE_TIMEOUT
from permissions.secrets import hash_secret, new_secret
from tests.faults.installation import Installation, Process, installed
from tests.faults.line import Line
from tests.faults.machine import Machine
from tests.faults.people import CASE

THINKS = (0.5, 1.5)
"""Seconds between somebody's last answer and next request, from and to."""

WARM = 0.25
"""The part of the time that doesn't count, because caches fill."""

GROWTH = 1.15
"""How much the memory may grow from the first third of the time that counts to the last."""

_LOGBOOK = """query($year: Int) { me { mediator { experience { minutes byRole { role minutes } }
logbook(first: 25, filter: { year: $year }) { totalCount nodes { id role medium endedOn minutes notes } } } } }"""
_FEEDBACK = """{ mediators(standing: REVIEWER, first: 5) { nodes { name feedbackSummary { years { year count } }
feedback(first: 25) { nodes { id shared year answers { question rating text } } } } } }"""
_VERIFIED = """query($search: String) { mediators(standing: DIRECTORY, search: $search, first: 20) { nodes { name
experience { minutes byYear { year minutes } } } } }"""
_SURVEY = "{ survey { questions { key text } } }"
_ADD = """mutation($input: AddLogbookEntryInput!) { addLogbookEntry(input: $input) { logbookEntry { id }
userErrors { field code } } }"""


@dataclass(frozen=True)
class Ask:
    """A page by its path, or a document with its variables."""

    path: str = "/graphql"
    document: str | None = None
    variables: dict[str, Any] = field(default_factory=dict)


def _id(handle: str) -> UUID:
    return next(person.id for person in seed.DEMO_PEOPLE if person.handle == handle)


def _pages(*paths: str) -> list[Ask]:
    return [Ask(path) for path in paths]


def _asks(handle: str) -> Sequence[Ask]:
    """Return what somebody in the demo does."""
    if handle == _PARTY:
        found = _pages("/give", "/signin", "/give?search=mediator", f"/give/to/{_id('mediator3')}", "/static/style.css")
        return [*found, Ask(document=_SURVEY)]
    if handle.startswith("reviewer"):
        about = f"/review/{_id('mediator' if handle == 'reviewer' else 'mediator7')}"
        return [*_pages("/", "/review", about, f"{about}/feedback.csv"), Ask(document=_FEEDBACK)]
    if handle.startswith("directory"):
        found = _pages("/", "/mediators?search=demo", f"/mediators/{_id('mediator')}", f"/mediators/{_id('peer')}")
        return [*found, Ask(document=_VERIFIED, variables={"search": "demo"})]
    paths = ("/", "/logbook", "/logbook?sort=minutes", "/learnings", "/my-feedback", "/request", "/logbook.csv")
    documents = [Ask(document=_LOGBOOK, variables={"year": year}) for year in (None, 2024, 2025)]
    return [*_pages(*paths), *documents, Ask(document=_ADD, variables={"input": CASE})]


_PARTY = ""  # no handle means signed out
_HANDLES = (
    *("mediator", "peer", "mediator3", "mediator5", "mediator7", "mediator9"),
    *("reviewer", "reviewer2", "directory", "directory2", _PARTY, _PARTY),
)


@dataclass
class Measured:
    """What was asked and answered; `times` are in seconds, `memory` in MB, each with its moment."""

    times: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    memory: list[float] = field(default_factory=list)

    async def one(self, client: httpx.AsyncClient, ask: Ask, headers: dict[str, str]) -> None:
        """Ask once."""
        began = time.monotonic()
        try:
            if ask.document is None:
                answer = await client.get(ask.path, headers=headers | {"accept": "text/html"})
            else:
                body = {"query": ask.document, "variables": ask.variables}
                answer = await client.post(ask.path, json=body, headers=headers)
                self.errors.update(one["extensions"]["code"] for one in answer.json().get("errors", []))
            self.statuses[f"{answer.status_code // 100}xx"] += 1
            if answer.status_code >= 400:
                self.errors[f"{answer.status_code} {ask.path}"] += 1
        except (httpx.HTTPError, ValueError) as error:
            self.statuses["none"] += 1
            self.errors[type(error).__name__] += 1
        self.times.append(time.monotonic() - began)


async def _person(site: Installation, number: int, until: float, measured: Measured) -> None:
    """Act as one person of the demo, from an address of their own, until the time is up."""
    chance, handle = Random(number), _HANDLES[number % len(_HANDLES)]
    headers = {"x-forwarded-for": f"10.0.{number // 250}.{number % 250}"}
    if handle:
        secret = new_secret()
        async with site.hub.database.transaction() as transaction:
            row = {"account_id": _id(handle), "secret_hash": hash_secret(secret)}
            await transaction.run(insert(sessions).values(**row))
        headers["cookie"] = f"session={secret}"
    asks = _asks(handle)
    while time.monotonic() < until:
        await asyncio.sleep(chance.uniform(*THINKS))
        await measured.one(site.hub.client, chance.choice(asks), headers)


async def _watch(web: Process, seconds: float, measured: Measured) -> None:
    """Note the memory of the web server, a hundred times."""
    for _ in range(100):
        await asyncio.sleep(seconds / 100)
        measured.memory.append(web.resident())


async def many_people(machine: Machine, *, people: int = 200, seconds: float = 75) -> Line:
    """Let people use pages and API, each doing one thing after another with a second in between."""
    line = Line(f"{people} people on pages and API for {seconds:.0f} s", "requests")
    async with installed(machine) as site:
        await seed.fill(site.hub.settings)
        web = await site.web()
        site.worker()
        measured = Measured()
        until = time.monotonic() + seconds
        doing = [_person(site, number, until, measured) for number in range(people)]
        await asyncio.gather(_watch(web, seconds, measured), *doing)
        line.count = len(measured.times)
        line.lost = measured.statuses["none"]
        centiles = quantiles(measured.times, n=100)
        line.notes.append(f"{line.count / seconds:.0f} a second")
        line.notes.append(f"p50 {centiles[49] * 1000:.0f} ms, p99 {centiles[98] * 1000:.0f} ms")
        line.promise(measured.statuses["5xx"] == 0, f"{measured.statuses['5xx']} answers were 5xx")
        line.promise(not measured.errors, f"errors: {dict(measured.errors)}")
        counted = measured.memory[int(len(measured.memory) * WARM) :]
        third = len(counted) // 3
        first, last = mean(counted[:third]), mean(counted[-third:])
        line.notes.append(f"memory {first:.0f} MB at first, {last:.0f} MB at last")
        line.promise(last <= first * GROWTH, "memory grew")
    return line


async def no_connection_left(machine: Machine, *, people: int = 50) -> Line:
    """Let a lock occupy all connections of a small pool while people ask."""
    line = Line(f"pool of 2 connections held up, {people} requests", "requests", people)
    async with installed(machine) as site:
        mediator = await site.hub.mediator()
        await site.web(database_pool_size=2)
        headers = {"cookie": f"session={mediator.cookie}"}
        admin = await asyncpg.connect(site.hub.services.admin_url)
        answers: Counter[str] = Counter()
        times: list[float] = []

        async def ask() -> None:
            began = time.monotonic()
            answer = await site.hub.client.get("/logbook", headers=headers)
            times.append(time.monotonic() - began)
            told = "with" if "retry-after" in answer.headers else "without"
            answers[f"{answer.status_code} {told} Retry-After"] += 1

        held = admin.transaction()
        await held.start()
        await admin.execute("LOCK TABLE logbook_entry IN ACCESS EXCLUSIVE MODE")
        asking = [asyncio.create_task(ask()) for _ in range(people)]
        began = time.monotonic()
        alive = await site.hub.client.get("/healthz")
        line.took("/healthz meanwhile", time.monotonic() - began, 1)
        line.promise(alive.status_code == 200, "/healthz failed")
        await asyncio.wait(asking, timeout=ACQUIRE_TIMEOUT + 3)
        line.notes.append(", ".join(f"{number} times {answer}" for answer, number in answers.items()))
        line.promise(answers["503 with Retry-After"] >= people - 2, "requests got no 503 with Retry-After")
        line.took("slowest 503", max(times, default=0), ACQUIRE_TIMEOUT + 1)
        await held.rollback()
        await admin.close()
        await asyncio.gather(*asking)
        again = await site.hub.client.get("/logbook", headers=headers)
        line.promise(again.status_code == 200, "a request failed after the connections were free again")
    return line
