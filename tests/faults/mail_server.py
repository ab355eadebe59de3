"""A mail server for the drills: it accepts, refuses, hangs or hangs up as it's told, and can be away."""

import asyncio
import email
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.servers import free_port

TAKES, HANGS, DROPS = "250 OK", "hangs", "drops"


def takes(_recipient: str, _time: int) -> str:
    """Accept everything."""
    return TAKES


@dataclass
class MailServer:
    """What it's told, and what it received.

    `answer` gets the recipient and how often this mail was offered, from 1. It returns TAKES, another SMTP answer,
    HANGS (no answer at all) or DROPS (the mail is accepted, but the connection ends before the server says so). The
    answer comes after `delay` seconds, and not before `open` is set. `taken` has Message-ID and recipient of each
    accepted mail, from the moment its content is here: a real server would deliver it even if it were cut off then.
    """

    port: int
    answer: Callable[[str, int], str] = takes
    delay: float = 0.0
    offered: Counter[str] = field(default_factory=Counter)
    taken: list[tuple[str, str]] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None
    _sessions: list[SMTP] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address, as `SMTP_URL` wants it."""
        return f"smtp://127.0.0.1:{self.port}?tls=none"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd)
        """Deal with the content of one mail."""
        (recipient,) = envelope.rcpt_tos
        mail_id = email.message_from_bytes(envelope.original_content or b"")["Message-ID"]
        self.offered[mail_id] += 1
        said = self.answer(recipient, self.offered[mail_id])
        if said in {TAKES, DROPS}:
            self.taken.append((mail_id, recipient))
        self._arrived.set()
        if said == HANGS:
            await asyncio.Event().wait()
        await asyncio.sleep(self.delay)
        await self.open.wait()
        if said == DROPS:
            _hang_up(server)
        return said

    async def more(self, mails: int, seconds: float = 120) -> None:
        """Return as soon as that many more were offered; TimeoutError after that many seconds."""
        until = self.offered.total() + mails
        async with asyncio.timeout(seconds):
            while self.offered.total() < until:
                self._arrived.clear()
                await self._arrived.wait()

    async def start(self) -> None:
        """Start to listen."""

        def session() -> SMTP:
            made = SMTP(self, hostname="mail.demo.example", loop=asyncio.get_running_loop())
            self._sessions.append(made)
            return made

        self._server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", self.port)

    async def stop(self) -> None:
        """Stop listening, and cut off all clients."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for session in self._sessions:
            _hang_up(session)
        self._sessions.clear()


def _hang_up(session: SMTP) -> None:
    if isinstance(session.transport, asyncio.Transport):
        session.transport.abort()


@asynccontextmanager
async def mail_server() -> AsyncIterator[MailServer]:
    """Run one."""
    server = MailServer(free_port())
    server.open.set()
    await server.start()
    try:
        yield server
    finally:
        server.open.set()
        await server.stop()
