"""How rows of a spreadsheet become cases: which column is which field, how cells are read, what became of each row.

The headings of our own exports are known, and so are common words for them. People can change whatever we guess.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import i18n
from i18n import gettext as _
from models.fields import EntryField, FieldKind, camel
from web import forms
from web.client import Problem
from web.csv_reader import CsvFile, CsvRow
from web.csv_writer import without_guard
from web.entry_fields import labels_of, reader
from web.forms import Reader, Unreadable
from web.logbook_import_words import CHOICES, FIELDS, NO, TITLES, YES_WORDS, accepted_headings, meanings

NONE = "none"  # of the file's columns
_REQUIRED = frozenset(
    field.graphql_name for field in FIELDS if not field.is_optional and field.kind is not FieldKind.FLAG
)
_OTHER = "OTHER"
_SPILLING = [field for field in FIELDS if field.spill]
_DEFAULTS = {name: str(field.default) for name, field in CHOICES.items() if field.default is not None}


@dataclass(frozen=True)
class ImportPlan:
    """How a file is read: the column of each field, and how days and durations are written.

    `defaults`: what's imported for rows without a role, medium or outcome, in the API's words, by field. `confirmed`:
    very long days are meant so.
    """

    columns: Mapping[str, int]
    month_first: bool
    in_minutes: bool
    defaults: Mapping[str, str]
    confirmed: bool = False

    def typed(self) -> dict[str, str]:
        """Write the plan as the values of its form."""
        return {
            **{name: str(self.columns.get(name, NONE)) for name in TITLES},
            "days": "month" if self.month_first else "day",
            "unit": "minutes" if self.in_minutes else "hours",
            "confirmImplausible": "yes" if self.confirmed else "",
            **{f"{name}Else": self.defaults.get(name, "") for name in CHOICES},
        }

    def problems(self) -> list[Problem]:
        """Say what has to be chosen before any row can be read."""
        lacking = [] if {"startedOn", "endedOn"} & set(self.columns) else ["endedOn"]
        lacking += [] if "minutes" in self.columns else ["minutes"]
        unsaid = [name for name in CHOICES if name not in self.columns and name not in self.defaults]
        return [_problem(name, _("Please choose the column that has it.")) for name in lacking] + [
            _problem(f"{name}Else", _("No column has this. Please choose a value to import.")) for name in unsaid
        ]


def _problem(field: str | None, message: str) -> Problem:
    return {"field": field, "message": message, "code": "INVALID"}


def key(heading: str) -> str:
    """Give the part of a heading or choice that's compared: letters and digits, whatever their case."""
    return " ".join(re.sub(r"[\W_]+", " ", heading.casefold()).split())


# Our own words: the API's, and the labels. Others may say more, and are kept.
_OWN_WORDS = {
    field.name: {key(own) for word in field.words for own in (word.value, str(word.label))}
    for field in FIELDS
    if field.words
}
# What's understood as each word of each choice.
_WORDS = {
    field.name: {key(also): word for word, every in meanings(field).items() for also in every}
    for field in FIELDS
    if field.words
}


def _keys(heading: str) -> Iterator[str]:
    yield key(heading)
    yield key(re.sub(r"\(.*?\)|\[.*?\]", " ", heading))


def guess(file: CsvFile) -> ImportPlan:
    """Guess from the headings which column is which field, and from the cells how days are written."""
    known = {key(heading): field.graphql_name for field in FIELDS for heading in accepted_headings(field)}
    columns: dict[str, int] = {}
    for index, heading in enumerate(file.headings):
        name = next((known[one] for one in _keys(heading) if one in known), None)
        if name is not None:
            columns.setdefault(name, index)
    unit = key(file.headings[columns["minutes"]]) if "minutes" in columns else ""
    is_in_minutes = any(word in {"min", "mins", "minutes"} for word in unit.split())
    return ImportPlan(columns, _is_month_first(file, columns), is_in_minutes, _DEFAULTS)


def plan_of(file: CsvFile, typed: Mapping[str, str]) -> ImportPlan:
    """Read a plan from its form; what the form doesn't say is guessed from the cells."""
    numbers = {str(index): index for index in range(len(file.headings))}
    columns = {name: numbers[typed[name]] for name in TITLES if typed.get(name) in numbers}
    is_month_first = typed["days"] == "month" if "days" in typed else _is_month_first(file, columns)
    chosen = {name: typed.get(f"{name}Else") for name in CHOICES}
    defaults = {name: word for name, word in chosen.items() if word in meanings(CHOICES[name])}
    is_confirmed = typed.get("confirmImplausible") == "yes"
    return ImportPlan(columns, is_month_first, typed.get("unit") == "minutes", defaults, is_confirmed)


_NUMBERS = re.compile(r"(\d{1,2})\s*[./ -]\s*(\d{1,2})\s*[./ -]\s*\d{4}")
_MIDNIGHT = re.compile(r"[T ]0?0:00(:00)?$")


_DAYS = [field.graphql_name for field in FIELDS if field.kind is FieldKind.DAY]


def _numbered_days(file: CsvFile, columns: Mapping[str, int]) -> set[tuple[int, int]]:
    cells = (_cell(row, columns.get(name)) for row in file.rows for name in _DAYS)
    found = (_NUMBERS.match(cell.strip()) for cell in cells)
    return {(int(one.group(1)), int(one.group(2))) for one in found if one}


