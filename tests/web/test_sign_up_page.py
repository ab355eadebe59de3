"""Signing up and forgotten passwords: what they do, and that nobody learns from them who has an account."""

import re
from html import unescape

import pytest

from resolvers import limits
from tests.hub import PASSWORD, Hub
from tests.web.reading import (
    FOREIGN,
    HOSTILE,
    cookie,
    everything,
    exhausted,
    followed,
    is_a_page,
    led_to,
    link,
    problems,
    told,
)
from tests.world import put_token

NEW = {"name": "New", "email": "new@demo.example", "password": PASSWORD, "visibility": "PRIVATE"}
FORMS = {"/signup": NEW, "/forgotten": {"email": "ann@demo.example"}}


async def test_a_mediator_signs_up_confirms_the_address_and_signs_in(hub: Hub) -> None:
    page = await hub.client.get("/signup")
    assert is_a_page(page)
    (chosen,) = re.findall(r'value="(\w+)"[^>]*\schecked', page.text)
    assert chosen == "PRIVATE"
    assert "noindex" not in page.text
    response = await hub.client.post("/signup", data=NEW)
    assert led_to(response) == "/done/signup"
    done = await followed(hub, response)
    assert "new@demo.example" not in done.text
    assert (await hub.client.post(await link(hub, "new@demo.example"))).status_code == 303
    signed_in = await hub.client.post("/signin", data={"email": "new@demo.example", "password": PASSWORD})
    assert signed_in.status_code == 303
    (row,) = await hub.rows("SELECT visibility, roles FROM mediator JOIN account USING (id)")
    assert (row["visibility"], row["roles"]) == ("PRIVATE", ["MEDIATOR"])


async def test_a_mediator_can_choose_to_be_found_by_directories(hub: Hub) -> None:
    await hub.client.post("/signup", data=NEW | {"visibility": "DIRECTORIES"})
    assert [row["visibility"] for row in await hub.rows("SELECT visibility FROM mediator")] == ["DIRECTORIES"]


async def test_signing_up_with_a_taken_address_gets_the_same_answer_and_its_owner_a_mail(hub: Hub) -> None:
    ann = await hub.mediator(email="ann@demo.example")
    fresh = await hub.client.post("/signup", data=NEW)
    accounts = await hub.rows("SELECT id FROM account")
    taken = await hub.client.post("/signup", data=NEW | {"email": ann.email, "name": "Somebody else"})
    assert told(taken) == told(fresh)
    assert await hub.rows("SELECT id FROM account") == accounts
    await hub.work()
    assert len(hub.mails(ann.email)) == 1
    assert "Somebody else" not in hub.mail(ann.email)["text"]


async def test_a_problem_is_shown_at_its_field_and_what_was_typed_comes_back(hub: Hub) -> None:
    before = await everything(hub)
    bad = {"name": HOSTILE, "email": "pat@nowhere", "password": "short!", "visibility": "DIRECTORIES"}
    response = await hub.client.post("/signup", data=bad)
    assert is_a_page(response, 422)
    assert sorted(field or "" for field, _ in problems(response)) == ["email", "password"]
    assert unescape(re.findall(r'id="name"[^>]* value="([^"]*)"', response.text)[0]) == HOSTILE
    assert 'value="pat@nowhere"' in response.text
    assert re.findall(r'value="(\w+)"[^>]*\schecked', response.text) == ["DIRECTORIES"]
    assert "short!" not in response.text
    for visibility in ("EVERYBODY", ""):
        wrong = await hub.client.post("/signup", data=NEW | {"visibility": visibility})
        assert is_a_page(wrong, 422)
        assert [field for field, _ in problems(wrong)] == ["visibility"]
    empty = await hub.client.post("/signup", data={"visibility": "PRIVATE"})
    assert sorted(field or "" for field, _ in problems(empty)) == ["email", "name", "password"]
    assert is_a_page(await hub.client.post("/signup", data=NEW | {"name": "\0"}), 400)
    assert await everything(hub) == before


async def test_a_password_is_accepted_exactly_as_typed(hub: Hub) -> None:
    spaces = {"password": "  correct horse  "}
    assert (await hub.client.post("/signup", data=NEW | spaces)).status_code == 303
    assert (await hub.client.post("/signin", data={"email": NEW["email"]} | spaces)).status_code == 303


