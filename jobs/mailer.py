"""Hands mail in over SMTP: STARTTLS or TLS, authentication, a time limit shorter than the outbox's lease.

Certificates are checked against the machine's authorities; OpenSSL's `SSL_CERT_FILE` adds one of one's own.
"""

import asyncio
import time
from contextlib import suppress
from email import policy
from email.errors import MessageError
from email.headerregistry import Address, HeaderRegistry
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

import aiosmtplib

from jobs.letters import Letter
from settings import Settings

QUIT_TIMEOUT = 1.0  # seconds
SURELY_OPEN = 1.0  # seconds that a connection may rest before it is asked whether it still answers
MAILS_MOST = 100  # that one connection takes; servers have such a bound of their own


class _Headers(HeaderRegistry):
    """Makes the class of each header once; the library makes it at each use, for some twenty a mail."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        key = name.lower()
        if key not in self._made:
            self._made[key] = super().__getitem__(key)
        return self._made[key]


_headers = _Headers()
_POLICY = policy.default.clone(header_factory=_headers)


class Undeliverable(Exception):
    """This mail can never be handed in; `code` is the server's, None where the address itself is the reason."""

    def __init__(self, code: int | None = None) -> None:
        super().__init__()
        self.code = code


def compose(settings: Settings, letter: Letter, mail_id: UUID) -> EmailMessage:
    """Make the mail; Undeliverable if its address is none.

    Its Message-ID comes from the outbox row, so that a repeat can be told from a second mail.
    """
    mail = EmailMessage(_POLICY)
    mail["From"] = settings.mail_from
    mail["To"] = _to(letter.address)
    mail["Subject"] = letter.message.subject
    mail["Date"] = formatdate(usegmt=True)
    mail["Message-ID"] = f"<{mail_id}@{urlsplit(settings.base_url).hostname}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(letter.message.text)
    mail.add_alternative(letter.message.html, subtype="html")
    return mail


def _to(address: str) -> Address:
    """Read an address. Its domain is written in ASCII, which every server knows; its local part is left alone."""
    local, _, domain = address.rpartition("@")
    try:
        to = Address(username=local, domain=domain if domain.isascii() else domain.encode("idna").decode())
        header: Any = _headers("to", to.addr_spec)
        (read,) = header.addresses
    except (ValueError, IndexError, MessageError) as error:
        raise Undeliverable from error
    # What would be read as another address (encoded words are decoded, for one) must not go anywhere.
    as_typed = read == to and to.addr_spec == f"{local}@{to.domain}"
    if not (local and domain and as_typed and address.isprintable()):
        raise Undeliverable
    return to


class Post:
    """Connections to the mail server, kept from mail to mail while the block runs, a mail at a time on each."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._resting: list[tuple[aiosmtplib.SMTP, float, int]] = []  # since when, and how many mails it has taken

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(_leave(client) for client, _, _ in self._resting))
        self._resting.clear()

    async def hand_in(self, mail: EmailMessage) -> None:
        """Send it. Undeliverable if the server refuses it for good, SMTPException or OSError if it may be tried again.

        A connection that anything went wrong on is not used again.
        """
        client, taken = _client(self._settings), 0
        try:
            async with asyncio.timeout(self._settings.smtp_timeout):
                client, taken = await self._connected() or (client, taken)
                if not client.is_connected:
                    await client.connect()
                await client.send_message(mail)
        except BaseException as error:
            await _leave(client)
            _tell(error)
            raise
        if taken + 1 < MAILS_MOST:
            self._resting.append((client, time.monotonic(), taken + 1))
        else:
            await _leave(client)

    async def _connected(self) -> tuple[aiosmtplib.SMTP, int] | None:
        """Give a resting connection that still answers; None if there is none."""
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
    """Raise Undeliverable for an error after which trying again is in vain."""
    if isinstance(error, aiosmtplib.SMTPNotSupported):  # a local part that is not ASCII, and a server that is
        raise Undeliverable from error
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
    """Take leave of the server, whose answer no longer matters: what it took, it took."""
    if client.is_connected:
        with suppress(aiosmtplib.SMTPException, OSError):
            async with asyncio.timeout(QUIT_TIMEOUT):
                await client.quit()
    client.close()


def refusal(error: Exception) -> int | None:
    """Give the SMTP code of an error, None if it has none (the network's, a time-out)."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return max(one.code for one in error.recipients)
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return error.code
    return None
