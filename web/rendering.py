"""What all pages share: the templates, reading a form, and the endpoint around each page's function."""

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Message

from web.asking import Outcome, Problem, Trouble
from web.viewers import is_foreign, keep_device, keep_session

FORM_MOST = 256 * 1024  # bytes

Form = Mapping[str, str]
Page = Callable[[Request], Awaitable[Response]]


def _about(problems: list[Problem], field: str) -> str:
    """Say what to mend in a field; nothing if it is fine."""
    return " ".join(problem["message"] for problem in problems if problem["field"] == field)


_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["about"] = _about

_TITLES = {
    400: "This could not be read",
    403: "This is not possible",
    404: "This link does not work",
    410: "This link is closed",
    413: "This is too much",
    429: "Please wait a moment",
    500: "Something went wrong",
}
_NOTHING_SENT = Outcome()
_NOTHING_TYPED: Form = {}


def render(
    request: Request, template: str, *, outcome: Outcome = _NOTHING_SENT, typed: Form = _NOTHING_TYPED, **facts: Any
) -> Response:
    """Write a page; `typed` is what its form comes back with, `outcome` what to mend in it and the page's status."""
    text = _templates.get_template(template).render(
        settings=request.app.state.settings, problems=outcome.problems, typed=typed, **facts
    )
    headers = {"Retry-After": str(outcome.retry_after)} if outcome.retry_after else None
    return HTMLResponse(text, outcome.status, headers)


def page(answer: Page) -> Page:
    """Make the endpoint of a page: it refuses forms of other sites, tells of trouble, and keeps the session's cookie.

    An ended session counts as none, and its cookie is taken away.
    """

    @wraps(answer)
    async def endpoint(request: Request) -> Response:
        settings = request.app.state.settings
        request.state.new_session = "" if request.state.ended else None
        request.state.new_device = None
        try:
            _guard(request)
            response = await answer(request)
        except Trouble as trouble:
            response = render(
                request,
                "trouble.html",
                outcome=Outcome([], trouble.status, trouble.retry_after),
                title=_TITLES[trouble.status],
                trouble=trouble,
            )
        if request.state.new_session is not None:
            keep_session(settings, response, request.state.new_session)
        if request.state.new_device is not None:
            keep_device(settings, response, request.state.new_device)
        return response

    return endpoint


def _guard(request: Request) -> None:
    if request.method == "POST" and is_foreign(request.app.state.settings, request):
        raise Trouble(403, "This form came from another site. Please open the page here and try again.")


async def read_form(request: Request) -> Form:
    """Read what was typed, with line ends as we keep them; raise Trouble if it is too much."""
    length = 0

    async def receive_bounded() -> Message:
        nonlocal length
        message = await request.receive()
        length += len(message.get("body", b""))
        if length > FORM_MOST:
            raise Trouble(413, f"A form may hold {FORM_MOST // 1024} KB. Please shorten what you wrote.")
        return message

    try:
        form = await Request(request.scope, receive_bounded).form(max_files=0)
        typed = {name: value.replace("\r\n", "\n") for name, value in form.items() if isinstance(value, str)}
        "".join(typed.values()).encode()  # a charset of the sender's choice can make what no page can show
    except (HTTPException, UnicodeError):
        raise Trouble(400, "What was sent is not a form of ours.") from None
    return typed
