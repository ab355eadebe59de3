"""Signing up, and asking for a new password: the answer never tells whether an address has an account."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from web import labels
from web.client import mutate, to_mend
from web.forms import one_of, read
from web.receipts import accepted
from web.rendering import page, read_form, render


async def sign_up(request: Request) -> Response:
    """Make a mediator's account, whose address a mailed link then confirms."""
    if request.method != "POST":
        return render(request, "account/sign_up.html", typed={"visibility": "PRIVATE"})
    typed = await read_form(request)
    values, problems = read(typed, {"visibility": one_of(labels.VISIBILITIES)}, {"visibility"})
    # A password is sent as it was typed: it may consist of spaces.
    values |= {field: typed.get(field, "") for field in ("name", "email", "password")}
    outcome = (
        to_mend(problems)
        if problems
        else await mutate(request, "account_sign_up", "SignUp", **values, requestKey=typed.get("requestKey"))
    )
    if outcome.problems:
        return render(request, "account/sign_up.html", outcome=outcome, typed=typed)
    return accepted(request, "/done/signup")


async def forgotten(request: Request) -> Response:
    """Mail a link that sets a new password."""
    if request.method != "POST":
        return render(request, "account/forgotten.html")
    typed = await read_form(request)
    outcome = await mutate(request, "account_password", "RequestPasswordReset", email=typed.get("email", ""))
    if outcome.problems:
        return render(request, "account/forgotten.html", outcome=outcome, typed=typed)
    return accepted(request, "/done/forgotten")


_BOTH = ["GET", "POST"]
routes: list[BaseRoute] = [
    Route("/signup", page(sign_up), methods=_BOTH),
    Route("/forgotten", page(forgotten), methods=_BOTH),
]
