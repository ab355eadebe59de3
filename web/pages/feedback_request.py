"""Requests for feedback: asking a party, withdrawing the request, and the party's link that stops all requests."""

from starlette.requests import Request
from starlette.responses import Response

from i18n import lazy_gettext as _
from web.client import FormOutcome, mutate, nothing_here, query, to_fix
from web.form_body import Form, read_form
from web.forms import Reader, read_day, read_fields, read_text, read_yes
from web.listing import Listing, View
from web.menu import MenuItem
from web.page import FOR_MEDIATORS, FORM, POST, page
from web.proofs import accepted
from web.rendering import render

_READERS: dict[str, Reader] = {
    "partyName": read_text,
    "partyEmail": read_text,
    "reference": read_text,
    "mediationEndedOn": read_day,
    "partyAgreed": read_yes,
}
_REQUIRED = ("partyName", "partyEmail", "mediationEndedOn")
_REQUESTS = Listing("requests", ())


@page(
    "/request",
    FOR_MEDIATORS,
    document="feedback_request",
    methods=FORM,
    menu=MenuItem(_("Request Feedback"), 40),
)
async def request_feedback(request: Request) -> Response:
    """Ask a party for feedback, and show who was asked in the last five days."""
    if request.method != "POST":
        return await _show(request, {}, FormOutcome())
    typed = await read_form(request)
    values, problems = read_fields(typed, _READERS, _REQUIRED)
    outcome = (
        to_fix(problems)
        if problems
        else await mutate(request, "RequestFeedback", **values, requestKey=typed.get("requestKey"))
    )
    if outcome.problems:
        return await _show(request, typed, outcome)
    return accepted(request, "/request?done=requested")


async def _show(request: Request, typed: Form, outcome: FormOutcome) -> Response:
    view = View(request, _REQUESTS, "/request")
    found = await query(request, "Requests", **view.variables())
    mediator = found["me"]["mediator"]
    return render(request, "feedback_request/form.html", outcome=outcome, typed=typed, mediator=mediator, view=view)


@page("/request/{id}/withdraw", FOR_MEDIATORS, document="feedback_request", methods=POST)
async def withdraw(request: Request) -> Response:
    """Withdraw a request."""
    outcome = await mutate(request, "WithdrawFeedbackRequest", id=request.path_params["id"])
    if outcome.problems:
        raise nothing_here()
    return accepted(request, "/request?done=withdrawn")


@page("/stop/{secret}", document="feedback_request_stop", methods=FORM)
async def stop(request: Request) -> Response:
    """Stop all requests to the address that the mail went to. It takes the button, because mail scanners open links."""
    if request.method != "POST":
        return render(request, "feedback_request/stop.html")
    outcome = await mutate(request, "StopRequests", token=request.path_params["secret"])
    if outcome.problems:
        return render(request, "feedback_request/stop.html", outcome=outcome)
    return accepted(request, "/done/stop")
