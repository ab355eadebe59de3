"""The survey: for who was asked by mail, who has a mediator's personal link, and who found a mediator by name."""

from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from permissions.secrets import draft_name, seal, unseal
from web.client import Outcome, PageError, Problem, execute, is_repeated, mutate
from web.receipts import accepted
from web.rendering import Form, page, read_form, render

CAPACITIES = {
    "PARTY": "As a party to the dispute",
    "PARTY_ADVISER": "As lawyer or adviser of a party",
    "PROFESSIONAL": "As co-mediator or other professional",
    "OTHER": "In another way",
}
ACTED_AS = {
    "MEDIATOR": "They were the mediator, or one of the mediators",
    "ADVOCATE": "They spoke for one side, as its advocate",
}
CLOSED = {
    "SPENT": "It has been used: your answer has arrived. Thank you.",
    "EXPIRED": "It worked for 90 days, and they have passed. There is nothing to do.",
    "WITHDRAWN": "The request has been withdrawn. There is nothing to do.",
}

# A link in a mail works once, so there is no second answer to send anew.
ANSWERED = "Your answer had arrived before, and it counts as it was then. What you changed since was not sent."

NOT_APPLICABLE = "na"
# The field that only programs fill in. No password manager knows the name, as it does those of addresses and websites.
TRAP = "subject"
FILLED = (
    "Please leave this field empty: only programs fill it in, to send what nobody asked for. If you did not write into "
    "it, a password manager or another helper of your browser has. Look whether it is empty now, and send your answers "
    "once more."
)
ONCE_MORE = "Programs that send what nobody asked for do that. Please look your answers over, and send them once more."
QUICKEST, SLOWEST = timedelta(seconds=2), timedelta(days=1)
_RATINGS = {str(rating): rating for rating in range(1, 6)}

About = dict[str, str]
"""Whom a survey is about: one of `token`, `link` and `mediatorId`, by name."""


async def by_request(request: Request) -> Response:
    """Answer a mediator's request, by its mailed link."""
    return await _survey(request, {"token": request.path_params["secret"]})


async def by_link(request: Request) -> Response:
    """Give feedback by a mediator's personal link."""
    return await _survey(request, {"link": request.path_params["secret"]})


async def by_choice(request: Request) -> Response:
    """Give feedback about a mediator found by name."""
    return await _survey(request, {"mediatorId": request.path_params["id"]})


async def search(request: Request) -> Response:
    """Find a mediator by name. The name goes by POST: it has no place in an address."""
    if request.method != "POST":
        return render(request, "feedback_giving/search.html", found=None)
    typed = await read_form(request)
    try:
        found = (await execute(request, "feedback_giving", "Search", search=typed.get("search", "")))[
            "feedbackSubjects"
        ]
    except PageError as error:
        outcome = Outcome([{"field": "search", "message": error.text}], error.status, error.retry_after)
        return render(request, "feedback_giving/search.html", outcome=outcome, typed=typed, found=None)
    return render(request, "feedback_giving/search.html", typed=typed, found=found)


async def _survey(request: Request, about: About) -> Response:
    survey = (await execute(request, "feedback_giving", "Survey"))["survey"]
    if request.method != "POST":
        typed: Form = {"share": "no", "begun": _begun(request)}
        return _form(request, survey, await _subject(request, about), typed, Outcome())
    typed = await read_form(request)
    outcome = await _give(request, about, survey["questions"], typed)
    if not outcome.problems:
        return accepted(request, "/done/feedback")
    if "token" in about and any(map(is_repeated, outcome.problems)):
        raise PageError(410, ANSWERED)
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
    """Say whom the survey is about; raise PageError for a link that does not lead to anybody, or not any more."""
    subject: dict[str, Any]
    if "token" in about:
        found = (await execute(request, "feedback_giving", "Invitation", **about))["feedbackInvitation"]
        if found["state"] in CLOSED:
            raise PageError(410, CLOSED[found["state"]])
        subject = found["subject"]
    else:
        subject = (await execute(request, "feedback_giving", "Subject", **about))["feedbackSubject"]
    return subject


def _form(
    request: Request, survey: dict[str, Any], subject: dict[str, Any] | None, typed: Form, outcome: Outcome
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
        capacities=CAPACITIES,
        acted_as=ACTED_AS,
    )


async def _give(request: Request, about: About, questions: list[dict[str, Any]], typed: Form) -> Outcome:
    """Send the answers; a problem's field becomes the one of the form that it is about."""
    # Whoever was asked by mail has a link that works once; programs that mean well use the API.
    if "token" not in about and (doubts := _doubts(request, typed)):
        return Outcome(doubts, 422)
    unchosen = [_unchosen(name) for name, words in _CHOICES.items() if typed.get(name) not in words]
    if unchosen:
        return Outcome(unchosen, 422)
    outcome = await mutate(
        request,
        "feedback_giving",
        "GiveFeedback",
        **about,
        capacity=typed["capacity"],
        actedAs=typed["actedAs"],
        answers=[_answer(question, typed.get(_field(question), "")) for question in questions],
        share=typed.get("share") == "yes",
        name=typed.get("name"),
        email=typed.get("email"),
        requestKey=typed.get("requestKey"),
    )
    problems = [problem | {"field": _form_field(problem["field"], questions)} for problem in outcome.problems]
    return Outcome(problems, outcome.status, outcome.retry_after)


def _begun(request: Request) -> str:
    """Say when a form was handed out, sealed, so that nobody can make it up."""
    return seal(request.app.state.settings, "survey", f"{_now(request).timestamp():.6f}")


def _now(request: Request) -> datetime:
    moved: timedelta = request.app.state.settings.clock_offset
    return datetime.now(UTC) + moved


def _age(request: Request, typed: Form) -> timedelta | None:
    """Tell how long ago a form was handed out; None if that was not by us."""
    begun = unseal(request.app.state.settings, "survey", typed.get("begun", ""))
    return _now(request) - datetime.fromtimestamp(float(begun), UTC) if begun is not None else None


def _doubts(request: Request, typed: Form) -> list[Problem]:
    """Tell why a program may have filled in a form of the open doors, so that a person can mend it.

    No person is so quick, or sees the field that is a trap, until it is shown to explain itself.
    """
    age = _age(request, typed)
    doubts: list[Problem] = []
    if typed.get(TRAP):
        doubts.append({"field": TRAP, "message": FILLED})
    if age is None:
        doubts.append({"field": None, "message": f"We cannot tell when this page was opened. {ONCE_MORE}"})
    elif age < QUICKEST:
        doubts.append({"field": None, "message": f"This came as soon as the page was opened. {ONCE_MORE}"})
    elif age > SLOWEST:
        doubts.append({"field": None, "message": f"This page had been open for more than a day. {ONCE_MORE}"})
    return doubts


_CHOICES = {"capacity": CAPACITIES, "actedAs": ACTED_AS}


def _unchosen(name: str) -> Problem:
    return {"field": name, "message": "Choose one.", "code": "REQUIRED"}


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


_BOTH = ["GET", "POST"]
routes: list[BaseRoute] = [
    Route("/feedback/{secret}", page(by_request), methods=_BOTH),
    Route("/give", page(search), methods=_BOTH),
    Route("/give/{secret}", page(by_link), methods=_BOTH),
    Route("/give/to/{id}", page(by_choice), methods=_BOTH),
]
