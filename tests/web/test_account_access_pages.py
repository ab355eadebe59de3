"""What opens an account besides its password, and the copy of its data: what's shown, made and ended, and for whom."""

import re
from html import unescape

import pytest

from resolvers import limits
from tests.hub import Hub, payload
from tests.web.reading import (
    HOSTILE,
    everything,
    exhausted,
    followed,
    get,
    is_a_page,
    led_to,
    link,
    only_id,
    post,
    problems,
)
from tests.world import put_token

NOBODYS = "3f0c2f0e-1111-4222-8333-444455556666"


async def test_signed_in_browsers_are_listed_and_signed_out(hub: Hub) -> None:
    ann = await hub.mediator()
    session = await only_id(hub, "session", ann)
    elsewhere = await hub.sign_in(ann.email)
    page = await get(hub, elsewhere, "/account")
    assert is_a_page(page)
    assert page.text.count("This browser, now") == 1
    assert page.text.count("/end") == 2
    assert elsewhere.cookie not in page.text
    response = await post(hub, elsewhere, f"/account/sessions/{session}/end")
    assert led_to(response) == "/account?done=browser"
    assert "session" not in response.cookies
    assert "That browser has been signed out." in (await followed(hub, response, elsewhere)).text
    assert (await get(hub, ann, "/account")).status_code == 303
    own = await post(hub, elsewhere, f"/account/sessions/{await only_id(hub, 'session', ann)}/end")
    assert "Max-Age=0" in own.headers["set-cookie"]
    assert not await hub.rows("SELECT 1 FROM session")


@pytest.mark.parametrize(("table", "path"), [("session", "sessions/{}/end"), ("api_token", "tokens/{}/revoke")])
async def test_what_belongs_to_somebody_else_looks_as_if_it_never_existed(hub: Hub, table: str, path: str) -> None:
    ann, bob = await hub.mediator(), await hub.mediator()
    await put_token(hub, bob)
    before = await everything(hub)
    address = f"/account/{path}"
    theirs = await post(hub, ann, address.format(await only_id(hub, table, bob)))
    nobodys = await post(hub, ann, address.format(NOBODYS))
    none = await post(hub, ann, address.format("%3Cb%3E"))
    assert is_a_page(theirs, 404)
    assert theirs.text == nobodys.text == none.text
    assert await everything(hub) == before


async def test_a_token_is_shown_once_and_opens_the_api_until_it_is_revoked(hub: Hub) -> None:
    ann = await hub.mediator()
    made = await post(hub, ann, "/account/tokens/new", name=HOSTILE, requestKey="k")
    assert is_a_page(made)
    (secret,) = re.findall(r'id="token"[^>]* value="([\w-]{43})"', made.text)
    assert 'data-copy="token"' in made.text
    assert "&lt;script&gt;" in made.text
    assert (await hub.ask("{ me { name } }", token=secret)).data["me"]["name"] == ann.name
    assert all(secret not in (text or "") for text in (await everything(hub)).values())
    again = await post(hub, ann, "/account/tokens/new", name=HOSTILE, requestKey="k")
    assert is_a_page(again)
    page = await get(hub, ann, "/account")
    assert is_a_page(page)
    for shown in (again, page):
        assert secret not in shown.text
        assert "&lt;script&gt;" in shown.text
    token = await only_id(hub, "api_token", ann)
    response = await post(hub, ann, f"/account/tokens/{token}/revoke")
    assert led_to(response) == "/account?done=revoked"
    revoked = await followed(hub, response, ann)
    assert "Revoked on" in revoked.text
    assert "/revoke" not in revoked.text
    assert (await hub.ask("{ me { name } }", token=secret)).codes == ["UNAUTHENTICATED"]


async def test_a_token_works_until_the_end_of_its_last_day(hub: Hub) -> None:
    ann = await hub.mediator()
    today = hub.database.now().date()
    made = await post(
        hub, ann, "/account/tokens/new", name="program", expiresAt=f"{today.day}.{today.month}.{today.year}"
    )
    (secret,) = re.findall(r'id="token"[^>]* value="([^"]+)"', made.text)
    assert re.search(rf"It works until\s+{today.day} {today:%b %Y}, 23:59 UTC", made.text)
    (row,) = await hub.rows("SELECT expires_at FROM api_token")
    assert f"{row['expires_at']:%Y-%m-%d %H:%M:%S}" == f"{today} 23:59:59"
    assert "errors" not in (await hub.ask("{ me { name } }", token=secret)).body
    async with hub.later(days=1) as then:
        assert (await then.ask("{ me { name } }", token=secret)).codes == ["UNAUTHENTICATED"]


