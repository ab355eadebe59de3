"""The web application: routes, middleware, and what lasts as long as the process does."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from i18n import gettext as _
from jobs.waker import Waker
from models.database import Database, connect
from resolvers.errors import Failure, fault
from resolvers.limits import Limiter
from settings import Settings
from web import graphiql, metrics
from web.availability import Availability
from web.client import PageError, nothing_here
from web.graphql import Graphql
from web.health import healthz, readyz
from web.logs import RequestLog
from web.pages import menu, routes
from web.rendering import asked_for, error_page
from web.viewers import SecurityHeaders, Viewers, answer_headers, security_headers

log = structlog.get_logger()

STATIC = Path(__file__).parent / "static"


class Assets(StaticFiles):
    """Our own files. They're the same for everybody, so browsers may keep them; with a `?v=`, for good."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer with a file."""
        response = await super().get_response(path, scope)
        kept = "31536000, immutable" if b"v=" in scope["query_string"] else "300"
        response.headers["Cache-Control"] = f"public, max-age={kept}"
        return response


async def server_error(request: Request, error: Exception) -> Response:
    """Answer a fault of ours with a reference that's in the log, too."""
    reference = str(uuid4())
    log.error("request_failed", reference=reference, exc_info=error)
    text = fault(reference)
    # Outside all middleware, because that may be what failed.
    headers = security_headers(request.app.state.settings) | answer_headers(request.scope, 500)
    headers["Connection"] = "close"  # as the server does after a fault; otherwise a client would go on using it
    if request.scope["path"] == "/graphql":
        extensions = {"code": Failure.code, "reference": reference}
        return JSONResponse({"errors": [{"message": text, "extensions": extensions}]}, 500, headers)
    response = _told(request, PageError(500, text))
    response.headers.update(headers)
    return response


async def refused(request: Request, error: Exception) -> Response:
    """Answer with an HTTP error that doesn't say why; or redirect, if the path only has a slash too many."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 404 and (meant := _without_slash(request)):
        return RedirectResponse(meant, 307)
    return _told(request, nothing_here() if status == 404 else PageError(status, _("This isn't possible.")))


def _without_slash(request: Request) -> str | None:
    """Give the address of ours that a path with slashes at its end must mean, or None.

    Starlette does the same, but redirects to any host the client names.
    """
    path = request.scope["path"].rstrip("/")
    there = {**request.scope, "path": path}
    if path == request.scope["path"] or all(one.matches(there)[0] is Match.NONE for one in request.app.routes):
        return None
    return asked_for(Request(there))


async def given_up(_request: Request, _error: Exception) -> Response:
    """Answer nobody: the client left before it had sent its whole request.

    The log and the metrics show this by the status.
    """
    return Response(status_code=499)  # as nginx calls it


def _told(request: Request, error: PageError) -> Response:
    """Show an error: people get a page, programs a line."""
    if "text/html" in request.headers.get("accept", ""):
        return error_page(request, error)
    return PlainTextResponse(f"{error.text}\n", error.status)


Connecting = Callable[[Settings], AbstractAsyncContextManager[Database]]


def make_app(
    settings: Settings, connecting: Connecting = connect, *, more_routes: Sequence[BaseRoute] = ()
) -> Starlette:
    """Make the application. It opens its connections with `connecting` when it starts.

    `more_routes` are pages that aren't the product's own, such as the demo's caught mail.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with connecting(settings) as database:
            app.state.database = database
            metrics.watch_pool(database, settings)
            app.state.limiter = Limiter(settings)
            app.state.waker = Waker(settings)
            try:
                yield
            finally:
                await app.state.waker.close()
                await app.state.limiter.close()

    every: list[BaseRoute] = [
        Route("/graphql", Graphql()),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        *graphiql.routes,
        *routes,
        Mount("/static", GZipMiddleware(Assets(directory=STATIC))),
        *more_routes,
    ]
    app = Starlette(
        routes=every,
        lifespan=lifespan,
        middleware=[
            Middleware(RequestLog),
            Middleware(SecurityHeaders, settings=settings),
            Middleware(Availability),
            Middleware(Viewers),
        ],
        exception_handlers={HTTPException: refused, ClientDisconnect: given_up, Exception: server_error},
    )
    app.router.redirect_slashes = False
    app.state.settings = settings
    app.state.menu = [*menu, graphiql.MENU_LINK]
    return app
