"""A mediator's own feedback: what was shared with them, and one piece of it in full."""

from starlette.requests import Request
from starlette.responses import Response

from i18n import lazy_gettext as _
from web import labels
from web.client import query
from web.listing import Listing, View
from web.menu import MenuItem
from web.page import FOR_MEDIATORS, page
from web.rendering import render

FEEDBACK_LISTING = Listing("my-feedback", ())


@page("/my-feedback", FOR_MEDIATORS, document="feedback", menu=MenuItem(_("My Feedback"), 50))
async def shared(request: Request) -> Response:
    """Show all feedback that was shared with the mediator, in an order that means nothing."""
    view = View(request, FEEDBACK_LISTING, "/my-feedback")
    found = await query(request, "Shared", **view.variables())
    return render(
        request,
        "feedback/list.html",
        feedback=found["me"]["mediator"]["feedback"],
        questions=labels.question_texts(found["survey"]),
        view=view,
    )


@page("/my-feedback/{id}", FOR_MEDIATORS, document="feedback")
async def piece(request: Request) -> Response:
    """Show one piece of shared feedback in full."""
    found = await query(request, "Piece", id=request.path_params["id"])
    return render(
        request,
        "feedback/piece.html",
        piece=found["me"]["mediator"]["feedbackPiece"],
        questions=labels.question_texts(found["survey"]),
        scale=labels.rating_labels(found["survey"]),
    )
