"""The pages behind mailed links, sign-in and the start page: what they do, what they refuse, what they never show."""

import re
from html import unescape
from typing import Any

import httpx
import pytest

from models.account import Role
from resolvers import limits
from tests.hub import BASE_URL, PASSWORD, Hub, payload
from tests.web.reading import (
    FOREIGN,
    HOSTILE,
    cookie,
    everything,
    exhausted,
    followed,
    handed_out,
    is_a_page,
    led_to,
    link,
    problems,
)

NEW_PASSWORD = "a wholly new password"
UNKNOWN = "x" * 43


async def verify_link(hub: Hub) -> str:
    payload(await hub.change("signUp", {"name": "New", "email": "new@demo.example", "password": PASSWORD}))
    return await link(hub, "new@demo.example")


async def password_link(hub: Hub) -> str:
    ann = await hub.mediator(email="ann@demo.example")
    payload(await hub.change("requestPasswordReset", {"email": ann.email}))
    return await link(hub, ann.email)


async def invitation_link(hub: Hub) -> str:
    payload(await hub.change("inviteReviewer", {"email": "rev@demo.example"}, by=await hub.mediator()))
    return await link(hub, "rev@demo.example")


async def stop_link(hub: Hub) -> str:
    await ask_pat(hub)
    await hub.work()
    return f"/stop/{hub.secret('pat@demo.example', 'stop')}"


async def feedback_link(hub: Hub) -> str:
    await ask_pat(hub)
    return await link(hub, "pat@demo.example")


async def ask_pat(hub: Hub) -> None:
    request = {"partyName": "Pat", "partyEmail": "pat@demo.example", "mediationEndedOn": "2024-05-06"}
    ann = await hub.mediator(name="Ann")
    payload(await hub.change("requestFeedback", request | {"partyAgreed": True}, by=ann))


async def personal_link(hub: Hub) -> str:
    own = await hub.ask("{ me { mediator { feedbackLink } } }", by=await hub.mediator())
    found: str = own.data["me"]["mediator"]["feedbackLink"]
    return found.removeprefix(BASE_URL)


async def choice_link(hub: Hub) -> str:
    return f"/give/to/{(await hub.mediator()).id}"


LINKS = {
    "verify": verify_link,
    "password": password_link,
    "invitation": invitation_link,
    "stop": stop_link,
    "feedback": feedback_link,
    "give": personal_link,
    "to": choice_link,
}
SURVEY = {"capacity": "PARTY", "actedAs": "MEDIATOR", "answer-listening": "5"}
FORMS: dict[str, dict[str, Any]] = {
    "verify": {},
    "password": {"password": NEW_PASSWORD},
    "invitation": {"name": "Rev", "password": NEW_PASSWORD, "relation": "COLLEAGUE"},
    "stop": {},
    "feedback": SURVEY,
    "give": SURVEY,
    "to": SURVEY,
}


@pytest.mark.parametrize("name", LINKS)
async def test_opening_a_link_changes_nothing(hub: Hub, name: str) -> None:
    path = await LINKS[name](hub)
    before = await everything(hub)
    response = await hub.client.get(path)
    assert is_a_page(response)
    assert '<meta name="robots" content="noindex">' in response.text
    assert (await hub.client.head(path)).status_code == 200
    assert await everything(hub) == before


@pytest.mark.parametrize("path", ["/", "/signin", "/give"])
async def test_search_engines_may_find_the_pages_for_everybody(hub: Hub, path: str) -> None:
    response = await hub.client.get(path)
    assert is_a_page(response)
    assert "noindex" not in response.text


@pytest.mark.parametrize("name", LINKS)
async def test_the_form_behind_a_link_is_refused_from_another_site_and_changes_nothing(hub: Hub, name: str) -> None:
    path = await LINKS[name](hub)
    before = await everything(hub)
    for headers in FOREIGN:
        assert is_a_page(await hub.client.post(path, data=FORMS[name], headers=headers), 403)
    assert await everything(hub) == before
    accepted = await hub.client.post(path, data=FORMS[name] | {"begun": handed_out(hub)}, headers={"origin": BASE_URL})
    assert accepted.status_code == 303


@pytest.mark.parametrize("name", ["verify", "password", "invitation", "stop", "feedback", "give"])
async def test_a_link_that_never_existed_leads_to_a_helpful_404(hub: Hub, name: str) -> None:
    for secret in (UNKNOWN, "%3Cb%3E", "ü"):
        response = await hub.client.post(f"/{name}/{secret}", data=FORMS[name])
        assert is_a_page(response, 404)
        assert "This link doesn't work" in unescape(response.text)
        assert "<b>" not in response.text


