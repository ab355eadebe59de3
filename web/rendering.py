"""Writing pages: the templates and what they get, the page for an error, and what a page says was done."""

import hashlib
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

import i18n
from i18n import lazy_gettext as _
from models.fields import camel
from permissions.scopes import DETAILS_DAYS
from permissions.viewer import Viewer
from resolvers.evidence_changes import MAX_ACCOUNT_BYTES
from resolvers.evidence_content import MAX_BYTES
from web import entry_inputs, labels
from web.client import FormOutcome, PageError, Problem, is_repeated
from web.entry_fields import labels_of, writer
from web.form_body import Form
from web.menu import MenuLink, offered
from web.proofs import is_proven
from web.table_html import headings, rows

_STATIC = Path(__file__).parent / "static"


def _about(problems: list[Problem], field: str) -> str:
    """Say what to fix in a field; nothing if it's fine."""
    return " ".join(problem["message"] for problem in problems if problem["field"] == field)


_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,  # otherwise it checks each file for each page
)
i18n.install(_templates)
_templates.filters["about"] = _about
_templates.tests["day_text"] = re.compile(r"\d{4}-\d\d-\d\d").fullmatch
_templates.filters["day"] = labels.day
_templates.filters["moment"] = labels.moment
_templates.filters["month"] = labels.month
_templates.filters["hours"] = labels.hours
_templates.filters["size"] = labels.size
_templates.filters["labels"] = lambda choice: labels_of(choice).items()
_templates.filters["camel"] = camel
_templates.filters["input_rows"] = entry_inputs.rows
_templates.filters["written"] = lambda field, value: writer(field).page(value)
_templates.filters["headings"] = headings
_templates.filters["rows"] = rows
_templates.filters["answered"] = labels.answered
_templates.globals["words"] = labels  # forms have `labels` of their own
_templates.globals["details_days"] = DETAILS_DAYS
_templates.globals["file_megabytes"] = MAX_BYTES // 1024**2
_templates.globals["account_megabytes"] = MAX_ACCOUNT_BYTES // 1024**2


def _version(file: str) -> str:
    """Name the state of one of our own files, so that browsers can keep it for good."""
    return hashlib.sha256((_STATIC / file).read_bytes()).hexdigest()[:12]


_templates.globals["style"] = f"/static/style.css?v={_version('style.css')}"
_templates.globals["script"] = f"/static/pages.js?v={_version('pages.js')}"

# What a page says after a form was accepted. The address has the word, and a receipt for it.
DONE_WORDS = {
    "added": _("The entry has been added."),
    "saved": _("Your changes have been saved."),
    "deleted": _("The entry has been deleted."),
    "attached": _("The file has been attached."),
    "detached": _("The file has been removed."),
    "requested": _("Your request is on its way."),
    "sharing": _("Your choice about sharing has been saved."),
    "withdrawn": _("The request has been withdrawn."),
    "appointed": _("Your choice has been saved."),
    "accepted": _("Thank you for accepting."),
    "declined": _("You've declined."),
    "invited": _("The invitation is on its way."),
    "uninvited": _("The invitation has been revoked, and its link no longer works."),
    "ended": _("The review has ended."),
    "removed": _("The second factor has been removed. You now sign in with your password alone."),
    "mailed": _("We've sent a link to your new address. Your address changes when you open it."),
    "password": _("Your password has been changed."),
    "browser": _("That browser has been signed out."),
    "revoked": _("The token has been revoked and no longer works."),
}

_TITLES = {
    400: _("We couldn't read this"),
    401: _("You've been signed out"),
    403: _("You can't do this"),
    404: _("This link doesn't work"),
    410: _("This link is closed"),
    413: _("That's too large"),
    429: _("Please wait a moment"),
    500: _("Something went wrong"),
    503: _("Please wait a moment"),
}
_NOTHING_SENT = FormOutcome()
_NOTHING_TYPED: Form = {}


def render(
    request: Request, template: str, *, outcome: FormOutcome = _NOTHING_SENT, typed: Form = _NOTHING_TYPED, **facts: Any
) -> Response:
    """Write a page; `typed` is what its form comes back with, `outcome` what to fix in it and the page's status."""
    viewer: Viewer = getattr(request.state, "viewer", Viewer())  # finding out who's asking may be what failed
    links: list[MenuLink] = request.app.state.menu
    text = _templates.get_template(template).render(
        settings=request.app.state.settings,
        problems=outcome.problems,
        typed=typed,
        request_key=_request_key(typed, outcome),
        done=_done(request),
        viewer=viewer,
        here=request.scope["path"],
        menu=offered(links, viewer, account=False),
        account_menu=offered(links, viewer, account=True),
        **facts,
    )
    headers = {"Retry-After": str(outcome.retry_after)} if outcome.retry_after else None
    return HTMLResponse(text, outcome.status, headers)


def _done(request: Request) -> str | None:
    """Give what the page says was done, if there's a proof: the word alone isn't enough."""
    said = DONE_WORDS.get(request.query_params.get("done", ""))
    return str(said) if said and is_proven(request) else None


def _request_key(typed: Form, outcome: FormOutcome) -> str:
    """Give the key of a page's form: the one it came back with, unless that was used for something else."""
    key = typed.get("requestKey")
    return key if key and not any(map(is_repeated, outcome.problems)) else str(uuid4())


def error_page(request: Request, error: PageError) -> Response:
    """Show why there's no answer."""
    outcome = FormOutcome([], error.status, error.retry_after)
    title = _TITLES.get(error.status, _TITLES[403])
    return render(request, "error.html", outcome=outcome, title=title, error=error)


def asked_for(request: Request) -> str:
    """Give only the path and query that were asked for: the client may have made up the rest of the address."""
    path, query = quote(request.scope["path"]), request.scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path
