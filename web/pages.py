"""One page for each link that a mail carries, and for signing in."""

from starlette.routing import BaseRoute

routes: list[BaseRoute] = []
