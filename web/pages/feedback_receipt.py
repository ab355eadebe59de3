"""Receipts of feedback: a party sees again what they said, changes whether it's shared, or erases it."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from i18n import lazy_gettext as _
from web import labels
from web.client import FormOutcome, PageError, mutate, query
from web.form_body import Form, read_form
from web.page import FORM, page
from web.proofs import accepted
from web.rendering import render

UNKNOWN = _("We have no feedback with this receipt. Please check the code. If you erased your feedback, it's gone.")


@page("/receipt", document="feedback_receipt", methods=FORM)
async def find(request: Request) -> Response:
    """Take the code of a receipt from somebody who wrote it down."""
    if request.method != "POST":
        return render(request, "feedback_receipt/find.html")
    typed = await read_form(request)
    code = typed.get("code", "").strip()
    try:
        await query(request, "Receipt", code=code)
    except PageError as error:
        text = str(UNKNOWN) if error.status == 404 else error.text
        outcome = FormOutcome([{"field": "code", "message": text}], max(error.status, 422), error.retry_after)
        return render(request, "feedback_receipt/find.html", outcome=outcome, typed=typed)
    return RedirectResponse(f"/receipt/{quote(code, safe='')}", 303)


@page("/receipt/{secret}", document="feedback_receipt", methods=FORM)
async def show(request: Request) -> Response:
    """Show a piece of feedback to its giver, and change whether it's shared."""
    code = request.path_params["secret"]
    if request.method != "POST":
        return await _show(request, code, {}, FormOutcome())
    typed = await read_form(request)
    share, alone = typed.get("share") == "yes", typed.get("shareAlone") == "yes"
    outcome = await mutate(request, "ChangeFeedbackSharing", code=code, share=share, shareAlone=alone)
    if outcome.problems:
        outcome.problems[0]["field"] = None  # if it's been released, the field isn't there any more
        return await _show(request, code, typed, outcome)
    return accepted(request, f"/receipt/{quote(code, safe='')}?done=sharing")


async def _show(request: Request, code: str, typed: Form, outcome: FormOutcome) -> Response:
    found = await _found(request, code)
    receipt = found["feedbackReceipt"]
    now = {"share": "yes" if receipt["shared"] else "no", "shareAlone": "yes" if receipt["shareAlone"] else ""}
    return render(
        request,
        "feedback_receipt/show.html",
        outcome=outcome,
        typed=typed or now,
        receipt=receipt,
        code=code,
        questions=labels.question_texts(found["survey"]),
        scale=labels.rating_labels(found["survey"]),
    )


@page("/receipt/{secret}/erase", document="feedback_receipt", methods=FORM)
async def erase(request: Request) -> Response:
    """Erase a piece of feedback, once its giver has confirmed that."""
    code = request.path_params["secret"]
    if request.method != "POST":
        receipt = (await _found(request, code))["feedbackReceipt"]
        return render(request, "feedback_receipt/erase.html", receipt=receipt, code=code)
    outcome = await mutate(request, "EraseFeedback", code=code)
    if outcome.problems:
        raise PageError(outcome.status if outcome.status == 429 else 404, outcome.problems[0]["message"])
    return accepted(request, "/done/erased")


async def _found(request: Request, code: str) -> dict[str, dict[str, object]]:
    """Look up a receipt; raise PageError if there's none, or it's about the viewer."""
    try:
        return await query(request, "Receipt", code=code)
    except PageError as error:
        if error.status == 404:
            raise PageError(404, str(UNKNOWN)) from None
        raise
