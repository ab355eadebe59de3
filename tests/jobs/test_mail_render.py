"""What each mail promises its reader, and that no name typed by a stranger puts a link or markup into it."""

import re
import string
import tomllib
import unicodedata
from dataclasses import fields
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from types import UnionType
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from jobs.mail import MAILS, names
from jobs.mail.facts import Link
from jobs.mail.render import TEMPLATES, Message, render
from settings import Settings, load
from tests.volume import tries

ROOT = Path(__file__).parents[2]
LINK = "https://logbook.demo.example/give-feedback/" + "hyphened-Secret_token" * 8
STOP_LINK = "https://logbook.demo.example/stop/" + "another-Secret_token" * 8
SETTINGS: Settings = load(
    _env_file=None,
    database_url="postgresql://demo@localhost/demo",
    redis_url="redis://localhost:6379/0",
    smtp_url="smtp://localhost:25",
    mail_from="logbook@demo.example",
    secret_key=string.ascii_letters,
    organisation_name="Demo & Logbook",
    institute_name="the Demo Institute",
    base_url="https://logbook.demo.example",
    digest_url="https://institute.demo.example/digest",
    support_email="help@demo.example",
    privacy_policy_url="https://logbook.demo.example/privacy",
)
each_kind = pytest.mark.parametrize("kind", MAILS)


def example(kind: str, name: str = "Demo Name", /, **facts: object) -> Message:
    """Render a mail with `facts`; everything else is `name` or a value that fits its type."""
    by_type: dict[type | UnionType, object] = {
        str: name,
        str | None: name,
        date: date(2025, 5, 3),
        int: 48,
        bool: True,
        Link: Link(LINK),
    }
    mail = MAILS[kind]
    types = get_type_hints(mail.facts)
    given_facts = {"stop_link": Link(STOP_LINK), **facts}
    chosen = {one.name: given_facts.get(one.name, by_type[types[one.name]]) for one in fields(mail.facts)}
    return render(mail.name, mail.subject, mail.facts(**chosen), SETTINGS)


def plain_name(text: str, fallback: str = "(no name)") -> str:
    return names.plain_name(text, fallback)


