"""Signing in and out."""

import re
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from permissions.secrets import seal, unseal
from permissions.viewer import Viewer
from web.asking import Outcome, ask, change
from web.rendering import page, read_form, render

CODE_WITHIN = timedelta(minutes=10)

# A browser reads `//host` and `/\host` as another host, and drops white space before it looks.
_LOCAL = re.compile(r"/(?![/\\])[!-~]*")


def local_path(wanted: str) -> str:
    """Give a path of ours as it is, and the start page's for anything that could lead elsewhere."""
    return wanted if _LOCAL.fullmatch(wanted) else "/"


async def sign_in(request: Request) -> Response:
    """Begin a session, then go on to the page that asked for it; ask for a code in between where there has to be one.

    The form with the code carries the password sealed, so that it is neither typed twice nor stored anywhere.
    """
    if request.method != "POST":
        return render(request, "sign_in.html", typed={"next": request.query_params.get("next", "/")}, sealed=None)
    typed = await read_form(request)
    email, sealed = typed.get("email", ""), typed.get("sealed")
    password = typed.get("password", "") if sealed is None else _unsealed(request, sealed, email)
    if password is None:
        outcome = Outcome([{"field": None, "message": "That took too long. Please type your password again."}], 422)
        return render(request, "sign_in.html", outcome=outcome, typed=typed, sealed=None)
    outcome = await change(request, "signin", "SignIn", email=email, password=password, code=typed.get("code"))
    if not outcome.problems:
        return RedirectResponse(local_path(typed.get("next", "")), 303)
    asks_for_code = sealed is not None and outcome.status == 429
    if any(problem["field"] == "code" for problem in outcome.problems) or asks_for_code:
        if sealed is None:  # nothing to mend yet: the code is the second step
            outcome = Outcome()
        return render(request, "sign_in.html", outcome=outcome, typed=typed, sealed=_sealed(request, email, password))
    return render(request, "sign_in.html", outcome=outcome, typed=typed, sealed=None)


def _sealed(request: Request, email: str, password: str) -> str:
    until = request.app.state.database.now() + CODE_WITHIN
    return seal(request.app.state.settings, "sign-in", f"{until.timestamp():.0f} {password}", email)


def _unsealed(request: Request, sealed: str, email: str) -> str | None:
    """Give the password that was typed in the first step; None once that was too long ago."""
    until, _, password = (unseal(request.app.state.settings, "sign-in", sealed, email) or "0").partition(" ")
    return password if float(until) > request.app.state.database.now().timestamp() else None


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
