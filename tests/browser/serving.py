"""A hub that a browser can reach: served on the loopback at exactly the address in its settings."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn

from demo.embedded import Services
from tests.hub import Hub, opened

HOST = "127.0.0.1"


class Server(uvicorn.Server):
    """A web server that leaves Ctrl-C to the tests around it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Don't capture any."""
        yield


@asynccontextmanager
async def served(services: Services, **how: Any) -> AsyncIterator[Hub]:
    """Open a hub (`how` as in `opened`) and serve it.

    The port is chosen first, because links, cookies and the guard against other sites all depend on `base_url`.
    """
    with socket.create_server((HOST, 0)) as listening:
        base_url = f"http://{HOST}:{listening.getsockname()[1]}"
        async with opened(services, base_url=base_url, **how) as hub:
            server = Server(uvicorn.Config(hub.app, lifespan="off", ws="none", log_config=None))
            serving = asyncio.create_task(server.serve([listening]))
            try:
                yield hub
            finally:
                server.should_exit = True
                await serving
