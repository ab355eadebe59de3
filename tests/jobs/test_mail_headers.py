"""What a stranger types stays text in every header and body of a mail, in the very bytes the mail server gets."""

import email
import email.policy
import quopri
import re
from base64 import b64decode
from email.header import decode_header
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from jobs import mailer
from jobs.mail import MAILS
from jobs.mail.declaration import Letter
from jobs.mail.render import Message
from tests.jobs.post import post_office
from tests.jobs.test_mail_render import example, plain_name
from tests.jobs.test_mailer import hand_in, settings
from tests.volume import tries

HEADERS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "MIME-Version",
    "Content-Type",
]
ENCODED = [
    "=?utf-8?q?Bank=0D=0AContent-Type=3A_text=2Fplain=0D=0A=0D=0AWords_of_the_attacker_alone=2E=0D=0A?=",
    "=?utf-8?q?Pay_now=3A_https=3A=2F=2Fevil=2Eexample=2Fx?=",
    "=?utf-8?q?a=0D=0ABcc=3A_x=40evil=2Eexample?=",
    "=?UTF-8?B?YQ0KQmNjOiB4QGV2aWwuZXhhbXBsZQ==?=",
    "=?iso-8859-1?Q?a=0ABcc:x?= =?us-ascii?q?b?=",
    "=?utf-7?q?+AA0ACg-Bcc?==?utf-16?b?AGEADQAK?=",
    "=?utf-8*en?q?a=0AReply-To=3A_x=40evil=2Eexample?=",
    "=?unknown?x?a?= =?utf-8?q?=ED=A0=80=00?=",
    "=?utf-8?q?" + "a" * 90 + "=0D=0ABcc=3A_x?=",
    "=?=?utf-8?q?nested?=?utf-8?q?=3D=3Futf-8=3Fq=3Fagain=3F=3D?=",
]
OTHERS = [
    "a\r\nBcc: x@evil.example",
    "a\rb\nc\x00d\x1b[31m\x85e\u2028f",
    "\u202eevil\u2066\u200f\u061c",
    "\ud800lone\udfff",
    "n" * 200,
    "Zoë " * 49,
    "👩\u200d👩\u200d👧\u200d👦🏴" * 20,
    "名" * 200,
    "e\u0301" * 100,
    'Anna "the \\ judge" <x@evil.example>, (b); c:',
    "=" * 100 + "?",
    " =?utf-8?q?a",
]
hostile = st.lists(
    st.sampled_from([*ENCODED, *OTHERS, "=?", "?=", "?q?", "?b?", "=0A", " ", "\r\n ", "\t", "utf-8", "\x00", "\u202e"])
    | st.text(st.characters(), max_size=30),
    max_size=8,
).map("".join)


def sections(content: bytes) -> tuple[list[tuple[str, str]], list[tuple[list[bytes], bytes]]]:
    """Split a mail without a parser that decodes anything: into its headers, and each part's headers and bytes."""
    assert content.isascii()
    assert b"\r" not in content.replace(b"\r\n", b"")
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert max(map(len, content.split(b"\r\n"))) <= 998
    head, _, body = content.partition(b"\r\n\r\n")
    headers = [tuple(field.split(": ", 1)) for field in re.split(r"\r\n(?! )", head.decode("ascii"))]
    before, *parts, after = body.split(b"--=_part")
    assert (before, after) == (b"", b"--\r\n")
    return headers, [(part.split(b"\r\n\r\n")[0].split(), part.partition(b"\r\n\r\n")[2]) for part in parts]


def decoded_once(value: str) -> str:
    """Read a header's value as a mail program does: decode encoded words once, but not what's inside them."""
    return "".join(
        text if isinstance(text, str) else text.decode(charset or "ascii")
        for text, charset in decode_header(re.sub("\r\n ", " ", value))
    )


def assert_only_ours(content: bytes, message: Message, to: str = "party@demo.example") -> None:
    """Each header occurs once and as we wrote it; the subject and the bodies are those of the message."""
    headers, parts = sections(content)
    assert [name for name, _ in headers] == HEADERS
    fields = dict(headers)
    shown = message.subject.encode(errors="replace").decode()
    assert decoded_once(fields["Subject"]) == shown
    assert str(email.message_from_bytes(content, policy=email.policy.default)["Subject"]) == shown
    if fields["Subject"] != shown:
        for line in f"Subject: {fields['Subject']}".split("\r\n"):
            assert len(line) <= 76
            word = re.fullmatch(r"(?:Subject:)? (=\?utf-8\?b\?([A-Za-z0-9+/]+=*)\?=)", line)
            assert word is not None
            assert len(word[1]) <= 75
            assert b64decode(word[2], validate=True).decode()  # whole characters in each
    else:
        assert "=?" not in shown
        assert shown.isprintable()
    assert fields["To"] == to
    assert fields["Content-Type"] == 'multipart/alternative; boundary="=_part"'
    for (about, encoded), kind, typed in zip(parts, ("plain", "html"), (message.text, message.html), strict=True):
        assert about == [
            *(b"Content-Type:", f"text/{kind};".encode(), b"charset=utf-8"),
            *(b"Content-Transfer-Encoding:", b"quoted-printable"),
        ]
        assert max(map(len, encoded.split(b"\r\n"))) <= 76
        read = quopri.decodestring(encoded.removesuffix(b"\r\n")).decode().replace("\r\n", "\n")
        assert read == re.sub(r"\r\n?", "\n", typed).encode(errors="replace").decode()


