"""GraphiQL for administrators, at /graphiql: the page, and the policy that keeps it to this host.

`tools/graphiql_assets.py` builds what it loads; `/graphql` decides what an administrator may ask. The operations that
it opens with are in `graphiql.graphql`.
"""

import json
import re
from functools import cache
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from i18n import lazy_gettext
from models.account import Role
from permissions.viewer import Viewer
from schema import execution
from web.graphql import make_context
from web.menu import MenuItem, MenuLink
from web.rendering import render

ASSETS = Path(__file__).parent / "static" / "graphiql"
STAMP = "installed"  # the file with their version, written once all the others are there

# The editor writes its colours and positions as <style> elements and style attributes, and draws the wavy line under an
# error as a data: image. Neither can send anything out. Pictures from other hosts are kept out: GraphiQL would load one
# whose address is in an answer, and that would tell its host that an administrator is looking.
GRAPHIQL_CSP = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": GRAPHIQL_CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

MENU_LINK = MenuLink(MenuItem(lazy_gettext("GraphiQL"), 80), "/graphiql", frozenset({Role.ADMIN}))

_templates = Jinja2Templates(Path(__file__).parent / "templates")


def installed_version() -> str | None:
    """Return the version of the assets in place, hexadecimal; None while any are missing."""
    try:
        return (ASSETS / STAMP).read_text()
    except FileNotFoundError:
        return None


@cache
def operations() -> list[str]:
    """Give the operations that GraphiQL opens with, each with its comment."""
    text = Path(__file__).with_suffix(".graphql").read_text(encoding="utf-8")
    return text.strip().split("\n\n")[1:]


def tabs() -> list[dict[str, str]]:
    """Give the tabs that GraphiQL opens with: an operation, and its variables that have to be filled in."""
    needed = ((text, re.findall(r"\$(\w+): \w+!", text)) for text in operations())
    return [{"query": text, "variables": json.dumps(dict.fromkeys(names, ""), indent=2)} for text, names in needed]


async def graphiql(request: Request) -> Response:
    """Show the page to administrators, and send people who are signed out to sign in.

    For everybody else, it doesn't exist.
    """
    viewer: Viewer = request.state.viewer
    if viewer.account_id is None:
        return RedirectResponse("/signin?next=/graphiql", status_code=303)
    if Role.ADMIN not in viewer.roles:
        raise HTTPException(404)
    version = installed_version()
    if version is None:
        return _templates.TemplateResponse(request, "graphiql_missing.html", status_code=503, headers=HEADERS)
    answer = await execution.run(make_context(request), "{ me { name email } }", None, None)
    response = render(request, "graphiql.html", version=version, tabs=json.dumps(tabs()), me=answer.body["data"]["me"])
    response.headers.update(HEADERS)
    return response


routes = [Route("/graphiql", graphiql)]
