"""GraphiQL is only for administrators, loads nothing from elsewhere, and says how to set it up if it's missing."""

from collections.abc import AsyncIterator, Awaitable, Callable
from html.parser import HTMLParser
from pathlib import Path
from uuid import uuid4

import pytest
from httpx import ASGITransport, AsyncClient, Response
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from models.account import Role
from permissions.viewer import Viewer
from web import graphiql

ADMIN = Viewer(account_id=uuid4(), roles=frozenset({Role.ADMIN}))
OTHERS = [frozenset[Role](), *(frozenset({role}) for role in Role if role is not Role.ADMIN)]

Ask = Callable[[Viewer, str], Awaitable[Response]]


class AsViewer:
    """Hands each request the viewer that the test has chosen, as the sign-in does in the product."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.viewer = Viewer()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["viewer"] = self.viewer
        await self.app(scope, receive, send)


@pytest.fixture
async def ask() -> AsyncIterator[Ask]:
    app = AsViewer(Starlette(routes=graphiql.routes))
    async with AsyncClient(transport=ASGITransport(app), base_url="http://logbook.example") as client:

        async def ask(viewer: Viewer, path: str) -> Response:
            app.viewer = viewer
            return await client.get(path)

        yield ask


@pytest.fixture
def assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "graphiql"
    monkeypatch.setattr(graphiql, "ASSETS", folder)
    return folder


@pytest.fixture
def built(assets: Path) -> Path:
    assets.mkdir()
    (assets / "installed").write_text("5eed")
    return assets


class Loaded(HTMLParser):
    """Gathers what a page loads, and the text of each script and style element."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline = ""
        self.inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href"}]
        self.inline += "".join(name for name, _ in attrs if name.startswith("on") or name == "style")

    def handle_data(self, data: str) -> None:
        if self.inside in {"script", "style"}:
            self.inline += data.strip()


def directives(response: Response) -> dict[str, str]:
    policy = response.headers["content-security-policy"]
    return dict(directive.split(" ", 1) for directive in policy.split("; "))


async def test_an_administrator_gets_a_page_that_loads_only_from_this_host(ask: Ask, built: Path) -> None:
    response = await ask(ADMIN, "/graphiql")
    assert response.status_code == 200
    loaded = Loaded(response.text)
    assert sorted(loaded.addresses) == [
        "/static/graphiql/page.css?v=5eed",
        "/static/graphiql/page.js?v=5eed",
        "data:,",
    ]
    assert not loaded.inline


async def test_the_policy_allows_no_other_host_and_no_inline_script(ask: Ask, built: Path) -> None:
    policy = directives(await ask(ADMIN, "/graphiql"))
    assert policy.pop("style-src") == "'self' 'unsafe-inline'"
    assert policy.pop("img-src") == "'self' data:"
    assert {name for name, sources in policy.items() if sources == "'none'"} == {
        "default-src",
        "base-uri",
        "form-action",
        "frame-ancestors",
    }
    assert {name for name, sources in policy.items() if sources == "'self'"} == {
        "script-src",
        "worker-src",
        "font-src",
        "connect-src",
    }
    assert len(policy) == 8


@pytest.mark.parametrize("state", ["built", "assets"])
async def test_the_page_is_neither_stored_nor_sniffed_nor_sent_as_a_referrer(
    ask: Ask, state: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(state)
    headers = (await ask(ADMIN, "/graphiql")).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-security-policy"] == graphiql.GRAPHIQL_CSP


async def test_an_administrator_with_other_roles_gets_the_page(ask: Ask, built: Path) -> None:
    response = await ask(Viewer(account_id=uuid4(), roles=frozenset(Role)), "/graphiql")
    assert response.status_code == 200


async def test_anyone_signed_out_is_sent_to_sign_in_and_back(ask: Ask, built: Path) -> None:
    response = await ask(Viewer(), "/graphiql")
    assert response.status_code == 303
    assert response.headers["location"] == "/signin?next=/graphiql"
    assert not response.content


@pytest.mark.parametrize("roles", OTHERS, ids=lambda roles: "+".join(roles) or "no role")
async def test_for_everybody_else_there_is_no_such_page(ask: Ask, built: Path, roles: frozenset[Role]) -> None:
    viewer = Viewer(account_id=uuid4(), roles=roles)
    hidden, unknown = await ask(viewer, "/graphiql"), await ask(viewer, "/no-such-page")
    assert hidden.status_code == unknown.status_code == 404
    assert hidden.content == unknown.content
    assert hidden.headers == unknown.headers


async def test_without_assets_the_page_says_what_to_run(ask: Ask, assets: Path) -> None:
    response = await ask(ADMIN, "/graphiql")
    assert response.status_code == 503
    assert "<pre>make setup</pre>" in response.text
    assert Loaded(response.text).addresses == ["data:,"]


async def test_half_built_assets_count_as_missing(ask: Ask, built: Path) -> None:
    (built / "page.js").write_text("")
    (built / "installed").unlink()
    assert (await ask(ADMIN, "/graphiql")).status_code == 503
