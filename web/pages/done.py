"""The page after a form that has no page of its own to go to: it says what was done, to the person who did it."""

from starlette.requests import Request
from starlette.responses import Response

from i18n import lazy_gettext as _
from permissions.secrets import seal, unseal
from web.client import PageError
from web.page import page
from web.proofs import is_proven
from web.rendering import render

# Each has its own address, so that reloading doesn't send the form again.
DONE = {
    "feedback": (_("Thank you"), _("We have your feedback. Before you close this page, keep your receipt.")),
    "erased": (_("Your feedback has been erased"), _("Nobody can read it any more. You can close this page now.")),
    "verify": (_("Your email address is confirmed"), _("Thank you. You can sign in now.")),
    "password": (
        _("Your new password is set"),
        _(
            "You've been signed out everywhere, and API tokens and links to copies of your data no longer work. Sign "
            "in with your new password."
        ),
    ),
    "stop": (
        _("You won't be asked again"),
        _("We won't send any more requests for feedback to your email address."),
    ),
    "signup": (
        _("Please check your email"),
        _(
            "We've sent an email to the address you gave. Open the link in it within two days to finish setting up "
            "your account. If it doesn't arrive, check your spam folder, or sign up again with the same address."
        ),
    ),
    "forgotten": (
        _("Please check your email"),
        _(
            "If there's an account with the address you gave, we've sent it an email with a link. Open the link within "
            "two hours to choose a new password. If nothing arrives, check your spam folder, and whether your account "
            "uses another address."
        ),
    ),
    "deleted": (
        _("Your account has been deleted"),
        _("We've deleted all your data here, and sent you one last email to say so. Goodbye."),
    ),
    "invitation": (
        _("Thank you for accepting"),
        _(
            "Sign in to see whose feedback you review. If an administrator still has to agree, we'll email you when "
            "they do."
        ),
    ),
}

SHOWN = "shown-receipt"
NOT_RECEIPTED = _("This page confirms that a form was accepted. It can be seen for an hour, by the person who sent it.")


@page("/done/{what}")
async def done(request: Request) -> Response:
    """Say what was done, to the person who did it."""
    what = request.path_params["what"]
    if what not in DONE or not is_proven(request):
        raise PageError(404, str(NOT_RECEIPTED))
    title, text = DONE[what]
    code = unseal(request.app.state.settings, SHOWN, request.query_params.get("shows", ""))
    link = f"{request.app.state.settings.base_url}/receipt/{code}"
    return render(request, "done.html", what=what, title=title, text=text, code=code, link=link)


def shown_receipt(request: Request, code: str) -> str:
    """Seal the code of a receipt into the address that shows it, so that it isn't left in the browser's history."""
    return seal(request.app.state.settings, SHOWN, code)
