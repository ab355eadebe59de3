"""Connections as they are served, over real sockets: clients that fall silent, and clients that leave."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest

from tests.browser.serving import HOST, Server
from tests.hub import Hub, Person
from tests.waiting import until
from tests.web.test_logs import Output, output
from web.connections import MAX_HEAD, MAX_SILENCE, Prompt, serving

__all__ = ["output"]


class Clock:
    """The event loop, except that time only passes when a test says so."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._now = 1_000.0
        self._timers: list[tuple[float, asyncio.TimerHandle]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def time(self) -> float:
        return self._now

    def call_later(self, delay: float, call: Callable[..., None], *arguments: Any) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(self._now + delay, call, arguments, self._loop)
        self._timers.append((self._now + delay, timer))
        return timer

    def goes_on(self, seconds: float) -> None:
        """Let time pass, and run what falls due."""
        until = self._now + seconds
        while due := sorted((one for one in self._timers if one[0] <= until), key=lambda one: one[0]):
            self._timers.remove(due[0])
            self._now, timer = due[0]
            if not timer.cancelled():
                timer._run()  # what the loop does
        self._now = until


@dataclass
class Served:
    """A server whose connections go by `clock`; `heard` is how many bytes have arrived over all of them."""

    port: int
    clock: Clock
    heard: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


@asynccontextmanager
async def served(hub: Hub) -> AsyncIterator[Served]:
    """Serve a hub as `logbook serve` does."""
    config = serving(hub.app, hub.settings)
    assert config.http is Prompt
    with socket.create_server((HOST, 0)) as listening:
        found = Served(listening.getsockname()[1], Clock(asyncio.get_running_loop()))

        class Clocked(Prompt):
            def __init__(self, *arguments: Any, **named: Any) -> None:
                super().__init__(*arguments, **named)
                self.loop = found.clock  # type: ignore[assignment]

            def data_received(self, data: bytes) -> None:
                super().data_received(data)
                found.heard += len(data)

        config.http, config.lifespan = Clocked, "off"
        server = Server(config)
        found.tasks = server.server_state.tasks
        running = asyncio.create_task(server.serve([listening]))
        try:
            yield found
        finally:
            server.should_exit = True
            await running


class Client:
    """A client that says exactly what it's told to."""

    def __init__(self, served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._served = served
        self._reader = reader
        self._writer = writer

    async def says(self, text: bytes) -> None:
        """Send, and wait until the server has it."""
        before = self._served.heard
        self._writer.write(text)

        async def has_it() -> bool:
            return self._served.heard >= before + len(text)

        await until(has_it)

    async def is_answered(self) -> int:
        """Wait for an answer; its status."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0)
        await self._reader.readexactly(length)
        return int(head.split()[1])

    async def reads(self, size: int) -> bytes:
        return await self._reader.readexactly(size)

    async def is_cut_off(self) -> None:
        """Wait until the server closes."""
        async with asyncio.timeout(60):
            with suppress(ConnectionError):
                assert await self._reader.read() == b""

    def is_closed(self) -> bool:
        """Whether the server has closed, as far as we know by now."""
        return self._reader.at_eof()

    def leaves(self) -> None:
        """Hang up in the middle of whatever is going on."""
        self._writer.transport.abort()


@asynccontextmanager
async def client_of(served: Served) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection(HOST, served.port, limit=1024)
    try:
        yield Client(served, reader, writer)
    finally:
        writer.transport.abort()


def request(body: bytes, *, by: Person | None = None, length: int | None = None, path: str = "/graphql") -> bytes:
    kind = "application/json" if path == "/graphql" else "application/x-www-form-urlencoded"
    cookie = f"Cookie: session={by.cookie}\r\n" if by else ""
    length = len(body) if length is None else length
    head = f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\n{cookie}Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    return head.encode() + body


HELLO = request(b'{"query": "{ __typename }"}')
RENAME = b'{"query": "mutation { updateAccount(input: { name: \\"Renamed\\" }) { userErrors { code } } }"}'

# What clients say before they fall silent, and how many whole requests in it are answered.
SILENT = {
    "nothing": (b"", 0),
    "half a line": (HELLO[:9], 0),
    "half a head": (HELLO[:60], 0),
    "a head without its body": (HELLO[:-27], 0),
    "half a body": (HELLO[:-5], 0),
    "a request and half another": (HELLO + HELLO[:60], 1),
    "what is refused before it is whole": (request(b"x" * 300_000, length=10_000_000), 1),
}


@pytest.mark.parametrize("what", SILENT)
async def test_a_client_with_an_unfinished_request_is_cut_off_after_20_seconds_of_silence(hub: Hub, what: str) -> None:
    assert MAX_SILENCE == 20
    said, answers = SILENT[what]
    async with served(hub) as server, client_of(server) as client, client_of(server) as witness:
        await client.says(said)
        for _ in range(answers):
            assert await client.is_answered() in {200, 413}
        await witness.says(HELLO)  # so that the server has seen the silent one
        assert await witness.is_answered() == 200
        server.clock.goes_on(22.5)
        await client.is_cut_off()


async def test_a_head_has_to_be_complete_in_time_even_if_it_keeps_trickling_in(hub: Hub) -> None:
    async with served(hub) as server, client_of(server) as client:
        for place in range(3):
            await client.says(HELLO[place * 5 : place * 5 + 5])
            server.clock.goes_on(8)
        await client.is_cut_off()


ENDLESS = {
    "the first line": (b"GET /", b"a" * 1000),
    "one header": (HELLO[:60] + b"\r\nX: ", b"a" * 1000),
    "many headers": (HELLO[:60], b"\r\nX-Y: z" * 100),
    "the second request": (HELLO + HELLO[:60] + b"\r\nX: ", b"a" * 1000),
    "a chunk's extension": (HELLO[:60] + b"\r\nTransfer-Encoding: chunked\r\n\r\n1;x=", b"a" * 1000),
    "what follows the last chunk": (HELLO[:60] + b"\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ", b"a" * 1000),
}


@pytest.mark.parametrize("what", ENDLESS)
async def test_an_endless_head_is_cut_off_even_if_it_comes_fast(hub: Hub, what: str) -> None:
    begun, more = ENDLESS[what]
    async with served(hub) as server, client_of(server) as client:
        await client.says(begun)
        await client.says(more * (MAX_HEAD // len(more) - 5))
        assert not client.is_closed()
        await client.says(more * 10)
        async with asyncio.timeout(60):
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:  # whatever was complete may have been answered
                    await client.is_answered()


async def test_a_body_may_be_much_longer_than_a_head(hub: Hub) -> None:
    body = HELLO[-27:-1] + b', "variables": {"a": "' + b"x" * 200_000 + b'"}}'
    for pieces in (1, 7):
        async with served(hub) as server, client_of(server) as client:
            whole = request(body)
            for place in range(pieces):
                size = len(whole) // pieces + 1
                await client.says(whole[place * size : (place + 1) * size])
            assert await client.is_answered() == 200


async def test_a_body_may_take_long_as_long_as_it_keeps_coming(hub: Hub) -> None:
    async with served(hub) as server, client_of(server) as client:
        await client.says(HELLO[:-20])
        for place in range(-20, -1):
            server.clock.goes_on(15)
            await client.says(HELLO[place : place + 1])
        await client.says(HELLO[-1:])
        assert await client.is_answered() == 200


async def test_a_connection_that_pauses_briefly_is_used_again(hub: Hub) -> None:
    async with served(hub) as server, client_of(server) as client:
        for _ in range(20):
            await client.says(HELLO)
            assert await client.is_answered() == 200
            server.clock.goes_on(4)


async def test_an_answer_may_take_as_long_as_it_needs(hub: Hub) -> None:
    ann = await hub.mediator()
    async with served(hub) as server, client_of(server) as client, held(hub, ann) as let_go:
        await client.says(request(RENAME, by=ann))
        await until(lambda: is_waiting(hub))
        server.clock.goes_on(600)
        await let_go()
        assert await client.is_answered() == 200
    assert [row["name"] for row in await hub.rows("SELECT name FROM account")] == ["Renamed"]


@asynccontextmanager
async def held(hub: Hub, person: Person) -> AsyncIterator[Callable[[], Any]]:
    """Lock an account's row until the function that this yields is called."""
    connection = await asyncpg.connect(hub.services.admin_url)
    try:
        lock = connection.transaction()
        await lock.start()
        await connection.execute("SELECT FROM account WHERE id = $1 FOR UPDATE", person.id)
        yield lock.rollback
    finally:
        await connection.close()


async def is_waiting(hub: Hub) -> bool:
    waits = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    return bool(await hub.rows(waits))


# Clients that leave.

FORM = b"email=ann%40demo.example&password=pass"
FILE = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nrole;'


def upload(by: Person) -> bytes:
    whole = request(FILE, by=by, length=1_000, path="/logbook/import")
    return whole.replace(b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x")


def not_whole(by: Person) -> dict[str, bytes]:
    """Requests that end too soon, by path."""
    return {
        "/graphql": request(RENAME[:-1], by=by, length=len(RENAME)),
        "/signin": request(FORM, length=len(FORM) + 1, path="/signin"),
        "/logbook/new": request(b"role=OBSERVER", by=by, length=100, path="/logbook/new"),
        "/logbook/import": upload(by),
    }


async def test_a_request_that_its_client_abandons_is_not_logged_as_an_error(hub: Hub, output: Output) -> None:
    ann = await hub.mediator()
    for route, said in not_whole(ann).items():
        async with served(hub) as server, client_of(server) as client:
            await client.says(said)
            client.leaves()
            await until(lambda: ended(server))
        (line,) = output.lines()
        assert (line["event"], line["level"], line["route"], line["status"]) == ("request", "info", route, 499)
    assert [row["name"] for row in await hub.rows("SELECT name FROM account")] == [ann.name]
    assert hub.app.state.database.in_use() == 0


async def nothing_asked(hub: Hub) -> bool:
    """Whether nobody is using a connection to the database."""
    return bool(hub.app.state.database.in_use() == 0)


async def ended(server: Served) -> bool:
    """Whether everything that was begun is done."""
    return not server.tasks


async def test_a_change_is_completed_even_if_its_client_leaves(hub: Hub, output: Output) -> None:
    ann = await hub.mediator()
    async with served(hub) as server, client_of(server) as client, held(hub, ann) as let_go:
        await client.says(request(RENAME, by=ann))
        await until(lambda: is_waiting(hub))
        client.leaves()
        await let_go()
        await until(lambda: ended(server))
    assert [row["name"] for row in await hub.rows("SELECT name FROM account")] == ["Renamed"]
    assert [line["level"] for line in output.lines()] == ["info"]


async def test_a_download_that_its_client_abandons_ends_at_once_and_frees_its_connection(
    hub: Hub, output: Output
) -> None:
    ann = await hub.mediator()
    await hub.rows(
        "INSERT INTO logbook_entry (mediator_id, role, medium, started_on, ended_on, minutes, outcome, simulated,"
        " country) SELECT $1, 'OBSERVER', 'ONLINE', '2024-01-01', '2024-01-01', 60, 'SETTLED', false,"
        " repeat('x', 200) FROM generate_series(1, 20000)",
        ann.id,
    )
    get = f"GET /logbook.csv HTTP/1.1\r\nHost: {HOST}\r\nCookie: session={ann.cookie}\r\n\r\n".encode()
    async with served(hub) as server, client_of(server) as client:
        await client.says(get)
        assert (await client.reads(12)).endswith(b"200")
        assert server.tasks  # it's still sending
        client.leaves()
        await until(lambda: ended(server))
        await until(lambda: nothing_asked(hub))  # a statement that was running ends by itself
        async with client_of(server) as another:
            await another.says(HELLO)
            assert await another.is_answered() == 200
    assert {line["level"] for line in output.lines()} == {"info"}