@pytest.mark.parametrize("name", ["verify", "password", "invitation"])
async def test_a_used_link_looks_like_one_that_never_existed(hub: Hub, name: str) -> None:
    path = await LINKS[name](hub)
    assert (await hub.client.post(path, data=FORMS[name])).status_code == 303
    before = await everything(hub)
    spent = await hub.client.post(path, data=FORMS[name])
    assert is_a_page(spent, 404)
    assert spent.text == (await hub.client.post(f"/{name}/{UNKNOWN}", data=FORMS[name])).text
    assert await everything(hub) == before


async def test_after_trying_too_many_links_the_page_says_when_to_try_again(hub: Hub) -> None:
    await exhausted(hub, limits.LINK_TRIES, 100, "127.0.0.1")
    for name in ("verify", "password", "invitation", "stop", "feedback"):
        response = await hub.client.post(f"/{name}/{UNKNOWN}", data=FORMS[name])
        assert is_a_page(response, 429), name
        assert 1 <= int(response.headers["retry-after"]) <= 600
        assert re.search(r"try again in (a minute|\d+ minutes)", response.text)
    assert is_a_page(await hub.client.get(f"/feedback/{UNKNOWN}"), 429)


async def test_a_form_that_is_too_large_is_refused(hub: Hub) -> None:
    for path in ("/signin", "/give", f"/password/{UNKNOWN}", f"/feedback/{UNKNOWN}"):
        assert is_a_page(await hub.client.post(path, data={"email": "x" * 256 * 1024}), 413)


async def test_text_that_no_database_stores_is_refused_without_a_fault(hub: Hub) -> None:
    for path, form in {
        "/signin": {"email": "\0", "password": "\0"},
        "/give": {"search": "Ann\0"},
        f"/password/{UNKNOWN}": {"password": "\0" * 8},
        f"/invitation/{UNKNOWN}": {"name": "\0", "password": NEW_PASSWORD, "relation": "OTHER"},
        "/verify/%00": {},
        "/feedback/%00": FORMS["feedback"],
    }.items():
        assert is_a_page(await hub.client.post(path, data=form), 400), path


async def test_a_new_address_is_confirmed_by_pressing_the_button(hub: Hub) -> None:
    path = await verify_link(hub)
    response = await hub.client.post(path)
    assert led_to(response) == "/done/verify"
    (row,) = await hub.rows("SELECT email_verified_at FROM account WHERE email = 'new@demo.example'")
    assert row["email_verified_at"] is not None
    assert "is confirmed" in (await followed(hub, response)).text


async def test_a_password_is_set_and_works(hub: Hub) -> None:
    path = await password_link(hub)
    short = await hub.client.post(path, data={"password": "secret!"})
    assert is_a_page(short, 422)
    assert [field for field, _ in problems(short)] == ["password"]
    assert "secret!" not in short.text
    assert led_to(await hub.client.post(path, data={"password": NEW_PASSWORD})) == "/done/password"
    form = {"email": "ann@demo.example", "password": NEW_PASSWORD}
    assert (await hub.client.post("/signin", data=form)).status_code == 303


async def test_a_directorys_first_password_is_set_on_the_same_page(hub: Hub) -> None:
    admin = await hub.person(Role.ADMIN)
    new = {"name": "A Directory", "email": "directory@demo.example"}
    payload(await hub.change("createDirectory", new, by=admin))
    path = await link(hub, "directory@demo.example")
    assert path.startswith("/password/")
    assert (await hub.client.post(path, data={"password": NEW_PASSWORD})).status_code == 303
    form = {"email": "directory@demo.example", "password": NEW_PASSWORD}
    assert (await hub.client.post("/signin", data=form)).status_code == 303


async def test_requests_are_stopped_with_the_button_and_stay_stopped(hub: Hub) -> None:
    path = await stop_link(hub)
    for _ in range(2):
        response = await hub.client.post(path)
        assert led_to(response) == "/done/stop"
    assert len(await hub.rows("SELECT 1 FROM stopped_address")) == 1


async def test_an_invitation_creates_a_reviewers_account(hub: Hub) -> None:
    path = await invitation_link(hub)
    before = await everything(hub)
    bad = await hub.client.post(path, data={"name": HOSTILE, "password": "short!", "relation": "FAMILY"})
    assert is_a_page(bad, 422)
    assert [field for field, _ in problems(bad)] == ["relation", "password"]
    assert '<option value="FAMILY" selected>' in bad.text
    assert unescape(re.findall(r'id="name"[^>]* value="([^"]*)"', bad.text)[0]) == HOSTILE
    assert "short!" not in bad.text
    assert await everything(hub) == before
    unsaid = await hub.client.post(path, data={"name": "Rev", "password": NEW_PASSWORD})
    assert [field for field, _ in problems(unsaid)] == ["relation"]
    assert await everything(hub) == before
    good = await hub.client.post(path, data=FORMS["invitation"])
    assert led_to(good) == "/done/invitation"
    (row,) = await hub.rows("SELECT roles FROM account WHERE email = 'rev@demo.example'")
    assert row["roles"] == ["REVIEWER"]


