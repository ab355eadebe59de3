"""Load on one server: a number of clients, each of which asks again as soon as it's answered, for some seconds."""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Self

CLIENTS = 16
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Measured:
    """What a server did: requests per second; processor time per request, its own and PostgreSQL's; latencies (s)."""

    rate: float
    own: float
    database: float
    latencies: list[float]


class Connection:
    """One kept connection to a server on the loopback."""

    def __init__(self, port: int) -> None:
        self._port = port

    @staticmethod
    def possible(port: int) -> Callable[[], bool]:
        """Return a function that says whether a server listens."""

        def listens() -> bool:
            with socket.socket() as client:
                return client.connect_ex(("127.0.0.1", port)) == 0

        return listens

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=2**22)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def ask(self, request: bytes) -> bytes:
        """Send a request; return the body of the answer. RuntimeError for any status but 200."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        status, _, fields = head.partition(b"\r\n")
        lower = fields.lower()
        if b" 200 " not in status:
            raise RuntimeError(head.decode())
        start = lower.find(b"content-length:")
        if start >= 0:
            return await self._reader.readexactly(int(lower[start + 15 : lower.index(b"\r", start)]))
        body = b""
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            body += (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readexactly(2)
        return body


async def load(port: int, requests: list[bytes], seconds: float, clients: int = CLIENTS) -> list[float]:
    """Ask for that many seconds; return how long each answer took."""
    latencies: list[float] = []
    until = time.perf_counter() + seconds

    async def client(mine: Iterator[bytes]) -> None:
        async with Connection(port) as connection:
            began = time.perf_counter()
            while began < until:
                await connection.ask(next(mine))
                now = time.perf_counter()
                latencies.append(now - began)
                began = now

    # Each client starts somewhere else, so that what is asked about varies all the time.
    await asyncio.gather(*(client(islice(cycle(requests), place * 7, None)) for place in range(clients)))
    return latencies


def processor_time(pids: list[int]) -> float:
    """Return the processor time used by processes, in seconds."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / _TICK


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(one) for one in text.split()]


def resident(pid: int) -> float:
    """Return the resident memory of a process, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def measured(port: int, pid: int, postgres: int, requests: list[bytes], seconds: float) -> Measured:
    """Load a server and measure it."""
    database = children(postgres)
    own, theirs, began = processor_time([pid]), processor_time(database), time.perf_counter()
    latencies = await load(port, requests, seconds)
    number, taken = len(latencies), time.perf_counter() - began
    spent = processor_time([pid]) - own, processor_time(children(postgres)) - theirs
    return Measured(number / taken, spent[0] / number, spent[1] / number, latencies)
