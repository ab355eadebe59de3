"""The answer while the database is away or all its connections are in use: 503, and when to try again.

It is one middleware, because anything may need the database: finding out who's asking, a page, a file.
"""

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.pool import Unavailable
from resolvers.errors import Away
from schema.execution import failure
from web.client import PageError
from web.rendering import error_page

log = structlog.get_logger()


def away(request: Request) -> Response:
    """Answer, in the format that was asked for, that nothing can be done just now."""
    error = Away()
    if request.scope["path"] == "/graphql":
        return JSONResponse(failure(error), 503, {"Retry-After": str(error.retry_after)})
    if "text/html" in request.headers.get("accept", ""):
        return error_page(request, PageError(503, str(error), error.retry_after))
    return PlainTextResponse(f"{error}\n", 503, {"Retry-After": str(error.retry_after)})


class Availability:
    """Middleware: answers 503 if the database can't be reached before the answer has begun."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        began = False

        async def send_noting_start(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            await self._app(scope, receive, send_noting_start)
        except Unavailable as error:
            if began or scope["type"] != "http":
                raise
            log.warning("database_away", exc_info=error)
            await away(Request(scope, receive))(scope, receive, send)