async def test_an_invited_person_with_an_account_signs_in_to_accept(hub: Hub) -> None:
    rev = await hub.mediator(email="rev@demo.example", name=HOSTILE)
    path = await invitation_link(hub)
    before = await everything(hub)
    refused = await hub.client.post(path, data=FORMS["invitation"])
    assert is_a_page(refused, 422)
    assert problems(refused) == [
        (None, "There's already an account with this address. Please sign in to it to accept.")
    ]
    assert await everything(hub) == before
    assert f'href="/signin?next={path}"' in refused.text
    page = await hub.client.get(path, headers=cookie(rev))
    assert is_a_page(page)
    assert "You're signed in as &lt;script&gt;" in page.text
    own = {"relation": "OTHER", "relationDetails": "We met once"}
    assert led_to(await hub.client.post(path, data=own, headers=cookie(rev))) == "/done/invitation"
    (row,) = await hub.rows("SELECT roles FROM account WHERE id = $1", rev.id)
    assert row["roles"] == ["MEDIATOR", "REVIEWER"]


async def test_an_invitation_to_another_address_cannot_be_accepted_with_ones_own_account(hub: Hub) -> None:
    other = await hub.mediator()
    path = await invitation_link(hub)
    before = await everything(hub)
    response = await hub.client.post(path, data={"relation": "COLLEAGUE"}, headers=cookie(other))
    assert is_a_page(response, 422)
    assert [field for field, _ in problems(response)] == [None]
    assert "sent to a different address" in response.text
    assert await everything(hub) == before


async def test_the_start_page_shows_people_what_is_for_them(hub: Hub) -> None:
    signed_out = (await hub.client.get("/")).text
    assert 'href="/signin"' in signed_out
    assert 'href="/give"' in signed_out
    una = await hub.person(Role.MEDIATOR, Role.REVIEWER, verified=False)
    response = await hub.client.get("/", headers=cookie(una))
    assert is_a_page(response)
    assert una.name in response.text
    assert "confirm your email address first" in response.text
    assert "graphiql" not in response.text
    assert 'action="/signout"' in response.text


async def test_a_fault_of_ours_is_shown_only_as_a_reference(hub: Hub) -> None:
    ann = await hub.mediator()
    survey = SURVEY | {"begun": handed_out(hub)}
    hub.app.state.database._pool = None
    looked = await hub.client.get(f"/give/to/{ann.id}")
    given = await hub.client.post(f"/give/to/{ann.id}", data=survey | {"answer-impressed": "Patience"})
    for response in (looked, given):
        assert is_a_page(response, 500)
        assert re.search(r"Something went wrong. Reference: [0-9a-f-]{36}", response.text)
        assert "NoneType" not in response.text
    assert "Patience</textarea>" in given.text


BROWSER = {"accept": "text/html,application/xhtml+xml"}


async def test_an_address_that_leads_nowhere_is_a_page_for_people_and_a_line_for_programs(hub: Hub) -> None:
    for path in ("/nowhere", "/logbook/x/y/z", "/static/nowhere.css"):
        assert is_a_page(await hub.client.get(path, headers=BROWSER), 404)
        plain = await hub.client.get(path)
        assert (plain.status_code, plain.text) == (404, "There's nothing here.\n")
    assert is_a_page(await hub.client.get("/signout", headers=BROWSER), 405)


async def test_a_fault_outside_any_page_is_still_answered_with_all_our_headers(hub: Hub) -> None:
    ann = await hub.mediator()
    hub.app.state.database = None
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(hub.app, raise_app_exceptions=False), base_url=hub.settings.base_url
    )
    async with client:
        response = await client.get("/logbook", headers=BROWSER | cookie(ann))
        answer = await client.post("/graphql", json={"query": "{ me { id } }"}, headers=cookie(ann))
    assert is_a_page(response, 500)
    assert re.search(r"Reference: [0-9a-f-]{36}", response.text)
    assert answer.json()["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    for one in (response, answer):
        assert "frame-ancestors 'none'" in one.headers["content-security-policy"]
        assert one.headers["x-content-type-options"] == "nosniff"
