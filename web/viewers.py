"""Turns a request's cookie or token into its viewer, and guards changes against other origins.

A token is in a header that no browser sends by itself, so whoever has it may call from a page of any site; a request
with that header neither uses cookies nor sets them.
"""

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from permissions.viewer import Viewer, network
from resolvers.access import viewer_of_session, viewer_of_token
from resolvers.errors import Unauthenticated
from settings import Settings

# Paths that look the same to everybody need no look into the database.
ANONYMOUS = ("/static/", "/healthz", "/readyz")
DEVICE_DAYS = 365


def bound(settings: Settings, name: str) -> str:
    """Name a cookie of ours; over TLS its prefix binds it to this host (RFC 6265bis, 4.1.3.2)."""
    return f"__Host-{name}" if settings.is_https else name


def keep(settings: Settings, response: Response, name: str, value: str, seconds: int) -> None:
    """Put a value into a cookie of ours, which no script reads; take the cookie away if the value is empty."""
    response.set_cookie(
        bound(settings, name),
        value,
        max_age=seconds if value else 0,
        path="/",
        secure=settings.is_https,
        httponly=True,
        samesite="lax",
    )


def cookie_name(settings: Settings) -> str:
    """Name the session's cookie."""
    return bound(settings, "session")


def keep_session(settings: Settings, response: Response, secret: str) -> None:
    """Put a session's secret into the answer's cookie; take the cookie away if the secret is empty."""
    keep(settings, response, "session", secret, settings.session_days * 86400)


def device_cookie_name(settings: Settings) -> str:
    """Name the cookie by which a browser is known that has signed in before."""
    return bound(settings, "device")


def keep_device(settings: Settings, response: Response, device: str) -> None:
    """Let a browser be known as one of its owner's. It opens nothing, so signing out leaves it."""
    keep(settings, response, "device", device, DEVICE_DAYS * 86400)


def has_token(scope: Scope) -> bool:
    """Whether a request says by a header who asks; then its cookies are none of its business."""
    return any(name == b"authorization" for name, _ in scope["headers"])


def is_foreign(settings: Settings, request: HTTPConnection) -> bool:
    """Whether a browser says that the request comes from another site; a program says nothing and is let in."""
    origin = request.headers.get("origin")
    if origin is not None:
        parts = urlsplit(settings.base_url)
        return origin != f"{parts.scheme}://{parts.netloc}"
    return request.headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}


def _address(request: HTTPConnection) -> str:
    return network(request.client.host) if request.client else ""


async def _viewer(request: HTTPConnection) -> Viewer:
    settings: Settings = request.app.state.settings
    address = _address(request)
    if has_token(request.scope):
        scheme, _, token = request.headers["authorization"].partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated
        return await viewer_of_token(request.app.state.database, settings, token.strip(), address)
    secret = request.cookies.get(cookie_name(settings))
    if secret:
        return await viewer_of_session(request.app.state.database, settings, secret, address)
    return Viewer(address=address)


class Viewers:
    """Middleware: sets `request.state.viewer`, and `request.state.ended` where cookie or token is not valid."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = HTTPConnection(scope)
        state = scope.setdefault("state", {})
        state["ended"] = False
        if scope["path"].startswith(ANONYMOUS):
            state["viewer"] = Viewer()
        else:
            try:
                state["viewer"] = await _viewer(request)
            except Unauthenticated:
                state["viewer"] = Viewer(address=_address(request))
                state["ended"] = True
        await self._app(scope, receive, send)


# A page of ours loads what is ours. What needs more (GraphiQL, a caught mail) sets its own policy.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def security_headers(settings: Settings) -> dict[str, str]:
    """Give the headers that every answer carries, unless it sets its own."""
    headers = {
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        # No address of ours, which may hold a link's secret, goes anywhere.
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    if settings.is_https:
        headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    return headers


REALM = 'Bearer realm="api"'
# Read by scripts of other sites, which have a token and no cookie: never with Access-Control-Allow-Credentials.
CROSS_ORIGIN = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Retry-After, WWW-Authenticate",
}


def answer_headers(scope: Scope, status: int) -> dict[str, str]:
    """Give the headers that an answer of this status to this request carries besides."""
    by_token = has_token(scope)
    headers = CROSS_ORIGIN if by_token and scope["path"] == "/graphql" else {}
    if status == 401:
        headers = {**headers, "WWW-Authenticate": f'{REALM}, error="invalid_token"' if by_token else REALM}
    return headers


def _raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


class SecurityHeaders:
    """Middleware: gives each answer the headers that it must carry."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._headers = _raw(security_headers(settings))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                has = {name for name, _ in message["headers"]}
                ours = [*self._headers, *_raw(answer_headers(scope, message["status"]))]
                message["headers"] = [*message["headers"], *(one for one in ours if one[0] not in has)]
            await send(message)

        await self._app(scope, receive, send_with_headers)
