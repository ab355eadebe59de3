"""Turns a request's cookie or token into its viewer, and guards changes against other origins.

A token is in a header that no browser sends by itself, so a page of any site may call with one. A request with that
header neither uses nor sets cookies.
"""

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from permissions.viewer import Viewer, network
from resolvers.access import viewer_of_session, viewer_of_token
from resolvers.errors import Unauthenticated
from settings import Settings

# Paths that look the same to everybody, and don't need the database.
ANONYMOUS = ("/static/", "/healthz", "/readyz")
DEVICE_DAYS = 365


def bound(settings: Settings, name: str) -> str:
    """Name a cookie of ours; over TLS its prefix binds it to this host (RFC 6265bis, 4.1.3.2)."""
    return f"__Host-{name}" if settings.is_https else name


def keep(settings: Settings, response: Response, name: str, value: str, seconds: int) -> None:
    """Put a value into a cookie of ours that no script can read; remove the cookie if the value is empty."""
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
    """Put a session's secret into the answer's cookie; remove the cookie if the secret is empty."""
    keep(settings, response, "session", secret, settings.session_days * 86400)


def device_cookie_name(settings: Settings) -> str:
    """Name the cookie that marks a browser that has signed in before."""
    return bound(settings, "device")


def keep_device(settings: Settings, response: Response, device: str) -> None:
    """Mark a browser as one of its owner's. The cookie opens nothing, so signing out leaves it."""
    keep(settings, response, "device", device, DEVICE_DAYS * 86400)


def has_token(scope: Scope) -> bool:
    """Whether a header of the request says who's asking; then its cookies are ignored."""
    return any(name == b"authorization" for name, _ in scope["headers"])


def is_foreign(settings: Settings, request: HTTPConnection) -> bool:
    """Whether a browser says that the request comes from another site; programs don't say, and are let in."""
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
    """Middleware: sets `request.state.viewer`, and `request.state.ended` if the cookie or token isn't valid."""

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


# Our pages load only our own files. Pages that need more (GraphiQL, a caught mail) set their own policy.
PAGES_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def security_headers(settings: Settings) -> dict[str, str]:
    """Give the headers of every answer that doesn't set its own."""
    headers = {
        "Content-Security-Policy": PAGES_CSP,
        "X-Content-Type-Options": "nosniff",
        # Our addresses, which may contain a link's secret, aren't passed on.
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    if settings.is_https:
        headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    return headers


REALM = 'Bearer realm="api"'
# For scripts of other sites, which have a token and no cookie, so never with Access-Control-Allow-Credentials.
CROSS_ORIGIN = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Retry-After, WWW-Authenticate",
}


def answer_headers(scope: Scope, status: int) -> dict[str, str]:
    """Give the additional headers of an answer with this status to this request."""
    by_token = has_token(scope)
    headers = CROSS_ORIGIN if by_token and scope["path"] == "/graphql" else {}
    if status == 401:
        headers = {**headers, "WWW-Authenticate": f'{REALM}, error="invalid_token"' if by_token else REALM}
    return headers


def _raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


class SecurityHeaders:
    """Middleware: gives each answer its headers."""

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
