"""Importing a spreadsheet into the logbook: choose a file, look at how it is read, import it.

No step stores the file: it travels in the page, so each step's answer is a page without an address to return to.
Reloading the last one doesn't import anything twice.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from i18n import LazyText, lazy_gettext
from i18n import gettext as _
from models.fields import FieldKind
from web import logbook_import
from web.client import FormOutcome, PageError, mutate, to_fix
from web.csv_reader import (
    MAX_COLUMNS,
    MAX_FILE,
    MAX_PACKED,
    MAX_ROWS,
    CsvFile,
    NotCsv,
    pack,
    read_csv,
    unpack,
)
from web.csv_writer import guarded, without_guard, write_csv
from web.form_body import MAX_FORM, Form, read_file, read_form
from web.logbook_import import ImportPlan, ReadRow, Result
from web.logbook_import_words import CHOICES, FIELDS, TITLES
from web.page import FOR_MEDIATORS, FORM, POST, page
from web.rendering import render

SHOWN = 10  # rows of a preview
MAX_LISTED = 200  # rows of a report
REASON = lazy_gettext("What to correct")  # the heading of our own column
_LABELS: Mapping[str, LazyText] = {
    "file": lazy_gettext("Your file"),
    "days": lazy_gettext("How dates such as 5/6/2026 are written"),
    "unit": lazy_gettext("Durations that are plain numbers are in"),
    "confirmImplausible": lazy_gettext("Days of more than 14 hours are right: import them"),
    "mode": lazy_gettext("If some rows can't be imported"),
    **TITLES,
}
_ELSE = lazy_gettext("%(field)s, if your file has none")
# The columns of a preview, after the days.
_MAIN = [field for field in FIELDS if field.graphql_name in CHOICES or field.kind is FieldKind.DURATION]
_REST = [field for field in FIELDS if field not in _MAIN and field.name not in {"started_on", "ended_on"}]


@dataclass(frozen=True)
class _Step:
    """What one step of an import works on: the file, how it's read, and what was typed (at first, nothing)."""

    data: bytes
    file: CsvFile
    plan: ImportPlan
    typed: Form


@page("/logbook/import", FOR_MEDIATORS, document="logbook_import", methods=FORM)
async def importing(request: Request) -> Response:
    """Take a file, show how it's read whenever that changes, and import it."""
    if request.method != "POST":
        return _start(request)
    try:
        step = await _step(request)
    except NotCsv as reason:
        return _start(request, to_fix([{"field": "file", "message": str(reason)}]))
    problems = step.plan.problems()
    if problems:
        return _look(request, step, to_fix(problems) if step.typed else FormOutcome(problems), [])
    wants_import = step.typed.get("then") == "import"
    if wants_import and step.typed.get("previewed") == _digest(step.plan.typed()):
        return await _import(request, step)
    outcome, found = await _run(request, step, dry_run=True)
    if wants_import and not outcome.problems:
        changed = _("You've changed how the file is read. Please check the new preview, then import.")
        outcome = to_fix([{"field": None, "message": changed}])
    return _look(request, step, outcome, found)


@page("/logbook/import/failed.csv", FOR_MEDIATORS, document="logbook_import", methods=POST)
async def failed_import(request: Request) -> Response:
    """Give the rows that failed as a file, as they were, each with what to fix."""
    try:
        step = await _step(request)
    except NotCsv as reason:
        raise PageError(400, str(reason)) from None
    outcome, found = await _run(request, step, dry_run=True)
    if outcome.problems:
        raise PageError(outcome.status, outcome.problems[0]["message"], outcome.retry_after)
    failures = [one for one in found if one.status == "FAILED"]
    earlier = {index for index, heading in enumerate(step.file.headings) if heading == str(REASON)}
    rows = [(str(REASON), step.file.headings), *((one.reason(), one.reading.row.cells) for one in failures)]
    body = write_csv(
        # In front, because a row that fails can have any number of cells.
        [guarded(reason), *(guarded(without_guard(cell)) for index, cell in enumerate(cells) if index not in earlier)]
        for reason, cells in rows
    )
    headers = {"Content-Disposition": 'attachment; filename="rows-to-fix.csv"'}
    return Response(body, media_type="text/csv; charset=utf-8", headers=headers)


async def _step(request: Request) -> _Step:
    """Read what was sent: a newly chosen file, or the one in the page and what was typed there."""
    typed: Form = {}
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        try:
            data = await read_file(request, "file", MAX_FILE)
        except PageError as error:
            if error.status != 413:
                raise
            raise NotCsv(_("%(error)s Please split it, or leave out what isn't needed.", error=error.text)) from None
    else:
        typed = await read_form(request, MAX_PACKED + MAX_FORM)
        data = unpack(typed.get("sheet", ""))
    file = await run_in_threadpool(read_csv, data)
    return _Step(data, file, logbook_import.plan_of(file, typed) if typed else logbook_import.guess(file), typed)


