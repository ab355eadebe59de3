"""A reviewer's pages: the mediators who appointed them, all feedback about one of these, and the end of a review.

They read a mediator as that mediator's reviewer, and by no other standing they may have. Nobody else exists here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from i18n import gettext
from i18n import lazy_gettext as _
from web import charts, labels
from web.client import FormOutcome, mutate, nothing_here, query
from web.csv_response import csv_response
from web.form_body import Form, read_form
from web.labels import Format
from web.listing import Filter, ListColumn, Listing, View
from web.menu import MenuItem
from web.page import FOR_REVIEWERS, FORM, page
from web.pages.reviewer_answer import say_relation
from web.proofs import accepted
from web.rendering import render

REVIEWED_LISTING = Listing("mediators", (), (Filter("search", _("Name")),))
PIECES = Listing(
    "feedback",
    (
        ListColumn("receivedOn", _("Date received"), labels.DAY, "RECEIVED_ON"),
        ListColumn("capacity", _("Capacity"), labels.CAPACITY),
        ListColumn("actedAs", _("Acted as"), labels.ACTING),
        ListColumn("shared", _("Shared"), labels.SHARED),
        ListColumn("byInvitation", _("How it came"), labels.WAY),
    ),
    (
        Filter("year", _("Year"), found="years"),
        Filter("capacity", _("Capacity"), labels.CAPACITIES),
        Filter("actedAs", _("Acted as"), labels.ACTED_AS),
        Filter("shared", _("Shared"), labels.SHARING),
        Filter("byInvitation", _("How it came"), labels.WAYS),
    ),
    size=10,  # each is shown in full, and as long as a screen
)

Answers = Sequence[Mapping[str, Any]]


class _Answer(Format):
    """The answer to one question, as a spreadsheet gets it: a number or words; nothing if there's no answer."""

    def __init__(self, question: str, not_applicable: str) -> None:
        self._question = question
        self._not_applicable = not_applicable

    def cell(self, value: Answers) -> Any:
        for answer in value:
            if answer["question"] == self._question:
                return answer["text"] or answer["rating"] or self._not_applicable
        return None


class _Others(Format):
    """All answers to questions that are no longer in the survey."""

    def __init__(self, known: Mapping[str, str], not_applicable: str) -> None:
        self._known = known
        self._not_applicable = not_applicable

    def cell(self, value: Answers) -> Any:
        others = [answer for answer in value if answer["question"] not in self._known]
        return "\n".join(f"{one['question']}: {one['text'] or one['rating'] or self._not_applicable}" for one in others)


@page("/review", FOR_REVIEWERS, document="reviewer", menu=MenuItem(_("Review Feedback"), 60))
async def mediators(request: Request) -> Response:
    """Show the mediators who appointed the reviewer, and find one among them."""
    view = View(request, REVIEWED_LISTING, "/review")
    found = await query(request, "Mediators", **view.variables(), search=view.filters.get("search"))
    return render(request, "reviewer/list.html", view=view, mediators=found["mediators"])


@page("/review/{id}", FOR_REVIEWERS, document="reviewer", documents={"reviewer_answer": FOR_REVIEWERS}, methods=FORM)
async def overview(request: Request) -> Response:
    """Show a mediator's years, the averages of one, and the feedback in full; correct how you know each other."""
    if request.method != "POST":
        return await _overview(request)
    typed, mediator_id = await read_form(request), request.path_params["id"]
    outcome = await say_relation(request, "DeclareRelation", typed, mediatorId=mediator_id)
    if outcome.problems:
        return await _overview(request, typed, outcome)
    return accepted(request, f"/review/{mediator_id}?done=saved")


async def _overview(request: Request, typed: Form | None = None, outcome: FormOutcome | None = None) -> Response:
    mediator_id = request.path_params["id"]
    view = View(request, PIECES, f"/review/{mediator_id}")
    found = await query(request, "Overview", id=mediator_id, **view.variables())
    mediator, survey = found["mediator"], found["survey"]
    years = mediator["feedbackSummary"]["years"]
    chosen = _chosen(years, view.filters.get("year"))
    questions, scale = labels.question_texts(survey), labels.rating_labels(survey)
    return render(
        request,
        "reviewer/overview.html",
        outcome=outcome or FormOutcome(),
        typed=typed or _declared(mediator),
        view=view,
        mediator=mediator,
        years=[year | {"average": charts.overall(year["questions"])} for year in years],
        chosen=chosen,
        chart=charts.ratings(chosen["questions"], questions) if chosen else [],
        facets={"years": [year["year"] for year in years]},
        questions=questions,
        scale=scale,
    )


def _declared(mediator: dict[str, Any]) -> Form:
    return {
        "relation": mediator["reviewerRelation"] or "",
        "relationDetails": mediator["reviewerRelationDetails"] or "",
    }


def _chosen(years: Sequence[dict[str, Any]], wanted: int | None) -> dict[str, Any] | None:
    """Give the year that was chosen, or the latest; None if there was no feedback that year."""
    if wanted is None:
        return years[0] if years else None
    return next((year for year in years if year["year"] == wanted), None)


@page("/review/{id}/feedback.csv", FOR_REVIEWERS, document="reviewer")
async def export_feedback(request: Request) -> Response:
    """Export the feedback of a view: a row for each piece, a column for each question."""
    mediator_id = request.path_params["id"]
    survey = (await query(request, "Survey"))["survey"]
    texts, not_applicable = labels.question_texts(survey), labels.rating_labels(survey)[None]
    answers = (ListColumn("answers", text, _Answer(key, not_applicable)) for key, text in texts.items())
    others = ListColumn("answers", gettext("Questions no longer asked"), _Others(texts, not_applicable))
    view = View(request, replace(PIECES, more=(*answers, others)), f"/review/{mediator_id}")
    return await csv_response(request, view, "ExportFeedback", ("mediator", "feedback"), id=mediator_id)


@page("/review/{id}/end", FOR_REVIEWERS, document="reviewer", methods=FORM)
async def end(request: Request) -> Response:
    """End a review, after one question."""
    found = await query(request, "Mediator", id=request.path_params["id"])
    if request.method != "POST":
        return render(request, "reviewer/end.html", mediator=found["mediator"])
    outcome = await mutate(request, "EndReview", mediatorId=found["mediator"]["id"], reviewerId=found["me"]["id"])
    if outcome.problems:
        raise nothing_here()
    return accepted(request, "/review?done=ended")
