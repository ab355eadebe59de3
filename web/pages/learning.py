"""Learnings: all of a mediator's reflections over time, in one table."""

from starlette.requests import Request
from starlette.responses import Response

from i18n import lazy_gettext as _
from web import labels
from web.client import query
from web.csv_response import csv_export
from web.listing import Filter, ListColumn, Listing, View
from web.menu import MenuItem
from web.page import FOR_MEDIATORS, page
from web.rendering import render

LEARNING_LISTING = Listing(
    "learnings",
    (
        ListColumn("date", _("Date"), labels.DAY, "DATE"),
        ListColumn("source", _("From"), labels.LEARNING_SOURCE, "SOURCE"),
        ListColumn("kind", _("Kind"), labels.LEARNING_KIND, "KIND"),
        ListColumn("text", _("What you wrote")),
    ),
    (
        Filter("source", _("From"), labels.LEARNING_SOURCES),
        Filter("kind", _("Kind"), labels.LEARNING_KINDS),
        Filter("year", _("Year"), found="years"),
        Filter("text", _("Search")),
    ),
)


@page("/learnings", FOR_MEDIATORS, document="learning", menu=MenuItem(_("Learnings"), 30))
async def learnings(request: Request) -> Response:
    """Show the reflections."""
    view = View(request, LEARNING_LISTING, "/learnings")
    found = await query(request, "Learnings", **view.variables())
    return render(request, "learning.html", view=view, mediator=found["me"]["mediator"])


export_learnings = csv_export(
    "/learnings.csv",
    FOR_MEDIATORS,
    LEARNING_LISTING,
    document="learning",
    operation="ExportLearnings",
    found_at=("me", "mediator", "learnings"),
)