def _labels() -> dict[str, str]:
    """Give the labels of the forms' fields."""
    choices = {f"{name}Else": _ELSE % {"field": str(field.title)} for name, field in CHOICES.items()}
    return {name: str(label) for name, label in _LABELS.items()} | choices


def _start(request: Request, outcome: FormOutcome | None = None) -> Response:
    return render(
        request,
        "logbook_import/start.html",
        outcome=outcome or FormOutcome(),
        labels=_labels(),
        fields=FIELDS,
        megabytes=MAX_FILE // 1024**2,
        rows_most=MAX_ROWS,
        columns_most=MAX_COLUMNS,
    )


def _look(request: Request, step: _Step, outcome: FormOutcome, found: list[Result]) -> Response:
    """Show how a file is read, and what will become of its rows."""
    file, chosen = step.file, step.plan.typed()
    kept = {"mode": step.typed.get("mode", "readable")}
    hidden = {"sheet": pack(step.data), "previewed": _digest(chosen)}
    return render(
        request,
        "logbook_import/preview.html",
        outcome=outcome,
        typed=chosen | kept | hidden,
        labels=_labels(),
        fields=FIELDS,
        main=_MAIN,
        rest=_REST,
        choices=CHOICES,
        columns=[
            (logbook_import.NONE, _("Not in my file")),
            *((str(i), file.title(i)) for i in range(len(file.headings))),
        ],
        is_ambiguous=logbook_import.is_ambiguous(file, step.plan),
        shown=found[:SHOWN],
        **_report(step, found),
    )


async def _import(request: Request, step: _Step) -> Response:
    is_all = step.typed.get("mode") == "all"
    # The key only counts for this form: anything else that's sent is another import.
    key = f"{step.typed.get('requestKey', '')[:64]}-{_digest(step.typed)}"
    outcome, found = await _run(request, step, key=key, all_or_nothing=is_all)
    report = _report(step, found)
    if is_all and report["failed"]:
        nothing = _("Nothing was imported, because some rows can't be. They're listed below.")
        outcome = to_fix([{"field": None, "message": nothing}])
    if outcome.problems:
        return _look(request, step, outcome, found)
    rest = [one.reading.row.cells for one in found if one.status == "FAILED"]
    typed = step.plan.typed() | {"sheet": pack(write_csv([step.file.headings, *rest]))}
    return render(request, "logbook_import/done.html", typed=typed, fields=FIELDS, choices=CHOICES, **report)


async def _run(
    request: Request, step: _Step, *, dry_run: bool = False, all_or_nothing: bool = False, key: str | None = None
) -> tuple[FormOutcome, list[Result]]:
    """Read the rows and have the API import them, or, with `dry_run`, say what it would do."""
    readings = await run_in_threadpool(logbook_import.read_rows, step.file, step.plan)
    sound = [one.values for one in readings if not one.problems]
    if not sound:
        return FormOutcome(), logbook_import.results(step.plan, readings, [])
    outcome = await mutate(
        request,
        "ImportLogbookEntries",
        entries=sound,
        allOrNothing=all_or_nothing,
        # The API never gets the rows that can't be read, but they fail as well.
        confirmImplausible=step.plan.confirmed,
        dryRun=dry_run or (all_or_nothing and len(sound) < len(readings)),
        requestKey=key,
    )
    if outcome.problems:
        return replace(outcome, problems=[one | {"field": None} for one in outcome.problems]), []
    return outcome, logbook_import.results(step.plan, readings, outcome.payload["outcomes"])


def _report(step: _Step, found: list[Result]) -> dict[str, Any]:
    """Count what became of the rows, and list the ones that were skipped or failed, as many as fit on a page."""
    counted = Counter(one.status for one in found)
    skipped = logbook_import.ranges([one.reading.row.number for one in found if one.status == "SKIPPED"])
    failures = [one for one in found if one.status == "FAILED"]
    return {
        "total": len(found),
        # The ones left out would be imported if it weren't for others.
        "imported": counted["IMPORTED"] + counted["LEFT_OUT"],
        "skipped": counted["SKIPPED"],
        "failed": counted["FAILED"],
        "skipped_list": skipped[:MAX_LISTED],
        "skipped_more": len(skipped) - MAX_LISTED,
        "failures": [
            (one.reading.row.number, *_place(step, one.reading, name), reason)
            for one in failures[:MAX_LISTED]
            for name, reason in one.problems
        ],
        "failures_more": len(failures) - MAX_LISTED,
    }


def _place(step: _Step, reading: ReadRow, name: str | None) -> tuple[str, str]:
    """Give the column that a problem is in, and the content of the cell."""
    column = step.plan.columns.get(name or "")
    if column is None:
        return str(TITLES[name]) if name in TITLES else _("The whole row"), ""
    cells = reading.row.cells
    return step.file.title(column), cells[column] if column < len(cells) else ""


def _digest(typed: Form) -> str:
    return hashlib.sha256(urlencode(sorted(typed.items())).encode()).hexdigest()
