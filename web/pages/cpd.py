"""Continuing professional development: its table, which stands below the logbook's, its export and its entries."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from models.cpd import CPD_FIELDS
from web.csv_response import export
from web.entry_fields import column, filters
from web.listing import Listing, View
from web.pages import entries
from web.rendering import MEDIATORS, page

CPD = Listing(
    "cpd",
    tuple(column(field) for field in CPD_FIELDS if field.listed),
    filters("Cpd", CPD_FIELDS),
    more=tuple(column(field) for field in CPD_FIELDS if not field.listed),
    prefix="cpd-",
)
COURSE = entries.EntryForm(
    name="cpd",
    noun="CpdEntry",
    field="cpdEntry",
    called="entry",
    fields=CPD_FIELDS,
    heading=lambda course: str(course["title"]),
)


async def sheet(request: Request) -> Response:
    """Export the CPD of a view."""
    return await export(request, View(request, CPD, "/logbook"), "cpd", "Export", ("me", "mediator", "cpd"))


routes: list[BaseRoute] = [Route("/cpd.csv", page(sheet, MEDIATORS)), *entries.routes(COURSE)]
