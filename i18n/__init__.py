"""The catalogue. Every text that people see goes through here, so that it can be shown in another language.

The source has each text in English, the only language so far. `make messages` collects them in `locale/messages.pot`. A
message is always a literal, because it's looked up as written. Values fill its placeholders, as in `gettext("You have
%(most)s tokens.", most=number(50))`; a literal percent sign is written `%%`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date
from gettext import NullTranslations

from babel.dates import format_date
from babel.numbers import format_decimal
from jinja2 import Environment

Placeholders = Mapping[str, str | int]

LANGUAGE = "en"

_ENGLISH = NullTranslations()
_translations: ContextVar[NullTranslations] = ContextVar("translations")


@contextmanager
def using(translations: NullTranslations) -> Iterator[None]:
    """Look messages up in these translations while the block runs, in this task only."""
    token = _translations.set(translations)
    try:
        yield
    finally:
        _translations.reset(token)


def gettext(message: str, /, **values: str | int) -> str:
    """Give a message with its placeholders filled in."""
    return _singular(message) % values


def ngettext(one: str, many: str, num: int, /, **values: str | int) -> str:
    """Give the form of a message that fits a number, which fills the placeholder `%(num)s`."""
    return _plural(one, many, num) % {"num": num, **values}


@dataclass(frozen=True)
class LazyText:
    """A message that's looked up when it's shown, for texts that a module defines before the reader is known."""

    message: str

    def __str__(self) -> str:
        return self % {}

    def __mod__(self, values: Placeholders) -> str:
        return _singular(self.message) % values


def lazy_gettext(message: str, /) -> LazyText:
    """Mark a message now, to look it up later: with `str()`, or with `%` if it has placeholders."""
    return LazyText(message)


def format_day(value: date) -> str:
    """Write a day: 3 Mar 2026."""
    return format_date(value, "d MMM yyyy", locale=LANGUAGE)


def number(value: int) -> str:
    """Write a whole number: 10,000."""
    return format_decimal(value, locale=LANGUAGE)


def install(environment: Environment) -> None:
    """Give templates `{% trans %}`, `_()`, `gettext()` and `ngettext()`, and numbers through `| number`.

    A placeholder's value is escaped where the template escapes. White space around a message's lines doesn't count, so
    that an email's text and its HTML can share a message.
    """
    environment.add_extension("jinja2.ext.i18n")
    environment.policies["ext.i18n.trimmed"] = True
    environment.filters["number"] = number
    # These only look up: the extension fills in the placeholders. Doing so twice would read values as messages.
    environment.install_gettext_callables(_singular, _plural, newstyle=True)  # type: ignore[attr-defined]  # by the extension


def _singular(message: str) -> str:
    return _translations.get(_ENGLISH).gettext(message)


def _plural(one: str, many: str, num: int) -> str:
    return _translations.get(_ENGLISH).ngettext(one, many, num)
