"""Asking for a new password, and setting it by the mailed link.

Nothing gives away whether an address has an account.
"""

from starlette.requests import Request
from starlette.responses import Response

from web.client import mutate
from web.form_body import read_form
from web.page import FORM, page
from web.proofs import accepted
from web.rendering import render


@page("/forgotten", document="account_password", methods=FORM)
async def forgotten(request: Request) -> Response:
    """Mail a link that sets a new password."""
    if request.method != "POST":
        return render(request, "account/forgotten.html")
    typed = await read_form(request)
    outcome = await mutate(request, "RequestPasswordReset", email=typed.get("email", ""))
    if outcome.problems:
        return render(request, "account/forgotten.html", outcome=outcome, typed=typed)
    return accepted(request, "/done/forgotten")


@page("/password/{secret}", document="account_password", methods=FORM)
async def reset_password(request: Request) -> Response:
    """Set a password: a new one, or a directory's first."""
    if request.method != "POST":
        return render(request, "account/reset_password.html")
    password = (await read_form(request)).get("password", "")
    outcome = await mutate(request, "ResetPassword", token=request.path_params["secret"], password=password)
    if outcome.problems:
        return render(request, "account/reset_password.html", outcome=outcome)
    return accepted(request, "/done/password")
