"""A mediator's own entries, of whatever kind: looking at one, adding, changing and deleting it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from i18n import lazy_gettext as _
from models.fields import EntryField, FieldKind
from web import entry_inputs, labels
from web.client import FormOutcome, PageError, Problem, mutate, nothing_here, query, to_fix
from web.entry_fields import reader, typed, writer
from web.form_body import Form, read_form
from web.forms import read_fields
from web.page import FOR_MEDIATORS, FORM, GET, POST, Page, PageFunction, page
from web.pages.sign_in import local_path
from web.proofs import accepted
from web.rendering import render

_NO_OUTCOME = FormOutcome()
CONFIRM = {"confirmImplausible": _("Yes, these hours are right")}


def confirmed(typed: Form) -> dict[str, bool]:
    """Read whether hours that aren't plausible are confirmed, as the API wants to know it."""
    return {"confirmImplausible": typed.get("confirmImplausible") == "yes"}


@dataclass(frozen=True)
class EntryForm:
    """One kind of entry: the names of its pages, document and operations, and its fields.

    `name` is the address and the document, `noun` the API's type, `field` its name in a payload, and `called` what
    people call one. `heading` gives the title of its page. `confirms`: hours that aren't plausible can be confirmed.
    """

    name: str
    noun: str
    field: str
    called: str
    fields: tuple[EntryField, ...]
    heading: Callable[[Mapping[str, Any]], str]
    confirms: bool = False

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the fields, and of the inputs of those that have several."""
        several = (entry_inputs.labels(field) for field in self.fields)
        return labels_of_fields(self.fields) | {name: label for its in several for name, label in its.items()}

    @property
    def facets(self) -> str:
        """The API's name for the list of words that occur in the entries."""
        return f"{self.field.removesuffix('Entry')}Facets"

    def read(self, typed: Form) -> tuple[dict[str, Any], list[Problem]]:
        """Read what was typed: the API's values by field, and what couldn't be read."""
        single = [field for field in self.fields if not entry_inputs.has_several(field)]
        readers = {field.graphql_name: reader(field) for field in single}
        required = {field.graphql_name for field in single if not field.is_optional}
        values, problems = read_fields(typed, readers, required)
        for field in self.fields:
            if entry_inputs.has_several(field):
                values[field.graphql_name], found = entry_inputs.read(field, typed)
                problems += found
        return values, problems

    def typed(self, entry: Mapping[str, Any]) -> dict[str, str]:
        """Write an entry as its form has it."""
        found: dict[str, str] = {}
        for field in self.fields:
            value = entry[field.graphql_name]
            if entry_inputs.has_several(field):
                found |= entry_inputs.typed(field, value)
            else:
                found[field.graphql_name] = typed(field, value)
        return found

    def facts(self, entry: Mapping[str, Any], *, private: bool) -> list[tuple[EntryField, str]]:
        """Write what an entry holds, for its page; empty fields are left out."""
        written = [(field, writer(field).page(entry[field.graphql_name])) for field in self.fields]
        return [(field, text) for field, text in written if text and field.private is private]


def labels_of_fields(fields: Iterable[EntryField]) -> dict[str, str]:
    """Give the labels of a form with these fields."""
    return {name: str(label) for name, label in ({one.graphql_name: one.label for one in fields} | CONFIRM).items()}


def _confirmed(form: EntryForm, typed: Form) -> dict[str, bool]:
    return confirmed(typed) if form.confirms else {}


async def show(request: Request, *, form: EntryForm) -> Response:
    """Show one entry in full."""
    entry = await _entry(request, form)
    cases = await _chosen_cases(request, form, entry, [])
    return render(request, "entries/show.html", entry=entry, form=form, back=_back(request), cases=cases)


async def add(request: Request, *, form: EntryForm) -> Response:
    """Add an entry."""
    known = (await query(request, "Form"))["me"]["mediator"]
    if request.method != "POST":
        return await _blank(request, form, known)
    typed = entry_inputs.tidied(await read_form(request))
    values, problems = form.read(typed)
    outcome = (
        to_fix(problems)
        if problems
        else await mutate(
            request, f"Add{form.noun}", **values, **_confirmed(form, typed), requestKey=typed.get("requestKey")
        )
    )
    if outcome.problems:
        return await _form(request, form, known, typed, outcome)
    if typed.get("then") == "another":
        return accepted(request, f"/{form.name}/new?done=added")
    return _done(request, typed.get("back", ""), "added")


async def edit(request: Request, *, form: EntryForm) -> Response:
    """Change an entry; if two people do so at once, the second one sees both versions."""
    known = (await query(request, "Form"))["me"]["mediator"]
    if request.method != "POST":
        entry = await _entry(request, form)
        typed = form.typed(entry) | {"version": str(entry["version"]), "back": _back(request)}
        return await _form(request, form, known, typed)
    sent = dict(entry_inputs.tidied(await read_form(request)))
    values, problems = form.read(sent)
    entry_id, given = request.path_params["id"], values | _confirmed(form, sent)
    outcome = to_fix(problems) if problems else await update(request, f"Update{form.noun}", entry_id, sent, given)
    if not outcome.problems:
        return _done(request, sent.get("back", ""), "saved")
    differences = []
    if current := outcome.payload.get("current"):
        differences = _differences(form, sent, values, current)
        sent["version"] = str(current["version"])
    return await _form(request, form, known, sent, outcome, differences)


