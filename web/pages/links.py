"""One plain page for each link that a mail carries.

A GET changes nothing, for mail scanners open links; what a link does is done by its page's button.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from permissions.viewer import Viewer
from resolvers.errors import Forbidden
from resolvers.export import archive
from web.client import Outcome, PageError, execute, mutate
from web.graphql import make_context
from web.receipts import accepted, is_receipted
from web.rendering import SIGNED_IN, page, read_form, render

_EVERYTHING_ENDED = (
    "You are signed out everywhere, and API tokens and links to copies of your data work no more. Sign in with the new "
    "password."
)
# Where a page's form leads to once it was accepted, so that reloading does not send it again.
DONE = {
    "feedback": ("Thank you", "Your answer has arrived. You can close this page now."),
    "verify": ("Your email address is confirmed", "Thank you. You can sign in now."),
    "password": ("Your new password is set", _EVERYTHING_ENDED),
    "stop": ("You will not be asked again", "No more requests for feedback will be sent to your email address."),
    "signup": (
        "Please open the mail that we sent you",
        (
            "A mail is on its way to the address that you typed. Open the link in it within two days, and your account "
            "is ready. If nothing arrives, look among the unwanted mail, or sign up again with the same address."
        ),
    ),
    "forgotten": (
        "Please look into your mail",
        (
            "If there is an account with the address that you typed, a mail with a link is on its way to it. Open the "
            "link within two hours to choose a new password. If nothing arrives, look among the unwanted mail, and "
            "check whether your account has another address."
        ),
    ),
    "deleted": ("Your account is deleted", "Everything of yours here is gone, and a last mail says so. Goodbye."),
    "invitation": ("Thank you for accepting", "We have told the mediator. Sign in to see whose feedback you review."),
}

NOT_RECEIPTED = "This page says that a form was accepted: only for an hour, and only to those who sent it."
NOT_YOURS = (
    "This invitation was sent to another address than that of your account. Accept it with a new account, below, or "
    "ask for an invitation to your own address."
)


def _signed_in(request: Request) -> bool:
    viewer: Viewer = request.state.viewer
    return viewer.account_id is not None


async def verify(request: Request) -> Response:
    """Confirm a mail address, of a new account or a new one of an old account."""
    if request.method != "POST":
        return render(request, "account/verify.html")
    return await _use(request, "verify", "account/verify.html", "account_sign_up", "VerifyEmail")


async def password(request: Request) -> Response:
    """Set a password: a new one, or a directory's first."""
    if request.method != "POST":
        return render(request, "account/reset_password.html")
    typed = await read_form(request)
    new = typed.get("password", "")
    return await _use(
        request, "password", "account/reset_password.html", "account_password", "ResetPassword", password=new
    )


async def stop(request: Request) -> Response:
    """Stop all requests to the address that the mail went to."""
    if request.method != "POST":
        return render(request, "feedback_request/stop.html")
    return await _use(request, "stop", "feedback_request/stop.html", "feedback_request_stop", "StopRequests")


async def _use(request: Request, what: str, template: str, document: str, operation: str, **typed: str) -> Response:
    """Do what a link is for, and say so; or show its page again with what to mend."""
    outcome = await mutate(request, document, operation, token=request.path_params["secret"], **typed)
    return render(request, template, outcome=outcome) if outcome.problems else _done(request, what)


async def invitation(request: Request) -> Response:
    """Accept an invitation to review: with a new account, or signed in to one."""
    me = (await execute(request, "home", "Home"))["me"] if _signed_in(request) else None
    secret = request.path_params["secret"]
    if request.method != "POST":
        return render(request, "reviewer/invitation.html", me=me, secret=secret)
    typed = await read_form(request)
    outcome = await mutate(
        request,
        "reviewer_invitation",
        "AcceptInvitation",
        token=secret,
        name=typed.get("name"),
        password=typed.get("password"),
    )
    if not outcome.problems:
        return _done(request, "invitation")
    if "name" not in typed and any(problem["field"] == "name" for problem in outcome.problems):
        outcome = Outcome([{"field": None, "message": NOT_YOURS}], outcome.status)
    return render(request, "reviewer/invitation.html", outcome=outcome, typed=typed, me=me, secret=secret)


async def export(request: Request) -> Response:
    """Hand out the archive of one's own data: the one page that asks past the API, which carries no files."""
    try:
        made = await archive(make_context(request), request.path_params["secret"])
    except Forbidden as forbidden:
        raise PageError(403, str(forbidden)) from None
    if made is None:
        raise PageError(404, "The copy of your data is kept for a week. You can ask for a new one in your account.")
    if request.method == "POST":
        headers = {"Content-Disposition": 'attachment; filename="my-data.zip"'}
        return Response(made, media_type="application/zip", headers=headers)
    return render(request, "export/download.html")


def _done(request: Request, what: str) -> Response:
    return accepted(request, f"/done/{what}")


async def done(request: Request) -> Response:
    """Say what was done, to those who did it."""
    what = request.path_params["what"]
    if what not in DONE or not is_receipted(request):
        raise PageError(404, NOT_RECEIPTED)
    title, text = DONE[what]
    return render(request, "done.html", what=what, title=title, text=text)


_BOTH = ["GET", "POST"]
routes: list[BaseRoute] = [
    Route("/verify/{secret}", page(verify), methods=_BOTH),
    Route("/password/{secret}", page(password), methods=_BOTH),
    Route("/invitation/{secret}", page(invitation), methods=_BOTH),
    Route("/export/{secret}", page(export, SIGNED_IN), methods=_BOTH),
    Route("/stop/{secret}", page(stop), methods=_BOTH),
    Route("/done/{what}", page(done)),
]
