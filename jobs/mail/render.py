"""Renders a mail from the two templates in its folder: `templates/<kind>/body.txt` and `body.html`."""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

import i18n
from i18n import LazyText, ngettext
from jobs.mail.facts import Facts, Shown
from settings import Settings

TEMPLATES = Path(__file__).parent / "templates"

# What every mail knows about the service, by the names of the settings.
_OF_THE_SERVICE = (
    *("organisation_name", "institute_name", "support_email"),
    *("base_url", "digest_url", "privacy_policy_url"),
)


@dataclass(frozen=True)
class Message:
    """One email: `subject` is one line, `text` is wrapped at 72 characters, `html` is a whole document."""

    subject: str
    text: str
    html: str


def _hours(count: int) -> str:
    return ngettext("%(num)s hour", "%(num)s hours", count)


templates = Environment(
    loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=select_autoescape(["html"])
)
i18n.install(templates)
templates.filters["day"] = i18n.format_day
templates.filters["hours"] = _hours


def render(kind: str, subject: LazyText, facts: Facts, settings: Settings) -> Message:
    """Write a mail of that kind."""
    values: dict[str, Shown] = {name: getattr(settings, name) for name in _OF_THE_SERVICE} | facts.shown()
    text, html = (templates.get_template(f"{kind}/body.{form}").render(values) for form in ("txt", "html"))
    line = subject % {name: value for name, value in values.items() if isinstance(value, str)}
    return Message(subject=" ".join(line.split()), text=_wrapped(text), html=html)


def _wrapped(text: str) -> str:
    """Wrap each paragraph. A link is one long word and isn't broken."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    filled = (textwrap.fill(p, 72, break_long_words=False, break_on_hyphens=False) for p in paragraphs)
    return "\n\n".join(filled) + "\n"
