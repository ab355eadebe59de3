"""Learnings: all of a mediator's reflections over time, in one table."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from web import labels
from web.client import execute
from web.csv_response import export
from web.labels import DAY, LEARNING_KIND, LEARNING_SOURCE
from web.listing import Column, Filter, Listing, View
from web.rendering import MEDIATORS, page, render

LEARNINGS = Listing(
    "learnings",
    (
        Column("date", "Day", DAY, "DATE"),
        Column("source", "From", LEARNING_SOURCE, "SOURCE"),
        Column("kind", "Kind", LEARNING_KIND, "KIND"),
        Column("text", "What you wrote"),
    ),
    (
        Filter("source", "From", labels.LEARNING_SOURCES),
        Filter("kind", "Kind", labels.LEARNING_KINDS),
        Filter("year", "Year", found="years"),
        Filter("text", "Words"),
    ),
)


async def show(request: Request) -> Response:
    """Show the reflections."""
    view = View(request, LEARNINGS, "/learnings")
    found = await execute(request, "learning", "Learnings", **view.variables())
    return render(request, "learning.html", view=view, mediator=found["me"]["mediator"])


async def sheet(request: Request) -> Response:
    """Export the reflections of a view."""
    view = View(request, LEARNINGS, "/learnings")
    return await export(request, view, "learning", "Export", ("me", "mediator", "learnings"))


routes: list[BaseRoute] = [
    Route("/learnings", page(show, MEDIATORS)),
    Route("/learnings.csv", page(sheet, MEDIATORS)),
]
