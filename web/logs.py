"""Structured logs: one JSON object a line, with the request's id, without personal data or links' secrets."""

import logging
import sys
import time
import traceback
from contextvars import ContextVar
from pathlib import Path
from random import getrandbits

import orjson
import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import EventDict

from web import metrics

log = structlog.get_logger()


# The id of the request that's being answered. It's a variable of our own because merging structlog's means a walk over
# all of them.
_request: ContextVar[str] = ContextVar("request")


def _with_request(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Write which request a line belongs to."""
    request = _request.get(None)
    if request is not None:
        event["request"] = request
    return event


def _without_messages(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Write an exception as its type and where it came from, because its text may quote what somebody typed."""
    error = event.pop("exc_info", None)
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        if error.__cause__ is not None:
            event["cause"] = type(error.__cause__).__name__
        frames = traceback.extract_tb(error.__traceback__)
        event["at"] = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames[-6:]]
    return event


def _json(event: object, **_: object) -> str:
    return orjson.dumps(event, default=str).decode()


def configure() -> None:
    """Write all logs of this process to standard output."""
    structlog.configure(
        processors=[
            _with_request,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            _without_messages,
            structlog.processors.JSONRenderer(_json),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.ERROR, handlers=[_Libraries(logging.ERROR)], force=True)


class _Libraries(logging.Handler):
    """Writes only that something went wrong in a library, and where: its message may quote statements and addresses."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else record.msg
        log.error("library", logger=record.name, line=f"{record.filename}:{record.lineno}", exc_info=error)


# A line has a time. Nothing says when somebody used a receipt, because that might tell whose feedback has changed.
_UNTIMED = "/receipt"


class RequestLog:
    """Middleware: one line for each request, and an id that all its lines carry.

    Instead of the path, only its route's pattern is written: the rest may be a link's secret.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        began = time.perf_counter()

        async def send_noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        token = _request.set(f"{getrandbits(128):032x}")
        try:
            await self._app(scope, receive, send_noting_status)
        finally:
            seconds = time.perf_counter() - began
            route = getattr(scope.get("route"), "path", None)  # the router sets it
            metrics.count_request(scope["method"], route, status, seconds)
            if not (route or "").startswith(_UNTIMED):
                log.info("request", method=scope["method"], route=route, status=status, ms=round(seconds * 1000, 1))
            _request.reset(token)
