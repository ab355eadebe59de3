"""SMTP servers for the tests of mail: a real one that answers as it's told, and one that follows a script."""

import asyncio
import email
import ssl
import subprocess
import warnings
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

PASSWORD = "p@ss/word: ü"


@dataclass
class Accepted:
    """A mail that the server accepted."""

    sender: str
    recipients: list[str]
    content: bytes
    over_tls: bool
    signed_in: bool


@dataclass
class PostOffice:
    """What a server answers, and what it received.

    `refuses` says what the answer to a recipient is, whenever it comes; the answers in `to_recipient` and `to_content`
    are given in turn, and after that everything is accepted. Clear `open` to keep clients waiting once the server has
    a mail's content; `waiting` says that one is waiting. `offered` is the content it was sent, whatever it answered.
    """

    url: str = ""
    refuses: dict[str, str] = field(default_factory=dict)
    to_recipient: list[str] = field(default_factory=list)
    to_content: list[str] = field(default_factory=list)
    offered: list[bytes] = field(default_factory=list)
    accepted: list[Accepted] = field(default_factory=list)
    sign_ins: list[tuple[str, str]] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    sessions: list[SMTP] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 (aiosmtpd calls it so)
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refuses:
            return self.refuses[address]
        if self.to_recipient and (answer := self.to_recipient.pop(0)) != "250 OK":
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 (aiosmtpd calls it so)
        self, _server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content = envelope.original_content or b""
        self.offered.append(content)
        self.waiting.set()
        await self.open.wait()
        answer = self.to_content.pop(0) if self.to_content else "250 OK"
        if answer == "250 OK":
            sender, recipients = envelope.mail_from or "", list(envelope.rcpt_tos)
            self.accepted.append(
                Accepted(sender, recipients, content, session.ssl is not None, bool(session.authenticated))
            )
        return answer

    def hang_up(self) -> None:
        """End every connection, like a server that finds its clients idle."""
        for session in self.sessions:
            assert session.transport is not None
            session.transport.close()

    @property
    def greeted(self) -> int:
        """How many connections there have been."""
        return len(self.sessions)

    def authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, sent: Any) -> AuthResult:
        assert isinstance(sent, LoginPassword)
        self.sign_ins.append((sent.login.decode(), sent.password.decode()))
        return AuthResult(success=sent.password.decode() == PASSWORD, handled=False)


def message_ids(contents: Iterable[bytes]) -> list[str]:
    """The Message-ID of each of these mails."""
    return [email.message_from_bytes(content)["Message-ID"] for content in contents]


@asynccontextmanager
async def post_office(
    *, tls: ssl.SSLContext | None = None, implicit: bool = False, sign_in: bool = False
) -> AsyncIterator[PostOffice]:
    """Run a server: in the clear, with STARTTLS, or with TLS from the first byte."""
    office = PostOffice()
    office.open.set()

    def session() -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # so that a password is accepted without STARTTLS
            made = SMTP(
                office,
                hostname="post.demo.example",
                loop=asyncio.get_running_loop(),
                tls_context=None if implicit else tls,
                require_starttls=tls is not None and not implicit,
                authenticator=office.authenticate if sign_in else None,
                auth_required=sign_in,
                auth_require_tls=tls is not None and not implicit,
            )
        office.sessions.append(made)
        return made

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0, ssl=tls if implicit else None)
    port = server.sockets[0].getsockname()[1]
    office.url = f"smtps://127.0.0.1:{port}" if implicit else f"smtp://127.0.0.1:{port}"
    if tls is None:
        office.url += "?tls=none"
    try:
        yield office
    finally:
        office.open.set()
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def scripted(*answers: str | None, delay: float = 0) -> AsyncIterator[str]:
    """Run a server that gives these answers in turn, each after `delay` seconds; yields its URL.

    At None it hangs up. When it has no answers left, it's silent. A mail's content counts as one command.
    """
    clients: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clients.add(task := asyncio.current_task())  # type: ignore[arg-type]  # there is one
        try:
            end = b"\r\n"
            for answer in answers:
                await asyncio.sleep(delay)
                if answer is None:
                    return
                writer.write(answer.encode() + b"\r\n")
                end = b"\r\n.\r\n" if answer.startswith("354") else b"\r\n"
                await reader.readuntil(end)
            await reader.read()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()
            clients.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}?tls=none"
    finally:
        server.close()
        for client in list(clients):
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)


def certificate(folder: Path, *names: str) -> Path:
    """Make a self-signed certificate; returns a file with it and its key."""
    made = folder / "certificate.pem"
    key = folder / "key.pem"
    command: Sequence[str | Path] = [
        *("openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "2", "-subj", "/CN=demo.example"),
        *("-addext", "subjectAltName=" + ",".join(names), "-keyout", key, "-out", made),
    ]
    subprocess.run(command, check=True, capture_output=True)
    with made.open("a") as both:
        both.write(key.read_text())
    return made


def server_context(pem: Path) -> ssl.SSLContext:
    """The TLS context of a server with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context
