"""Learnings: all of a mediator's reflections over time, in one table."""

from starlette.requests import Request
from starlette.responses import Response

from i18n import lazy_gettext as _
from web import labels
from web.client import execute
from web.csv_response import csv_export
from web.listing import Column, Filter, Listing, View
from web.menu import MenuItem
from web.page import MEDIATORS, page
from web.rendering import render

LEARNINGS = Listing(
    "learnings",
    (
        Column("date", _("Date"), labels.DAY, "DATE"),
        Column("source", _("From"), labels.LEARNING_SOURCE, "SOURCE"),
        Column("kind", _("Kind"), labels.LEARNING_KIND, "KIND"),
        Column("text", _("What you wrote")),
    ),
    (
        Filter("source", _("From"), labels.LEARNING_SOURCES),
        Filter("kind", _("Kind"), labels.LEARNING_KINDS),
        Filter("year", _("Year"), found="years"),
        Filter("text", _("Search")),
    ),
)


@page("/learnings", MEDIATORS, document="learning", menu=MenuItem(_("Learnings"), 30))
async def learnings(request: Request) -> Response:
    """Show the reflections."""
    view = View(request, LEARNINGS, "/learnings")
    found = await execute(request, "Learnings", **view.variables())
    return render(request, "learning.html", view=view, mediator=found["me"]["mediator"])


export = csv_export(
    "/learnings.csv",
    MEDIATORS,
    LEARNINGS,
    document="learning",
    operation="ExportLearnings",
    found_at=("me", "mediator", "learnings"),
)
