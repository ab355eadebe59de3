import asyncio
import email
import email.policy
import socket
from datetime import UTC, datetime
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from uuid import uuid4

import aiosmtplib
import pytest

from jobs import mailer
from jobs.mail.declaration import Letter
from jobs.mail.render import Message
from jobs.mailer import MimeMail, Post, Undeliverable
from jobs.outbox import LEASE
from settings import Settings, load
from tests.jobs.post import PASSWORD, certificate, post_office, scripted, server_context

CONTENT = Message("Hello Zoë", "Hello,\n\n.a line that begins with a dot\nÄnde\n", "<p>Hello &amp; goodbye, Zoë</p>\n")


@cache
def settings(smtp_url: str = "smtp://127.0.0.1:1?tls=none", **overrides: object) -> Settings:
    values = {
        "database_url": "postgresql://nobody@/none",
        "redis_url": "redis://127.0.0.1:1",
        "smtp_url": smtp_url,
        "smtp_timeout": 5,
        "mail_from": "Médiation <logbook@demo.example>",
        "base_url": "https://logbook.demo.example",
        "secret_key": "k" * 32,
        "digest_url": "https://demo.example/digest",
        "support_email": "support@demo.example",
        "privacy_policy_url": "https://demo.example/privacy",
    }
    return load(**values | overrides)


def mail_to(address: str = "party@demo.example", content: Message = CONTENT) -> MimeMail:
    return mailer.compose(settings(), Letter(address, content), uuid4())


def read(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, policy=email.policy.default)


@pytest.fixture(scope="session")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("trusted"), "IP:127.0.0.1", "DNS:localhost")


