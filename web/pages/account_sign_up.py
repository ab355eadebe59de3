"""Signing up, and confirming the address by the mailed link.

The answer never gives away whether an address has an account. A GET of a link changes nothing, because mail scanners
open links; its page's button does what the link is for.
"""

from starlette.requests import Request
from starlette.responses import Response

from web import labels
from web.client import mutate, to_fix
from web.form_body import read_form
from web.forms import read_choice, read_fields
from web.page import FORM, page
from web.proofs import accepted
from web.rendering import render


@page("/signup", document="account_sign_up", methods=FORM)
async def sign_up(request: Request) -> Response:
    """Make a mediator's account, whose address a mailed link then confirms."""
    if request.method != "POST":
        return render(request, "account/sign_up.html", typed={"visibility": "PRIVATE"})
    typed = await read_form(request)
    values, problems = read_fields(typed, {"visibility": read_choice(labels.VISIBILITIES)}, {"visibility"})
    # A password is sent as it was typed: it may consist of spaces.
    values |= {field: typed.get(field, "") for field in ("name", "email", "password")}
    outcome = (
        to_fix(problems) if problems else await mutate(request, "SignUp", **values, requestKey=typed.get("requestKey"))
    )
    if outcome.problems:
        return render(request, "account/sign_up.html", outcome=outcome, typed=typed)
    return accepted(request, "/done/signup")


@page("/verify/{secret}", document="account_sign_up", methods=FORM)
async def verify(request: Request) -> Response:
    """Confirm an email address: that of a new account, or the new one of an existing account."""
    if request.method != "POST":
        return render(request, "account/verify.html")
    outcome = await mutate(request, "VerifyEmail", token=request.path_params["secret"])
    if outcome.problems:
        return render(request, "account/verify.html", outcome=outcome)
    return accepted(request, "/done/verify")
