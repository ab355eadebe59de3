"""Hands one mail in over SMTP: STARTTLS or TLS, authentication, a time limit shorter than the outbox's lease."""

from email.message import EmailMessage
from email.utils import formatdate
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

import aiosmtplib

from jobs.letters import Letter
from settings import Settings


def compose(settings: Settings, letter: Letter, mail_id: UUID) -> EmailMessage:
    """Make the mail. Its Message-ID comes from the outbox row, so that a repeat can be told from a second mail."""
    mail = EmailMessage()
    mail["From"] = settings.mail_from
    mail["To"] = letter.address
    mail["Subject"] = letter.message.subject
    mail["Date"] = formatdate(usegmt=True)
    mail["Message-ID"] = f"<{mail_id}@{urlsplit(settings.base_url).hostname}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(letter.message.text)
    mail.add_alternative(letter.message.html, subtype="html")
    return mail


async def hand_in(settings: Settings, mail: EmailMessage) -> None:
    """Send it; raises aiosmtplib.SMTPException or OSError if the server did not take it."""
    server = urlsplit(settings.smtp_url.get_secret_value())
    tls = parse_qs(server.query).get("tls", ["starttls"])[-1]
    over_tls = server.scheme == "smtps"
    await aiosmtplib.send(
        mail,
        hostname=server.hostname,
        port=server.port or (465 if over_tls else 587),
        username=unquote(server.username) if server.username else None,
        password=unquote(server.password) if server.password else None,
        use_tls=over_tls,
        start_tls=not over_tls and tls == "starttls",
        timeout=settings.smtp_timeout,
    )


def refusal(error: Exception) -> int | None:
    """Give the SMTP code of an error, None if it has none (the network's, a time-out)."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return max(one.code for one in error.recipients)
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return error.code
    return None
