"""A reviewer's answer to mediators who appointed them, given on the home page, and how they know each other."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from resolvers.paging import MAX_PAGE_SIZE
from web import labels
from web.client import FormOutcome, mutate, nothing_here, query, to_fix
from web.form_body import Form, read_form
from web.forms import read_choice, read_fields, read_text
from web.page import FOR_REVIEWERS, POST, page
from web.proofs import accepted
from web.rendering import render

_READERS = {"relation": read_choice(labels.RELATIONS), "relationDetails": read_text}


async def asked(request: Request) -> list[dict[str, Any]]:
    """Give all appointments that wait and ask for the reviewer; the page has to run `reviewer_answer`."""
    listed: list[dict[str, Any]] = []
    after, more = None, True
    while more:
        found = (await query(request, "Asked", after=after, first=MAX_PAGE_SIZE))["waitingAppointments"]
        listed += found["nodes"]
        after, more = found["pageInfo"]["endCursor"], found["pageInfo"]["hasNextPage"]
    return listed


async def say_relation(request: Request, operation: str, typed: Form, **more: str | None) -> FormOutcome:
    """Run a mutation that says how a reviewer knows a mediator."""
    values, problems = read_fields(typed, _READERS, ("relation",))
    return to_fix(problems) if problems else await mutate(request, operation, **values, **more)


@page("/review/{id}/accept", FOR_REVIEWERS, document="reviewer_answer", methods=POST)
async def accept(request: Request) -> Response:
    """Accept a mediator's appointment. If something needs fixing, the form comes back on a page of its own."""
    typed, mediator_id = await read_form(request), request.path_params["id"]
    outcome = await say_relation(request, "AcceptAppointment", typed, mediatorId=mediator_id)
    if not outcome.problems:
        return accepted(request, "/?done=accepted")
    appointment = next((one for one in await asked(request) if one["mediatorId"] == mediator_id), None)
    if appointment is None:
        raise nothing_here()
    return render(request, "reviewer/answer.html", outcome=outcome, typed=typed, appointment=appointment)


@page("/review/{id}/decline", FOR_REVIEWERS, document="reviewer_answer", methods=POST)
async def decline(request: Request) -> Response:
    """Decline the appointment with this id."""
    outcome = await mutate(request, "DeclineAppointment", id=request.path_params["id"])
    if outcome.problems:
        raise nothing_here()
    return accepted(request, "/?done=declined")
