"""The pages of a case's sessions: adding one, changing and deleting it. The case's own page lists them."""

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from models.case_session import SESSION_FIELDS, SessionKind
from web import entry_fields, labels
from web.client import FormOutcome, PageError, mutate, nothing_here, query, to_fix
from web.form_body import read_form
from web.forms import read_fields
from web.page import FOR_MEDIATORS, FORM, POST, page
from web.pages.entries import confirmed, labels_of_fields, update
from web.pages.sign_in import local_path
from web.proofs import accepted
from web.rendering import render

_READERS = {field.graphql_name: entry_fields.reader(field) for field in SESSION_FIELDS}


@page("/logbook/{id}/sessions/new", FOR_MEDIATORS, document="case_session", methods=FORM)
async def add_session(request: Request) -> Response:
    """Add a session: today's, unless they say otherwise, and held as the case was."""
    case = await _case(request)
    if request.method != "POST":
        today = request.app.state.database.now().date().isoformat()
        fresh = {"heldOn": today, "minutes": None, "kind": SessionKind.MEDIATION.value, "medium": case["medium"]}
        return _form(request, case, _typed(fresh) | {"back": _back(request)})
    typed = dict(await read_form(request))
    values, problems = read_fields(typed, _READERS, set(_READERS))
    outcome = (
        to_fix(problems)
        if problems
        else await mutate(
            request,
            "AddCaseSession",
            entryId=case["id"],
            **values,
            **confirmed(typed),
            requestKey=typed.get("requestKey"),
        )
    )
    if outcome.problems:
        return _form(request, case, typed, outcome)
    if typed.get("then") == "another":
        return accepted(request, f"{_path(case)}/sessions/new?{urlencode({'back': typed.get('back', '')})}&done=added")
    return _done(request, case, typed.get("back", ""), "added")


@page("/logbook/{id}/sessions/{session}/edit", FOR_MEDIATORS, document="case_session", methods=FORM)
async def edit_session(request: Request) -> Response:
    """Change a session; if two people do so at once, the second one sees what's saved now."""
    case = await _case(request)
    session = next((one for one in case["sessions"] if one["id"] == request.path_params["session"]), None)
    if session is None:
        raise nothing_here()
    if request.method != "POST":
        return _form(request, case, _typed(session) | {"version": str(session["version"]), "back": _back(request)})
    typed = dict(await read_form(request))
    values, problems = read_fields(typed, _READERS, set(_READERS))
    outcome = (
        to_fix(problems)
        if problems
        else await update(request, "UpdateCaseSession", session["id"], typed, values | confirmed(typed))
    )
    if not outcome.problems:
        return _done(request, case, typed.get("back", ""), "saved")
    if current := outcome.payload.get("current"):
        stored = _typed(current)
        typed |= {"version": str(current["version"])}
        return _form(request, case, typed, outcome, [(name, typed.get(name, ""), stored[name]) for name in stored])
    return _form(request, case, typed, outcome)


@page("/logbook/{id}/sessions/{session}/delete", FOR_MEDIATORS, document="case_session", methods=POST)
async def delete_session(request: Request) -> Response:
    """Delete a session."""
    typed = await read_form(request)
    case = await _case(request)
    outcome = await mutate(request, "DeleteCaseSession", id=request.path_params["session"])
    if outcome.problems:
        (problem,) = outcome.problems
        raise nothing_here() if problem["code"] == "NOT_FOUND" else PageError(outcome.status, problem["message"])
    return _done(request, case, typed.get("back", ""), "deleted")


async def _case(request: Request) -> dict[str, Any]:
    found: dict[str, Any] = (await query(request, "SessionsOfCase", id=request.path_params["id"]))["me"]["mediator"]
    case: dict[str, Any] = found["logbookEntry"]
    return case


def _typed(session: dict[str, Any]) -> dict[str, str]:
    """Write a session as its form has it."""
    return {field.graphql_name: entry_fields.typed(field, session[field.graphql_name]) for field in SESSION_FIELDS}


def _form(
    request: Request,
    case: dict[str, Any],
    typed: dict[str, str],
    outcome: FormOutcome | None = None,
    differences: list[tuple[str, str, str]] | None = None,
) -> Response:
    return render(
        request,
        "case_session/form.html",
        outcome=outcome or FormOutcome(),
        case=case,
        session=request.path_params.get("session"),
        heading=f"{labels.ROLES[case['role']]}, {labels.day(case['endedOn'])}",
        typed=typed,
        fields=SESSION_FIELDS,
        labels=labels_of_fields(SESSION_FIELDS),
        differences=[one for one in differences or [] if one[1] != one[2]],
    )


def _path(case: dict[str, Any]) -> str:
    return f"/logbook/{case['id']}"


def _back(request: Request) -> str:
    """Give the table that the case's page leads back to."""
    return local_path(request.query_params.get("back", "/logbook"))


def _done(request: Request, case: dict[str, Any], back: str, what: str) -> Response:
    return accepted(request, f"{_path(case)}?{urlencode({'back': local_path(back or '/logbook'), 'done': what})}")