def _is_month_first(file: CsvFile, columns: Mapping[str, int]) -> bool:
    numbers = _numbered_days(file, columns)
    return any(second > 12 for _, second in numbers) and not any(first > 12 for first, _ in numbers)


def is_ambiguous(file: CsvFile, plan: ImportPlan) -> bool:
    """Tell whether any day would mean another one if its month came first."""
    return any(first != second and max(first, second) <= 12 for first, second in _numbered_days(file, plan.columns))


@dataclass(frozen=True)
class ReadRow:
    """A row as it was read: what the API gets, by its names; or the problems, and then the API never gets it."""

    row: CsvRow
    values: dict[str, Any]
    problems: list[Problem]


def read_rows(file: CsvFile, plan: ImportPlan) -> list[ReadRow]:
    """Read each row as the plan says."""
    readers = _readers(plan)
    return [_read(row, len(file.headings), plan, readers) for row in file.rows]


def _read(row: CsvRow, width: int, plan: ImportPlan, readers: Mapping[str, Reader]) -> ReadRow:
    typed = {name: _cell(row, index) for name, index in plan.columns.items()}
    for name, default in plan.defaults.items():
        if not typed.get(name, "").strip():
            typed[name] = default
    for name, other in (("startedOn", "endedOn"), ("endedOn", "startedOn")):
        if not typed.get(name, "").strip():
            typed[name] = typed.get(other, "")
    values, problems = forms.read_fields(typed, readers, _REQUIRED)
    for field in _SPILLING:
        into, written = camel(field.spill or ""), typed.get(field.graphql_name, "")
        # A file without that column is from before there was a list, or somebody else's: what it says is kept in full.
        if values[field.graphql_name] and (key(written) not in _OWN_WORDS[field.name] or into not in plan.columns):
            values[into] = "; ".join(filter(None, (values[into], written.strip())))
    if len(row.cells) > width:
        problems.append(
            _problem(
                None,
                _(
                    "There are more cells than headings. Perhaps there's a separator in a text that has no quotation "
                    "marks around it."
                ),
            )
        )
    return ReadRow(row, {name: value for name, value in values.items() if value is not None}, problems)


def _cell(row: CsvRow, index: int | None) -> str:
    return without_guard(row.cells[index]) if index is not None and index < len(row.cells) else ""


def _readers(plan: ImportPlan) -> dict[str, Reader]:
    by_kind: dict[FieldKind, Reader] = {
        FieldKind.DAY: partial(_day, month_first=plan.month_first),
        FieldKind.DURATION: _minutes if plan.in_minutes else _hours,
        FieldKind.FLAG: _flag,
    }
    return {
        field.graphql_name: _choice(field) if field.words else by_kind.get(field.kind) or reader(field)
        for field in FIELDS
    }


def _choice(field: EntryField) -> Reader:
    """Make the reader of a choice: the API's word, ours, or another common one."""
    known = _WORDS[field.name]

    def read(text: str) -> str:
        word = known.get(key(text), _OTHER if field.spill else None)
        if word is None:
            choices = labels_of(field.words).values() if field.words else ()
            raise Unreadable(_("Please write one of: %(choices)s.", choices=", ".join(map(str, choices))))
        return word

    return read


def _day(text: str, *, month_first: bool) -> str:
    return forms.read_day(_MIDNIGHT.sub("", text.strip()), month_first=month_first)


def _hours(text: str) -> int:
    # Spreadsheets write durations with seconds.
    return forms.read_minutes(re.sub(r"(:\d\d):00$", r"\1", text.strip()))


def _minutes(text: str) -> int:
    text = text.strip()
    return int(text) if re.fullmatch(r"\d{1,7}", text, re.ASCII) else _hours(text)


def _flag(text: str) -> bool:
    if key(text) in YES_WORDS:
        return True
    if key(text) in NO:
        return False
    raise Unreadable(_("Please write Yes or No."))


@dataclass(frozen=True)
class Result:
    """What became of a row, in the API's words, and what to fix: pairs of the field's name (None: the row) and why."""

    reading: ReadRow
    status: str
    problems: list[tuple[str | None, str]]

    def reason(self) -> str:
        """Say in one line what to fix."""
        return " ".join(
            _("%(column)s: %(reason)s", column=str(TITLES[name]), reason=why) if name in TITLES else why
            for name, why in self.problems
        )


def results(plan: ImportPlan, readings: Sequence[ReadRow], outcomes: Sequence[Mapping[str, Any]]) -> list[Result]:
    """Join what was read with the API's `outcomes`, one for each row without problems, in their order."""
    answered = iter(outcomes)
    # A day used for both is only mentioned once.
    unsaid = {"startedOn", "endedOn"} - set(plan.columns)
    found = []
    outcome: Mapping[str, Any]
    for reading in readings:
        outcome = next(answered) if not reading.problems else {"status": "FAILED", "problems": reading.problems}
        problems = [(one["field"], one["message"]) for one in outcome["problems"] if one["field"] not in unsaid]
        found.append(Result(reading, outcome["status"], problems))
    return found


def ranges(numbers: Sequence[int]) -> list[str]:
    """Write ascending row numbers briefly, each run as its first and last."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    return ["-".join(i18n.number(number) for number in run) for run in runs]
