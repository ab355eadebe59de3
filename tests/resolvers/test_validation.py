"""What people type: every limit at its edge, and all problems at once."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from permissions.addresses import MAX_ADDRESS, account_key, wire_address
from permissions.writing import NOTHING_ALONE
from resolvers.errors import Code, Refused
from resolvers.validation import FIRST_DAY, MAX_MINUTES, MAX_NAME, MAX_TEXT, Check, cleaned

TODAY = date(2026, 5, 4)


def codes(check: Check) -> list[Code]:
    """The codes of the problems noted."""
    try:
        check.done()
    except Refused as refused:
        return [problem.code for problem in refused.problems]
    return []


@pytest.mark.parametrize("text", ["a" * MAX_TEXT, "\n" + "a" * MAX_TEXT + " ", None, "", " \t "])
def test_a_text_within_its_limit_is_taken_without_the_space_around_it(text: str | None) -> None:
    check = Check()
    assert check.text("notes", text) == ((text or "").strip() or None)
    assert codes(check) == []


def test_the_error_for_a_text_that_is_too_long_says_how_long_it_is() -> None:
    check = Check()
    check.text("notes", "a" * (MAX_TEXT + 1))
    with pytest.raises(Refused) as refused:
        check.done()
    (problem,) = refused.value.problems
    assert (problem.field, problem.code) == ("notes", Code.TOO_LONG)
    assert "10,001" in problem.message


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("A", []),
        ("Ö" * MAX_NAME, []),
        ("O\u0308" * MAX_NAME, []),
        ("李", []),
        ("O'Neill-Smith, Jr.", []),
        ("", [Code.REQUIRED]),
        (None, [Code.REQUIRED]),
        ("\u00a0\u2003", [Code.REQUIRED]),
        ("\u200b\u200d", [Code.REQUIRED]),
        ("\u202e", [Code.REQUIRED]),
        ("\u2800", [Code.REQUIRED]),
        ("\u3164\uffa0\u115f", [Code.REQUIRED]),
        ("\U000e0041\ufe0f", [Code.REQUIRED]),
        ("\u0301", [Code.REQUIRED]),
        ("\ue000", [Code.REQUIRED]),
        ("🙂", []),
        ("?", []),
        ("\u3164李", []),
        ("a" * (MAX_NAME + 1), [Code.TOO_LONG]),
        ("a\nb", [Code.INVALID]),
        ("a\u2028b", [Code.INVALID]),
        ("a\x1bb", [Code.INVALID]),
    ],
)
def test_a_name_must_be_one_visible_line(name: str | None, found: list[Code]) -> None:
    check = Check()
    check.name("name", name)
    assert codes(check) == found


shown = st.characters(categories=["L", "N", "P", "S"], exclude_characters=NOTHING_ALONE)
hidden = st.characters(categories=["M", "Z", "Cc", "Cf", "Cn", "Co"]) | st.sampled_from(sorted(NOTHING_ALONE))


@given(st.text(hidden, max_size=20))
def test_a_name_with_nothing_visible_counts_as_empty(name: str) -> None:
    check = Check()
    check.name("name", name)
    assert check.line("reference", name) is None  # and counts as left out where it's optional
    assert codes(check) == [Code.REQUIRED]


@given(st.text(hidden, max_size=5), shown, st.text(hidden, max_size=5))
def test_a_name_with_something_visible_counts_as_filled_in(before: str, one: str, after: str) -> None:
    check = Check()
    check.name("name", before + one + after)
    assert Code.REQUIRED not in codes(check)


@pytest.mark.parametrize(
    "email",
    [
        "a@b.co",
        " Anna.Demo+tag@sub.demo.example ",
        "o'neill@demo.example",
        "anna@dömo.example",
        "anna@straße.example",
        "anna@例子.example",
        "a" * 64 + "@" + "demo." * 36 + "example",
    ],
)
def test_an_email_address_is_kept_as_it_was_typed(email: str) -> None:
    check = Check()
    assert check.email("email", email) == email.strip()
    assert codes(check) == []


@pytest.mark.parametrize(
    "email",
    [
        "anna",
        "anna@",
        "@demo.example",
        "anna@demo",
        "anna@demo.example.",
        "anna@@demo.example",
        "anna demo@demo.example",
        "anna@demo.example\nBcc: b@demo.example",
        "anna@demo.example,b@demo.example",
        "Anna <anna@demo.example>",
        '"anna"@demo.example',
        '"anna demo"@demo.example',
        "anna@demo..example",
        ".anna@demo.example",
        "anna.@demo.example",
        "an..na@demo.example",
        "anna@-demo.example",
        "anna@" + "d" * 64 + ".example",
        "anna@demo.invalid",
        "anna@localhost",
        "anna@127.0.0.1",
        "anna@xn--a.example",
        "anna@de\u0000mo.example",
        "anna\u200b@demo.example",
        "anna\u202e@demo.example",
        "anna(b)@demo.example",
        "anna@[127.0.0.1]",
        "\ufdfa@demo.example",
        "anna\ufe55@demo.example",
        "=?us-ascii?q?anna?=@demo.example",
        "a@=?us-ascii?q?demo?=.example",
    ],
)
def test_anything_but_an_email_address_is_refused(email: str) -> None:
    check = Check()
    check.email("email", email)
    assert codes(check) == [Code.INVALID]


@pytest.mark.parametrize("email", ["ö@demo.example", "jörg@demo.example", "用户@例子.example", "o\u0308@demo.example"])
def test_an_address_that_some_mail_servers_refuse_is_refused_with_a_reason(email: str) -> None:
    check = Check()
    check.email("partyEmail", email)
    with pytest.raises(Refused) as refused:
        check.done()
    (problem,) = refused.value.problems
    assert (problem.field, problem.code) == ("partyEmail", Code.INVALID)
    assert "Before the @, please use plain letters" in problem.message


@pytest.mark.parametrize(
    "email",
    ["a" * 65 + "@demo.example", "a@" + "demo." * 50 + "example", "ö" * 70 + "@demo.example", "a" * 100_000, "@" * 999],
)
def test_an_email_address_that_is_too_long_is_refused_however_it_is_written(email: str) -> None:
    check = Check()
    check.email("email", email)
    assert codes(check) == [Code.TOO_LONG]


@given(
    st.text(max_size=30) | st.from_regex(r"[a-zA-Z0-9.+_=?ß@\"-]{1,30}", fullmatch=True),
    st.sampled_from(["", "=?utf-8?q?", "@demo.example", "?=@demo.example", "@straße.example"]),
)
def test_mail_goes_to_exactly_the_address_that_was_checked(text: str, ending: str) -> None:
    check = Check()
    address = check.email("email", text + ending, required=False)
    if address is None or codes(check):
        return
    reached = wire_address(address)
    assert reached.isascii()
    assert len(reached) <= MAX_ADDRESS
    assert account_key(reached) == account_key(address)


@pytest.mark.parametrize(
    ("password", "found"),
    [
        ("e\u0301" * 7, [Code.TOO_SHORT]),
        ("zwölf Bäume, 3 Häuser" + "o\u0308" * 235, []),
        ("zwölf Bäume, 3 Häuser" + "o\u0308" * 236, [Code.TOO_LONG]),
    ],
)
def test_a_passwords_length_is_counted_in_the_form_that_is_compared(password: str, found: list[Code]) -> None:
    check = Check()
    check.password("password", password)
    assert codes(check) == found


@pytest.mark.parametrize("url", ["https://demo.example", "http://demo.example/a?b=c#d", None, " "])
def test_a_web_address_is_accepted(url: str | None) -> None:
    check = Check()
    check.url("website", url)
    assert codes(check) == []


@pytest.mark.parametrize(
    "url",
    [
        "demo.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://",
        "https://a b.example",
        "https://demo.example/\u200b",
        "https://[demo",
        "https://demo.example/\njavascript:alert(1)",
        "//demo.example",
    ],
)
def test_anything_but_a_web_address_is_refused(url: str) -> None:
    check = Check()
    check.url("website", url)
    assert codes(check) == [Code.INVALID]


@pytest.mark.parametrize(
    ("password", "found"),
    [
        ("q9 zöld", [Code.TOO_SHORT]),
        ("q9 zölde", []),
        ("öxäkü" * 51 + "!", []),
        ("öxäkü" * 51 + "!!", [Code.TOO_LONG]),
        ("調停の 日誌を", [Code.TOO_SHORT]),
        ("調停の 日誌を書", []),
        ("password", [Code.NOT_ALLOWED]),
        ("Anna Demo", [Code.NOT_ALLOWED]),
    ],
)
def test_a_password_has_8_to_256_characters_of_any_kind(password: str, found: list[Code]) -> None:
    check = Check()
    assert check.password("password", password, "Anna Demo") == password
    assert codes(check) == found


@pytest.mark.parametrize(("minutes", "wrong"), [(0, True), (1, False), (MAX_MINUTES, False), (MAX_MINUTES + 1, True)])
def test_a_duration_is_between_a_minute_and_10_000_hours(minutes: int, wrong: bool) -> None:
    check = Check()
    check.minutes("minutes", minutes)
    assert codes(check) == [Code.OUT_OF_RANGE] * wrong


@pytest.mark.parametrize(
    ("day", "wrong"),
    [(FIRST_DAY, False), (date(1949, 12, 31), True), (TODAY, False), (date(2026, 5, 5), True), (date.max, True)],
)
def test_a_day_is_between_1950_and_today(day: date, wrong: bool) -> None:
    check = Check()
    check.day("endedOn", day, TODAY)
    assert codes(check) == [Code.OUT_OF_RANGE] * wrong


def test_a_moment_needs_a_time_zone() -> None:
    check = Check()
    assert check.moment("until", datetime.fromisoformat("2030-01-01T01:00:00+01:00")) == datetime(
        2030, 1, 1, tzinfo=UTC
    )
    assert check.moment("until", None) is None
    assert codes(check) == []
    for text in ("2030-01-01T00:00:00", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"):
        check.moment("until", datetime.fromisoformat(text))
    assert codes(check) == [Code.INVALID] * 3


def test_all_problems_are_named_at_once() -> None:
    check = Check()
    check.name("name", "")
    check.email("email", "no address")
    check.password("password", "short")
    assert codes(check) == [Code.REQUIRED, Code.INVALID, Code.TOO_SHORT]


@given(st.text())
def test_cleaning_a_text_twice_changes_nothing_more(text: str) -> None:
    assert cleaned(cleaned(text)) == cleaned(text)
    assert cleaned(text) != ""