def written(message: Message, **overrides: Any) -> bytes:
    return mailer.compose(settings(**overrides), Letter("party@demo.example", message), uuid4()).content


@pytest.mark.parametrize("kind", MAILS)
def test_no_mail_decodes_a_name_wherever_it_appears(kind: str) -> None:
    begins = example(kind, "Innocent Name").text.split()[0]
    for name in (*ENCODED, *OTHERS):
        message = example(kind, name)
        assert_only_ours(written(message), message)
        assert message.text.split()[0] == begins
        for part in (message.subject, message.text, message.html):
            assert "evil.example" not in part  # the encoded words above write a dot as `=2E`


@effort(max_examples=tries(50, 1500), derandomize=True)
@given(st.sampled_from(sorted(MAILS)), hostile)
def test_no_mail_decodes_any_text(kind: str, name: str) -> None:
    message = example(kind, name)
    assert_only_ours(written(message), message)
    assert message.subject == " ".join(message.subject.split())


@effort(max_examples=tries(50, 1500), derandomize=True)
@given(hostile, st.text(st.characters()), st.text(st.characters()))
def test_the_code_that_writes_mail_does_not_rely_on_cleaned_names(name: str, text: str, html: str) -> None:
    """Even if a name hadn't been cleaned before, its line ends wouldn't end a header."""
    message = Message(name, text, html)
    headers, parts = sections(written(message))
    assert [field for field, _ in headers] == HEADERS
    assert len(parts) == 2


@effort(max_examples=tries(3, 50), derandomize=True)
@given(st.lists(hostile, min_size=1, max_size=10))
async def test_the_server_gets_exactly_these_bytes(names: list[str]) -> None:
    messages = [example("feedback_request", name) for name in [*names, *ENCODED, *OTHERS]]
    async with post_office() as office:
        for message in messages:
            mail = mailer.compose(settings(), Letter("party@demo.example", message), uuid4())
            await hand_in(settings(office.url), mail)
        for accepted, message in zip(office.accepted, messages, strict=True):
            assert accepted.recipients == ["party@demo.example"]
            assert_only_ours(accepted.content, message)


def test_a_name_that_decodes_to_a_link_is_shown_as_it_was_typed() -> None:
    message = example("feedback_request", mediator_name=ENCODED[1])
    (subject,) = [value for name, value in sections(written(message))[0] if name == "Subject"]
    assert decoded_once(subject) == f"{plain_name(ENCODED[1])} would like your feedback"
    assert "=?utf-8?q?Pay_now=3A_https" in decoded_once(subject)
    assert "Pay now" not in subject


@pytest.mark.parametrize("text", ["Hello", "Mo Mediator would like your feedback", "x" * 60])
def test_a_plain_subject_stays_readable_on_the_wire(text: str) -> None:
    assert f"\r\nSubject: {text}\r\n".encode() in written(Message(text, "t", "h"))


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Demo <logbook@demo.example>", "Demo"),
        ('"Demo, Inc. \\"x\\"" <logbook@demo.example>', 'Demo, Inc. "x"'),
        ("Médiation <logbook@demo.example>", "Médiation"),
        ("=?utf-8?q?a=0D=0ABcc=3A_x=40evil=2Eexample?= <logbook@demo.example>", ENCODED[2]),
        ("名前" * 60 + " <logbook@demo.example>", "名前" * 60),
        ("N" * 100 + " <logbook@demo.example>", "N" * 100),
        ("logbook@demo.example", ""),
        ("logbook@straße.example", ""),
    ],
)
def test_the_name_of_the_sender_is_text_too(typed: str, name: str) -> None:
    content = written(Message("s", "t", "h"), mail_from=typed)
    address = "logbook@xn--strae-oqa.example" if "ß" in typed else "logbook@demo.example"
    headers, _ = sections(content)
    assert [field for field, _ in headers] == HEADERS
    assert max(map(len, content.partition(b"\r\nTo:")[0].split(b"\r\n"))) <= 98
    shown, _, after = decoded_once(dict(headers)["From"]).rpartition("<")
    assert after == f"{address}>"
    assert re.sub(r"\\(.)", r"\1", re.sub(r'^"(.*)"$', r"\1", shown.strip())) == name


@pytest.mark.parametrize("name", [*ENCODED, "名" * 100, "Demo & Logbook"])
def test_the_name_of_the_organisation_is_text_too(name: str) -> None:
    message = Message(f"You already have an account at {name[:100]}", "t", "h")
    assert_only_ours(written(message, organisation_name=name[:100]), message)
