"""What all pages share: the templates, reading a form, and the endpoint around each page's function."""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Message, Receive

import i18n
from models.account import Role
from models.fields import camel
from permissions.viewer import Viewer
from resolvers.errors import Unauthenticated
from web import labels
from web.client import Outcome, PageError, Problem, is_repeated, nothing_here
from web.entry_fields import labels_of, writer
from web.receipts import is_receipted
from web.table_html import headings, rows
from web.viewers import has_token, is_foreign, keep_device, keep_session

MAX_FORM = 256 * 1024  # bytes
_STATIC = Path(__file__).parent / "static"

Form = Mapping[str, str]
Page = Callable[[Request], Awaitable[Response]]

Audience = frozenset[Role] | None
"""Who has a page: everybody (None), or who is signed in and has one of the roles."""
EVERYBODY: Audience = None
SIGNED_IN: Audience = frozenset(Role)
MEDIATORS: Audience = frozenset({Role.MEDIATOR})
REVIEWERS: Audience = frozenset({Role.REVIEWER})
# Administrators look at what a directory sees, to support it.
DIRECTORIES: Audience = frozenset({Role.DIRECTORY, Role.ADMIN})

# What the header leads to: a word, an address, and for whom.
MENU = (
    ("Home", "/", SIGNED_IN),
    ("Logbook", "/logbook", MEDIATORS),
    ("Learnings", "/learnings", MEDIATORS),
    ("Request Feedback", "/request", MEDIATORS),
    ("My Feedback", "/my-feedback", MEDIATORS),
    ("Review Feedback", "/review", REVIEWERS),
    ("Mediators", "/mediators", DIRECTORIES),
    ("GraphiQL", "/graphiql", frozenset({Role.ADMIN})),
)
ACCOUNT_MENU = (("Account Settings", "/account", SIGNED_IN), ("My Details", "/details", MEDIATORS))


def _about(problems: list[Problem], field: str) -> str:
    """Say what to mend in a field; nothing if it is fine."""
    return " ".join(problem["message"] for problem in problems if problem["field"] == field)


_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,  # it would look at each file at each page
)
i18n.install(_templates)
_templates.filters["about"] = _about
_templates.tests["day_text"] = re.compile(r"\d{4}-\d\d-\d\d").fullmatch
_templates.filters["day"] = labels.day
_templates.filters["moment"] = labels.moment
_templates.filters["month"] = labels.month
_templates.filters["hours"] = labels.hours
_templates.filters["labels"] = lambda choice: labels_of(choice).items()
_templates.filters["camel"] = camel
_templates.filters["written"] = lambda field, value: writer(field).page(value)
_templates.filters["headings"] = headings
_templates.filters["rows"] = rows
_templates.filters["answered"] = labels.answered
_templates.globals["words"] = labels  # the forms of pages have `labels` of their own


def _version(file: str) -> str:
    """Name a state of one of our own files, so that browsers may keep it for good."""
    return hashlib.sha256((_STATIC / file).read_bytes()).hexdigest()[:12]


_templates.globals["style"] = f"/static/style.css?v={_version('style.css')}"
_templates.globals["script"] = f"/static/pages.js?v={_version('pages.js')}"

# What a page says after a form was accepted; the address carries the word, and a receipt for it.
DONE = {
    "added": "The entry was added.",
    "saved": "What you changed has been saved.",
    "deleted": "The entry was deleted.",
    "requested": "The request is on its way.",
    "withdrawn": "The request was withdrawn.",
    "appointed": "Your choice was saved.",
    "invited": "The invitation is on its way.",
    "ended": "The review has ended.",
    "removed": "Your password alone opens your account now.",
    "mailed": "A link is on its way to the new address. Your address changes when you open it.",
    "password": "Your password was changed.",
    "browser": "That browser is signed out.",
    "revoked": "The token was revoked: it works no more.",
}

_TITLES = {
    400: "This could not be read",
    401: "You have been signed out",
    403: "This is not possible",
    404: "This link does not work",
    410: "This link is closed",
    413: "This is too much",
    429: "Please wait a moment",
    500: "Something went wrong",
    503: "Please wait a moment",
}
_NOTHING_SENT = Outcome()
_NOTHING_TYPED: Form = {}


def render(
    request: Request, template: str, *, outcome: Outcome = _NOTHING_SENT, typed: Form = _NOTHING_TYPED, **facts: Any
) -> Response:
    """Write a page; `typed` is what its form comes back with, `outcome` what to mend in it and the page's status."""
    viewer: Viewer = getattr(request.state, "viewer", Viewer())  # to say who asks may be what failed
    text = _templates.get_template(template).render(
        settings=request.app.state.settings,
        problems=outcome.problems,
        typed=typed,
        request_key=_request_key(typed, outcome),
        done=_done(request),
        viewer=viewer,
        here=request.scope["path"],
        menu=_offered(MENU, viewer),
        account_menu=_offered(ACCOUNT_MENU, viewer),
        **facts,
    )
    headers = {"Retry-After": str(outcome.retry_after)} if outcome.retry_after else None
    return HTMLResponse(text, outcome.status, headers)


