"""Giving feedback: asked by email, by a mediator's personal link, or about a mediator found by name."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from i18n import gettext
from i18n import lazy_gettext as _
from models.feedback import RATINGS
from permissions.scopes import LINK_DAYS
from permissions.secrets import draft_name, seal, unseal
from settings import Notice
from web.client import FormOutcome, PageError, Problem, is_repeated, mutate, query
from web.form_body import Form, read_form
from web.labels import Labels
from web.page import FORM, page
from web.pages.done import shown_receipt
from web.proofs import accepted
from web.rendering import render

CAPACITY_CHOICES: Labels = {
    "PARTY": _("As a party to the dispute"),
    "PARTY_ADVISER": _("As a party's lawyer or adviser"),
    "PROFESSIONAL": _("As a co-mediator or other professional"),
    "OTHER": _("In another way"),
}
ACTED_AS_CHOICES: Labels = {
    "MEDIATOR": _("They were the mediator, or one of the mediators"),
    "ADVOCATE": _("They spoke for one side, as its advocate"),
}
CLOSED = {
    "SPENT": _("It's been used: we have your feedback. Thank you."),
    "EXPIRED": _("It worked for %(days)s days and has expired. You don't need to do anything."),
    "WITHDRAWN": _("The request has been withdrawn. You don't need to do anything."),
}

# A link in a mail works once, so there's no second answer to send.
ANSWERED = _("We already have your feedback, as you first sent it. What you changed since then wasn't sent.")

NOT_APPLICABLE = "na"
# The field that only programs fill in. Password managers don't know its name, as they do those of addresses and
# websites.
TRAP = "subject"
FILLED = _(
    "Please leave this field empty: only programs that send spam fill it in. If you didn't write in it, a password "
    "manager or another browser extension did. Check that it's empty now, and send your feedback again."
)
UNDATED = _("We can't tell when you opened this page. %(again)s")
TOO_QUICK = _("This was sent as soon as you opened the page. %(again)s")
TOO_SLOW = _("You had this page open for more than a day. %(again)s")
CHANGED = _(
    "What we tell the mediator has changed since you opened this page. Please read it again here, and then send your "
    "feedback again."
)
ONCE_MORE = _("Spam programs do that. Please check your answers, and send them again.")
QUICKEST, SLOWEST = timedelta(seconds=2), timedelta(days=1)
_RATINGS = {str(rating): rating for rating in RATINGS}

About = dict[str, str]
"""Whom a survey is about: one of `token`, `link` and `mediatorId`, by name."""


@page("/feedback/{secret}", document="feedback_giving", methods=FORM)
async def by_request(request: Request) -> Response:
    """Answer a mediator's request, by its mailed link."""
    return await _survey(request, {"token": request.path_params["secret"]})


@page("/give/{secret}", document="feedback_giving", methods=FORM)
async def by_link(request: Request) -> Response:
    """Give feedback by a mediator's personal link."""
    return await _survey(request, {"link": request.path_params["secret"]})


@page("/give/to/{id}", document="feedback_giving", methods=FORM)
async def by_choice(request: Request) -> Response:
    """Give feedback about a mediator found by name."""
    return await _survey(request, {"mediatorId": request.path_params["id"]})


@page("/give", document="feedback_giving", methods=FORM)
async def find_mediator(request: Request) -> Response:
    """Find a mediator by name. The name goes by POST, because it doesn't belong in an address."""
    if request.method != "POST":
        return render(request, "feedback_giving/search.html", found=None)
    typed = await read_form(request)
    try:
        found = (await query(request, "Search", search=typed.get("search", "")))["feedbackSubjects"]
    except PageError as error:
        outcome = FormOutcome([{"field": "search", "message": error.text}], error.status, error.retry_after)
        return render(request, "feedback_giving/search.html", outcome=outcome, typed=typed, found=None)
    return render(request, "feedback_giving/search.html", typed=typed, found=found)


async def _survey(request: Request, about: About) -> Response:
    survey = (await query(request, "Survey"))["survey"]
    if request.method != "POST":
        typed: Form = {"share": "no", "begun": _begun(request)}
        return _form(request, survey, await _subject(request, about), typed, FormOutcome())
    typed = await read_form(request)
    outcome = await _give(request, about, survey["questions"], typed)
    if not outcome.problems:
        return accepted(request, f"/done/feedback?shows={shown_receipt(request, outcome.payload['receipt'])}")
    if "token" in about and any(map(is_repeated, outcome.problems)):
        raise PageError(410, str(ANSWERED))
    age = _age(request, typed)
    if age is None or age > SLOWEST:
        typed = {**typed, "begun": _begun(request)}
    try:
        subject = await _subject(request, about)
    except PageError as error:
        if error.status < 429:
            raise
        subject = None  # After too many attempts, or a fault of ours, what was typed is worth more than the name.
    return _form(request, survey, subject, typed, outcome)


