"""How the pages write values: the API's words as labels, days, months and hours, for people and for spreadsheets."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import i18n
from i18n import LazyText, gettext
from i18n import lazy_gettext as _
from models.case_session import SessionKind
from models.dispute_kinds import DisputeKind
from models.evidence import EvidenceKind, MediaType
from models.logbook import CaseRole, Medium
from resolvers.validation import LANGUAGES

Labels = Mapping[str, LazyText]
"""The label of each word of an enumeration of the API."""

ROLES: Labels = {role.value: role.label for role in CaseRole}
MEDIA: Labels = {medium.value: medium.label for medium in Medium}
SESSION_KINDS: Labels = {kind.value: kind.label for kind in SessionKind}
DISPUTE_KINDS: Labels = {kind.value: kind.label for kind in DisputeKind}
LEARNING_SOURCES: Labels = {"MEDIATION": _("Mediation"), "CPD": _("CPD")}
LEARNING_KINDS: Labels = {
    "DID_WELL": _("What I did well"),
    "FOUND_CHALLENGING": _("What I found challenging"),
    "TAKEAWAY": _("Takeaway"),
}
CAPACITIES: Labels = {
    "PARTY": _("Party to the dispute"),
    "PARTY_ADVISER": _("Lawyer or adviser of a party"),
    "PROFESSIONAL": _("Co-mediator or other professional"),
    "OTHER": _("Other"),
}
ACTED_AS: Labels = {"MEDIATOR": _("Mediator"), "ADVOCATE": _("Advocate")}
VISIBILITIES: Labels = {
    "DIRECTORIES": _("Directories can find me and verify my experience"),
    "PRIVATE": _("Private: no directory can see me"),
}
# How a reviewer knows the mediator: as they choose it, and as parties and the mediator read it.
RELATIONS: Labels = {
    "NO_RELATION": _("We don't know each other, or only from this"),
    "COLLEAGUE": _("We're colleagues"),
    "SAME_PROVIDER": _("We work for the same provider"),
    "OTHER": _("In another way: please say how"),
    "FAMILY": _("We're family, or a couple"),
    "EMPLOYER": _("I'm their employer"),
    "EMPLOYEE": _("They're my employer"),
}
RELATIONS_TOLD: Labels = {
    "NO_RELATION": _("They say that they don't know each other from anywhere else."),
    "COLLEAGUE": _("They say that they are colleagues."),
    "SAME_PROVIDER": _("They say that they work for the same provider."),
}
EVIDENCE_KINDS: Labels = {kind.value: kind.label for kind in EvidenceKind}
MEDIA_TYPES: Labels = {media_type.value: media_type.label for media_type in MediaType}
YES_NO: Labels = {"true": _("Yes"), "false": _("No")}
SHARING: Labels = {"true": _("Shared with the mediator"), "false": _("Not shared")}
WAYS: Labels = {"true": _("On request"), "false": _("Without a request")}


@lru_cache(4096)  # a page has dozens of them
def day(value: str) -> str:
    """Write a day of the API (ISO 8601) for people: 3 Mar 2026."""
    return i18n.format_day(date.fromisoformat(value[:10]))


def year_or_day(value: str) -> str:
    """Write a day before which something was: just its year, if it's the first of one."""
    return value[:4] if value.endswith("-01-01") else day(value)


def moment(value: str) -> str:
    """Write a moment of the API (ISO 8601) for people: 3 Mar 2026, 14:05 UTC."""
    parsed = datetime.fromisoformat(value).astimezone(UTC)
    return f"{day(parsed.date().isoformat())}, {parsed:%H:%M} UTC"


def month(value: str) -> str:
    """Write a month of the API, as in 2026-05, for people: May 2026."""
    return f"{date.fromisoformat(f'{value}-01'):%b %Y}"


@lru_cache(4096)
def hours(minutes: int) -> str:
    """Write minutes as hours and minutes: 7:30."""
    whole, rest = divmod(minutes, 60)
    return f"{whole:,}:{rest:02}"


def size(count: int) -> str:
    """Write a number of bytes: 240 KB, 1.2 MB."""
    if count < 1000 * 1024:
        return gettext("%(size)s KB", size=i18n.number(max(1, round(count / 1024))))
    return gettext("%(size)s MB", size=str(round(count / 1024**2, 1)))


def question_texts(survey: Mapping[str, Any]) -> dict[str, str]:
    """Give the text of each of the survey's questions."""
    return {question["key"]: question["text"] for question in survey["questions"]}


