"""A mediator's side of feedback: asking parties for it, and reading what was shared."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from web import labels
from web.client import Outcome, execute, mutate, nothing_here, to_mend
from web.forms import Reader, day, read, text, yes
from web.listing import Listing, View
from web.receipts import accepted
from web.rendering import MEDIATORS, Form, page, read_form, render

_READERS: dict[str, Reader] = {
    "partyName": text,
    "partyEmail": text,
    "reference": text,
    "mediationEndedOn": day,
    "partyAgreed": yes,
}
_REQUIRED = ("partyName", "partyEmail", "mediationEndedOn")

SHARED = Listing("my-feedback", ())
_REQUESTS = Listing("requests", ())


async def request_feedback(request: Request) -> Response:
    """Ask a party for feedback, and show whom one has asked in the last five days."""
    if request.method != "POST":
        return await _requests(request, {}, Outcome())
    typed = await read_form(request)
    values, problems = read(typed, _READERS, _REQUIRED)
    outcome = (
        to_mend(problems)
        if problems
        else await mutate(request, "feedback_request", "RequestFeedback", **values, requestKey=typed.get("requestKey"))
    )
    if outcome.problems:
        return await _requests(request, typed, outcome)
    return accepted(request, "/request?done=requested")


async def _requests(request: Request, typed: Form, outcome: Outcome) -> Response:
    view = View(request, _REQUESTS, "/request")
    found = await execute(request, "feedback_request", "Requests", **view.variables())
    mediator = found["me"]["mediator"]
    return render(request, "feedback_request/form.html", outcome=outcome, typed=typed, mediator=mediator, view=view)


async def withdraw(request: Request) -> Response:
    """Withdraw a request."""
    outcome = await mutate(request, "feedback_request", "WithdrawFeedbackRequest", id=request.path_params["id"])
    if outcome.problems:
        raise nothing_here()
    return accepted(request, "/request?done=withdrawn")


async def shared(request: Request) -> Response:
    """Show all feedback that was shared with the mediator, in an order that means nothing."""
    view = View(request, SHARED, "/my-feedback")
    found = await execute(request, "feedback", "Shared", **view.variables())
    return render(
        request,
        "feedback/list.html",
        feedback=found["me"]["mediator"]["feedback"],
        questions=labels.question_texts(found["survey"]),
        view=view,
    )


async def piece(request: Request) -> Response:
    """Show one piece of shared feedback, whole."""
    found = await execute(request, "feedback", "Piece", id=request.path_params["id"])
    return render(
        request,
        "feedback/piece.html",
        piece=found["me"]["mediator"]["feedbackPiece"],
        questions=labels.question_texts(found["survey"]),
        scale=labels.rating_labels(found["survey"]),
    )


routes: list[BaseRoute] = [
    Route("/request", page(request_feedback, MEDIATORS), methods=["GET", "POST"]),
    Route("/request/{id}/withdraw", page(withdraw, MEDIATORS), methods=["POST"]),
    Route("/my-feedback", page(shared, MEDIATORS)),
    Route("/my-feedback/{id}", page(piece, MEDIATORS)),
]
