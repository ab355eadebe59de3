"""Signing in and out: who gets in, what the cookie is like, where it leads, and what it never reveals."""

import pytest

from models.account import Role
from permissions.secrets import address_hash
from resolvers import limits
from tests.hub import PASSWORD, Hub, opened, payload
from tests.web.reading import FOREIGN, HOSTILE, cookie, everything, exhausted, is_a_page, problems

UNKNOWN = "x" * 43


async def test_another_site_cannot_sign_anyone_in_or_out_or_search_for_them(hub: Hub) -> None:
    ann = await hub.mediator()
    before = await everything(hub)
    forms = {"/signin": {"email": ann.email, "password": PASSWORD}, "/signout": {}, "/give": {"search": "Ann"}}
    for path, form in forms.items():
        for headers in FOREIGN:
            response = await hub.client.post(path, data=form, headers=headers | cookie(ann))
            assert is_a_page(response, 403)
            assert "set-cookie" not in response.headers
            assert PASSWORD not in response.text
    assert await everything(hub) == before


async def test_signing_in_starts_a_session_and_leads_to_the_page_that_asked_for_it(hub: Hub) -> None:
    ann = await hub.person(Role.ADMIN, name=HOSTILE)
    page = await hub.client.get("/signin?next=/graphiql")
    assert is_a_page(page)
    assert 'name="next" value="/graphiql"' in page.text
    form = {"email": ann.email.upper(), "password": PASSWORD, "next": "/graphiql"}
    response = await hub.client.post("/signin", data=form)
    assert (response.status_code, response.headers["location"]) == (303, "/graphiql")
    session, device = (one.split("; ") for one in response.headers.get_list("set-cookie"))
    secret, *attributes = session
    assert sorted(attributes) == ["HttpOnly", f"Max-Age={90 * 86400}", "Path=/", "SameSite=lax"]
    assert device[0].startswith("device=")
    assert sorted(device[1:]) == ["HttpOnly", f"Max-Age={365 * 86400}", "Path=/", "SameSite=lax"]
    home = await hub.client.get("/", headers={"cookie": secret})
    assert is_a_page(home)
    assert "Welcome, &lt;script&gt;" in home.text
    assert 'href="/graphiql"' in home.text


async def test_over_tls_the_cookie_is_secure_and_bound_to_its_host(hub: Hub) -> None:
    async with opened(hub.services, base_url="https://logbook.demo.example") as tls:
        ann = await tls.mediator()
        response = await tls.client.post("/signin", data={"email": ann.email, "password": PASSWORD})
        secret, *attributes = response.headers["set-cookie"].split("; ")
        assert secret.startswith("__Host-session=")
        assert {"Secure", "HttpOnly", "Path=/"} <= set(attributes)
        assert not any(attribute.startswith("Domain") for attribute in attributes)


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "evil",
        "",
        "/x\r\nset-cookie: session=x",
        "javascript:alert(1)",
        "/ü",
        " /x",
    ],
)
async def test_signing_in_never_leads_to_another_site(hub: Hub, wanted: str) -> None:
    ann = await hub.mediator()
    form = {"email": ann.email, "password": PASSWORD, "next": wanted}
    response = await hub.client.post("/signin", data=form)
    assert (response.status_code, response.headers["location"]) == (303, "/")
    assert is_a_page(await hub.client.get("/signin", params={"next": f'"><b>{wanted}'}))


async def test_a_wrong_password_starts_no_session_and_reveals_nothing(hub: Hub) -> None:
    ann = await hub.mediator()
    before = await everything(hub)
    wrong = await hub.client.post("/signin", data={"email": ann.email, "password": "not my password"})
    nobody = await hub.client.post("/signin", data={"email": "nobody@demo.example", "password": "not my password"})
    for response in (wrong, nobody):
        assert is_a_page(response, 422)
        assert problems(response) == [(None, "The email address or the password is wrong.")]
        assert "set-cookie" not in response.headers
        assert "not my password" not in response.text
    assert wrong.text.replace(ann.email, "nobody@demo.example") == nobody.text
    assert await everything(hub) == before


async def test_after_too_many_wrong_passwords_the_page_says_when_to_try_again(hub: Hub) -> None:
    ann = await hub.mediator()
    await exhausted(hub, limits.SIGN_IN_ACCOUNT, 10, address_hash(hub.settings, ann.email), "127.0.0.1")
    response = await hub.client.post("/signin", data={"email": ann.email, "password": PASSWORD})
    assert is_a_page(response, 429)
    assert 1 <= int(response.headers["retry-after"]) <= 600
    assert f'value="{ann.email}"' in response.text
    assert PASSWORD not in response.text
    assert "set-cookie" not in response.headers


async def test_signing_out_ends_the_session_and_removes_the_cookie(hub: Hub) -> None:
    ann = await hub.mediator()
    assert (await hub.client.get("/signout", headers=cookie(ann))).status_code == 405
    response = await hub.client.post("/signout", headers=cookie(ann))
    assert (response.status_code, response.headers["location"]) == (303, "/")
    assert "Max-Age=0" in response.headers["set-cookie"]
    assert not await hub.rows("SELECT 1 FROM session")
    assert (await hub.client.post("/signout")).headers["location"] == "/"


async def test_an_ended_session_counts_as_signed_out_and_its_cookie_is_removed(hub: Hub) -> None:
    for path in ("/", "/signin", "/done/stop", f"/feedback/{UNKNOWN}"):
        response = await hub.client.get(path, headers={"cookie": "session=ended"})
        assert response.headers["set-cookie"].startswith('session=""; HttpOnly; Max-Age=0')
    welcome = await hub.client.get("/", headers={"cookie": "session=ended"})
    assert is_a_page(welcome)
    assert 'href="/signin"' in welcome.text


async def test_signing_in_with_an_ended_session_starts_a_new_one(hub: Hub) -> None:
    ann = await hub.mediator()
    form = {"email": ann.email, "password": PASSWORD}
    response = await hub.client.post("/signin", data=form, headers={"cookie": "session=ended"})
    assert "Max-Age=0" not in response.headers["set-cookie"]
    assert len(await hub.rows("SELECT 1 FROM session WHERE account_id = $1", ann.id)) == 2


async def test_an_api_token_opens_no_session(hub: Hub) -> None:
    ann = await hub.mediator()
    made = payload(await hub.change("createApiToken", {"name": "t"}, "token", by=ann))
    before = await everything(hub)
    for path, form in {"/signin": {"email": ann.email, "password": PASSWORD}, "/signout": {}}.items():
        response = await hub.client.post(path, data=form, headers={"authorization": f"Bearer {made['token']}"})
        assert is_a_page(response, 404)
        assert "set-cookie" not in response.headers
    after = await everything(hub)
    assert after | {"api_token": ""} == before | {"api_token": ""}