def rating_labels(survey: Mapping[str, Any]) -> dict[int | None, str]:
    """Give the word for each rating; None means "not applicable"."""
    return {step["rating"]: step["label"] for step in survey["scale"]}


def answered(
    answers: Iterable[Mapping[str, Any]], questions: Mapping[str, str], scale: Mapping[int | None, str]
) -> list[tuple[str, str | None, int | None, str]]:
    """Give each answer's question, what was written, the rating, and the word for it."""
    return [
        (questions.get(one["question"], one["question"]), one["text"], one["rating"], scale[one["rating"]])
        for one in answers
    ]


def decimal_hours(minutes: int) -> float:
    """Give minutes as hours for a spreadsheet, exact to the minute when read back: 7.5."""
    return round(minutes / 60, 2)


class Format:
    """How one kind of value is written: on a page, and as a cell of a spreadsheet.

    `leads`: whether it's a link. `safe`: whether what a page shows goes into HTML unescaped. That's only for figures,
    dates and the words in this file.
    """

    leads = False
    safe = False

    def page(self, value: Any) -> str:
        """Write it for people; None becomes an empty text."""
        return "" if value is None else str(value)

    def cell(self, value: Any) -> Any:
        """Give text, number or None for a spreadsheet."""
        return value


class _Choice(Format):
    safe = True

    def __init__(self, labels: Labels) -> None:
        self._labels = labels

    def page(self, value: Any) -> str:
        return "" if value is None else str(self._labels[value])

    def cell(self, value: Any) -> Any:
        return self.page(value)


class _Either(_Choice):
    """One of two words, for a yes or no."""

    def page(self, value: Any) -> str:
        return "" if value is None else str(self._labels["true" if value else "false"])


class _Link(Format):
    """A web address that leads there."""

    leads = True

    def page(self, value: Any) -> str:
        return "" if value is None else str(value).removeprefix("https://").removeprefix("http://")


class _Day(Format):
    safe = True

    def page(self, value: Any) -> str:
        return "" if value is None else day(value)


class _Month(Format):
    safe = True

    def page(self, value: Any) -> str:
        return month(value)


class _Hours(Format):
    safe = True

    def page(self, value: Any) -> str:
        return "" if value is None else hours(value)

    def cell(self, value: Any) -> Any:
        return None if value is None else decimal_hours(value)


class _Yes(Format):
    """A mark that's only mentioned where it's set."""

    safe = True

    def page(self, value: Any) -> str:
        return gettext("Yes") if value else ""

    def cell(self, value: Any) -> Any:
        return gettext("Yes") if value else gettext("No")


class _Languages(Format):
    """The names of languages, from a list of their codes."""

    def page(self, value: Any) -> str:
        return ", ".join(LANGUAGES.get(code, code) for code in value or ())

    def cell(self, value: Any) -> Any:
        return self.page(value)


class _Words(_Choice):
    """The labels of a list of words."""

    def page(self, value: Any) -> str:
        return ", ".join(str(self._labels[word]) for word in value or ())


class _Credits(Format):
    """What bodies count an activity as: SIMI: Training, 5 points; CMC."""

    def page(self, value: Any) -> str:
        return "; ".join(map(self._credit, value or ()))

    def cell(self, value: Any) -> Any:
        return self.page(value)

    @staticmethod
    def _credit(one: Mapping[str, Any]) -> str:
        points = one["points"]
        if points is not None:
            written = gettext("1 point") if Decimal(points) == 1 else gettext("%(points)s points", points=points)
        counted = [text for text in (one["activity"], None if points is None else written) if text]
        return f"{one['body']}: {', '.join(counted)}" if counted else str(one["body"])


def of_words(labels: Labels) -> Format:
    """Make the format of a list of words that have these labels."""
    return _Words(labels)


def of_labels(labels: Labels) -> Format:
    """Make the format of a choice whose words have these labels."""
    return _Choice(labels)


TEXT = Format()
DAY = _Day()
MONTH = _Month()
HOURS = _Hours()
YES = _Yes()
LANGUAGE_NAMES = _Languages()
CREDITS = _Credits()
CAPACITY = _Choice(CAPACITIES)
ACTING = _Choice(ACTED_AS)
SHARED = _Either(SHARING)
WAY = _Either(WAYS)
LINK = _Link()
LEARNING_SOURCE = _Choice(LEARNING_SOURCES)
LEARNING_KIND = _Choice(LEARNING_KINDS)
