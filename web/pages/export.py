"""Exporting all your data: asking for the copy, and downloading it with the mailed link."""

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from i18n import gettext as _
from resolvers.context import Context
from resolvers.errors import Away, Damaged, Forbidden
from resolvers.evidence import opened_file, own_files
from resolvers.export import archive
from web.archive import ArchivedFile, with_files
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

    Like the download of a file, this goes past the API, which has no files. A GET changes nothing and hands out
    nothing, because mail scanners open links; the page's button does it.
    """
    context = make_context(request)
    try:
        made = await archive(context, request.path_params["secret"])
    except Forbidden as forbidden:
        raise PageError(403, str(forbidden)) from None
    if made is None:
        raise PageError(404, _("We keep a copy of your data for a week. You can ask for a new one in your account."))
    if request.method == "POST":
        return await _archive(context, made)
    return render(request, "export/download.html")


async def _archive(context: Context, made: bytes) -> Response:
    """Answer with an archive, to which the owner's files are added on the way.

    If the first file can't be had, a page says so; a later one breaks off the download, so that nobody mistakes a part
    for the whole.
    """
    headers = {"Content-Disposition": 'attachment; filename="my-data.zip"'}
    files = _files(context)
    try:
        first = await anext(files, None)
    except Away as away:
        raise PageError(503, str(away), away.retry_after) from None
    if first is None:
        return Response(made, media_type="application/zip", headers=headers)
    return StreamingResponse(with_files(made, _after(first, files)), media_type="application/zip", headers=headers)


async def _files(context: Context) -> AsyncIterator[ArchivedFile]:
    for row in await own_files(context):
        name = f"files/{row.id}/{row.name}"
        try:
            found = await opened_file(context, row.id)
        except Damaged:
            found = None
        if found is not None:
            yield ArchivedFile(name, row.added_at, found.data)
        else:
            lost = _("This file can't be read any more, or you've just removed it.")
            yield ArchivedFile(f"{name}.txt", row.added_at, lost.encode())


async def _after(first: ArchivedFile, rest: AsyncIterator[ArchivedFile]) -> AsyncIterator[ArchivedFile]:
    yield first
    async for one in rest:
        yield one
