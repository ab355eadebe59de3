"""My Details: what others learn about a mediator, who may find them, and who reviews them."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from web import labels
from web.client import Outcome, execute, mutate, to_mend
from web.forms import one_of, read, text
from web.receipts import accepted
from web.rendering import MEDIATORS, Form, page, read_form, render

_READERS = {"about": text, "profileUrl": text, "visibility": one_of(labels.VISIBILITIES)}


async def details(request: Request) -> Response:
    """Show and change one's profile."""
    if request.method != "POST":
        return await _show(request)
    typed = await read_form(request)
    values, problems = read(typed, _READERS, ("visibility",))
    outcome = to_mend(problems) if problems else await mutate(request, "mediator", "UpdateProfile", **values)
    return await _done(request, typed, outcome, "saved")


async def appoint(request: Request) -> Response:
    """Appoint a reviewer from the list."""
    typed = await read_form(request)
    chosen = typed.get("reviewerId", "")
    if not chosen:
        outcome = to_mend([{"field": "reviewerId", "message": "Choose one.", "code": "REQUIRED"}])
    else:
        outcome = await mutate(request, "mediator", "AppointReviewer", reviewerId=chosen)
    return await _done(request, typed, outcome, "appointed")


async def invite(request: Request) -> Response:
    """Invite somebody by mail to become one's reviewer."""
    typed = await read_form(request)
    key = typed.get("requestKey")
    outcome = await mutate(request, "mediator", "InviteReviewer", email=typed.get("email", ""), requestKey=key)
    return await _done(request, typed, outcome, "invited")


async def end_review(request: Request) -> Response:
    """Part with one's reviewer."""
    outcome = await mutate(request, "mediator", "EndReview")
    return await _done(request, {}, outcome, "ended")


async def _done(request: Request, typed: Form, outcome: Outcome, what: str) -> Response:
    if outcome.problems:
        return await _show(request, typed, outcome)
    return accepted(request, f"/details?done={what}")


async def _show(request: Request, typed: Form | None = None, outcome: Outcome | None = None) -> Response:
    """Show the page; a form that came back keeps what was typed, the others have what is stored."""
    search = request.query_params.get("search", "")[:200].replace("\0", "")
    found = await execute(request, "mediator", "Details", search=search or None)
    mediator: dict[str, Any] = found["me"]["mediator"]
    stored = {name: mediator[name] or "" for name in _READERS}
    return render(
        request,
        "mediator/edit.html",
        outcome=outcome or Outcome(),
        typed=stored | dict(typed or {}),
        mediator=mediator,
        search=search,
        reviewers=found["reviewers"],
    )


routes: list[BaseRoute] = [
    Route("/details", page(details, MEDIATORS), methods=["GET", "POST"]),
    Route("/details/appoint", page(appoint, MEDIATORS), methods=["POST"]),
    Route("/details/invite", page(invite, MEDIATORS), methods=["POST"]),
    Route("/details/end-review", page(end_review, MEDIATORS), methods=["POST"]),
]
