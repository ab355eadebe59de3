"""Writes mail and hands it in over SMTP: STARTTLS or TLS, authentication, a time limit below the outbox's lease.

Mail is written here to the last byte. The library's `EmailMessage` parses what it's given, and so decodes what a
stranger typed; nothing here parses text.

Certificates are checked against the machine's authorities; OpenSSL's `SSL_CERT_FILE` adds your own.
"""

import asyncio
import re
import time
from binascii import b2a_base64, b2a_qp
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

import aiosmtplib

from jobs.mail.declaration import Letter
from permissions.addresses import wire_address
from settings import Settings

QUIT_TIMEOUT = 1.0  # seconds
SURELY_OPEN = 1.0  # seconds that a connection may rest before we check that it still answers
MAX_MAILS = 100  # mails over one connection; servers have limits of their own
_MAX_PLAIN = 60  # characters of a header that still fit on one line
_MAX_WORD = 39  # bytes in an encoded word: with the header's name, it stays below 76 characters
_BOUNDARY = "=_part"  # which quoted-printable never has: it writes = before hexadecimal digits alone


class Undeliverable(Exception):
    """This mail can never be handed in; `code` is the server's, or None if the address itself is the reason."""

    def __init__(self, code: int | None = None) -> None:
        super().__init__()
        self.code = code


@dataclass(frozen=True)
class MimeMail:
    """A mail from one address to one, both in ASCII, as is `content`: headers and body, with CR LF line ends."""

    sender: str
    recipient: str
    content: bytes


def compose(settings: Settings, letter: Letter, mail_id: UUID) -> MimeMail:
    """Write the mail; Undeliverable if its address isn't one.

    Its Message-ID comes from the outbox row, so that a repeat can be told from a second mail.
    """
    try:
        recipient = wire_address(letter.address)
    except ValueError as error:
        raise Undeliverable from error
    name, sender = settings.sender
    lines = (
        f"From: {_phrase(name)}<{sender}>",
        f"To: {recipient}",
        f"Subject: {_text(letter.message.subject)}",
        f"Date: {formatdate(usegmt=True)}",
        f"Message-ID: <{mail_id}@{urlsplit(settings.base_url).hostname}>",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/alternative; boundary="{_BOUNDARY}"',
        "",
        *_part("plain", letter.message.text),
        *_part("html", letter.message.html),
        f"--{_BOUNDARY}--",
        "",
    )
    return MimeMail(sender, recipient, "\r\n".join(lines).encode("ascii"))


def _text(text: str) -> str:
    """Write free text for a header: as it is, or as encoded words (RFC 2047), each of whole characters on its line.

    Mail programs decode anything that looks like an encoded word, once. If it was typed like that, it's encoded itself,
    so they show it as typed.
    """
    if _is_plain(text):
        return text
    pieces = re.findall(rb"[\s\S]{1,%d}(?![\x80-\xbf])" % _MAX_WORD, text.encode(errors="replace"))
    return "\r\n ".join(f"=?utf-8?b?{b2a_base64(piece, newline=False).decode()}?=" for piece in pieces)


def _is_plain(text: str) -> bool:
    return len(text) <= _MAX_PLAIN and text.isascii() and text.isprintable() and "=?" not in text


def _phrase(name: str) -> str:
    """Write the name before an address, with the separator."""
    if not _is_plain(name):
        return f"{_text(name)}\r\n "
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" ' if name else ""


def _part(kind: str, text: str) -> tuple[str, ...]:
    lines = re.sub(r"\r\n?", "\n", text).encode(errors="replace")
    return (
        f"--{_BOUNDARY}",
        f"Content-Type: text/{kind}; charset=utf-8",
        "Content-Transfer-Encoding: quoted-printable",
        "",
        b2a_qp(lines).decode("ascii").replace("\n", "\r\n"),
    )


class Post:
    """Connections to the mail server, kept from mail to mail while the block runs, one mail at a time on each."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._resting: list[tuple[aiosmtplib.SMTP, float, int]] = []  # since when, and how many mails it has taken

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(_leave(client) for client, _, _ in self._resting))
        self._resting.clear()

    async def hand_in(self, mail: MimeMail) -> None:
        """Send it.

        Undeliverable if the server refuses it for good, SMTPException or OSError if it can be tried again. A connection
        on which anything went wrong isn't used again.
        """
        client, taken = _client(self._settings), 0
        try:
            async with asyncio.timeout(self._settings.smtp_timeout):
                client, taken = await self._connected() or (client, taken)
                if not client.is_connected:
                    await client.connect()
                await client.sendmail(mail.sender, mail.recipient, mail.content)
        except BaseException as error:
            await _leave(client)
            _tell(error)
            raise
        if taken + 1 < MAX_MAILS:
            self._resting.append((client, time.monotonic(), taken + 1))
        else:
            await _leave(client)

    async def _connected(self) -> tuple[aiosmtplib.SMTP, int] | None:
        """Give a resting connection that still answers, or None."""
        while self._resting:
            client, since, taken = self._resting.pop()
            if time.monotonic() - since < SURELY_OPEN:
                return client, taken
            try:
                await client.noop()
            except (aiosmtplib.SMTPException, OSError):
                client.close()
            else:
                return client, taken
        return None


def _tell(error: BaseException) -> None:
    """Raise Undeliverable for an error after which there's no point in trying again."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused | aiosmtplib.SMTPDataError):
        code = refusal(error)
        if code is not None and code >= 500:
            raise Undeliverable(code) from error


def _client(settings: Settings) -> aiosmtplib.SMTP:
    server = urlsplit(settings.smtp_url.get_secret_value())
    tls = parse_qs(server.query).get("tls", ["starttls"])[-1]
    over_tls = server.scheme == "smtps"
    return aiosmtplib.SMTP(
        hostname=server.hostname,
        port=server.port or (465 if over_tls else 587),
        username=unquote(server.username) if server.username else None,
        password=unquote(server.password) if server.password else None,
        use_tls=over_tls,
        start_tls=not over_tls and tls == "starttls",
        local_hostname=urlsplit(settings.base_url).hostname,
        timeout=settings.smtp_timeout,
    )


async def _leave(client: aiosmtplib.SMTP) -> None:
    """Say goodbye to the server. Its answer no longer matters: what it has taken, it has taken."""
    if client.is_connected:
        with suppress(aiosmtplib.SMTPException, OSError):
            async with asyncio.timeout(QUIT_TIMEOUT):
                await client.quit()
    client.close()


def refusal(error: Exception) -> int | None:
    """Give the SMTP code of an error, or None if it has no code (a network error, a time-out)."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return max(one.code for one in error.recipients)
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return error.code
    return None
