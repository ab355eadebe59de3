"""What people type into forms, turned into what the API takes: days, durations, numbers, choices.

A reader gives the value of a text that isn't blank, or raises Unreadable with a sentence on how to fix it.
"""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import date
from typing import Any

from i18n import gettext as _
from i18n import lazy_gettext
from resolvers.validation import LANGUAGES
from web.client import Problem
from web.labels import Labels

Reader = Callable[[str], Any]


class Unreadable(ValueError):
    """What was typed can't be read; the text says how to write it."""


_DAY = re.compile(r"(\d{1,2})\s*[./ -]\s*(\d{1,2})\s*[./ -]\s*(\d{4})")
_NAMED_DAY = re.compile(r"(\d{1,2})\.?\s+([a-z]{3,9})\.?,?\s+(\d{4})|([a-z]{3,9})\.?\s+(\d{1,2}),?\s+(\d{4})")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY_HINT = lazy_gettext("Please write the date as 2026-03-31 or 31 Mar 2026.")


def read_day(text: str, *, month_first: bool = False) -> str:
    """Read a day, as in 2026-05-31, 31.5.2026, 31/5/2026 or 31 May 2026; give it in ISO 8601.

    If either of two numbers could be the month, it's the second one, unless `month_first`.
    """
    text = text.strip().lower()
    try:
        return date.fromisoformat(text).isoformat() if text[:4].isdigit() else _numbered_day(text, month_first)
    except ValueError:
        raise Unreadable(str(_DAY_HINT)) from None


def _numbered_day(text: str, month_first: bool) -> str:
    if found := _DAY.fullmatch(text):
        first, second, year = map(int, found.groups())
        day_number, month_number = (second, first) if month_first else (first, second)
        if month_number > 12 >= day_number:  # 5/31/2026 can only be read in one way
            day_number, month_number = month_number, day_number
        return date(year, month_number, day_number).isoformat()
    if found := _NAMED_DAY.fullmatch(text):
        day_text, name, year_text = found.group(1, 2, 3) if found.group(1) else found.group(5, 4, 6)
        return date(int(year_text), _MONTHS.index(name[:3]) + 1, int(day_text)).isoformat()
    raise Unreadable(str(_DAY_HINT))


_CLOCK = re.compile(r"(\d{1,6})\s*(?::|h|hrs?|hours?)\s*(\d{1,2})\s*(?:m|min|minutes)?")
_DECIMAL = re.compile(r"(\d{0,6})(?:[.,](\d{1,4}))?\s*(?:h|hrs?|hours?)?")
_MINUTES = re.compile(r"(\d{1,7})\s*(?:m|min|minutes)")


def read_minutes(text: str) -> int:
    """Read a duration in hours, as in 7:30, 7.5, 7,5 or 7h30, or as 90 min; give whole minutes."""
    text = text.strip().lower()
    if (found := _CLOCK.fullmatch(text)) and int(found.group(2)) < 60:
        return int(found.group(1)) * 60 + int(found.group(2))
    if found := _MINUTES.fullmatch(text):
        return int(found.group(1))
    if text[:1].isdigit() or text[1:2].isdigit():
        found = _DECIMAL.fullmatch(text)
        if found:
            return round(float(f"{found.group(1) or 0}.{found.group(2) or 0}") * 60)
    raise Unreadable(_("Please write the duration in hours, such as 7:30 or 7.5."))


def read_whole_number(text: str) -> int:
    """Read a whole number of at most nine digits."""
    text = text.strip()  # `int` doesn't take all that this takes for space
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise Unreadable(_("Please write a whole number."))
    return int(text)


def read_choice(labels: Labels) -> Reader:
    """Make the reader of a choice: the API's word, or what the page calls it."""

    def read(text: str) -> str:
        written = " ".join(text.split()).casefold()
        by_label = {str(label).casefold(): word for word, label in labels.items()}
        word = text if text in labels else by_label.get(written)
        if word is None:
            raise Unreadable(_("Please choose one."))
        return word

    return read


_NAMES = {name: code for code, name in LANGUAGES.items()}
_CODES = {name.casefold(): code for name, code in _NAMES.items()} | {code: code for code in LANGUAGES}


def read_languages(text: str) -> list[str]:
    """Read languages by their names or ISO 639 codes, separated by commas, semicolons or line ends; give the codes."""
    written = [" ".join(one.split()) for one in re.split(r"[,;\n]", text)]
    # As written first: Ga is a language, and ga the code of another.
    codes = [_NAMES.get(one) or _CODES.get(one.casefold()) for one in written if one]
    if None in codes:
        raise Unreadable(_("Please write the languages in English, separated by commas, such as English, French."))
    return [code for code in codes if code]


def read_yes(text: str) -> bool:
    """Read a ticked box."""
    return text == "yes"


def read_text(typed: str) -> str:
    """Take a text as it is; the API cleans and checks it."""
    return typed


def read_fields(
    typed: Mapping[str, str], readers: Mapping[str, Reader], required: Collection[str]
) -> tuple[dict[str, Any], list[Problem]]:
    """Read a form's fields; give the API's values by field, None for blank ones, and what could not be read."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for field, reader in readers.items():
        written = typed.get(field, "")
        values[field] = None
        if reader is read_yes or written.strip():
            try:
                values[field] = reader(written)
            except Unreadable as unreadable:
                problems.append({"field": field, "message": str(unreadable), "code": "INVALID"})
        elif field in required:
            problems.append({"field": field, "message": _("Please fill this in."), "code": "REQUIRED"})
    return values, problems