def _done(request: Request) -> str | None:
    """Give what the page says was done, if it bears a receipt: the word alone makes no page say anything."""
    said = DONE.get(request.query_params.get("done", ""))
    return said if said and is_receipted(request) else None


def _request_key(typed: Form, outcome: Outcome) -> str:
    """Give the key of a page's form: the one that it came back with, unless that was used for something else."""
    key = typed.get("requestKey")
    return key if key and not any(map(is_repeated, outcome.problems)) else str(uuid4())


def error_page(request: Request, error: PageError) -> Response:
    """Tell somebody why there is no answer."""
    outcome = Outcome([], error.status, error.retry_after)
    title = _TITLES.get(error.status, _TITLES[403])
    return render(request, "error.html", outcome=outcome, title=title, error=error)


def _offered(menu: tuple[tuple[str, str, Audience], ...], viewer: Viewer) -> list[tuple[str, str]]:
    return [(title, path) for title, path, audience in menu if audience and audience & viewer.roles]


def page(answer: Page, audience: Audience = EVERYBODY, *, unverified: bool = False) -> Page:
    """Make the endpoint of a page: it keeps others out, refuses forms of other sites, and shows errors.

    `unverified`: whether it is there for those too who have not confirmed their mail address yet. An ended session
    counts as none, and its cookie is taken away; an API token that does not work is refused, and touches no cookie.
    """

    @wraps(answer)
    async def endpoint(request: Request) -> Response:
        settings = request.app.state.settings
        request.state.new_session = "" if request.state.ended and not has_token(request.scope) else None
        request.state.new_device = None
        try:
            _guard(request)
            response = _admit(request, audience, unverified) or await answer(request)
        except PageError as error:
            response = error_page(request, error)
        if request.state.new_session is not None:
            keep_session(settings, response, request.state.new_session)
        if request.state.new_device is not None:
            keep_device(settings, response, request.state.new_device)
        return response

    return endpoint


def _admit(request: Request, audience: Audience, unverified: bool) -> Response | None:
    """Let the viewer in (None), or send them to sign in; raise PageError for those who do not have this page."""
    viewer: Viewer = request.state.viewer
    if audience is None:
        return None
    if viewer.account_id is None:
        if request.method == "POST":
            # To send the page anew sends what was typed anew, so nothing of it is lost.
            raise PageError(401, "Sign in again in another tab, then come back here and reload this page.")
        return RedirectResponse(f"/signin?next={quote(asked_for(request))}", 303)
    if not audience & viewer.roles or viewer.by_token:
        raise nothing_here()
    if not viewer.verified and not unverified:
        raise PageError(403, "Please confirm your email address first: open the link in the mail that we sent you.")
    return None


def asked_for(request: Request) -> str:
    """Give the path and query that were asked for: of the address a client may have made up the rest."""
    path, query = quote(request.scope["path"]), request.scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def _guard(request: Request) -> None:
    if request.state.ended and has_token(request.scope):
        raise PageError(401, str(Unauthenticated.text))
    if request.method == "POST" and is_foreign(request.app.state.settings, request):
        raise PageError(403, "This form came from another site. Please open the page here and try again.")


async def read_form(request: Request, most: int = MAX_FORM) -> Form:
    """Read what was typed, with line ends as we keep them; raise PageError if it is more than so many bytes."""
    too_much = f"A form may hold {most // 1024} KB. Please shorten what you wrote."
    try:
        form = await Request(request.scope, _bounded(request, most, too_much)).form(max_files=0)
        typed = {name: value.replace("\r\n", "\n") for name, value in form.items() if isinstance(value, str)}
        "".join(typed.values()).encode()  # a charset of the sender's choice can make what no page can show
    except (HTTPException, UnicodeError):
        raise PageError(400, "What was sent is not a form of ours.") from None
    return typed


async def read_file(request: Request, field: str, most: int) -> bytes:
    """Read a form's file of at most so many bytes; nothing if none was chosen. Raise PageError if it is too much."""
    too_much = f"A file may have {most // 1024 // 1024} MB, and this one has more."
    stream = Request(request.scope, _bounded(request, most + MAX_FORM, too_much)).stream()
    try:
        parser = MultiPartParser(request.headers, stream, max_files=1)
        parser.spool_max_size = most + MAX_FORM  # in memory: it is written to no disk
        form = await parser.parse()
    except MultiPartException:
        raise PageError(400, "What was sent is not a form of ours.") from None
    file = form.get(field)
    data = await file.read() if isinstance(file, UploadFile) else b""
    await form.close()
    if len(data) > most:
        raise PageError(413, too_much)
    return data


def _bounded(request: Request, most: int, too_much: str) -> Receive:
    """Receive a body as it comes, until it is more than so many bytes."""
    length = 0

    async def receive() -> Message:
        nonlocal length
        message = await request.receive()
        length += len(message.get("body", b""))
        if length > most:
            raise PageError(413, too_much)
        return message

    return receive
