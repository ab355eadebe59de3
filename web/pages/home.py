"""The home page: a welcome for visitors, and for people who are signed in, what they need in each of their roles."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from i18n import lazy_gettext as _
from models.account import Role
from permissions.viewer import Viewer
from resolvers.paging import MAX_PAGE_SIZE
from web.client import query
from web.menu import MenuItem
from web.page import FOR_ADMINISTRATORS, FOR_MEDIATORS, FOR_REVIEWERS, FOR_SIGNED_IN, page
from web.pages.reviewer_answer import asked
from web.rendering import render

# The operation for what each role finds there.
_PARTS = {
    Role.MEDIATOR: "HomeOfMediator",
    Role.REVIEWER: "HomeOfReviewer",
    Role.ADMIN: "HomeOfAdministrator",
}


@page(
    "/",
    documents={
        "home": FOR_SIGNED_IN,
        "home_administrator": FOR_ADMINISTRATORS,
        "home_directories": FOR_SIGNED_IN,
        "home_mediator": FOR_MEDIATORS,
        "home_reviewer": FOR_REVIEWERS,
        "reviewer_answer": FOR_REVIEWERS,
    },
    menu=MenuItem(_("Home"), 10),
)
async def home(request: Request) -> Response:
    """Welcome everybody."""
    viewer: Viewer = request.state.viewer
    if viewer.account_id is None:
        return render(request, "home/welcome.html")
    found = await query(request, "Home")
    parts: dict[str, Any] = {}
    if viewer.verified and not viewer.lacks_second_factor:
        parts["directories"] = await _directories(request)
        for role in viewer.roles & _PARTS.keys():
            parts[role.value] = await query(request, _PARTS[role])
        if Role.REVIEWER in viewer.roles:
            parts["asked"] = await asked(request)
    return render(request, "home/show.html", me=found["me"], parts=parts)


async def _directories(request: Request) -> list[dict[str, Any]]:
    """Give all directories: everybody who's signed in may know who verifies experience."""
    listed: list[dict[str, Any]] = []
    after, more = None, True
    while more:
        found = (await query(request, "Directories", after=after, first=MAX_PAGE_SIZE))["directories"]
        listed += found["nodes"]
        after, more = found["pageInfo"]["endCursor"], found["pageInfo"]["hasNextPage"]
    return listed
