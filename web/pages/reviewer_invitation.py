"""Accepting an invitation to review, by the mailed link. A GET changes nothing, because mail scanners open links."""

from starlette.requests import Request
from starlette.responses import Response

from i18n import gettext as _
from permissions.viewer import Viewer
from web.client import FormOutcome, query
from web.form_body import read_form
from web.page import FOR_SIGNED_IN, FORM, page
from web.pages.reviewer_answer import say_relation
from web.proofs import accepted
from web.rendering import render


@page("/invitation/{secret}", document="reviewer_invitation", documents={"home": FOR_SIGNED_IN}, methods=FORM)
async def invitation(request: Request) -> Response:
    """Accept an invitation to review: with a new account, or signed in to one."""
    viewer: Viewer = request.state.viewer
    me = (await query(request, "Home"))["me"] if viewer.account_id else None
    secret = request.path_params["secret"]
    if request.method != "POST":
        return render(request, "reviewer/invitation.html", me=me, secret=secret)
    typed = await read_form(request)
    name, password = typed.get("name"), typed.get("password")
    outcome = await say_relation(request, "AcceptInvitation", typed, token=secret, name=name, password=password)
    if not outcome.problems:
        return accepted(request, "/done/invitation")
    if name is None and any(problem["field"] == "name" for problem in outcome.problems):
        outcome = FormOutcome([{"field": None, "message": _not_yours()}], outcome.status)
    return render(request, "reviewer/invitation.html", outcome=outcome, typed=typed, me=me, secret=secret)


def _not_yours() -> str:
    return _(
        "This invitation was sent to a different address from the one on your account. Accept it with a new account "
        "below, or ask for an invitation to your own address."
    )
