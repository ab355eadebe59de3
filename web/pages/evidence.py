"""Evidence: the files of a CPD entry. Attaching, downloading and removing them, for their mediator alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from i18n import gettext as _
from resolvers.errors import Away, Damaged, Forbidden
from resolvers.evidence import opened_file
from resolvers.evidence_content import MAX_BYTES
from resolvers.inputs import read_id
from web.client import FormOutcome, PageError, mutate, nothing_here, query, to_fix
from web.downloads import attachment
from web.form_body import Upload, read_form, read_upload
from web.graphql import make_context
from web.labels import EVIDENCE_KINDS
from web.page import FOR_MEDIATORS, FORM, POST, page
from web.pages.sign_in import local_path
from web.proofs import accepted
from web.rendering import render

AT_ONCE = 8  # uploads in each process; each may hold 30 MB
_WAITS = 20.0  # seconds until somebody is told to come back later
_LASTS = 300.0  # seconds that one may take to arrive
_slots = asyncio.Semaphore(AT_ONCE)
_uploading: dict[UUID | None, asyncio.Event] = {}  # set once the upload is over


@page("/cpd/{id}/files", FOR_MEDIATORS, documents={"cpd": FOR_MEDIATORS, "evidence": FOR_MEDIATORS}, methods=FORM)
async def files(request: Request) -> Response:
    """Show the files of an entry, and attach one."""
    entry_id, back = request.path_params["id"], local_path(request.query_params.get("back", "/logbook"))
    outcome, typed = FormOutcome(), dict[str, str]()
    if request.method == "POST":
        outcome, typed = await _attach(request, entry_id)
        if not outcome.problems:
            return accepted(request, f"/cpd/{quote(entry_id, safe='')}?back={quote(back)}&done=attached")
    entry = (await query(request, "CpdEntry", id=entry_id))["me"]["mediator"]["cpdEntry"]
    return render(request, "evidence/show.html", outcome=outcome, typed=typed, entry=entry, back=back)


async def _attach(request: Request, entry_id: str) -> tuple[FormOutcome, dict[str, str]]:
    """Take a file, and give what became of it and what comes back with the form."""
    async with _slot(request):
        try:
            upload = await _received(request)
        except PageError as error:
            if error.status != 413:
                raise
            return FormOutcome([{"field": "file", "message": error.text}], 413), {}
        typed = {name: upload.typed[name] for name in ("kind", "requestKey") if name in upload.typed}
        if not upload.name:
            return to_fix([{"field": "file", "message": _("Please choose a file.")}]), typed
        if typed.get("kind") not in EVIDENCE_KINDS:
            return to_fix([{"field": "kind", "message": _("Please choose one.")}]), typed
        sent: dict[str, Any] = {"name": upload.name.replace("\0", "")[-200:], "content": upload.data, **typed}
        outcome = await mutate(request, "AttachFile", entryId=entry_id, **sent)
    for problem in outcome.problems:
        if problem["field"] == "entryId":
            raise nothing_here()
        if problem["field"] in {"content", "name"}:
            problem["field"] = "file"
    return outcome, typed


async def _received(request: Request) -> Upload:
    try:
        async with asyncio.timeout(_LASTS):
            return await read_upload(request, "file", MAX_BYTES)
    except TimeoutError:
        raise PageError(400, _("The file took too long to arrive. Please try again.")) from None


@asynccontextmanager
async def _slot(request: Request) -> AsyncIterator[None]:
    """Bound what uploads hold in memory: few at once, and one for each person.

    Raises:
        PageError: there are too many.
    """
    whose = request.state.viewer.account_id
    try:
        async with asyncio.timeout(_WAITS):
            while whose in _uploading:  # perhaps the same form, sent twice
                await _uploading[whose].wait()
    except TimeoutError:
        raise PageError(429, _("Another of your files is on its way. Please wait until it's here."), 5) from None
    _uploading[whose] = asyncio.Event()
    try:
        try:
            async with asyncio.timeout(_WAITS):
                await _slots.acquire()
        except TimeoutError:
            raise PageError(503, str(Away.text), Away.retry_after) from None
        try:
            yield
        finally:
            _slots.release()
    finally:
        _uploading.pop(whose).set()


@page("/cpd/files/{id}", FOR_MEDIATORS, download=True)
async def download(request: Request) -> Response:
    """Hand out a file. Like the copy of one's data, it goes past the API, which has no files."""
    try:
        found = await opened_file(make_context(request), read_id(request.path_params["id"]))
    except Forbidden as forbidden:
        raise PageError(403, str(forbidden)) from None
    except Away as away:
        raise PageError(503, str(away), away.retry_after) from None
    except Damaged:
        raise PageError(410, _("This file is damaged, and can't be read any more. Please attach it again.")) from None
    if found is None:
        raise nothing_here()
    return attachment(found.data, found.name, found.media_type)


@page("/cpd/files/{id}/remove", FOR_MEDIATORS, document="evidence", methods=POST)
async def remove(request: Request) -> Response:
    """Delete a file."""
    typed = await read_form(request)
    outcome = await mutate(request, "DetachFile", id=request.path_params["id"])
    if outcome.problems:
        raise nothing_here()
    entry_id, back = read_id(typed.get("entry", "")), local_path(typed.get("back", "/logbook"))
    return accepted(request, f"/cpd/{entry_id}?back={quote(back)}&done=detached")
