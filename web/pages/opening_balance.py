"""Opening balances: hours that a mediator declares from before their logbook. They're listed on the logbook's page."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from i18n import lazy_gettext as _
from web import labels
from web.client import FormOutcome, mutate, nothing_here, query, to_fix
from web.form_body import Form, read_form
from web.forms import Reader, read_choice, read_day, read_fields, read_minutes, read_whole_number
from web.page import FOR_MEDIATORS, FORM, POST, page
from web.pages.entries import update
from web.proofs import accepted
from web.rendering import render

_LABELS = {
    "role": _("Your role"),
    "minutes": _("Hours"),
    "cases": _("Number of cases"),
    "before": _("Before which day"),
}
_READERS: dict[str, Reader] = {
    "role": read_choice(labels.ROLES),
    "minutes": read_minutes,
    "cases": read_whole_number,
    "before": read_day,
}
_REQUIRED = ("role", "minutes", "before")


@page("/opening-balances/new", FOR_MEDIATORS, document="opening_balance", methods=FORM)
async def add_balance(request: Request) -> Response:
    """Declare hours from before the logbook."""
    if request.method != "POST":
        return _form(request, {"role": "LEAD_MEDIATOR"})
    typed = await read_form(request)
    values, problems = read_fields(typed, _READERS, _REQUIRED)
    key = typed.get("requestKey")
    outcome = to_fix(problems) if problems else await mutate(request, "AddOpeningBalance", **values, requestKey=key)
    return _form(request, typed, outcome) if outcome.problems else accepted(request, "/logbook?done=added")


@page("/opening-balances/{id}/edit", FOR_MEDIATORS, document="opening_balance", methods=FORM)
async def edit_balance(request: Request) -> Response:
    """Change declared hours; if two people do so at once, the second one sees what the first saved."""
    found = (await query(request, "OpeningBalances"))["me"]["mediator"]["openingBalances"]
    balance = next((one for one in found if one["id"] == request.path_params["id"]), None)
    if balance is None:
        raise nothing_here()
    if request.method != "POST":
        return _form(request, _typed(balance), balance=balance)
    typed = dict(await read_form(request))
    values, problems = read_fields(typed, _READERS, _REQUIRED)
    outcome = (
        to_fix(problems) if problems else await update(request, "UpdateOpeningBalance", balance["id"], typed, values)
    )
    if not outcome.problems:
        return accepted(request, "/logbook?done=saved")
    current = outcome.payload.get("current")
    if current:
        typed["version"] = str(current["version"])
    return _form(request, typed, outcome, balance=balance, current=current)


@page("/opening-balances/{id}/delete", FOR_MEDIATORS, document="opening_balance", methods=POST)
async def delete_balance(request: Request) -> Response:
    """Delete declared hours."""
    if (await mutate(request, "DeleteOpeningBalance", id=request.path_params["id"])).problems:
        raise nothing_here()
    return accepted(request, "/logbook?done=deleted")


def _typed(balance: Mapping[str, Any]) -> dict[str, str]:
    """Write declared hours as their form has them."""
    hours = labels.hours(balance["minutes"]).replace(",", "")
    cases = "" if balance["cases"] is None else str(balance["cases"])
    kept = {name: str(balance[name]) for name in ("role", "before", "version")}
    return kept | {"minutes": hours, "cases": cases}


def _form(
    request: Request,
    typed: Form,
    outcome: FormOutcome | None = None,
    *,
    balance: Mapping[str, Any] | None = None,
    current: Mapping[str, Any] | None = None,
) -> Response:
    return render(
        request,
        "opening_balance/form.html",
        outcome=outcome or FormOutcome(),
        typed=typed,
        labels={name: str(label) for name, label in _LABELS.items()},
        balance=balance,
        current=current,
    )
