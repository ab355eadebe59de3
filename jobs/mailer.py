"""Hands one mail in over SMTP: STARTTLS or TLS, authentication, a time limit shorter than the outbox's lease.

Certificates are checked against the machine's authorities; OpenSSL's `SSL_CERT_FILE` adds one of one's own.
"""

import asyncio
from contextlib import suppress
from email.errors import MessageError
from email.headerregistry import Address, HeaderRegistry
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

import aiosmtplib

from jobs.letters import Letter
from settings import Settings

QUIT_TIMEOUT = 1.0  # seconds


class Undeliverable(Exception):
    """This mail can never be handed in; `code` is the server's, None where the address itself is the reason."""

    def __init__(self, code: int | None = None) -> None:
        super().__init__()
        self.code = code


def compose(settings: Settings, letter: Letter, mail_id: UUID) -> EmailMessage:
    """Make the mail; Undeliverable if its address is none.

    Its Message-ID comes from the outbox row, so that a repeat can be told from a second mail.
    """
    mail = EmailMessage()
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
        header: Any = HeaderRegistry()("to", to.addr_spec)
        (read,) = header.addresses
    except (ValueError, IndexError, MessageError) as error:
        raise Undeliverable from error
    # What would be read as another address (encoded words are decoded, for one) must not go anywhere.
    as_typed = read == to and to.addr_spec == f"{local}@{to.domain}"
    if not (local and domain and as_typed and address.isprintable()):
        raise Undeliverable
    return to


async def hand_in(settings: Settings, mail: EmailMessage) -> None:
    """Send it. Undeliverable if the server refuses it for good, SMTPException or OSError if it may be tried again."""
    client = _client(settings)
    try:
        async with asyncio.timeout(settings.smtp_timeout):
            await client.connect()
            await client.send_message(mail)
    except aiosmtplib.SMTPNotSupported as error:  # a local part that is not ASCII, and a server that is
        raise Undeliverable from error
    except (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPDataError) as error:
        code = refusal(error)
        if code is not None and code >= 500:
            raise Undeliverable(code) from error
        raise
    finally:
        await _leave(client)


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