async def test_a_double_click_creates_one_account_and_one_mail(hub: Hub) -> None:
    page = await hub.client.get("/signup")
    (key,) = re.findall(r'name="requestKey" value="([^"]+)"', page.text)
    for _ in range(2):
        response = await hub.client.post("/signup", data=NEW | {"requestKey": key})
        assert led_to(response) == "/done/signup"
    assert len(await hub.rows("SELECT id FROM account")) == 1
    await hub.work()
    assert len(hub.mails()) == 1


async def test_a_forgotten_password_is_replaced_through_the_mailed_link(hub: Hub) -> None:
    ann = await hub.mediator(email="ann@demo.example")
    assert is_a_page(await hub.client.get("/forgotten"))
    response = await hub.client.post("/forgotten", data={"email": ann.email.upper()})
    assert led_to(response) == "/done/forgotten"
    assert "Please check your email" in (await followed(hub, response)).text
    path = await link(hub, ann.email)
    assert path.startswith("/password/")
    assert (await hub.client.post(path, data={"password": "a wholly new password"})).status_code == 303


async def test_a_forgotten_password_does_not_reveal_who_has_an_account(hub: Hub) -> None:
    await hub.mediator(email="ann@demo.example")
    known = await hub.client.post("/forgotten", data={"email": "ann@demo.example"})
    before = await everything(hub)
    unknown = await hub.client.post("/forgotten", data={"email": "nobody@demo.example"})
    assert told(unknown) == told(known)
    # Work is queued for both, so that timing gives nothing away either; only one of them is there to be mailed.
    assert await everything(hub) | {"outbox": ""} == before | {"outbox": ""}
    await hub.work()
    assert [mail["to"] for mail in hub.mails()] == ["ann@demo.example"]
    before = await everything(hub)
    wrong = await hub.client.post("/forgotten", data={"email": HOSTILE})
    assert is_a_page(wrong, 422)
    assert [field for field, _ in problems(wrong)] == ["email"]
    assert unescape(re.findall(r'id="email"[^>]* value="([^"]*)"', wrong.text)[0]) == HOSTILE
    assert await everything(hub) == before


@pytest.mark.parametrize("path", FORMS)
async def test_after_too_many_tries_the_page_says_when_to_try_again_and_keeps_what_was_typed(
    hub: Hub, path: str
) -> None:
    await hub.mediator(email="ann@demo.example")
    limit = {"/signup": limits.SIGN_UP, "/forgotten": limits.RESET_ADDRESS}[path]
    await exhausted(hub, limit, 60, "127.0.0.1")
    before = await everything(hub)
    response = await hub.client.post(path, data=FORMS[path])
    assert is_a_page(response, 429)
    assert 1 <= int(response.headers["retry-after"]) <= 3600
    assert re.search(r"try again in (a minute|\d+ minutes)", response.text)
    assert f'value="{FORMS[path]["email"]}"' in response.text
    assert PASSWORD not in response.text
    assert await everything(hub) == before


async def test_too_many_requests_for_a_link_get_the_same_answer_with_or_without_an_account(hub: Hub) -> None:
    await hub.mediator(email="ann@demo.example")
    answers = set()
    for address in ("ann@demo.example", "nobody@demo.example"):
        for _ in range(7):  # five are mailed straight away
            status, text, headers = told(await hub.client.post("/forgotten", data={"email": address}))
            answers.add((status, text, str(headers)))
    assert len(answers) == 1


@pytest.mark.parametrize("path", FORMS)
async def test_neither_other_sites_nor_programs_can_use_the_forms(hub: Hub, path: str) -> None:
    ann = await hub.mediator(email="ann@demo.example")
    secret = await put_token(hub, ann)
    token = {"authorization": f"Bearer {secret}"}
    assert is_a_page(await hub.client.post(path, data=FORMS[path], headers=token), 404)
    before = await everything(hub)
    for headers in FOREIGN:
        assert is_a_page(await hub.client.post(path, data=FORMS[path], headers=headers | cookie(ann)), 403)
    assert is_a_page(await hub.client.post(path, data=FORMS[path], headers=token), 404)
    assert await everything(hub) == before


async def test_the_pages_for_getting_in_link_to_each_other(hub: Hub) -> None:
    for path, others in {
        "/": ("/signin", "/signup"),
        "/signin": ("/signup", "/forgotten"),
        "/signup": ("/signin", "https://demo.example/privacy"),
        "/forgotten": ("/signin", "/signup"),
    }.items():
        page = (await hub.client.get(path)).text.partition('<main id="content">')[2].partition("</main>")[0]
        for other in others:
            assert f'href="{other}"' in page, (path, other)
