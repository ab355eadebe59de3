"""No answer leads to a host that the client made up, whatever the header, path or form of the request."""

import asyncio
import re
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from starlette.routing import Route

from tests.browser.serving import HOST, served
from tests.hub import Hub
from web.pages import routes

EVIL = "evil.example"
PATHS = sorted({re.sub(r"\{\w+\}", "x", route.path) for route in routes if isinstance(route, Route)})
HOSTS = (
    f"Host: {EVIL}",
    f"Host: {EVIL}:99",
    f"Host: {EVIL}/x?y#z",
    "Host: [",
    "Host: ",
    f"Host: 127.0.0.1\r\nX-Forwarded-Host: {EVIL}\r\nX-Forwarded-Proto: ftp\r\nForwarded: host={EVIL}",
)
ODD = (
    *(
        f"/{prefix}{EVIL}{end}"
        for prefix in ("", "/", "\\", "/\\", "%2f", "%5c", "/%2f", "//")
        for end in ("", "/", "//")
    ),
    *(
        f"/signin/{rest}"
        for rest in ("/", "?next=//" + EVIL, f"/{EVIL}/", "..//", "%2e%2e/", "%0d%0aLocation:%20x/", "?a=%0d%0a")
    ),
    *(f"http://{EVIL}{path}" for path in ("/signin/", "/logbook/", "//x/", "/")),
    *("/static", "/static/", "/static//", f"/static//{EVIL}/", "/graphql/", "/healthz/", "/graphiql/", "//", "///"),
    *("/logbook/?next=1&b=%C3%A9", "/give/x/", "/feedback/%E2%80%AE/", "/done/feedback//"),
)


@pytest.fixture
async def site(hub: Hub) -> AsyncIterator[Hub]:
    """A hub that is served."""
    async with served(hub.services) as site:
        yield site


async def told(site: Hub, path: str, host: str, method: str = "GET") -> tuple[int, str, str]:
    """Status, head and body of an answer over its own connection."""
    reader, writer = await asyncio.open_connection(HOST, urlsplit(site.settings.base_url).port)
    request = (
        f"{method} {path} HTTP/1.1\r\n{host}\r\nConnection: close\r\nAccept: text/html\r\nContent-Length: 0\r\n\r\n"
    )
    writer.write(request.encode())
    head, _, body = (await reader.read()).decode(errors="replace").partition("\r\n\r\n")
    writer.close()
    return int(head.split(" ")[1]), head, body


async def checked(site: Hub, path: str, host: str, method: str = "GET") -> tuple[int, str | None]:
    status, head, body = await told(site, path, host, method)
    places = re.findall(r"(?im)^location: (.*?)\r?$", head)
    assert status < 500, (path, host)
    assert len(places) <= 1, head
    for place in places:
        assert re.match(r"/(?![/\\])", place), (path, host, place)
    if EVIL not in path:
        assert EVIL not in head + body, (path, host)
    return status, places[0] if places else None


@pytest.mark.parametrize("host", HOSTS)
async def test_one_slash_too_many_leads_to_the_page_on_this_host(site: Hub, host: str) -> None:
    for path in PATHS:
        for method in ("GET", "POST"):
            status, _ = await checked(site, path, host, method)
            assert status != 307, path
            if path != "/":
                assert await checked(site, f"{path}/", host, method) == (307, path)
                assert await checked(site, f"{path}//?a=b%20c", host, method) == (307, f"{path}?a=b%20c")


@pytest.mark.parametrize("host", HOSTS)
async def test_no_odd_path_leads_to_another_host(site: Hub, host: str) -> None:
    for path in ODD:
        await checked(site, path, host)
    assert await checked(site, f"http://{EVIL}/signin/", host) == (307, "/signin")
    assert await checked(site, "/static", host) == (404, None)
    assert await checked(site, f"//{EVIL}/", host) == (404, None)
