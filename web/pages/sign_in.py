"""Signing in and out."""

import re

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from permissions.viewer import Viewer
from web.asking import ask, change
from web.rendering import page, read_form, render

# A browser reads `//host` and `/\host` as another host, and drops white space before it looks.
_LOCAL = re.compile(r"/(?![/\\])[!-~]*")


def local_path(wanted: str) -> str:
    """Give a path of ours as it is, and the start page's for anything that could lead elsewhere."""
    return wanted if _LOCAL.fullmatch(wanted) else "/"


async def sign_in(request: Request) -> Response:
    """Begin a session, then go on to the page that asked for it."""
    if request.method != "POST":
        return render(request, "sign_in.html", typed={"next": request.query_params.get("next", "/")})
    typed = await read_form(request)
    outcome = await change(
        request, "signin", "SignIn", email=typed.get("email", ""), password=typed.get("password", "")
    )
    if outcome.problems:
        return render(request, "sign_in.html", outcome=outcome, typed=typed)
    return RedirectResponse(local_path(typed.get("next", "")), 303)


async def sign_out(request: Request) -> Response:
    """End the session."""
    viewer: Viewer = request.state.viewer
    if viewer.account_id is not None:
        await ask(request, "signout", "SignOut")
    return RedirectResponse("/", 303)


routes: list[BaseRoute] = [
    Route("/signin", page(sign_in), methods=["GET", "POST"]),
    Route("/signout", page(sign_out), methods=["POST"]),
]
