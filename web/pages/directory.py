"""A directory's pages: finding a mediator, and what verifies their experience. Administrators have them, too.

They read a mediator as a directory does, whatever else the viewer is to that mediator: private mediators, and the
viewers themselves, don't exist here. An administrator who isn't a directory reads as an administrator, and sees
everybody else.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from i18n import lazy_gettext as _
from models.account import Role
from models.cpd import CPD_FIELDS
from models.logbook import LOGBOOK_FIELDS
from permissions.viewer import Standing, Viewer
from web.charts import hours_by_year
from web.client import query
from web.csv_response import csv_export
from web.entry_fields import CONTACT_HOURS, column, filters, readable
from web.labels import MONTH
from web.listing import Filter, ListColumn, Listing, View
from web.menu import MenuItem
from web.page import FOR_DIRECTORIES, page
from web.pages.cpd import CERTIFICATE
from web.rendering import render
from web.session_csv import sessions_listing, sessions_of

MEDIATOR_LISTING = Listing("mediators", (), (Filter("search", _("Name")),))
# The month, because a directory doesn't see the days of cases.
DIRECTORY_LOGBOOK_LISTING = Listing(
    "logbook",
    (
        ListColumn("endedMonth", _("Month"), MONTH, "ENDED_MONTH"),
        *(column(field) for field in readable("LogbookEntry", LOGBOOK_FIELDS, Standing.DIRECTORY)),
    ),
    filters("LogbookFilter", LOGBOOK_FIELDS, Standing.DIRECTORY),
    more=(CONTACT_HOURS,),
)
DIRECTORY_CPD_LISTING = Listing(
    "cpd",
    (*(column(field) for field in readable("CpdEntry", CPD_FIELDS, Standing.DIRECTORY)), CERTIFICATE),
    filters("CpdFilter", CPD_FIELDS, Standing.DIRECTORY),
    prefix="cpd-",
)


def _standing(request: Request) -> str:
    viewer: Viewer = request.state.viewer
    return "DIRECTORY" if Role.DIRECTORY in viewer.roles else "ADMIN"


@page("/mediators", FOR_DIRECTORIES, document="directory", menu=MenuItem(_("Mediators"), 70))
async def search(request: Request) -> Response:
    """Find mediators by name, or list them all."""
    view = View(request, MEDIATOR_LISTING, "/mediators")
    wanted = view.filters.get("search")
    found = await query(
        request,
        "Mediators",
        standing=_standing(request),
        search=wanted,
        counted=wanted is not None,  # counting everybody takes long if there are many
        **view.variables(),
    )
    return render(request, "directory/list.html", view=view, mediators=found["mediators"])


@page("/mediators/{id}", FOR_DIRECTORIES, document="directory")
async def mediator(request: Request) -> Response:
    """Show what a mediator's experience adds up to, as mediator or in the role asked for, their cases and their CPD."""
    facts = _of(request)
    path = f"/mediators/{facts['id']}"
    cases, cpd = View(request, DIRECTORY_LOGBOOK_LISTING, path), View(request, DIRECTORY_CPD_LISTING, path)
    role = cases.filters.get("role")
    roles = [role] if role else None
    found = await query(request, "Mediator", roles=roles, **facts, **cases.variables(), **cpd.variables("cpd"))
    of = found["mediator"]
    return render(
        request,
        "directory/mediator.html",
        cases=cases,
        cpd=cpd,
        mediator=of,
        role=role,
        chart=hours_by_year(of["experience"]),
    )


def _of(request: Request) -> dict[str, Any]:
    """Give the variables that say which mediator, and by which standing."""
    return {"id": request.path_params["id"], "standing": _standing(request)}


export_mediator_logbook = csv_export(
    "/mediators/{id}/logbook.csv",
    FOR_DIRECTORIES,
    DIRECTORY_LOGBOOK_LISTING,
    document="directory",
    operation="ExportLogbook",
    found_at=("mediator", "logbook"),
    variables=_of,
)
export_mediator_sessions = csv_export(
    "/mediators/{id}/sessions.csv",
    FOR_DIRECTORIES,
    sessions_listing(
        readable("LogbookEntry", LOGBOOK_FIELDS, Standing.DIRECTORY), DIRECTORY_LOGBOOK_LISTING.filters, days=False
    ),
    document="directory",
    operation="ExportSessions",
    found_at=("mediator", "logbook"),
    variables=_of,
    spread=sessions_of,
)
export_mediator_cpd = csv_export(
    "/mediators/{id}/cpd.csv",
    FOR_DIRECTORIES,
    DIRECTORY_CPD_LISTING,
    document="directory",
    operation="ExportCpd",
    found_at=("mediator", "cpd"),
    variables=_of,
)
