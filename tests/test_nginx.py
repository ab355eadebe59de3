"""The nginx of `deploy/` and PostgreSQL under compose log no secret of a link and nothing that somebody typed."""

import asyncio
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.routing import BaseRoute, Mount, Route

from demo import mailbox
from demo.processes import Processes
from tests.browser.serving import HOST, served
from tests.hub import Hub
from tests.nginx import SAMPLE, needed, nginx
from tests.servers import free_port
from tests.waiting import until
from web import graphiql
from web.pages import routes

SECRET = "Zq3-kestrel_9XbVq0tWfM1aYcN7dLrS2hKpJ5gE8uTi"
ROUTES: list[BaseRoute] = [*routes, *graphiql.routes, *mailbox.routes]
PATHS = sorted({re.sub(r"\{\w+(?::\w+)?\}", SECRET, one.path) for one in ROUTES if isinstance(one, Route | Mount)})
WITH_SECRET = [path for path in PATHS if SECRET in path]


@pytest.fixture
def processes() -> Iterator[Processes]:
    """The processes of this test."""
    needed()
    with Processes(Path(tempfile.mkdtemp(prefix="logbook-", dir="/tmp"))) as processes:
        yield processes


def logged(path: str) -> str:
    """What the sample logs of a path, by its own rules."""
    rules = re.findall(r'^    "~(.*)" "?(.*?)"?;$', SAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rules) == 2
    for rule, written in rules:
        if found := re.search(rule.replace("(?<", "(?P<"), path):
            return str(written.replace("$first", found["first"]))
    return "-"


def test_only_the_first_word_of_one_of_our_paths_is_logged() -> None:
    assert len(WITH_SECRET) > 12
    for path in PATHS:
        assert logged(path) in {path, "/" + path.split("/")[1] + "/*"}, "each starts with one of our words"
    for path in [
        *WITH_SECRET,
        f"/{SECRET}",
        f"//{SECRET}",
        f"/{SECRET}/x",
        f"/x/{SECRET}",
        f"/x/\n/{SECRET}",
        f"/x{SECRET}",
    ]:
        assert not any(part in logged(path) for part in (SECRET, "Zq3", "kestrel"))


def texts(folder: Path) -> str:
    return "\n".join(file.read_text(errors="replace") for file in folder.iterdir() if file.suffix == ".log")


async def written(folder: Path, what: str, times: int) -> None:
    """Wait until something is in the logs that often: a line is written after its answer."""

    async def there() -> bool:
        return texts(folder).count(what) >= times

    await until(there)


async def raw(port: int, request: bytes) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(request)
    await reader.read()
    writer.close()


async def test_nginx_logs_what_was_done_and_no_secret(hub: Hub, processes: Processes) -> None:
    """Even if everything goes wrong: web servers away, too much sent, invalid requests, other hosts."""
    port, plain, away = free_port(), free_port(), free_port()
    referer = {"referer": f"https://logbook.example/give/{SECRET}", "user-agent": SECRET, "x-forwarded-for": SECRET}
    async with served(hub.services) as site, httpx.AsyncClient(headers=referer) as client:
        upstream = httpx.URL(site.settings.base_url).port
        assert upstream
        with nginx(processes, port, plain, upstream) as folder:
            for path in PATHS:
                for method in ("GET", "POST"):
                    await client.request(
                        method, f"http://{HOST}:{port}{path}?token={SECRET}", data={"password": SECRET}
                    )
            through = await client.get(f"http://{HOST}:{port}/signin/")
            assert (through.status_code, through.headers["location"]) == (307, "/signin")
            moved = await client.get(f"http://{HOST}:{plain}/give/{SECRET}", headers={"host": "evil.example"})
            assert moved.headers["location"] == f"https://logbook.example/give/{SECRET}"
            large = await client.post(f"http://{HOST}:{port}/feedback/{SECRET}", content=b"x" * 12_000_000)
            assert large.status_code == 413
            odd = f"GET /give/{SECRET} HTTP/1.1\r\nHost: {SECRET}\r\nConnection: close\r\n\r\n".encode()
            for request in (
                odd,
                odd.replace(b"GET", b"G~T"),
                odd.replace(b"/1.1", b"/9"),
                odd.replace(b"GET /give/", b"G "),
            ):
                await raw(port, request)
            # The last request: when it's logged, all those before it are, too.
            await client.get(f"http://{HOST}:{port}/healthz")
            await written(folder, " /healthz ", 1)
            lines = (folder / "logbook.log").read_text().splitlines()
            logs = [path for path in PATHS if not path.startswith("/receipt")]
            assert len(lines) >= 2 * len(logs) + 4
            for path in logs:
                assert any(f" GET {logged(path)} " in line for line in lines), path
            assert "/receipt" not in texts(folder), "not even when one was used"
            assert SECRET not in texts(folder)
            assert HOST not in texts(folder).replace(f"{HOST}:{upstream}", "")
        with nginx(processes, port := free_port(), free_port(), away) as folder:
            for path in WITH_SECRET:
                answer = await client.get(f"http://{HOST}:{port}{path}")
                assert answer.status_code == 502
            await written(folder, " 502 ", sum(not path.startswith("/receipt") for path in WITH_SECRET))
            assert SECRET not in texts(folder)


def test_postgresql_under_compose_logs_no_values() -> None:
    """Messages about conflicts quote the row, and those about errors the statement, unless told not to."""
    compose = (SAMPLE.parents[1] / "compose.yaml").read_text(encoding="utf-8")
    (command,) = re.findall(r"^  postgres:\n(?:    .*\n)*?    command: (.*)$", compose, re.MULTILINE)
    for setting in (
        "log_error_verbosity=terse",
        "log_min_error_statement=panic",
        "log_parameter_max_length_on_error=0",
    ):
        assert f'"{setting}"' in command
