"""The start page: a welcome to who is signed out; to others what they come for, in each of their roles."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from models.account import Role
from permissions.viewer import Viewer
from web.client import execute
from web.rendering import page, render

# What each role finds there: its document, and where the answer has it.
_PARTS = {Role.MEDIATOR: ("home_mediator", "me"), Role.REVIEWER: ("home_reviewer", "mediators")}


async def home(request: Request) -> Response:
    """Welcome whoever comes."""
    viewer: Viewer = request.state.viewer
    if viewer.account_id is None:
        return render(request, "home/welcome.html")
    found = await execute(request, "home", "Home")
    parts: dict[str, Any] = {}
    if viewer.verified and not viewer.lacks_second_factor:
        parts["directories"] = await _directories(request)
        for role in viewer.roles & _PARTS.keys():
            document, name = _PARTS[role]
            parts[role.value] = (await execute(request, document, "Home"))[name]
    return render(request, "home/show.html", me=found["me"], parts=parts)


async def _directories(request: Request) -> list[dict[str, Any]]:
    """Give all directories: each signed-in user may know who verifies experience."""
    listed: list[dict[str, Any]] = []
    after, more = None, True
    while more:
        found = (await execute(request, "home_directories", "Directories", after=after))["directories"]
        listed += found["nodes"]
        after, more = found["pageInfo"]["endCursor"], found["pageInfo"]["hasNextPage"]
    return listed


routes: list[BaseRoute] = [Route("/", page(home))]