@pytest.mark.parametrize(
    ("typed", "fields"),
    [
        ({"name": "", "expiresAt": ""}, ["name"]),
        ({"name": HOSTILE, "expiresAt": "soon"}, ["expiresAt"]),
        ({"name": HOSTILE, "expiresAt": "2020-01-31"}, ["expiresAt"]),
        ({"name": "x" * 201, "expiresAt": "2020-01-31"}, ["expiresAt", "name"]),
        ({"name": "n", "expiresAt": "0001-01-01"}, ["expiresAt"]),
    ],
)
async def test_a_token_with_an_invalid_name_or_day_is_not_created(
    hub: Hub, typed: dict[str, str], fields: list[str]
) -> None:
    ann = await hub.mediator()
    before = await everything(hub)
    response = await post(hub, ann, "/account/tokens/new", **typed, requestKey="k")
    assert is_a_page(response, 422)
    assert sorted(field or "" for field, _ in problems(response)) == fields
    for field, text in {**typed, "requestKey": "k"}.items():
        assert unescape(re.findall(rf'name="{field}"[^>]* value="([^"]*)"', response.text)[0]) == text
    assert await everything(hub) == before


async def test_one_token_too_many_is_a_problem_of_the_whole_form(hub: Hub) -> None:
    ann = await hub.mediator()
    for number in range(50):
        payload(await hub.change("createApiToken", {"name": f"t{number}"}, by=ann))
    response = await post(hub, ann, "/account/tokens/new", name="one more")
    assert is_a_page(response, 422)
    assert problems(response) == [(None, "You already have 50 API tokens. Please revoke one first.")]
    assert len(await hub.rows("SELECT 1 FROM api_token")) == 50


async def test_a_copy_is_requested_once_and_shows_its_progress_and_until_when_its_link_works(hub: Hub) -> None:
    ann = await hub.mediator()
    page = await get(hub, ann, "/account/export")
    assert "<progress" not in page.text
    assert "data-again" not in page.text
    (key,) = re.findall(r'name="requestKey" value="([^"]+)"', page.text)
    for _ in range(2):
        response = await post(hub, ann, "/account/export", requestKey=key)
        assert (response.status_code, response.headers["location"]) == (303, "/account/export")
    assert await hub.rows("UPDATE data_export SET percent = 40 RETURNING id")
    making = await get(hub, ann, "/account/export")
    assert is_a_page(making)
    assert re.findall(r'<progress [^>]*max="100" value="(\d+)"', making.text) == ["40"]
    assert 'data-again="3"' in making.text
    assert '<a href="/account/export">Check again</a>' in making.text
    assert '<form method="post">' not in making.text
    path = await link(hub, ann.email)
    (row,) = await hub.rows("SELECT expires_at FROM data_export")
    ready = await get(hub, ann, "/account/export")
    assert is_a_page(ready)
    assert "data-again" not in ready.text
    assert f"the link expires on {row['expires_at'].day} {row['expires_at']:%b %Y, %H:%M} UTC" in ready.text
    assert path.split("/")[-1] not in ready.text
    assert '<form method="post">' in ready.text
    async with hub.later(days=8) as then:
        await then.work()
        assert "the link expires" not in (await get(then, ann, "/account/export")).text


async def test_nobody_sees_the_progress_of_somebody_elses_copy(hub: Hub) -> None:
    ann, bob = await hub.mediator(), await hub.mediator()
    await post(hub, ann, "/account/export")
    page = await get(hub, bob, "/account/export")
    assert "<progress" not in page.text
    assert ann.email not in page.text


async def test_after_too_many_copies_the_page_says_when_to_try_again(hub: Hub) -> None:
    ann = await hub.mediator()
    await post(hub, ann, "/account/export")
    await exhausted(hub, limits.EXPORTS, 9, ann.id)
    response = await post(hub, ann, "/account/export")
    assert is_a_page(response, 429)
    assert re.search(r"try again in 2[34] hours", response.text)
    assert int(response.headers["retry-after"]) <= 86400
    assert "data-again" not in response.text  # which would send the form again
    assert len(await hub.rows("SELECT 1 FROM data_export")) == 1
