"""What changes cost, and whether people who sign in hold up the others: `make bench-writes`.

A few clients each send entries, feedback and sign-ins. Then a page of a logbook is read, in turn with 20 sign-ins in
progress all the time and without; the ratio is that of the 99th percentiles for the page, as the median over the
rounds. Finally, somebody signs in while 150 guesses from another address are in flight, and without.
"""

import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import orjson
import structlog
import typer
import uvloop

from demo.embedded import Services, embedded
from models import migrate
from permissions.passwords import HASHER
from tests.bench.cases import ADD, ANSWERS, ENTRY, GIVE, cases, post
from tests.bench.load import Connection, load
from tests.bench.rows import Known, Size, fill
from tests.hub import settings_for
from tests.servers import environment

PORT = 8704
SIZE = Size(mediators=400, entries=60, fed=40, feedback=20)
ROUNDS = 9
SIGN_INS = 20
GUESSES = 150
SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { signedIn userErrors { code } } }"
PASSWORD = "correct horse battery"

_numbers = count(1)


def _address() -> str:
    number = next(_numbers)
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _headers(secret: str = "") -> list[str]:
    # According to the proxy, each request comes from an address of its own, because attempts are counted by address.
    return [f"X-Forwarded-For: {_address()}", *([f"Cookie: session={secret}"] if secret else [])]


def entry(known: Known) -> bytes:
    """A mediator adds a case."""
    number = next(_numbers)
    _, secret = known.mediators[number % len(known.mediators)]
    return post({"query": ADD, "variables": {"input": ENTRY}}, *_headers(secret))


def answer(known: Known) -> bytes:
    """A party gives feedback by the open page."""
    number = next(_numbers)
    about, _ = known.mediators[number % len(known.mediators)]
    given = {"capacity": "PARTY", "actedAs": "MEDIATOR", "mediatorId": str(about), "share": True, "answers": ANSWERS}
    return post({"query": GIVE, "variables": {"input": given}}, *_headers())


def sign_in_request(_known: Known) -> bytes:
    """A mediator signs in."""
    number = next(_numbers) % SIZE.mediators + 1
    given = {"email": f"mediator{number}@demo.example", "password": PASSWORD}
    return post({"query": SIGN_IN, "variables": {"input": given}}, *_headers())


async def _guess(number: int, address: str) -> None:
    """Try a password for somebody's account, and ignore the answer: it's wrong, or there were too many."""
    given = {"email": f"mediator{number + 1}@demo.example", "password": "not the password"}
    async with Connection(PORT) as connection:
        await connection.ask(post({"query": SIGN_IN, "variables": {"input": given}}, f"X-Forwarded-For: {address}"))


async def _beside_guesses(known: Known) -> tuple[float, float]:
    """Return the median time of a sign-in without and with `GUESSES` in flight from another address, in seconds."""
    alone = await _write(sign_in_request, known, 0.7, 1)
    address = _address()
    guesses = [asyncio.create_task(_guess(number, address)) for number in range(GUESSES)]
    await asyncio.sleep(0.2)  # until the server has them all
    beside = await _write(sign_in_request, known, 0.7, 1)
    assert not all(guess.done() for guess in guesses), "the guesses were over before the sign-ins"
    await asyncio.gather(*guesses)
    return median(alone), median(beside)


async def _write(make: Callable[[Known], bytes], known: Known, seconds: float, clients: int) -> list[float]:
    """Send changes for that many seconds; return how long each took. Each must have been accepted."""
    latencies: list[float] = []
    until = time.perf_counter() + seconds

    async def client() -> None:
        async with Connection(PORT) as connection:
            while (began := time.perf_counter()) < until:
                body = orjson.loads(await connection.ask(make(known)))
                assert not next(iter(body["data"].values()))["userErrors"], body
                latencies.append(time.perf_counter() - began)

    await asyncio.gather(*(client() for _ in range(clients)))
    return latencies


def _percentile(latencies: list[float], part: float) -> float:
    return sorted(latencies)[int(len(latencies) * part)] * 1000


async def _run(services: Services, folder: Path) -> None:
    admin = await asyncpg.connect(urlunsplit(urlsplit(services.admin_url)._replace(path="/logbook")))
    known = await fill(admin, SIZE)
    await admin.execute("UPDATE account SET password_hash = $1", HASHER.hash(PASSWORD))
    await admin.close()
    env = environment(settings_for(services, database_pool_size=10, mailbox=None))
    command: list[str | Path] = [sys.executable, "-m", "cli", "serve", "--port", str(PORT)]
    services.processes.start("hub", command, folder / "hub.log", env=env)
    services.processes.wait_for("hub", Connection.possible(PORT))
    typer.echo("| change | clients | a second | median, ms | p99, ms |")
    typer.echo("| --- | --- | --- | --- | --- |")
    for make, clients in ((entry, 8), (answer, 4), (sign_in_request, 4)):
        taken = await _write(make, known, 2.0, clients)
        figures = f"{len(taken) / 2:.0f} | {median(taken) * 1000:.1f} | {_percentile(taken, 0.99):.1f}"
        typer.echo(f"| {make.__doc__} | {clients} | {figures} |")
    requests = [one.hub for one in cases(known)[0].requests]
    await load(PORT, requests, 3.0)
    ratios, quiet, busy = [], [], []
    for _ in range(ROUNDS):
        quiet.append(_percentile(await load(PORT, requests, 1.5, clients=4), 0.99))
        signing = asyncio.create_task(_write(sign_in_request, known, 2.0, SIGN_INS))
        await asyncio.sleep(0.25)
        busy.append(_percentile(await load(PORT, requests, 1.5, clients=4), 0.99))
        await signing
        ratios.append(busy[-1] / quiet[-1])
    typer.echo(
        f"\n{SIGN_INS} sign-ins in flight: the others' p99 is {median(ratios):.2f} times that without "
        f"({median(busy):.1f} and {median(quiet):.1f} ms)."
    )
    beside = [await _beside_guesses(known) for _ in range(ROUNDS)]
    typer.echo(
        f"{GUESSES} guesses in flight from one address: another's sign-in takes "
        f"{median(guessed / alone for alone, guessed in beside):.2f} times that without "
        f"({median(one[1] for one in beside) * 1000:.1f} and {median(one[0] for one in beside) * 1000:.1f} ms)."
    )


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as name, embedded(Path(name) / "data", durable=False) as running:
        migrate.upgrade(settings_for(running))
        uvloop.run(_run(running, Path(name)))
