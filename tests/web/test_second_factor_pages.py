"""The second factor's pages: adding it, using it, renewing its recovery codes, losing it, removing it."""

import re
from datetime import timedelta

import httpx
from pyotp import TOTP

from models.account import Role
from tests.hub import PASSWORD, Hub, Person
from tests.hub import opened as opened_hub
from tests.web.reading import FOREIGN, cookie, everything, is_a_page, led_to, post, problems


def renewed(response: httpx.Response, who: Person) -> Person:
    """The same person with the session that the answer started."""
    (secret,) = re.findall(r"session=([\w-]{40,})", " ".join(response.headers.get_list("set-cookie")))
    return Person(who.id, who.name, who.email, secret)


def codes_of(response: httpx.Response) -> list[str]:
    assert is_a_page(response)
    return re.findall(r"<li><code>([^<]+)</code></li>", response.text)


async def added(hub: Hub, who: Person) -> tuple[Person, TOTP, list[str]]:
    begun = await post(hub, who, "/account/second-factor", password=PASSWORD)
    assert is_a_page(begun)
    assert "<svg width=" in begun.text
    (secret,) = re.findall(r'<code class="secret">([A-Z2-7]+)</code>', begun.text)
    totp = TOTP(secret)
    done = await post(
        hub, who, "/account/second-factor/confirm", code=totp.at(hub.database.now() - timedelta(seconds=30))
    )
    hub.client.cookies.clear()  # signing in would replace this browser's session
    return renewed(done, who), totp, codes_of(done)


async def test_a_factor_is_added_asked_for_at_sign_in_and_removed(hub: Hub) -> None:
    ann, totp, codes = await added(hub, await hub.mediator())
    assert len(set(codes)) == 10
    assert (
        "Signing in asks for your password and a code" in (await hub.client.get("/account", headers=cookie(ann))).text
    )
    form = {"email": ann.email, "password": PASSWORD}
    asked = await hub.client.post("/signin", data=form)
    assert is_a_page(asked)
    wrong = await hub.client.post("/signin", data={"code": "000000"})
    assert is_a_page(wrong, 422)
    right = await hub.client.post("/signin", data={"code": codes[0]})
    assert right.status_code == 303
    hub.client.cookies.clear()
    page = await hub.client.get("/account/second-factor", headers=cookie(ann))
    assert 'href="/account/second-factor/remove"' in page.text
    new = codes_of(await post(hub, ann, "/account/second-factor/codes", password=PASSWORD, code=codes[1]))
    assert not set(new) & set(codes)
    old = await post(hub, ann, "/account/second-factor/remove", password=PASSWORD, code=codes[2])
    assert is_a_page(old, 422)
    gone = await post(hub, ann, "/account/second-factor/remove", password=PASSWORD, code=totp.at(hub.database.now()))
    assert led_to(gone) == "/account?done=removed"
    assert (await hub.client.post("/signin", data=form)).status_code == 303


async def test_a_wrong_password_or_code_changes_nothing_and_says_where(hub: Hub) -> None:
    ann = await hub.mediator()
    before = await everything(hub)
    refused = await post(hub, ann, "/account/second-factor", password="not my password")
    assert is_a_page(refused, 422)
    assert [field for field, _ in problems(refused)] == ["password"]
    early = await post(hub, ann, "/account/second-factor/confirm", code="123456")
    assert is_a_page(early, 422)
    for path in ("/account/second-factor/codes", "/account/second-factor/remove"):
        assert is_a_page(await post(hub, ann, path, password=PASSWORD, code="123456"), 422)
    assert await everything(hub) == before
    begun = await post(hub, ann, "/account/second-factor", password=PASSWORD)
    (secret,) = re.findall(r'<code class="secret">([A-Z2-7]+)</code>', begun.text)
    before = await everything(hub)
    wrong = await post(hub, ann, "/account/second-factor/confirm", code="000000")
    assert is_a_page(wrong, 422)
    assert [field for field, _ in problems(wrong)] == ["code"]
    assert secret not in wrong.text
    assert await everything(hub) == before


async def test_forms_from_other_sites_or_from_anyone_signed_out_change_nothing(hub: Hub) -> None:
    ann = await hub.mediator()
    before = await everything(hub)
    for path in ("", "/confirm", "/codes", "/remove"):
        form = {"password": PASSWORD, "code": "123456"}
        for headers in FOREIGN:
            refused = await hub.client.post(f"/account/second-factor{path}", data=form, headers=headers | cookie(ann))
            assert is_a_page(refused, 403)
        assert is_a_page(await hub.client.post(f"/account/second-factor{path}", data=form), 401)
    assert await everything(hub) == before


async def test_an_administrator_who_needs_a_factor_is_sent_to_add_one(hub: Hub) -> None:
    async with opened_hub(hub.services, admin_second_factor=True) as strict:
        admin = await strict.person(Role.ADMIN)
        home = await strict.client.get("/", headers=cookie(admin))
        assert is_a_page(home)
        assert 'href="/account/second-factor"' in home.text
        assert is_a_page(await strict.client.get("/account", headers=cookie(admin)))
        assert is_a_page(await strict.client.get("/mediators", headers=cookie(admin)), 403)
        admin, _, _ = await added(strict, admin)
        strict.client.cookies.clear()
        assert is_a_page(await strict.client.get("/mediators", headers=cookie(admin)))