async def delete(request: Request, *, form: EntryForm) -> Response:
    """Delete an entry."""
    typed = await read_form(request)
    outcome = await mutate(request, f"Delete{form.noun}", id=request.path_params["id"])
    if outcome.problems:
        raise nothing_here()
    return _done(request, typed.get("back", ""), "deleted")


async def _blank(request: Request, form: EntryForm, known: Mapping[str, Any]) -> Response:
    """Show a new entry's form: today, and what the last entry had."""
    today = request.app.state.database.now().date().isoformat()
    fresh = {field.name: field.default for field in form.fields} | {"started_on": today, "ended_on": today}
    values = {field.graphql_name: fresh[field.name] for field in form.fields}
    for last in known["last"]["nodes"]:
        values |= {name: value for name, value in last.items() if value and name in values}
    typed = form.typed(values)
    typed["back"] = _back(request)
    return await _form(request, form, known, typed)


async def _form(
    request: Request,
    form: EntryForm,
    known: Mapping[str, Any],
    typed: Form,
    outcome: FormOutcome = _NO_OUTCOME,
    differences: Sequence[tuple[str, str, str]] = (),
) -> Response:
    """Show the form with what was typed, what to fix in it, and where it differs from the entry as it is now."""
    cases = await _chosen_cases(request, form, typed, known.get("latest", {}).get("nodes", []))
    return render(
        request,
        "entries/form.html",
        outcome=outcome,
        typed=typed,
        form=form,
        known=known,
        cases=cases,
        differences=differences,
    )


async def _chosen_cases(
    request: Request, form: EntryForm, chosen: Mapping[str, Any], latest: Sequence[Mapping[str, Any]]
) -> list[tuple[str, str]]:
    """Give the cases to choose from, as pairs of id and label: the latest ones, and whichever is chosen already."""
    cases = {one["id"]: one for one in latest}
    for field in form.fields:
        case = chosen.get(field.graphql_name) if field.kind is FieldKind.CASE else None
        if case and case not in cases:
            # It may have been deleted meanwhile.
            with suppress(PageError):
                found = await query(request, "SupervisedCase", id=case)
                cases[case] = found["me"]["mediator"]["logbookEntry"]
    return [(case, _case_label(facts)) for case, facts in cases.items()]


def _case_label(case: Mapping[str, Any]) -> str:
    facts = (labels.day(case["endedOn"]), str(labels.ROLES[case["role"]]), case["reference"])
    return ", ".join(fact for fact in facts if fact)


async def _entry(request: Request, form: EntryForm) -> dict[str, Any]:
    found = await query(request, form.noun, id=request.path_params["id"])
    entry: dict[str, Any] = found["me"]["mediator"][form.field]
    return entry


async def update(
    request: Request, operation: str, changed_id: str, typed: Form, values: Mapping[str, Any]
) -> FormOutcome:
    """Change something at the version that its form was opened with."""
    version = typed.get("version", "")
    known = version.isascii() and version.isdigit() and len(version) < 10  # nothing has version 0
    outcome = await mutate(request, operation, id=changed_id, version=int(version) if known else 0, **values)
    for problem in outcome.problems:
        if problem["field"] in {"version", "id"}:
            problem["field"] = None  # not a field of the form
    return outcome


def _differences(
    form: EntryForm, typed: Form, values: Mapping[str, Any], current: Mapping[str, Any]
) -> list[tuple[str, str, str]]:
    """List what differs from the entry as it is now: field, what was typed, what's stored."""
    stored = form.typed(current)
    found = []
    for field in form.fields:
        name = field.graphql_name
        if _plain(values[name]) != _plain(current[name]):
            several = entry_inputs.has_several(field)
            write = writer(field).page
            own, now = (write(values[name]), write(current[name])) if several else (typed.get(name, ""), stored[name])
            found.append((name, own, now))
    return found


def _plain(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else None if value == [] else value


def _back(request: Request) -> str:
    """Give the table that somebody came from, as they saw it."""
    return local_path(request.query_params.get("back", "/logbook"))


def _done(request: Request, back: str, what: str) -> Response:
    wanted = local_path(back or "/logbook")
    return accepted(request, f"{wanted}{'&' if '?' in wanted else '?'}done={what}")


def entry_pages(form: EntryForm) -> tuple[Page, ...]:
    """Declare the pages of one kind of entry."""

    def own(path: str, methods: Sequence[str] = GET) -> Callable[[PageFunction], Page]:
        return page(f"/{form.name}/{path}", FOR_MEDIATORS, document=form.name, methods=methods)

    return (
        own("new", FORM)(partial(add, form=form)),
        own("{id}")(partial(show, form=form)),
        own("{id}/edit", FORM)(partial(edit, form=form)),
        own("{id}/delete", POST)(partial(delete, form=form)),
    )
