import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace

import aiosmtplib
import httpx
import pytest
from starlette.applications import Starlette

from demo import mailbox
from demo.mailcatcher import KEPT_FOR, CaughtMail, catching, caught, erase_expired

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Clock:
    """Stands still until it's set."""

    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "mailbox"


@pytest.fixture
def smtp_url(folder: Path, clock: Clock) -> Iterator[str]:
    with catching(folder, clock) as url:
        yield url


def letter(subject: str = "Hello", text: str = "Hello there\n", html: str | None = None) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Demo Logbook <logbook@demo.example>"
    message["To"] = "party@demo.example"
    message["Subject"] = subject
    message["Message-ID"] = "<1@demo.example>"
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    return message


async def deliver(smtp_url: str, message: EmailMessage) -> None:
    port = int(re.fullmatch(r"smtp://127\.0\.0\.1:(\d+)\?tls=none", smtp_url)[1])  # type: ignore[index]  # it matches
    await aiosmtplib.send(message, hostname="127.0.0.1", port=port, start_tls=False)


async def get(
    folder: Path, address: str = "/mailbox", *, offset: timedelta = timedelta(), accept: str = "text/html"
) -> httpx.Response:
    app = Starlette(routes=mailbox.routes)
    app.state.settings = SimpleNamespace(mailbox=folder, clock_offset=offset)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        return await client.get(address, headers={"Accept": accept})


def contents(folder: Path) -> list[str]:
    return [path.read_text() for path in folder.iterdir()]


def modes(folder: Path) -> list[str]:
    return [f"{path.stat().st_mode & 0o777:o}" for path in (folder, *folder.iterdir())]


async def test_a_mail_is_read_back_unchanged(smtp_url: str, folder: Path) -> None:
    subject = "Żaneta asks you: how was the mediation? " + "ü" * 80
    text = "Grüße,\n\nhttps://demo.example/feedback/" + "a=b" * 60 + "\n.\nEnd\n"
    html = "<p>Grüße &amp; <a href='https://demo.example/'>" + "long " * 300 + "</a></p>\n"
    await deliver(smtp_url, letter(subject, text, html))
    [mail] = caught(folder, NOW)
    assert mail == CaughtMail(
        id=mail["id"],
        to="party@demo.example",
        subject=subject,
        text=text,
        html=html,
        messageId="<1@demo.example>",
        receivedAt="2026-03-01T12:00:00+00:00",
    )


async def test_a_mail_without_html_has_only_text(smtp_url: str, folder: Path) -> None:
    await deliver(smtp_url, letter(text="Only text\n"))
    [mail] = caught(folder, NOW)
    assert (mail["text"], mail["html"]) == ("Only text\n", "")


async def test_mails_are_private_files_listed_newest_first(smtp_url: str, folder: Path, clock: Clock) -> None:
    for minute in range(3):
        clock.now = NOW + timedelta(minutes=minute)
        await deliver(smtp_url, letter(f"Mail {minute}"))
    assert [mail["subject"] for mail in caught(folder, clock.now)] == ["Mail 2", "Mail 1", "Mail 0"]
    assert modes(folder) == ["700", "600", "600", "600"]


async def test_a_mail_older_than_five_days_is_not_listed_and_is_deleted(
    smtp_url: str, folder: Path, clock: Clock
) -> None:
    await deliver(smtp_url, letter("Old"))
    clock.now = NOW + timedelta(seconds=1)
    await deliver(smtp_url, letter("Younger"))
    assert len(caught(folder, NOW + KEPT_FOR - timedelta(seconds=1))) == 2
    at_the_end = NOW + timedelta(hours=120)
    assert [mail["subject"] for mail in caught(folder, at_the_end)] == ["Younger"]
    assert erase_expired(folder, at_the_end - timedelta(seconds=1)) == 0
    assert erase_expired(folder, at_the_end) == 1
    assert ["Old" in mail for mail in contents(folder)] == [False]


async def test_mail_that_expired_while_the_catcher_was_off_is_deleted_when_it_starts(
    folder: Path, clock: Clock
) -> None:
    with catching(folder, clock) as smtp_url:
        await deliver(smtp_url, letter())
    cut_short = folder / "cut-short.unfinished"
    cut_short.write_text("Hello")
    clock.now = NOW + KEPT_FOR
    with catching(folder, clock):
        assert contents(folder) == []