class Document(HTMLParser):
    """What a reader of an HTML mail sees and can click."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src", "srcset", "background"}]

    def handle_data(self, data: str) -> None:
        self.words += data.split()

    @property
    def text(self) -> str:
        return " ".join(self.words)


def links_in(text: str) -> set[str]:
    return set(re.findall(r"https?://\S+", text))


def flowing(message: Message) -> tuple[str, str]:
    """Both bodies, each in one line."""
    return " ".join(message.text.split()), Document(message.html).text


def assert_says(message: Message, *facts: str) -> None:
    for body in flowing(message):
        for fact in facts:
            assert fact in body


def assert_does_not_say(message: Message, *words: str) -> None:
    for body in (message.subject, *flowing(message)):
        for word in words:
            assert word not in body


def test_every_mail_has_a_folder_and_every_folder_two_parts() -> None:
    parts = {folder.name: {part.name for part in folder.iterdir()} for folder in TEMPLATES.iterdir()}
    del parts["layout"]
    assert set(parts) == set(MAILS)
    assert all(names == {"body.txt", "body.html"} for names in parts.values())


@each_kind
def test_every_message_says_who_sent_it_whom_to_ask_and_that_nobody_reads_replies(kind: str) -> None:
    assert_says(
        example(kind),
        "Demo & Logbook: https://logbook.demo.example",
        "Nobody reads replies to this email.",
        "please write to help@demo.example",
        "Privacy policy: https://logbook.demo.example/privacy",
    )


@each_kind
def test_text_is_wrapped_and_no_link_is_broken(kind: str) -> None:
    message = example(kind, "A rather long demo name " * 4)
    lines = message.text.splitlines()
    assert all(len(line) <= 72 or links_in(line) == {line} for line in lines)
    assert not any(line != line.strip() for line in lines)
    links = {LINK} if "link" in get_type_hints(MAILS[kind].facts) else set()
    assert links <= links_in(message.text)


@each_kind
def test_html_shows_the_address_of_each_link_and_has_the_same_links_as_the_text(kind: str) -> None:
    message = example(kind)
    document = Document(message.html)
    assert set(document.links) == links_in(document.text) == links_in(message.text)


@each_kind
def test_html_fetches_nothing_and_follows_the_colours_of_the_reader(kind: str) -> None:
    message = example(kind)
    plain = {"html", "head", "meta", "title", "body", "main", "footer", "h2", "p", "a", "b", "br"}
    assert Document(message.html).tags <= plain
    assert "url(" not in message.html
    assert '<meta name="color-scheme" content="light dark">' in message.html


@each_kind
def test_a_hostile_name_adds_no_markup_link_or_header(kind: str) -> None:
    hostile = 'Zed <img src=x> "O\'Neil" & {{ 7*7 }}\r\nBcc: thief@evil.example http://evil.example/x EVIL.EXAMPLE'
    message = example(kind, hostile)
    assert "img" not in Document(message.html).tags
    assert "&lt;img src=x&gt;" in message.html
    assert "{{ 7*7 }}" in message.text
    for part in (message.subject, message.text, message.html):
        assert "evil.example" not in part.lower()
        assert "thief" not in part
    assert message.subject == " ".join(message.subject.split())


@each_kind
def test_an_ampersand_is_unchanged_in_text_and_escaped_in_html(kind: str) -> None:
    message = example(kind)
    assert "Demo & Logbook" in message.text
    assert "Demo &amp; Logbook" in message.html


def request(**facts: object) -> Message:
    chosen = {"party_name": "Pat Party", "reference": "A-17", "link_days": 90, "details_days": 5, **facts}
    return example("feedback_request", mediator_name="Mo Mediator", **chosen)


def test_a_request_says_who_asks_about_which_mediation() -> None:
    assert request().subject == "Mo Mediator would like your feedback"
    assert_says(request(), "Hello Pat Party,", "Mo Mediator would like your feedback")
    assert_says(request(), "Their reference: A-17", "Last day of the mediation: 3 May 2025", LINK)


def test_a_request_says_who_reads_the_answer_and_what_it_is_for() -> None:
    assert_says(
        request(),
        "Your answers go to the reviewer for Mo Mediator",
        "Mo Mediator sees your answers only if you choose to share them.",
        "to write a Feedback Digest",
        "https://institute.demo.example/digest",
        "at the Demo Institute",
    )


def test_a_request_says_why_it_came_when_its_details_are_deleted_and_how_to_stop_it() -> None:
    assert_says(
        request(),
        "Mo Mediator gave us your name and your email address, and confirmed that you agreed to be contacted.",
        "We delete your name, your email address and any reference to the case 5 days after the request was made.",
        f"If you never want anyone here to ask you for feedback again, please open this link: {STOP_LINK}",
    )


def test_a_request_says_how_many_minutes_the_survey_takes() -> None:
    survey = tomllib.loads((ROOT / "resolvers" / "survey.toml").read_text())
    shortest, longest = survey["minutes"]
    assert_says(request(), f"It takes {shortest} to {longest} minutes.")


def test_a_request_leaves_it_to_the_survey_to_say_what_the_mediator_is_told() -> None:
    """A setting may change that before the link is opened."""
    assert_says(request(), "Before the first question, the survey says what Mo Mediator is told, and when.")


def test_a_request_without_a_reference_does_not_mention_one() -> None:
    message = example("feedback_request", reference=None)
    assert_does_not_say(message, "Their reference", "None")


def test_the_subject_of_a_request_reveals_nothing_about_the_mediation_on_a_lock_screen() -> None:
    assert not re.search("mediation|A-17|Pat Party|2025", request().subject)


def received(**facts: object) -> Message:
    facts = {"giver_name": "Gil Giver", "reviewer_name": "Ria Reviewer", "shared": False, **facts}
    return example("feedback_received", mediator_name="Mo Mediator", **facts)


def test_a_notice_names_the_giver_and_the_reviewer_who_can_read_it_now() -> None:
    assert_says(received(), "Hello Mo Mediator,", "Gil Giver left feedback about you.")
    assert_says(received(), "Your reviewer, Ria Reviewer, can read it now.", "nothing you need to do")


@pytest.mark.parametrize("giver_name", ["", "www.evil.example", "\u200b"])
def test_a_notice_about_a_giver_without_a_name_says_a_party(giver_name: str) -> None:
    assert_says(received(giver_name=giver_name), "A party left feedback about you.")


def test_a_notice_without_a_reviewer_says_that_the_next_one_will_read_it() -> None:
    message = received(reviewer_name=None)
    assert_says(message, "You don't have a reviewer yet. The reviewer you appoint will be able to read it.")
    assert_does_not_say(message, "Your reviewer", "None")


def test_a_notice_says_whether_the_giver_chose_to_share() -> None:
    shared, unshared = received(shared=True), received(shared=False)
    assert_says(shared, "Their answers will appear later in My Feedback, without a name.")
    assert_does_not_say(shared, "chose not to share")
    assert_says(unshared, "They chose not to share it with you, so it won't appear in My Feedback.")
    assert_does_not_say(unshared, "Their answers")


def test_the_subject_of_a_notice_names_nobody() -> None:
    assert received(shared=True).subject == received(shared=False).subject == "You've received feedback"


def test_an_invitation_is_for_people_with_an_account_and_people_without_one() -> None:
    message = example("reviewer_invited", mediator_name="Mo Mediator")
    assert message.subject == "Mo Mediator invites you to be their reviewer"
    assert_says(
        message,
        "Mo Mediator invites you to be their reviewer at Demo & Logbook.",
        "It expires on 3 May 2025.",
        "If you're new here, you'll be asked to set a password.",
        "If you already have an account, you'll be asked to sign in.",
        LINK,
    )


@pytest.mark.parametrize(
    ("kind", "fact"),
    [
        ("reviewer_appointed", "Hello Ria Reviewer, You're now the reviewer for Mo Mediator."),
        ("reviewer_appointed", "You can read all the feedback about them"),
        ("appointment_made", "Hello Mo Mediator, Ria Reviewer is now your reviewer."),
        ("appointment_made", "all the feedback about you, including feedback that wasn't shared with you"),
        ("appointment_waiting", "Ria Reviewer will be your reviewer once they've accepted, and once an administrator"),
        ("appointment_waiting", "Ria Reviewer can't read the feedback about you"),
        ("review_ended", "Hello Ria Reviewer, You're no longer the reviewer for Mo Mediator, and"),
        ("review_ended", "you can no longer read the feedback about them."),
        ("appointment_ended", "Hello Mo Mediator, Ria Reviewer is no longer your reviewer,"),
        ("appointment_ended", "can no longer read the feedback about you."),
        ("appointment_declined", "You chose Ria Reviewer as your reviewer, but this was declined, by them or by an"),
        ("appointment_declined", "Ria Reviewer can't read the feedback about you. If you had a reviewer before,"),
        ("review_declined", "Mo Mediator chose you as their reviewer, but an administrator has declined this."),
        ("review_declined", "You won't be able to read the feedback about them."),
    ],
)  # fmt: skip
def test_both_sides_of_an_appointment_hear_who_it_is_and_what_it_means(kind: str, fact: str) -> None:
    assert_says(example(kind, mediator_name="Mo Mediator", reviewer_name="Ria Reviewer"), fact)


@pytest.mark.parametrize(
    ("kind", "subject", "facts"),
    [
        ("verify_email", "Please confirm your email address", ["confirm that this is your", "within 48 hours", LINK]),
        ("reset_password", "Set a new password", ["asked for a new password", "within 48 hours", LINK]),
        ("change_email", "Please confirm your new email address", ["account keeps its old", "within 48 hours", LINK]),
        ("email_changed", "Your email address was changed", ["Please write to us right away: help@demo.example"]),
        ("password_changed", "Your password was changed", ["If you didn't", "write to us: help@demo.example"]),
        ("second_factor_added", "Signing in now asks for a code", ["recovery codes in a safe place", "If it wasn't"]),
        ("second_factor_removed", "Signing in no longer asks for a code", ["only for your password", "If it wasn't"]),
        ("recovery_code_used", "A recovery code was used", ["It won't work again", "someone knows your password"]),
        ("wrong_code", "A wrong code was entered for your account", ["then a wrong code", "knows your password"]),
        ("directory_access", "You have directory access to Demo & Logbook", ["set a password", "48 hours", LINK]),
        ("account_deleted", "Your account was deleted", ["Everything in it is gone"]),
        ("role_added_mediator", "You're now a mediator at Demo & Logbook", ["keep a logbook", "My Details"]),
        ("role_added_reviewer", "You're now a reviewer at Demo & Logbook", ["can now choose you", "Review Feedback"]),
        ("role_added_directory", "You're now a directory at Demo & Logbook", ["search for mediators", "in the list"]),
        ("role_added_admin", "You're now an administrator at Demo & Logbook", ["GraphiQL", "a second factor"]),
        (
            "role_removed_mediator",
            "You're no longer a mediator at Demo & Logbook",
            ["From now on, you're hidden: directories can't find you", "We keep all of it.", "help@demo.example"],
        ),
        ("role_removed_reviewer", "You're no longer a reviewer at Demo & Logbook", ["All your reviews have ended"]),
        ("role_removed_directory", "You're no longer a directory at Demo & Logbook", ["no longer look up mediators"]),
        ("role_removed_admin", "You're no longer an administrator at Demo & Logbook", ["neither can your API tokens"]),
        ("export_ready", "Your data is ready to download", ["The link expires on 3 May 2025.", LINK]),
        (
            "already_registered",
            "You already have an account at Demo & Logbook",
            ["we didn't create another", "Your account and your password haven't changed.", "https://logbook.demo.example"],
        ),
    ],
)  # fmt: skip
def test_a_message_about_an_account_says_what_happened(kind: str, subject: str, facts: list[str]) -> None:
    message = example(kind, "Ada Account")
    assert message.subject == subject
    assert_says(message, "Hello Ada Account,", *facts)


def test_one_hour_is_written_in_the_singular() -> None:
    assert_says(example("verify_email", expires_in_hours=1), "within 1 hour:")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Dr. J. P. O'Neil-Smith Jr.", "Dr. J. P. O'Neil-Smith Jr."),
        ("Nguyễn Thị Ánh", "Nguyễn Thị Ánh"),
        (unicodedata.normalize("NFD", "Nguyễn Thị Ánh"), "Nguyễn Thị Ánh"),
        ("J.Smith", "J. Smith"),
        ("J.R.R.Smith", "J.R.R. Smith"),
        ("د.محمد", "د. محمد"),
        ("Dr.med. Muster", "Dr. med. Muster"),
        ("Muster GmbH & Co.KG", "Muster GmbH & Co. KG"),
        ("c/o Smith/Jones", "c/o Smith/Jones"),
        ("3.O.123/24", "3.O.123/24"),
        ("2025-05.17 #4", "2025-05.17 #4"),
        ("  Anna\t \u00a0 Muster\u2028", "Anna Muster"),
    ],
)
def test_names_and_references_stay_readable(name: str, shown: str) -> None:
    assert plain_name(name) == shown


@pytest.mark.parametrize(
    "link",
    [
        "http://evil.example",
        "HTTPS://Evil.Example/x?y#z",
        "(ftp://evil.example)",
        "javascript://x",
        "//evil.example",
        "\\\\evil\\share",
        "www.evil.example",
        "WWW.Evil.Example",
        "evil.example",
        "evil.example/path",
        "evil.example/Path?Q=1",
        "evil.example:8443",
        "sub.evil.example.",
        "EVIL.COM",
        "Evil.Net/Path",
        "thief@evil.example",
        "mailto:Thief@Evil.Example",
        "evil\u3002example",
        "evil\uff0eexample",
        "http\uff1a\uff0f\uff0fEvil",
        "e\u200bvil.exa\u00admple",
        "ht\u200dtp://evil",
        "\u202eevil.example",
        "10.0.0.1/evil",
    ],
)
def test_text_that_is_certainly_a_link_is_left_out(link: str) -> None:
    assert plain_name(f"Anna {link} Muster") == "Anna Muster"
    assert plain_name(link) == "(no name)"


@pytest.mark.parametrize(
    ("doubtful", "shown"),
    [
        ("Evil.Example", "Evil. Example"),
        ("X.Ru/abc", "X. Ru/abc"),
        ("EVIL.XN--P1AI", "EVIL. XN--P1AI"),
        ("例子.中国", "例子. 中国"),
        ("Evil\uff61Ru", "Evil\uff61 Ru"),
    ],
)
def test_text_that_may_be_a_name_or_a_domain_is_kept_but_does_not_become_a_link(doubtful: str, shown: str) -> None:
    assert plain_name(doubtful) == shown


@pytest.mark.parametrize("nothing", ["", " \r\n", "\u200b\u202e", "\u3164", "\ud800", "--- ...", "http://evil.example"])
def test_a_name_with_nothing_left_is_replaced_by_the_fallback(nothing: str) -> None:
    assert plain_name(nothing) == "(no name)"
    assert plain_name(nothing, "A party") == "A party"


def test_a_name_is_cut_to_200_characters() -> None:
    assert plain_name("n" * 10_000) == "n" * 200


tricky = st.text(st.sampled_from("aZé7.\u3002 /:@wW-'_\u200b\u202e\r\n\x00\ud800\u0301भा"), max_size=40)


@effort(max_examples=tries(100, 3000), derandomize=True)
@given(tricky | st.text(max_size=300))
def test_any_text_becomes_one_short_visible_line_without_links(text: str) -> None:
    name = plain_name(text)
    assert 1 <= len(name) <= 200
    assert name == " ".join(name.split())
    assert not any(unicodedata.category(c).startswith("C") for c in name)
    assert not re.search(r"//|\bwww\.|\w[.\u3002\uff0e\uff61][^\W\d_]{2}", name, re.IGNORECASE)
    assert plain_name(name) == name
