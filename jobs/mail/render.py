"""Every email of the product: one function a message, which renders the folder of that name in `emails/`.

Names and references were typed by strangers, so each function passes them through `plain_name` first.
"""

import re
import textwrap
import unicodedata
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from permissions.writing import BLANK
from settings import Settings


@dataclass(frozen=True)
class Message:
    """One email: `subject` is one line, `text` is wrapped at 72 characters, `html` is a whole document."""

    subject: str
    text: str
    html: str


# The full stops that browsers take for a dot.
_DOT = r"[.\u3002\uff0e\uff61\u2024\ufe52]"
# What may start a top-level domain: a letter, then neither space, digit nor ASCII punctuation.
_TLD = r"[^\W\d_][^\s\d!-/:-@\[-`{-~]"
_DOMAIN = re.compile(rf"\w{_DOT}{_TLD}")
_GLUED_DOT = re.compile(rf"(?<=\S)({_DOT})(?={_TLD})")
_CLEAR_LINK = re.compile(
    rf"""
      [/\\\uff0f\uff3c]{{2}}                     # after a scheme, or before the name of a host
    | \bwww\d?{_DOT}
    | @[^\s@]*{_DOT}                              # an address, or what stands before a host
    | \w{_DOT}(?:com|net|org|info|biz|xyz)\b     # not typed after a full stop by accident
    | \b\d+(?:{_DOT}\d+){{3}}[:/]                # a host by its number
    """,
    re.VERBOSE | re.IGNORECASE,
)


def plain_name(text: str, fallback: str = "(no name)") -> str:
    """Make a name or reference safe to stand in a mail: one visible line of 1 to 200 characters without links.

    A word is left out if it is a link for certain: it has a scheme, `www.`, an `@` with a domain or one of the
    oldest top-level domains, or what stands before its path is a dotted name in small letters (`evil.example/x`).
    Names are not written so. In any other word, mail programs may still see a domain where a dot is glued to the
    letters after it, and nobody can keep a list of all domains; there the dot gets a space. `J.Smith` becomes
    `J. Smith`, which reads the same and links to nothing. `fallback` stands in when no letter or digit is left.
    """
    visible = "".join(map(_shown, text))
    words = [word for word in unicodedata.normalize("NFC", visible).split() if not _is_link(word)]
    name = _GLUED_DOT.sub(r"\1 ", " ".join(words))[:200].rstrip()
    return name if any(map(str.isalnum, name)) else fallback


def _shown(character: str) -> str:
    """Drop what is invisible or changes the direction of text, and lone surrogates; controls become a space."""
    category = unicodedata.category(character)
    if category == "Cc":
        return " "
    return "" if category.startswith("C") or character in BLANK else character


def _is_link(word: str) -> bool:
    before_path = re.split(r"[/?#:]", word, maxsplit=1)[0]
    return bool(_CLEAR_LINK.search(word) or (before_path.islower() and _DOMAIN.search(before_path)))


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _hours(count: int) -> str:
    return "1 hour" if count == 1 else f"{count} hours"


_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "emails"),
    undefined=StrictUndefined,
    autoescape=select_autoescape(["html"]),
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["day"] = _day
_templates.filters["hours"] = _hours


def _render(kind: str, settings: Settings, **facts: object) -> Message:
    subject, text, html = (
        _templates.get_template(f"{kind}/{part}").render(settings=settings, **facts)
        for part in ("subject.txt", "body.txt", "body.html")
    )
    return Message(subject=" ".join(subject.split()), text=_wrapped(text), html=html)


def _wrapped(text: str) -> str:
    """Fill each paragraph; a link is one long word and stays whole."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    filled = (textwrap.fill(p, 72, break_long_words=False, break_on_hyphens=False) for p in paragraphs)
    return "\n\n".join(filled) + "\n"


def feedback_request(
    settings: Settings,
    *,
    mediator_name: str,
    party_name: str,
    reference: str | None,
    mediation_ended_on: date,
    link: str,
    stop_link: str,
) -> Message:
    """Ask a party for feedback; `stop_link` ends all requests to their address."""
    return _render(
        "feedback_request",
        settings,
        mediator_name=plain_name(mediator_name),
        party_name=plain_name(party_name, "there"),
        reference=plain_name(reference, "(no reference)") if reference else None,
        mediation_ended_on=mediation_ended_on,
        link=link,
        stop_link=stop_link,
    )


def feedback_received(
    settings: Settings,
    *,
    mediator_name: str,
    giver_name: str | None,
    shared: bool,
    reviewer_name: str | None,
) -> Message:
    """Tell a mediator that feedback came; `giver_name` is what the giver typed, if anything."""
    return _render(
        "feedback_received",
        settings,
        mediator_name=plain_name(mediator_name, "there"),
        giver_name=plain_name(giver_name or "", "A party"),
        shared=shared,
        reviewer_name=plain_name(reviewer_name) if reviewer_name else None,
    )


def reviewer_invited(settings: Settings, *, mediator_name: str, link: str, expires_on: date) -> Message:
    """Invite somebody to be a mediator's reviewer; reads the same whether or not they have an account."""
    name = plain_name(mediator_name)
    return _render("reviewer_invited", settings, mediator_name=name, link=link, expires_on=expires_on)


