"""The server's connections. If we're waiting for a client's request and it sends nothing, its connection is closed.

uvicorn's own timer only covers connections that rest between two requests. Without this one, a client that opens
connections and sends nothing, or half a request, would keep them for good. Nor does uvicorn limit a request's head,
which stays in memory until it's complete.
"""

import asyncio

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from settings import Settings

MAX_SILENCE = 20.0  # seconds
MAX_HEAD = 64 * 1024  # bytes, give or take the packet that goes over


class Prompt(HttpToolsProtocol):
    """uvicorn's protocol, with a time limit for clients while it's their turn.

    The head of a request has to be complete `silence_most` seconds after the connection or its first byte, and no more
    than that may pass between two parts of a body. The time that an answer takes is ours, and doesn't count.
    """

    silence_most = MAX_SILENCE

    _since = 0.0  # when the client last did what we're waiting for, or we weren't waiting
    _timer: asyncio.TimerHandle | None = None
    _of_head = 0  # bytes since the last complete head or part of a body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Start waiting."""
        super().connection_made(transport)
        self._since = self.loop.time()
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what came, and close the connection if its head, or what follows a body, doesn't end."""
        self._of_head += len(data)
        super().data_received(data)
        if self._of_head > MAX_HEAD and not self.transport.is_closing():
            self.transport.close()

    def on_message_begin(self) -> None:
        """Wait for a head from its first byte."""
        self._since = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Wait for a body from the end of the head."""
        self._since, self._of_head = self.loop.time(), 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Wait for the next part of the body, unless the request has already been answered."""
        self._of_head = 0
        if not self.cycle.response_complete:
            self._since = self.loop.time()
        super().on_body(body)

    def _look_later(self) -> None:
        self._timer = self.loop.call_later(self.silence_most / 10, self._look)

    def _look(self) -> None:
        now = self.loop.time()
        if not self._is_their_turn():
            self._since = now
        if now - self._since >= self.silence_most:
            self.transport.close()
        else:
            self._look_later()

    def _is_their_turn(self) -> bool:
        """Whether we can't go on before the client sends more."""
        if self.flow.read_paused:
            return False
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body


def serving(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    """Give the server's configuration."""
    return uvicorn.Config(
        app,
        http=Prompt,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=20,
    )
