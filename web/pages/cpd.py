"""Continuing professional development: its table, which stands below the logbook's, its export and its entries."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from web import words
from web.forms import day, minutes, one_of, text
from web.listing import Column, Filter, Listing, View
from web.pages import entries
from web.rendering import MEDIATORS, page
from web.sheets import export
from web.words import CPD_KIND, DAY, HOURS

COLUMNS = (
    Column("endedOn", "Last day", DAY, "ENDED_ON"),
    Column("kind", "Kind", CPD_KIND, "KIND"),
    Column("title", "Title", sort="TITLE"),
    Column("provider", "Provider", sort="PROVIDER"),
    Column("minutes", "Hours", HOURS, "MINUTES"),
)
FILTERS = (
    Filter("kind", "Kind", words.CPD_KINDS),
    Filter("year", "Year", found="years"),
    Filter("text", "Words"),
)
CPD = Listing(
    "cpd",
    COLUMNS,
    FILTERS,
    more=(
        Column("startedOn", "First day"),
        Column("evidenceUrl", "Evidence"),
        Column("takeaways", "Takeaways"),
    ),
    prefix="cpd-",
)

COURSE = entries.EntryForm(
    name="cpd",
    noun="CpdEntry",
    field="cpdEntry",
    readers={
        "kind": one_of(words.CPD_KINDS),
        "title": text,
        "provider": text,
        "startedOn": day,
        "endedOn": day,
        "minutes": minutes,
        "evidenceUrl": text,
        "takeaways": text,
    },
    required=frozenset({"kind", "title", "startedOn", "endedOn", "minutes"}),
    labels={
        "kind": "Kind",
        "title": "Title",
        "provider": "Provider",
        "startedOn": "First day",
        "endedOn": "Last day",
        "minutes": "Duration in hours",
        "evidenceUrl": "Link to evidence",
        "takeaways": "Takeaways",
    },
    defaults={},
)


async def sheet(request: Request) -> Response:
    """Export the CPD of a view."""
    return await export(request, View(request, CPD, "/logbook"), "cpd", "Export", ("me", "mediator", "cpd"))


routes: list[BaseRoute] = [Route("/cpd.csv", page(sheet, MEDIATORS)), *entries.routes(COURSE)]