async def test_two_catchers_run_side_by_side(tmp_path: Path) -> None:
    with catching(tmp_path / "a") as one, catching(tmp_path / "b") as other:
        await deliver(one, letter("One"))
        await deliver(other, letter("Other"))
    now = datetime.now(UTC)
    assert [mail["subject"] for name in "ab" for mail in caught(tmp_path / name, now)] == ["One", "Other"]


async def test_the_mailbox_answers_with_json_newest_first(tmp_path: Path) -> None:
    with catching(tmp_path) as smtp_url:
        await deliver(smtp_url, letter("First"))
        await deliver(smtp_url, letter("Second", html="<p>Second</p>\n"))
    for accept in ("application/json", "*/*"):
        response = await get(tmp_path, accept=accept)
        assert response.headers["Content-Type"] == "application/json"
        assert response.headers["Cache-Control"] == "no-store"
        mails = response.json()
        assert [mail["subject"] for mail in mails] == ["Second", "First"]
        assert set(mails[0]) == {"id", "to", "subject", "text", "html", "messageId", "receivedAt"}
        assert mails[0]["html"] == "<p>Second</p>\n"


async def test_the_mailbox_follows_the_clock_of_the_services(tmp_path: Path) -> None:
    with catching(tmp_path) as smtp_url:
        await deliver(smtp_url, letter())
    almost = await get(tmp_path, offset=timedelta(hours=119), accept="application/json")
    over = await get(tmp_path, offset=timedelta(hours=120), accept="application/json")
    assert (len(almost.json()), len(over.json())) == (1, 0)


async def test_the_mailbox_page_escapes_the_text_of_mails(tmp_path: Path) -> None:
    with catching(tmp_path) as smtp_url:
        await deliver(
            smtp_url, letter("<script>alert(1)</script>", "<img src=x onerror=alert(2)> javascript:alert(3)\n")
        )
    page = (await get(tmp_path)).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "&lt;img src=x onerror=alert(2)&gt; javascript:alert(3)" in page
    assert not re.search(r"<script|<img|<style| style=| on\w+=|href=\"javascript", page.replace("&lt;img src=x on", ""))


@pytest.mark.parametrize(
    ("text", "link"),
    [
        (
            "Go to https://demo.example/feedback/a-b_c?x=1&y=%20#end.",
            "https://demo.example/feedback/a-b_c?x=1&amp;y=%20#end",
        ),
        ("(http://127.0.0.1:8000/verify/abc)", "http://127.0.0.1:8000/verify/abc"),
        ('<https://demo.example/a"b>', "https://demo.example/a"),
        ("https://demo.example/", "https://demo.example/"),
    ],
)
async def test_web_links_in_text_can_be_clicked(tmp_path: Path, text: str, link: str) -> None:
    with catching(tmp_path) as smtp_url:
        await deliver(smtp_url, letter(text=f"{text}\n"))
    page = (await get(tmp_path)).text
    assert re.findall(r'<pre>.*<a href="([^"]*)">([^<]*)</a>', page) == [(link, link)]


@pytest.mark.parametrize(
    "text", ["javascript:alert(1)", "data:text/html,x", "www.demo.example", "a@demo.example", "https://"]
)
async def test_nothing_else_becomes_a_link(tmp_path: Path, text: str) -> None:
    with catching(tmp_path) as smtp_url:
        await deliver(smtp_url, letter(text=f"{text}\n"))
    page = (await get(tmp_path)).text
    assert f"<pre>{text}\n</pre>" in page


async def test_an_empty_mailbox_says_so(tmp_path: Path) -> None:
    assert "Nothing yet" in (await get(tmp_path)).text
    assert (await get(tmp_path, accept="application/json")).json() == []


async def test_the_html_of_a_mail_is_shown_in_a_sandbox(tmp_path: Path) -> None:
    html = "<p>Hello <script>alert(1)</script></p>\n"
    with catching(tmp_path) as smtp_url:
        await deliver(smtp_url, letter(html=html))
    [address] = re.findall(r'href="(/mailbox/[^"]+)"', (await get(tmp_path)).text)
    response = await get(tmp_path, address)
    assert response.text == html
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox ")
    assert "default-src 'none'" in policy
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert (await get(tmp_path, address, offset=KEPT_FOR)).status_code == 404


@pytest.mark.parametrize("id", ["none", "..%2Fsecret_key", "%00"])
async def test_other_files_are_not_mistaken_for_mails(tmp_path: Path, id: str) -> None:
    with catching(tmp_path / "mailbox") as smtp_url:
        await deliver(smtp_url, letter())
    assert (await get(tmp_path / "mailbox", f"/mailbox/{id}")).status_code == 404
