"""The second factor in Account Settings: adding it, new recovery codes, and removing it.

A secret or codes are shown only this once, in the answer to the form itself: they can't be looked up again, and mustn't
be in an address.
"""

import segno
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from web.client import FormOutcome, mutate, query
from web.form_body import read_form
from web.page import FOR_SIGNED_IN, FORM, POST, page
from web.proofs import accepted
from web.rendering import render


@page("/account/second-factor", FOR_SIGNED_IN, document="second_factor", methods=FORM)
async def set_up(request: Request) -> Response:
    """Say what a second factor is, then make its secret."""
    if request.method != "POST":
        has_one = (await query(request, "HasOne"))["me"]["secondFactor"]
        return render(request, "second_factor/set_up.html", has_one=has_one)
    password = (await read_form(request)).get("password", "")
    outcome = await mutate(request, "SetUpSecondFactor", password=password)
    if outcome.problems:
        return render(request, "second_factor/set_up.html", outcome=outcome, has_one=False)
    return render(
        request,
        "second_factor/confirm.html",
        secret=outcome.payload["secret"],
        drawing=_drawn(outcome.payload["otpauthUri"]),
    )


def _drawn(uri: str) -> Markup:
    """Draw a QR code, black on white even in a dark colour scheme, because that's what cameras can read."""
    return Markup(segno.make(uri, error="m").svg_inline(scale=4, light="#fff", border=4))  # noqa: S704 - ours alone


@page("/account/second-factor/confirm", FOR_SIGNED_IN, document="second_factor", methods=POST)
async def confirm(request: Request) -> Response:
    """Turn on the new factor once it has given a correct code."""
    code = (await read_form(request)).get("code", "")
    outcome = await mutate(request, "ConfirmSecondFactor", code=code)
    if outcome.problems:
        return render(request, "second_factor/confirm.html", outcome=outcome, secret=None, drawing=None)
    return _codes(request, outcome)


@page("/account/second-factor/codes", FOR_SIGNED_IN, document="second_factor", methods=FORM)
async def renew(request: Request) -> Response:
    """Make new recovery codes to replace the old ones."""
    if request.method != "POST":
        return render(request, "second_factor/renew.html")
    outcome = await _proven(request, "RenewRecoveryCodes")
    return (
        render(request, "second_factor/renew.html", outcome=outcome) if outcome.problems else _codes(request, outcome)
    )


@page("/account/second-factor/remove", FOR_SIGNED_IN, document="second_factor", methods=FORM)
async def remove(request: Request) -> Response:
    """Remove the factor."""
    if request.method != "POST":
        return render(request, "second_factor/remove.html")
    outcome = await _proven(request, "RemoveSecondFactor")
    if outcome.problems:
        return render(request, "second_factor/remove.html", outcome=outcome)
    return accepted(request, "/account?done=removed")


async def _proven(request: Request, operation: str) -> FormOutcome:
    """Make a change that needs both the password and a code."""
    typed = await read_form(request)
    password, code = typed.get("password", ""), typed.get("code", "")
    return await mutate(request, operation, password=password, code=code)


def _codes(request: Request, outcome: FormOutcome) -> Response:
    return render(request, "second_factor/codes.html", codes=outcome.payload["recoveryCodes"])
