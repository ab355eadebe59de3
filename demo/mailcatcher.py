"""The mail catcher of the demo and the tests: an SMTP server on the loopback that keeps each mail as a JSON file.

A mail is kept for five days, as long as the product keeps the name and address in a feedback request.
"""

import asyncio
import email
import email.policy
import json
import socket
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import TypedDict

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

KEPT_FOR = timedelta(hours=120)

Clock = Callable[[], datetime]


class CaughtMail(TypedDict):
    """A caught mail. `text` and `html` are empty if the mail has no such part; `receivedAt` is ISO 8601."""

    id: str
    to: str
    subject: str
    text: str
    html: str
    messageId: str
    receivedAt: str


def machine_time() -> datetime:
    """Tell the time, in UTC."""
    return datetime.now(UTC)


@contextmanager
def catching(folder: Path, clock: Clock = machine_time) -> Iterator[str]:
    """Catch mail in `folder`, and erase it when its time is over; yields the SMTP server's URL."""

    class Listening(Controller):
        """Takes a socket, because a port that's only named may be somebody else's a moment later."""

        def _create_server(self) -> Awaitable[asyncio.AbstractServer]:
            return self.loop.create_server(self._factory_invoker, sock=listening)

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for unfinished in folder.glob("*.unfinished"):
        unfinished.unlink()
    erase_expired(folder, clock())
    listening = socket.create_server(("127.0.0.1", 0))
    host, port = listening.getsockname()
    catcher = Listening(_Catcher(folder, clock), hostname=host, port=port, server_hostname="localhost")
    catcher.start()
    erasing = asyncio.run_coroutine_threadsafe(_erase_when_due(folder, clock), catcher.loop)
    try:
        yield f"smtp://{host}:{port}?tls=none"
    finally:
        erasing.cancel()
        catcher.stop()


def caught(folder: Path, now: datetime) -> list[CaughtMail]:
    """List the mails of the last five days, newest first."""
    return [mail for _, mail in _kept(folder) if not _is_expired(mail, now)]


def erase_expired(folder: Path, now: datetime) -> int:
    """Delete the mails that are older than five days; returns how many there were."""
    expired = [path for path, mail in _kept(folder) if _is_expired(mail, now)]
    for path in expired:
        path.unlink(missing_ok=True)
    return len(expired)


class _Catcher:
    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    async def handle_DATA(  # noqa: N802 (aiosmtpd calls it so)
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        _keep(self._folder, envelope.original_content or b"", envelope.rcpt_tos, self._clock())
        return "250 OK"


def _keep(folder: Path, content: bytes, recipients: list[str], received: datetime) -> None:
    message = email.message_from_bytes(content, policy=email.policy.default)
    mail = CaughtMail(
        id=f"{received:%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex}",
        to=", ".join(recipients),
        subject=str(message["Subject"] or ""),
        text=_part(message, "plain"),
        html=_part(message, "html"),
        messageId=str(message["Message-ID"] or ""),
        receivedAt=received.isoformat(),
    )
    path = folder / f"{mail['id']}.unfinished"
    path.touch(mode=0o600)
    path.write_text(json.dumps(mail))
    path.rename(path.with_suffix(".json"))


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return "" if part is None else str(part.get_content()).replace("\r\n", "\n")


def _kept(folder: Path) -> Iterator[tuple[Path, CaughtMail]]:
    for path in sorted(folder.glob("*.json"), reverse=True):
        try:
            yield path, json.loads(path.read_text())
        except FileNotFoundError:  # erased meanwhile
            continue


def _is_expired(mail: CaughtMail, now: datetime) -> bool:
    return now - datetime.fromisoformat(mail["receivedAt"]) >= KEPT_FOR


async def _erase_when_due(folder: Path, clock: Clock) -> None:
    while True:
        await asyncio.sleep(60)
        erase_expired(folder, clock())