@pytest.fixture
def trust(trusted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this process trust that certificate, the way an operator would."""
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))


async def hand_in(settings: Settings, mail: MimeMail) -> None:
    async with Post(settings) as post:
        await post.hand_in(mail)


def with_sign_in(url: str, password: str = "p%40ss%2Fword%3A%20%C3%BC") -> str:
    scheme, _, server = url.partition("://")
    return f"{scheme}://mailer%40demo.example:{password}@{server}"


async def test_a_mail_arrives_complete() -> None:
    async with post_office() as office:
        began = datetime.now(UTC).replace(microsecond=0)
        sent = mail_to()
        await hand_in(settings(office.url), sent)
        (accepted,) = office.accepted
        assert (accepted.sender, accepted.recipients) == ("logbook@demo.example", ["party@demo.example"])
        got = read(accepted.content)
        assert got["From"] == "Médiation <logbook@demo.example>"
        assert got["Subject"] == "Hello Zoë"
        assert got["Auto-Submitted"] == "auto-generated"
        assert accepted.content == sent.content
        assert began <= got["Date"].datetime <= datetime.now(UTC)
        text, html = got.get_body(("plain",)), got.get_body(("html",))
        assert text is not None
        assert html is not None
        assert text.get_content().replace("\r\n", "\n") == CONTENT.text
        assert html.get_content().replace("\r\n", "\n") == CONTENT.html


def test_the_message_id_comes_from_the_row() -> None:
    row_id = uuid4()
    both = [mailer.compose(settings(), Letter("party@demo.example", CONTENT), row_id) for _ in range(2)]
    assert [read(mail.content)["Message-ID"] for mail in both] == [f"<{row_id}@logbook.demo.example>"] * 2


async def test_with_starttls_password_and_mail_are_only_sent_encrypted(trusted: Path, trust: None) -> None:
    async with post_office(tls=server_context(trusted), sign_in=True) as office:
        await hand_in(settings(with_sign_in(office.url)), mail_to())
        assert office.sign_ins == [("mailer@demo.example", PASSWORD)]
        assert [(mail.over_tls, mail.signed_in) for mail in office.accepted] == [(True, True)]


async def test_mail_is_sent_with_tls_from_the_first_byte(trusted: Path, trust: None) -> None:
    async with post_office(tls=server_context(trusted), implicit=True, sign_in=True) as office:
        await hand_in(settings(with_sign_in(office.url)), mail_to())
        assert office.sign_ins == [("mailer@demo.example", PASSWORD)]
        assert len(office.accepted) == 1


@pytest.mark.parametrize("sign_in", [False, True])
async def test_a_server_without_starttls_gets_neither_password_nor_mail(sign_in: bool) -> None:
    async with post_office(sign_in=sign_in) as office:
        url = office.url.removesuffix("?tls=none")
        with pytest.raises(aiosmtplib.SMTPException):
            await hand_in(settings(with_sign_in(url) if sign_in else url), mail_to())
        assert (office.sign_ins, office.accepted) == ([], [])


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("wrong", ["unknown to us", "of another host"])
async def test_a_server_with_a_wrong_certificate_gets_nothing(
    wrong: str, implicit: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = certificate(tmp_path, "IP:127.0.0.1" if wrong == "unknown to us" else "DNS:other.demo.example")
    if wrong == "of another host":
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    async with post_office(tls=server_context(pem), implicit=implicit, sign_in=True) as office:
        with pytest.raises((OSError, aiosmtplib.SMTPException)) as caught:
            await hand_in(settings(with_sign_in(office.url)), mail_to())
        assert not isinstance(caught.value, Undeliverable)
        assert (office.sign_ins, office.accepted) == ([], [])


async def test_a_wrong_password_is_for_the_operator_to_fix_and_not_blamed_on_the_mail(
    trusted: Path, trust: None
) -> None:
    async with post_office(tls=server_context(trusted), sign_in=True) as office:
        with pytest.raises(aiosmtplib.SMTPAuthenticationError) as caught:
            await hand_in(settings(with_sign_in(office.url, "wrong")), mail_to())
        assert mailer.refusal(caught.value) == 535
        assert office.accepted == []


@pytest.mark.parametrize("answer", ["421 busy", "450 mailbox busy", "451 4.7.1 greylisted", "452 full"])
async def test_mail_refused_for_now_may_be_tried_again(answer: str) -> None:
    async with post_office() as office:
        office.to_recipient = [answer]
        office.to_content = [answer]
        for _ in range(2):  # first the recipient, then the content
            with pytest.raises(aiosmtplib.SMTPException) as caught:
                await hand_in(settings(office.url), mail_to())
            assert mailer.refusal(caught.value) == int(answer[:3])
        await hand_in(settings(office.url), mail_to())
        assert len(office.accepted) == 1


@pytest.mark.parametrize("answer", ["550 no such user", "553 not allowed", "554 rejected"])
async def test_mail_refused_for_good_is_undeliverable(answer: str) -> None:
    async with post_office() as office:
        office.to_recipient = [answer]
        office.to_content = [answer]
        for _ in range(2):
            with pytest.raises(Undeliverable) as caught:
                await hand_in(settings(office.url), mail_to())
            assert caught.value.code == int(answer[:3])
        assert office.accepted == []


@pytest.mark.parametrize("answers", [("554 closed",), ("220 hello", "250 post", "550 not from you", "250 OK")])
async def test_a_server_that_refuses_us_is_not_blamed_on_the_mail(answers: tuple[str, ...]) -> None:
    async with scripted(*answers) as url:
        with pytest.raises(aiosmtplib.SMTPException) as caught:
            await hand_in(settings(url), mail_to())
        assert mailer.refusal(caught.value) in {550, 554}


async def test_a_refused_connection_may_be_tried_again() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"smtp://127.0.0.1:{bound.getsockname()[1]}?tls=none"
        with pytest.raises(aiosmtplib.SMTPConnectError) as caught:
            await hand_in(settings(url), mail_to())
    assert mailer.refusal(caught.value) is None


SLOW = ("220 hello", "250 post", "250 OK", "250 OK", "354 go on", "250 OK", "221 bye")


@pytest.mark.parametrize("answers", [(), SLOW[:1], SLOW[:2], SLOW[:5]])
async def test_a_server_that_falls_silent_is_given_up_in_time(
    answers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailer, "QUIT_TIMEOUT", 0.1)
    async with asyncio.timeout(60), scripted(*answers) as url:
        with pytest.raises((TimeoutError, aiosmtplib.SMTPTimeoutError)):
            await hand_in(settings(url, smtp_timeout=1), mail_to())


async def test_the_time_limit_is_for_the_whole_mail_and_not_for_each_answer() -> None:
    async with scripted(*SLOW, delay=0.6) as url:
        with pytest.raises(TimeoutError):
            await hand_in(settings(url, smtp_timeout=1), mail_to())


@pytest.mark.parametrize("answers", [SLOW[:6], (*SLOW[:6], None), (*SLOW[:6], "500 no"), (*SLOW[:6], "nonsense")])
async def test_mail_that_the_server_accepted_is_sent_however_the_connection_ends(
    answers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailer, "QUIT_TIMEOUT", 0.1)
    async with scripted(*answers) as url:
        await hand_in(settings(url), mail_to())


@pytest.mark.parametrize("answers", [(*SLOW[:3], None), (*SLOW[:4], None), (*SLOW[:5], None), ("nonsense",)])
async def test_mail_may_be_tried_again_if_the_connection_breaks_before_it_was_accepted(
    answers: tuple[str | None, ...],
) -> None:
    async with scripted(*answers) as url:
        with pytest.raises((aiosmtplib.SMTPException, OSError)) as caught:
            await hand_in(settings(url), mail_to())
        assert (mailer.refusal(caught.value) or 0) < 500


async def test_we_introduce_ourselves_by_our_public_name() -> None:
    heard = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        heard.set_result(await reader.readline())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}?tls=none"
        with pytest.raises(aiosmtplib.SMTPException):
            await hand_in(settings(url), mail_to())
    assert heard.result() == b"EHLO logbook.demo.example\r\n"


@pytest.mark.parametrize(
    ("address", "reached"),
    [
        ("anna@büro.example", "anna@xn--bro-hoa.example"),
        ("pat@straße.example", "pat@xn--strae-oqa.example"),
        ("pat@STRASSE.example", "pat@strasse.example"),
        ("pat@οδός.example", "pat@xn--pxavk3b.example"),
        ("pat@例子。example", "pat@xn--fsqu00a.example"),
        ("Pat@xn--strae-oqa.example", "Pat@xn--strae-oqa.example"),
        ("a+b_c'd!#$%&*/?=^`{|}~-@demo.example", "a+b_c'd!#$%&*/?=^`{|}~-@demo.example"),
    ],
)
async def test_a_server_that_only_knows_ascii_gets_mail_to_domains_in_every_script(address: str, reached: str) -> None:
    async with post_office() as office:
        await hand_in(settings(office.url), mail_to(address))
        (accepted,) = office.accepted
        assert accepted.recipients == [reached]
        assert f"To: {reached}\r\n" in accepted.content.decode("ascii")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "jörg@demo.example",  # half of all servers would refuse this one
        "party",
        "party@",
        "@demo.example",
        "party@demo.example, thief@evil.example",
        "party@demo.example\r\nBcc: thief@evil.example",
        "party@demo.example>\r\nRCPT TO:<thief@evil.example",
        "Party <party@demo.example>",
        "=?utf-8?q?thief=40evil.example=2C?=@demo.example",
        "group:thief@evil.example;",
        "(thief@evil.example)@demo.example",
        '"thief@evil.example"@demo.example',
        "party@" + "ü" * 70 + ".example",
        "a@ü..example",
        "a@example..org",
        "party@demo.example\x00",
    ],
)
def test_mail_to_anything_but_a_plain_address_is_undeliverable(address: str) -> None:
    with pytest.raises(Undeliverable):
        mail_to(address)


def test_the_longest_time_limit_is_shorter_than_a_lease() -> None:
    most = next(rule.le for rule in Settings.model_fields["smtp_timeout"].metadata if hasattr(rule, "le"))
    assert most + mailer.QUIT_TIMEOUT < LEASE.total_seconds()
