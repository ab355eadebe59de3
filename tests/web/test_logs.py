import json
import logging
import sys
from collections.abc import Iterator
from io import StringIO
from typing import Any

import httpx
import pytest
import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from web import logs

CANARY = "canary@demo.example"


async def page(_request: Request) -> Response:
    structlog.get_logger().info("inside")
    return PlainTextResponse("ok")


async def broken(request: Request) -> Response:
    raise ValueError(f"{request.path_params['token']} is {CANARY}")


app = Starlette(
    routes=[
        Route("/feedback/{token}", page),
        Route("/receipt/{code}", page),
        Route("/broken/{token}", broken),
        Mount("/static", PlainTextResponse("a file")),
    ],
    middleware=[Middleware(logs.RequestLog)],
)


class Output(StringIO):
    """What the service wrote."""

    def lines(self) -> list[dict[str, Any]]:
        """Take the lines written since the last time, and check that there's nothing personal in them."""
        text = self.getvalue()
        self.seek(0)
        self.truncate()
        assert CANARY not in text
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Iterator[Output]:
    """Logs as the service writes them; afterwards back to those of the tests."""
    output = Output()
    monkeypatch.setattr(sys, "stdout", output)
    before = structlog.get_config()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure()
    structlog.configure(cache_logger_on_first_use=False)
    yield output
    root.handlers[:], root.level = handlers, level
    structlog.configure(**before)


async def get(path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(path, headers={"user-agent": CANARY, "cookie": f"session={CANARY}"})


async def test_a_request_is_logged_in_one_line_and_all_its_lines_have_its_id(output: Output) -> None:
    await get("/feedback/abc")
    inside, request = output.lines()
    assert (inside["event"], request["event"]) == ("inside", "request")
    assert inside["request"] == request["request"]
    assert (request["method"], request["status"]) == ("GET", 200)
    assert request["ms"] >= 0
    await get("/feedback/abc")
    assert output.lines()[-1]["request"] != request["request"]


async def test_no_line_says_when_a_receipt_was_used(output: Output) -> None:
    assert (await get("/receipt/abc")).status_code == 200
    assert [line["event"] for line in output.lines()] == ["inside"]


@pytest.mark.parametrize(
    ("path", "route"),
    [
        (f"/feedback/{CANARY}", "/feedback/{token}"),
        (f"/feedback/abc?email={CANARY}", "/feedback/{token}"),
        (f"/static/{CANARY}", "/static"),
        (f"/{CANARY}", None),
        (f"//feedback/{CANARY}", None),
        (f"/feedback/{CANARY}%0A/x", None),
    ],
)
async def test_a_line_names_the_route_and_nothing_that_was_typed(path: str, route: str | None, output: Output) -> None:
    await get(path)
    assert output.lines()[-1]["route"] == route


def fail() -> None:
    raise LookupError(CANARY) from OSError(CANARY)


async def test_an_error_is_logged_only_by_its_type_and_place(output: Output) -> None:
    assert (await get(f"/broken/{CANARY}")).status_code == 500
    (request,) = output.lines()
    assert (request["route"], request["status"]) == ("/broken/{token}", 500)
    try:
        fail()
    except LookupError as error:
        structlog.get_logger().error("failed", exc_info=error)
    (written,) = output.lines()
    assert (written["error"], written["cause"]) == ("LookupError", "OSError")
    assert all(place.startswith("test_logs.py:") for place in written["at"])
    assert written["at"][-1].endswith(" fail")


def test_lines_that_libraries_log_lose_their_message(output: Output) -> None:
    logger = logging.getLogger("some.library")
    try:
        fail()
    except LookupError:
        logger.exception("no %s", CANARY)
    logger.error("no %s", CANARY, stack_info=True)
    logger.error(OSError(CANARY))
    logger.warning("perhaps no %s", CANARY)
    with_error, without, of_error = output.lines()
    assert (with_error["event"], with_error["logger"]) == ("library", "some.library")
    assert with_error["error"] == "LookupError"
    assert without["line"].startswith("test_logs.py:")
    assert of_error["error"] == "OSError"


def test_a_library_that_logs_more_elsewhere_only_adds_errors(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    logger = logging.getLogger("some.talkative.library")
    monkeypatch.setattr(logger, "level", logging.INFO)  # as plain arq does with its own
    logger.info("perhaps no %s", CANARY)
    logger.error("no %s", CANARY)
    assert [line["event"] for line in output.lines()] == ["library"]
