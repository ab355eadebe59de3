"""GraphQL over HTTP: POST with a JSON body, answered by the viewer's own projection.

Status codes and media types follow the GraphQL-over-HTTP specification: everything that ran is a 200. A well-formed
request that couldn't start is a 200 for clients of plain JSON, and a 400 for those that accept GraphQL's own media
type.
"""

from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from i18n import gettext as _
from i18n import number
from resolvers.context import Context
from resolvers.errors import BadInput, Failure, Forbidden, Unauthenticated
from schema import execution
from settings import Settings
from web.metrics import operations_counted
from web.viewers import CROSS_ORIGIN, device_cookie_name, has_token, is_foreign, keep_device, keep_session

MAX_BODY = 256 * 1024  # bytes
_JSON = "application/json"
_GRAPHQL = "application/graphql-response+json"
_PREFLIGHT = CROSS_ORIGIN | {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "86400",
}


class _Unacceptable(Failure):
    """A malformed request; `status` says what's wrong."""

    code = "BAD_USER_INPUT"

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def make_context(request: Request) -> Context:
    """Give what resolvers need for this request."""
    state = request.app.state
    return Context(
        viewer=request.state.viewer,
        database=state.database,
        settings=state.settings,
        limiter=state.limiter,
        wake=state.waker.wake,
        device=_device(request),
    )


def _device(request: Request) -> str:
    """Give what the browser kept of an earlier sign-in. Cookies are only read again if one has that name."""
    name = device_cookie_name(request.app.state.settings)
    if name not in request.headers.get("cookie", "") or has_token(request.scope):
        return ""
    return request.cookies.get(name, "")


class Graphql:
    """The endpoint: an application of its own, because Starlette would wrap a function in two more."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever its method."""
        if scope["method"] == "OPTIONS":  # a browser asks whether another site's page may call: with a token, it may
            response = Response(status_code=204, headers=_PREFLIGHT)
        else:
            response = await graphql(Request(scope, receive, send))
        await response(scope, receive, send)


async def graphql(request: Request) -> Response:
    """Answer one request."""
    settings: Settings = request.app.state.settings
    by_token = has_token(request.scope)
    try:
        media_type = _media_type(request.headers.get("accept", "*/*"))
    except _Unacceptable as error:
        return _respond(error.status, execution.failure(error), _JSON)
    try:
        if request.method != "POST":
            raise _Unacceptable(405, _("Send queries and mutations by POST."))
        if not by_token and is_foreign(settings, request):
            raise Forbidden(_("Requests from other sites aren't answered."))
        if request.state.ended:
            raise Unauthenticated
        text, variables, operation = _parameters(await _body(request))
        context = make_context(request)
        answer = await execution.run(context, text, variables, operation)
    except Failure as error:
        operations_counted(error.code).inc()
        response = _respond(
            _STATUS.get(error.code, getattr(error, "status", 400)), execution.failure(error), media_type
        )
        if request.state.ended and not by_token:
            keep_session(settings, response, "")
        return response
    operations_counted(outcome(answer.body)).inc()
    if answer.away:
        return _respond(503, answer.body, media_type)
    response = _respond(200 if answer.started or media_type == _JSON else 400, answer.body, media_type)
    if not by_token:
        _keep_cookies(context, response)
    return response


def _keep_cookies(context: Context, response: Response) -> None:
    if context.new_session is not None:
        keep_session(context.settings, response, context.new_session)
    if context.new_device is not None:
        keep_device(context.settings, response, context.new_device)


_STATUS = {"UNAUTHENTICATED": 401, "FORBIDDEN": 403}


def outcome(body: dict[str, Any]) -> str:
    """Name how an operation ended: `ok`, or its first error's code."""
    return str(body["errors"][0]["extensions"]["code"]) if "errors" in body else "ok"


def _respond(status: int, body: dict[str, Any], media_type: str) -> Response:
    headers = {"Allow": "POST"} if status == 405 else {}
    waits = [error["extensions"].get("retryAfter", 0) for error in body.get("errors", ())]
    if any(waits):
        headers["Retry-After"] = str(max(waits))
    # Starlette leaves out the charset for these types, but the specification asks for it.
    return Response(orjson.dumps(body, default=str), status, headers, f"{media_type}; charset=utf-8")


def _media_type(accept: str) -> str:
    """Choose the answer's media type: GraphQL's own if it's named, otherwise JSON if that's acceptable."""
    wanted = [part.split(";")[0].strip().lower() for part in accept.split(",")]
    for media_type in wanted:
        if media_type in {_GRAPHQL, _JSON}:
            return media_type
    if any(media_type in {"*/*", "application/*", ""} for media_type in wanted):
        return _JSON
    raise _Unacceptable(406, _("Accept %(graphql)s or %(json)s.", graphql=_GRAPHQL, json=_JSON))


async def _body(request: Request) -> bytes:
    kind, _semicolon, parameters = request.headers.get("content-type", "").partition(";")
    if kind.strip().lower() != _JSON:
        raise _Unacceptable(415, _("Send %(json)s.", json=_JSON))
    for parameter in parameters.replace('"', "").lower().split(";"):
        name, _equals, value = parameter.strip().partition("=")
        if name == "charset" and value not in {"utf-8", "utf8"}:
            raise _Unacceptable(415, _("Send UTF-8."))
    body: bytes = b""
    while True:  # does what `request.stream` does, at a third of the cost
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise _Unacceptable(413, _("A request can have at most %(most)s bytes.", most=number(MAX_BODY)))
        if not message.get("more_body", False):
            return body


def _parameters(body: bytes) -> tuple[str, dict[str, Any] | None, str | None]:
    """Read query, variables and operationName; BadInput for any other body."""
    try:
        sent = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadInput(_("The body isn't valid JSON.")) from None
    if not isinstance(sent, dict):
        raise BadInput(_("Send one operation, as a JSON object."))
    text, variables, operation = sent.get("query"), sent.get("variables"), sent.get("operationName")
    if not isinstance(text, str) or not text.strip():
        raise BadInput(_("Give the document as a string in `query`."))
    if variables is not None and not isinstance(variables, dict):
        raise BadInput(_("Give `variables` as an object."))
    if operation is not None and not isinstance(operation, str):
        raise BadInput(_("Give `operationName` as a string."))
    if not isinstance(sent.get("extensions", {}), dict | None):
        raise BadInput(_("Give `extensions` as an object."))
    return text, variables, operation
