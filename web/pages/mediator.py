"""My Details: what others see about a mediator, who can find them, and who reviews them."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from i18n import gettext
from i18n import lazy_gettext as _
from web import labels
from web.client import FormOutcome, mutate, query, to_fix
from web.form_body import Form, read_form
from web.forms import read_choice, read_fields, read_text
from web.menu import MenuItem
from web.page import FOR_MEDIATORS, FORM, POST, page
from web.proofs import accepted
from web.rendering import render

_READERS = {"about": read_text, "profileUrl": read_text, "visibility": read_choice(labels.VISIBILITIES)}


@page(
    "/details",
    FOR_MEDIATORS,
    document="mediator",
    methods=FORM,
    menu=MenuItem(_("My Details"), 20, account=True),
)
async def details(request: Request) -> Response:
    """Show and change your profile."""
    if request.method != "POST":
        return await _show(request)
    typed = await read_form(request)
    values, problems = read_fields(typed, _READERS, ("visibility",))
    outcome = to_fix(problems) if problems else await mutate(request, "UpdateProfile", **values)
    return await _done(request, typed, outcome, "saved")


@page("/details/appoint", FOR_MEDIATORS, document="mediator", methods=POST)
async def appoint(request: Request) -> Response:
    """Appoint a reviewer from the list."""
    typed = await read_form(request)
    chosen = typed.get("reviewerId", "")
    if not chosen:
        outcome = to_fix([{"field": "reviewerId", "message": gettext("Please choose one."), "code": "REQUIRED"}])
    else:
        outcome = await mutate(request, "AppointReviewer", reviewerId=chosen)
    return await _done(request, typed, outcome, "appointed")


@page("/details/invite", FOR_MEDIATORS, document="mediator", methods=POST)
async def invite(request: Request) -> Response:
    """Invite somebody by email to become your reviewer."""
    typed = await read_form(request)
    key = typed.get("requestKey")
    outcome = await mutate(request, "InviteReviewer", email=typed.get("email", ""), requestKey=key)
    return await _done(request, typed, outcome, "invited")


@page("/details/resend", FOR_MEDIATORS, document="mediator", methods=POST)
async def resend(request: Request) -> Response:
    """Send an invitation again."""
    return await _about_invitation(request, "ResendInvitation", "invited")


@page("/details/revoke", FOR_MEDIATORS, document="mediator", methods=POST)
async def revoke(request: Request) -> Response:
    """Revoke an invitation."""
    return await _about_invitation(request, "RevokeInvitation", "uninvited")


async def _about_invitation(request: Request, operation: str, what: str) -> Response:
    typed = await read_form(request)
    return await _done(request, {}, await mutate(request, operation, id=typed.get("id", "")), what)


@page("/details/end-review", FOR_MEDIATORS, document="mediator", methods=POST)
async def end_review(request: Request) -> Response:
    """End the review that the page showed, which may have changed in another window since."""
    typed = await read_form(request)
    sides = {name: typed.get(name, "") for name in ("mediatorId", "reviewerId")}
    outcome = await mutate(request, "EndReview", **sides)
    return await _done(request, {}, outcome, "ended")


async def _done(request: Request, typed: Form, outcome: FormOutcome, what: str) -> Response:
    if outcome.problems:
        return await _show(request, typed, outcome)
    return accepted(request, f"/details?done={what}")


async def _show(request: Request, typed: Form | None = None, outcome: FormOutcome | None = None) -> Response:
    """Show the page; a form that came back keeps what was typed, and the others have what's stored."""
    search = request.query_params.get("search", "")[:200].replace("\0", "")
    found = await query(request, "Details", search=search or None)
    mediator: dict[str, Any] = found["me"]["mediator"]
    stored = {name: mediator[name] or "" for name in _READERS}
    return render(
        request,
        "mediator/edit.html",
        outcome=outcome or FormOutcome(),
        typed=stored | dict(typed or {}),
        mediator=mediator,
        search=search,
        reviewers=found["reviewers"],
    )
