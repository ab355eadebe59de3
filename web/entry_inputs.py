"""Fields of an entry that a form asks for in several inputs: a box for each word, and three lines for each credit.

The name of such an input begins with its field's: `tags.LAW`, `credits.0.points`.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from i18n import gettext, lazy_gettext
from i18n import lazy_gettext as _
from models.fields import EntryField, FieldKind
from resolvers.validation import MAX_CREDITS
from web.client import Problem
from web.entry_fields import labels_of
from web.form_body import Form

EMPTY_ROWS = 2  # of credits, below those that are filled in
CREDIT_PARTS = {
    "body": _("Body"),
    "activity": _("What they call it"),
    "points": _("Points"),
}
_POINTS = re.compile(r"\d{1,6}(?:[.,]\d{1,4})?", re.ASCII)
_POINTS_HINT = lazy_gettext("Please write the points as a number, such as 5 or 2.5.")
_PLACED = re.compile(rf"(?P<field>\w+)\.(?P<place>\d)\.(?P<part>{'|'.join(CREDIT_PARTS)})", re.ASCII)

Read = tuple[list[Any], list[Problem]]


def _word_labels(field: EntryField) -> dict[str, str]:
    return {f"{field.graphql_name}.{word}": str(label) for word, label in _words(field).items()}


def _word_typed(field: EntryField, value: list[str] | None) -> dict[str, str]:
    return {f"{field.graphql_name}.{word}": "yes" for word in value or ()}


def _words_read(field: EntryField, typed: Form) -> Read:
    return [word for word in _words(field) if typed.get(f"{field.graphql_name}.{word}") == "yes"], []


def _words(field: EntryField) -> Mapping[str, Any]:
    return labels_of(field.words) if field.words else {}


def _credit_labels(field: EntryField) -> dict[str, str]:
    return {
        f"{field.graphql_name}.{place}.{part}": str(label)
        for place in range(MAX_CREDITS)
        for part, label in CREDIT_PARTS.items()
    }


def _credit_typed(field: EntryField, value: list[Mapping[str, Any]] | None) -> dict[str, str]:
    return {
        f"{field.graphql_name}.{place}.{part}": str(one[part] or "")
        for place, one in enumerate(value or ())
        for part in CREDIT_PARTS
    }


def _credits_read(field: EntryField, typed: Form) -> Read:
    found: list[dict[str, str | None]] = []
    problems: list[Problem] = []
    for place in range(filled(field, typed)):
        row = f"{field.graphql_name}.{place}"
        body, activity, points = (typed.get(f"{row}.{part}", "").strip() for part in CREDIT_PARTS)
        if points and not _POINTS.fullmatch(points):
            problems.append({"field": f"{row}.points", "message": str(_POINTS_HINT), "code": "INVALID"})
        elif points:
            points = f"{Decimal(points.replace(',', '.')).normalize():f}"
        if not body:
            problems.append({"field": f"{row}.body", "message": gettext("Please fill this in."), "code": "REQUIRED"})
        found.append({"body": body, "activity": activity or None, "points": points or None})
    return found, problems


@dataclass(frozen=True)
class Several:
    """How a kind of field has several inputs: their labels by name, what they hold for a value, how they're read."""

    labels: Callable[[EntryField], dict[str, str]]
    typed: Callable[[EntryField, Any], dict[str, str]]
    read: Callable[[EntryField, Form], Read]


_SEVERAL = {
    FieldKind.WORDS: Several(_word_labels, _word_typed, _words_read),
    FieldKind.CREDITS: Several(_credit_labels, _credit_typed, _credits_read),
}


def has_several(field: EntryField) -> bool:
    """Whether a field has several inputs."""
    return field.kind in _SEVERAL


def labels(field: EntryField) -> dict[str, str]:
    """Give the labels of a field's inputs by name; none if it's a single one."""
    return _SEVERAL[field.kind].labels(field) if has_several(field) else {}


def typed(field: EntryField, value: Any) -> dict[str, str]:
    """Write a value as the inputs of its field have it."""
    return _SEVERAL[field.kind].typed(field, value)


def read(field: EntryField, typed: Form) -> Read:
    """Read the inputs of a field: the API's value, and what couldn't be read."""
    return _SEVERAL[field.kind].read(field, typed)


def tidied(typed: Form) -> Form:
    """Drop empty rows of credits, and number the others from 0, as the API counts them in its problems."""
    rows: dict[str, dict[int, dict[str, str]]] = defaultdict(dict)
    kept: dict[str, str] = {}
    for name, text in typed.items():
        if found := _PLACED.fullmatch(name):
            rows[found["field"]].setdefault(int(found["place"]), {})[found["part"]] = text
        else:
            kept[name] = text
    for field, places in rows.items():
        in_order = [parts for _place, parts in sorted(places.items()) if any(map(str.strip, parts.values()))]
        kept |= {f"{field}.{at}.{part}": text for at, parts in enumerate(in_order) for part, text in parts.items()}
    return kept


def filled(field: EntryField, typed: Form) -> int:
    """Count the rows of a field that have something in them."""
    rows = range(MAX_CREDITS)
    return sum(any(f"{field.graphql_name}.{place}.{part}" in typed for part in CREDIT_PARTS) for place in rows)


def rows(field: EntryField, typed: Form) -> range:
    """Give the places of the rows that a form shows: those that are filled in, and a few empty ones."""
    return range(min(filled(field, typed) + EMPTY_ROWS, MAX_CREDITS))
