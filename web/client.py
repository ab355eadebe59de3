"""How a page gets what it shows and makes changes: as a GraphQL client, in process, as the same viewer.

Each page declares its documents (`web/page.py`) and runs their operations. It reads no model, so it can show nobody
more than the API would.
"""

from dataclasses import dataclass, field
from math import ceil
from typing import Any

from starlette.requests import Request

from i18n import gettext as _
from i18n import lazy_gettext, ngettext
from schema import execution
from web.documents import holding
from web.graphql import make_context

Problem = dict[str, Any]
"""What to fix, as the API writes it: `field` (None for the whole form), `message`, `code`."""


class PageError(Exception):
    """Why a page can't be shown: an HTTP status, a text for people, and the seconds after which to try again."""

    def __init__(self, status: int, text: str, retry_after: int | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.retry_after = retry_after


# A form that came back with the back button was sent with other content. Only its sender knows whether that's a second
# thing, or a correction of the first.
SENT_BEFORE = lazy_gettext(
    "You've already sent this form, and we have what it said then. Your changes haven't been sent yet. If you want to "
    "send them as well, press the button again."
)


@dataclass(frozen=True)
class FormOutcome:
    """What became of a form: without problems, it was accepted. `payload` is what the mutation answered."""

    problems: list[Problem] = field(default_factory=list)
    status: int = 200
    retry_after: int | None = None
    payload: dict[str, Any] = field(default_factory=dict)


def to_fix(problems: list[Problem]) -> FormOutcome:
    """Send a form back without running anything, because what was typed into it can't be read."""
    return FormOutcome(problems, 422)


def is_repeated(problem: Problem) -> bool:
    """Whether a form was refused because its key has been used for other content."""
    return problem.get("code") == "REPEATED_KEY"


async def query(request: Request, operation: str, /, **variables: Any) -> dict[str, Any]:
    """Run an operation of the page's documents and give its data.

    Raises:
        PageError: some part of it failed.
    """
    context = make_context(request)
    document = holding(operation, request.state.documents)
    answer = await execution.run(context, document, variables, operation)
    if context.new_session is not None:
        request.state.new_session = context.new_session
    if context.new_device is not None:
        request.state.new_device = context.new_device
    if "errors" in answer.body:
        raise _page_error(answer.body["errors"][0])
    data: dict[str, Any] = answer.body["data"]
    return data


async def mutate(request: Request, operation: str, /, **input: Any) -> FormOutcome:
    """Run a mutation of the page's documents. Raises: PageError, for a link whose token opens nothing."""
    try:
        (payload,) = (await query(request, operation, input=input)).values()
    except PageError as error:
        return FormOutcome([{"field": None, "message": error.text}], error.status, error.retry_after)
    problems: list[Problem] = payload["userErrors"]
    for problem in problems:
        if is_repeated(problem):
            problem |= {"field": None, "message": str(SENT_BEFORE)}
        if problem["field"] == "token":
            if problem["code"] == "NOT_FOUND":
                raise PageError(404, problem["message"])
            problem["field"] = None  # not a field of the page's form
    return FormOutcome(problems, 422 if problems else 200, payload=payload)


def nothing_here() -> PageError:
    """Say that there's no such page, also to people who may not know whether it exists."""
    return PageError(404, _("There's nothing here."))


# UNAUTHENTICATED: the session ended in the meantime.
_STATUS = {"BAD_USER_INPUT": 400, "UNAUTHENTICATED": 401, "FORBIDDEN": 403}


def _page_error(error: dict[str, Any]) -> PageError:
    extensions = error["extensions"]
    match extensions["code"]:
        case "NOT_FOUND" | "GRAPHQL_VALIDATION_FAILED":
            # What isn't in the viewer's projection doesn't exist for them.
            return nothing_here()
        case "RATE_LIMITED":
            seconds: int = extensions["retryAfter"]
            return PageError(429, _too_many(seconds), seconds)
        case "UNAVAILABLE":
            return PageError(503, error["message"], extensions["retryAfter"])
    return PageError(_STATUS.get(extensions["code"], 500), error["message"])


def _too_many(seconds: int) -> str:
    minutes = ceil(seconds / 60)
    if minutes > 90:
        hours = ceil(minutes / 60)
        return ngettext(
            "Too many attempts. Please try again in %(num)s hour.",
            "Too many attempts. Please try again in %(num)s hours.",
            hours,
        )
    return ngettext(
        "Too many attempts. Please try again in a minute.",
        "Too many attempts. Please try again in %(num)s minutes.",
        minutes,
    )
