"""Signing in and out."""

import re
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from permissions.secrets import PENDING_SIGN_IN_LASTS
from permissions.viewer import Viewer
from web.client import mutate, query
from web.form_body import Form, read_form
from web.page import FOR_SIGNED_IN, FORM, POST, page
from web.rendering import render
from web.viewers import bound, keep

_PENDING = "pending"  # the cookie of a pending sign-in, which waits for its code

# A browser reads `//host` and `/\host` as another host, and drops white space first.
_LOCAL = re.compile(r"/(?![/\\])[!-~]*")


def local_path(wanted: str) -> str:
    """Give a path of ours as it is, and the home page's for anything that could lead elsewhere."""
    return wanted if _LOCAL.fullmatch(wanted) else "/"


@page("/signin", document="sign_in", methods=FORM)
async def sign_in(request: Request) -> Response:
    """Begin a session, then go on to the page that asked for it.

    If there's a second factor, ask for a code in between. The password is typed and sent only once. A cookie goes with
    the code, so nothing in a page is enough to sign in.
    """
    if request.method != "POST":
        return render(request, "sign_in.html", typed={"next": request.query_params.get("next", "/")}, by_code=False)
    typed = await read_form(request)
    return await (_send_code if "code" in typed else _send_password)(request, typed)


async def _send_password(request: Request, typed: Form) -> Response:
    email, password = typed.get("email", ""), typed.get("password", "")
    outcome = await mutate(request, "SignIn", email=email, password=password)
    if not outcome.problems:
        return _go_on(typed)
    pending: str | None = outcome.payload.get("pendingSignIn")
    if pending is None:
        return render(request, "sign_in.html", outcome=outcome, typed=typed, by_code=False)
    response = render(request, "sign_in.html", typed=typed, by_code=True)  # nothing to fix: this is the second step
    _keep_pending(request, response, pending)
    return response


async def _send_code(request: Request, typed: Form) -> Response:
    pending = request.cookies.get(bound(request.app.state.settings, _PENDING), "")
    outcome = await mutate(request, "FinishSignIn", pendingSignIn=pending, code=typed["code"])
    if not outcome.problems:
        response = _go_on(typed)
    elif any(problem["field"] == "pendingSignIn" for problem in outcome.problems):
        problems = [problem | {"field": None} for problem in outcome.problems]  # not a field of the page's form
        outcome = replace(outcome, problems=problems)
        response = render(request, "sign_in.html", outcome=outcome, typed=typed, by_code=False)
    else:
        return render(request, "sign_in.html", outcome=outcome, typed=typed, by_code=True)
    _keep_pending(request, response, "")
    return response


def _go_on(typed: Form) -> Response:
    return RedirectResponse(local_path(typed.get("next", "")), 303)


def _keep_pending(request: Request, response: Response, secret: str) -> None:
    seconds = int(PENDING_SIGN_IN_LASTS.total_seconds())
    keep(request.app.state.settings, response, _PENDING, secret, seconds)


@page("/signout", documents={"sign_in_end": FOR_SIGNED_IN}, methods=POST)
async def sign_out(request: Request) -> Response:
    """End the session."""
    viewer: Viewer = request.state.viewer
    if viewer.account_id is not None:
        await query(request, "SignOut")
    return RedirectResponse("/", 303)