async def _subject(request: Request, about: About) -> dict[str, Any]:
    """Say whom the survey is about; raise PageError for a link that doesn't lead to anybody, or no longer does."""
    subject: dict[str, Any]
    if "token" in about:
        found = (await query(request, "Invitation", **about))["feedbackInvitation"]
        if found["state"] in CLOSED:
            raise PageError(410, CLOSED[found["state"]] % {"days": LINK_DAYS})
        subject = found["subject"]
    else:
        subject = (await query(request, "Subject", **about))["feedbackSubject"]
    return subject


def _form(
    request: Request, survey: dict[str, Any], subject: dict[str, Any] | None, typed: Form, outcome: FormOutcome
) -> Response:
    return render(
        request,
        "feedback_giving/survey.html",
        outcome=outcome,
        typed=typed,
        survey=survey,
        questions={_field(question): question["text"] for question in survey["questions"]},
        subject=subject,
        draft=draft_name(request.app.state.settings, request.scope["path"]),
        trap=TRAP,
        scale=[(step["rating"] or NOT_APPLICABLE, step["label"]) for step in survey["scale"]],
        capacities=CAPACITY_CHOICES,
        acted_as=ACTED_AS_CHOICES,
    )


async def _give(request: Request, about: About, questions: list[dict[str, Any]], typed: Form) -> FormOutcome:
    """Send the answers. A problem's field becomes the form's field that it's about."""
    if typed.get("notice", Notice.NAMED) != request.app.state.settings.feedback_notice:
        return FormOutcome([{"field": None, "message": str(CHANGED)}], 422)
    # People who were asked by mail have a link that works once; well-meaning programs use the API.
    if "token" not in about and (doubts := _doubts(request, typed)):
        return FormOutcome(doubts, 422)
    unchosen = [_unchosen(name) for name, words in _CHOICES.items() if typed.get(name) not in words]
    if unchosen:
        return FormOutcome(unchosen, 422)
    outcome = await mutate(
        request,
        "GiveFeedback",
        **about,
        capacity=typed["capacity"],
        actedAs=typed["actedAs"],
        answers=[_answer(question, typed.get(_field(question), "")) for question in questions],
        share=typed.get("share") == "yes",
        shareAlone=typed.get("shareAlone") == "yes",
        name=typed.get("name"),
        email=typed.get("email"),
        requestKey=typed.get("requestKey"),
    )
    problems = [problem | {"field": _form_field(problem["field"], questions)} for problem in outcome.problems]
    return replace(outcome, problems=problems)


def _begun(request: Request) -> str:
    """Say when a form was handed out, sealed, so that nobody can make it up."""
    return seal(request.app.state.settings, "survey", f"{_now(request).timestamp():.6f}")


def _now(request: Request) -> datetime:
    moved: timedelta = request.app.state.settings.clock_offset
    return datetime.now(UTC) + moved


def _age(request: Request, typed: Form) -> timedelta | None:
    """Tell how long ago a form was handed out; None if it wasn't by us."""
    begun = unseal(request.app.state.settings, "survey", typed.get("begun", ""))
    return _now(request) - datetime.fromtimestamp(float(begun), UTC) if begun is not None else None


def _doubts(request: Request, typed: Form) -> list[Problem]:
    """Say why a program may have filled in an open form, so that a person can fix it.

    No person is that quick, or sees the field that's a trap, until it's shown with an explanation.
    """
    age = _age(request, typed)
    doubts: list[Problem] = []
    if typed.get(TRAP):
        doubts.append({"field": TRAP, "message": str(FILLED)})
    late = UNDATED if age is None else TOO_QUICK if age < QUICKEST else TOO_SLOW if age > SLOWEST else None
    if late:
        doubts.append({"field": None, "message": late % {"again": str(ONCE_MORE)}})
    return doubts


_CHOICES = {"capacity": CAPACITY_CHOICES, "actedAs": ACTED_AS_CHOICES}


def _unchosen(name: str) -> Problem:
    return {"field": name, "message": gettext("Please choose one."), "code": "REQUIRED"}


def _field(question: dict[str, Any]) -> str:
    return f"answer-{question['key']}"


def _form_field(field: str | None, questions: list[dict[str, Any]]) -> str | None:
    """Name the form's field for one of the input: `answers.3.text` is the fourth question, `answers` the first."""
    if field is None or not field.startswith("answers"):
        return field
    place = field.split(".")[1] if "." in field else "0"
    return _field(questions[int(place)])


def _answer(question: dict[str, Any], value: str) -> dict[str, Any]:
    answer = {"question": question["key"]}
    if question["kind"] == "TEXT":
        return answer | {"text": value}
    if value == NOT_APPLICABLE:
        return answer | {"notApplicable": True}
    return answer | {"rating": _RATINGS.get(value, value or None)}
