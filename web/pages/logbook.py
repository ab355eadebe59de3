"""The logbook's pages: both tables with the hours they add up to, their exports, and a case's own pages."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from models.logbook import LOGBOOK_FIELDS
from web import labels
from web.charts import hours_by_role
from web.client import execute
from web.csv_response import export
from web.entry_fields import column, filters
from web.listing import Listing, View
from web.pages import entries
from web.pages.cpd import CPD
from web.rendering import MEDIATORS, page, render

LOGBOOK = Listing(
    "logbook",
    tuple(column(field) for field in LOGBOOK_FIELDS if field.listed),
    filters("Logbook", LOGBOOK_FIELDS),
    more=tuple(column(field) for field in LOGBOOK_FIELDS if not field.listed),
)
CASE = entries.EntryForm(
    name="logbook",
    noun="LogbookEntry",
    field="logbookEntry",
    called="case",
    fields=LOGBOOK_FIELDS,
    heading=lambda case: f"{labels.ROLES[case['role']]}, {labels.day(case['endedOn'])}",
)


async def show(request: Request) -> Response:
    """Show cases and CPD, and what the cases add up to."""
    cases, courses = View(request, LOGBOOK, "/logbook"), View(request, CPD, "/logbook")
    found = await execute(request, "logbook", "Logbook", **cases.variables(), **courses.variables("cpd"))
    mediator = found["me"]["mediator"]
    return render(
        request,
        "logbook/list.html",
        cases=cases,
        courses=courses,
        mediator=mediator,
        chart=hours_by_role(mediator["experience"]),
    )


async def sheet(request: Request) -> Response:
    """Export the cases of a view."""
    view = View(request, LOGBOOK, "/logbook")
    return await export(request, view, "logbook", "Export", ("me", "mediator", "logbook"))


routes: list[BaseRoute] = [
    Route("/logbook", page(show, MEDIATORS)),
    Route("/logbook.csv", page(sheet, MEDIATORS)),
    *entries.routes(CASE),
]
