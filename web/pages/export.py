"""Exporting all your data: asking for the copy, and downloading it with the mailed link."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from i18n import gettext as _
from resolvers.errors import Forbidden
from resolvers.export import archive
from web.client import FormOutcome, PageError, mutate, query
from web.form_body import read_form
from web.graphql import make_context
from web.page import FOR_SIGNED_IN, FORM, page
from web.rendering import render


@page("/account/export", FOR_SIGNED_IN, document="export", methods=FORM)
async def export(request: Request) -> Response:
    """Ask for a copy of all your data, and see how far along it is."""
    outcome = FormOutcome()
    if request.method == "POST":
        typed = await read_form(request)
        outcome = await mutate(request, "ExportMyData", requestKey=typed.get("requestKey"))
        if not outcome.problems:
            return RedirectResponse("/account/export", 303)
    me = (await query(request, "Exports"))["me"]
    return render(request, "export/show.html", outcome=outcome, me=me)


@page("/export/{secret}", FOR_SIGNED_IN, methods=FORM)
async def download(request: Request) -> Response:
    """Hand out the archive of your own data.

    This is the only page that goes past the API, which has no files. A GET changes nothing and hands out nothing,
    because mail scanners open links; the page's button does it.
    """
    try:
        made = await archive(make_context(request), request.path_params["secret"])
    except Forbidden as forbidden:
        raise PageError(403, str(forbidden)) from None
    if made is None:
        raise PageError(404, _("We keep a copy of your data for a week. You can ask for a new one in your account."))
    if request.method == "POST":
        headers = {"Content-Disposition": 'attachment; filename="my-data.zip"'}
        return Response(made, media_type="application/zip", headers=headers)
    return render(request, "export/download.html")