def reviewer_appointed(settings: Settings, *, reviewer_name: str, mediator_name: str) -> Message:
    """Tell a reviewer that a mediator appointed them."""
    return _between("reviewer_appointed", settings, mediator_name, reviewer_name)


def appointment_made(settings: Settings, *, mediator_name: str, reviewer_name: str) -> Message:
    """Tell a mediator that their reviewer is appointed."""
    return _between("appointment_made", settings, mediator_name, reviewer_name)


def appointment_waiting(settings: Settings, *, mediator_name: str, reviewer_name: str) -> Message:
    """Tell a mediator that an administrator looks at their choice of reviewer first."""
    return _between("appointment_waiting", settings, mediator_name, reviewer_name)


def review_ended(settings: Settings, *, reviewer_name: str, mediator_name: str) -> Message:
    """Tell a reviewer that their access to a mediator's feedback has ended."""
    return _between("review_ended", settings, mediator_name, reviewer_name)


def appointment_ended(settings: Settings, *, mediator_name: str, reviewer_name: str) -> Message:
    """Tell a mediator that their reviewer's access has ended."""
    return _between("appointment_ended", settings, mediator_name, reviewer_name)


def _between(kind: str, settings: Settings, mediator_name: str, reviewer_name: str) -> Message:
    mediator, reviewer = plain_name(mediator_name), plain_name(reviewer_name)
    return _render(kind, settings, mediator_name=mediator, reviewer_name=reviewer)


def verify_email(settings: Settings, *, name: str, link: str, expires_in_hours: int) -> Message:
    """Ask whoever signed up to confirm their address."""
    return _to_account("verify_email", settings, name, link=link, expires_in_hours=expires_in_hours)


def already_registered(settings: Settings, *, name: str) -> Message:
    """Tell an account's holder that somebody signed up with its address."""
    return _to_account("already_registered", settings, name)


def reset_password(settings: Settings, *, name: str, link: str, expires_in_hours: int) -> Message:
    """Send the link that sets a new password."""
    return _to_account("reset_password", settings, name, link=link, expires_in_hours=expires_in_hours)


def change_email(settings: Settings, *, name: str, link: str, expires_in_hours: int) -> Message:
    """Ask at the new address to confirm it."""
    return _to_account("change_email", settings, name, link=link, expires_in_hours=expires_in_hours)


def email_changed(settings: Settings, *, name: str) -> Message:
    """Tell the old address that it is no longer the account's; does not say which one is."""
    return _to_account("email_changed", settings, name)


def password_changed(settings: Settings, *, name: str) -> Message:
    """Tell an account's holder that its password was changed."""
    return _to_account("password_changed", settings, name)


def second_factor_added(settings: Settings, *, name: str) -> Message:
    """Tell an account's holder that signing in asks for a code from now on."""
    return _to_account("second_factor_added", settings, name)


def second_factor_removed(settings: Settings, *, name: str) -> Message:
    """Tell an account's holder that signing in asks for the password alone from now on."""
    return _to_account("second_factor_removed", settings, name)


def recovery_code_used(settings: Settings, *, name: str) -> Message:
    """Tell an account's holder that one of its recovery codes was used."""
    return _to_account("recovery_code_used", settings, name)


def wrong_code(settings: Settings, *, name: str) -> Message:
    """Tell an account's holder that somebody who knows its password typed a code that is wrong."""
    return _to_account("wrong_code", settings, name)


def api_token_made(settings: Settings, *, name: str, token_name: str, expires_on: date) -> Message:
    """Tell an account's holder that an API token was made, which ends on the day `expires_on`."""
    token_name = plain_name(token_name)
    return _to_account("api_token_made", settings, name, token_name=token_name, expires_on=expires_on)


def directory_access(settings: Settings, *, name: str, link: str, expires_in_hours: int) -> Message:
    """Tell a directory that it has access, with the link that sets a password."""
    return _to_account("directory_access", settings, name, link=link, expires_in_hours=expires_in_hours)


def account_deleted(settings: Settings, *, name: str) -> Message:
    """Tell a former holder that their account and everything in it is gone."""
    return _to_account("account_deleted", settings, name)


def export_ready(settings: Settings, *, name: str, link: str, expires_on: date) -> Message:
    """Send the link to the archive of one's data; it expires on the day `expires_on`."""
    return _to_account("export_ready", settings, name, link=link, expires_on=expires_on)


def _to_account(kind: str, settings: Settings, name: str, **facts: object) -> Message:
    return _render(kind, settings, name=plain_name(name, "there"), **facts)
