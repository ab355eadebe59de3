"""`/mailbox`: the mail that the demo's mail catcher has, as a page and as JSON. Served only if its folder is set."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from demo.mailcatcher import CaughtMail, caught

_PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}

# A mail's page runs nothing, loads nothing and has no access to the session; the pages it links to aren't restricted.
_BOXED = {
    "Content-Security-Policy": (
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

_LINK = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:!?)\]]")

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
)


class Piece(NamedTuple):
    """A stretch of a mail's text, which may be a link."""

    text: str
    is_link: bool


def _mailbox(request: Request) -> Response:
    mails = _caught(request)
    accepted = request.headers.get("Accept", "")
    if "application/json" in accepted or "text/html" not in accepted:
        return JSONResponse(mails, headers=_PRIVATE | {"Vary": "Accept"})
    page = _templates.get_template("mailbox.html").render(mails=[(mail, list(_pieces(mail["text"]))) for mail in mails])
    return HTMLResponse(page, headers=_PRIVATE | {"Vary": "Accept"})


def _mail(request: Request) -> Response:
    for mail in _caught(request):
        if mail["id"] == request.path_params["id"] and mail["html"]:
            return HTMLResponse(mail["html"], headers=_PRIVATE | _BOXED)
    raise HTTPException(404)


def _caught(request: Request) -> list[CaughtMail]:
    settings = request.app.state.settings
    return caught(settings.mailbox, datetime.now(UTC) + settings.clock_offset)


def _pieces(text: str) -> Iterator[Piece]:
    end = 0
    for link in _LINK.finditer(text):
        yield Piece(text[end : link.start()], is_link=False)
        yield Piece(link.group(), is_link=True)
        end = link.end()
    yield Piece(text[end:], is_link=False)


routes = [Route("/mailbox", _mailbox), Route("/mailbox/{id}", _mail)]
