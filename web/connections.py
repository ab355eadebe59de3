"""The server's connections: one whose client owes us the rest of a request, and sends nothing of it, is closed.

uvicorn's own timer covers connections that rest between two requests alone. Without this one, whoever opens
connections and says nothing, or half of something, keeps them for good. Nor has it a bound on a request's head, which
is kept in memory until it is whole.
"""

import asyncio

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from settings import Settings

MAX_SILENCE = 20.0  # seconds
MAX_HEAD = 64 * 1024  # bytes, and what comes with the last of them


class Prompt(HttpToolsProtocol):
    """uvicorn's protocol, for clients that are to be prompt while it is their turn.

    The head of a request has to be whole `silence_most` seconds after the connection, or its first byte; between two
    parts of a body may lie as many. The time that an answer takes is ours, and counts for nothing.
    """

    silence_most = MAX_SILENCE

    _since = 0.0  # when the client last did what we wait for, or we did not wait for it
    _timer: asyncio.TimerHandle | None = None
    _of_head = 0  # bytes that came since a head or a part of a body was whole

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Begin to wait."""
        super().connection_made(transport)
        self._since = self.loop.time()
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what came, and close a connection whose head, or what follows a body, has no end."""
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
        """Wait for the next part of the body, unless it was answered already: then nothing more of it is wanted."""
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
        """Whether we can go on only with what the client is still to send."""
        if self.flow.read_paused:
            return False
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body


def serving(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    """Say how the application is served."""
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
