"""The logbook's pages: both tables and the hours they add up to, their exports, and the pages of a case."""

from starlette.requests import Request
from starlette.responses import Response

from i18n import lazy_gettext as _
from models.logbook import LOGBOOK_FIELDS
from web import labels
from web.charts import hours_by_role, told_apart
from web.client import query
from web.csv_response import csv_export
from web.entry_fields import CONTACT_HOURS, column, filters
from web.listing import Listing, View
from web.menu import MenuItem
from web.page import FOR_MEDIATORS, page
from web.pages import entries
from web.pages.cpd import CPD_LISTING
from web.rendering import render
from web.session_csv import sessions_listing, sessions_of

LOGBOOK_LISTING = Listing(
    "logbook",
    tuple(column(field) for field in LOGBOOK_FIELDS if field.listed),
    filters("LogbookFilter", LOGBOOK_FIELDS),
    more=(CONTACT_HOURS, *(column(field) for field in LOGBOOK_FIELDS if not field.listed)),
)
LOGBOOK_FORM = entries.EntryForm(
    name="logbook",
    noun="LogbookEntry",
    field="logbookEntry",
    called="case",
    fields=LOGBOOK_FIELDS,
    confirms=True,
    heading=lambda case: f"{labels.ROLES[case['role']]}, {labels.day(case['endedOn'])}",
)


@page("/logbook", FOR_MEDIATORS, document="logbook", menu=MenuItem(_("Logbook"), 20))
async def logbook(request: Request) -> Response:
    """Show cases and CPD, and what the cases add up to."""
    cases, cpd = View(request, LOGBOOK_LISTING, "/logbook"), View(request, CPD_LISTING, "/logbook")
    found = await query(request, "Logbook", **cases.variables(), **cpd.variables("cpd"))
    mediator = found["me"]["mediator"]
    return render(
        request,
        "logbook/list.html",
        cases=cases,
        cpd=cpd,
        mediator=mediator,
        hours=told_apart(mediator["experience"]),
        chart=hours_by_role(mediator["experience"]),
    )


export_logbook = csv_export(
    "/logbook.csv",
    FOR_MEDIATORS,
    LOGBOOK_LISTING,
    document="logbook",
    operation="ExportLogbook",
    found_at=("me", "mediator", "logbook"),
)
export_sessions = csv_export(
    "/sessions.csv",
    FOR_MEDIATORS,
    sessions_listing(LOGBOOK_FIELDS, LOGBOOK_LISTING.filters, days=True),
    document="logbook",
    operation="ExportSessions",
    found_at=("me", "mediator", "logbook"),
    spread=sessions_of,
)
logbook_pages = entries.entry_pages(LOGBOOK_FORM)
