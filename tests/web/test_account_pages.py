"""Account Settings: who has which page, what each form changes, what it refuses, and where it leads."""

import re
from html import unescape

import pytest

from models.account import Role
from resolvers import limits
from tests.hub import BASE_URL, PASSWORD, Hub
from tests.web.reading import (
    FOREIGN,
    HOSTILE,
    cookie,
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
    told,
)
from tests.world import put_cases, put_feedback, put_token

NEW_PASSWORD = "a wholly new password"
NOBODYS = "3f0c2f0e-1111-4222-8333-444455556666"

OWN = ("/account", "/account/name", "/account/email", "/account/password", "/account/delete")
VERIFIED = ("/account/tokens/new", "/account/export")
FORMS = {
    "/account/name": {"name": "Another"},
    "/account/email": {"email": "other@demo.example", "password": PASSWORD},
    "/account/password": {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD},
    "/account/delete": {"password": PASSWORD},
    "/account/sessions/{id}/end": {},
    "/account/tokens/new": {"name": "program"},
    "/account/tokens/{id}/revoke": {},
    "/account/export": {},
}


async def signs_in(hub: Hub, email: str, password: str) -> bool:
    response = await hub.client.post("/signin", data={"email": email, "password": password})
    hub.client.cookies.clear()
    return response.status_code == 303


@pytest.mark.parametrize("role", Role)
async def test_only_people_with_an_account_have_the_pages(hub: Hub, role: Role) -> None:
    person = await hub.person(role, name=HOSTILE)
    for path in (*OWN, *VERIFIED):
        page = await get(hub, person, path)
        assert is_a_page(page)
        assert "noindex" in page.text
        signed_out = await hub.client.get(path)
        assert (signed_out.status_code, signed_out.headers["location"]) == (303, f"/signin?next={path}")
    assert "&lt;script&gt;" in (await get(hub, person, "/account")).text
    secret = await put_token(hub, person)
    program = {"authorization": f"Bearer {secret}"}
    before = await everything(hub)
    for path, form in FORMS.items():
        address = path.format(id=person.id)
        assert is_a_page(await hub.client.post(address, data=form), 401), path
        refused = await hub.client.post(address, data=form, headers=program)
        assert is_a_page(refused, 404), path
        assert person.email not in refused.text
    after = await everything(hub)
    assert after | {"api_token": ""} == before | {"api_token": ""}  # its use was noted


async def test_no_form_is_accepted_from_another_site(hub: Hub) -> None:
    ann = await hub.mediator()
    await put_token(hub, ann)
    ids = {"sessions": await only_id(hub, "session", ann), "tokens": await only_id(hub, "api_token", ann)}
    before = await everything(hub)
    for path, form in FORMS.items():
        address = path.format(id=ids.get(path.split("/")[2]))
        for headers in FOREIGN:
            assert is_a_page(await hub.client.post(address, data=form, headers=headers | cookie(ann)), 403), path
    assert await everything(hub) == before


async def test_an_account_with_an_unconfirmed_address_has_no_tokens_and_no_copy(hub: Hub) -> None:
    una = await hub.mediator(verified=False)
    for path in OWN:
        assert is_a_page(await get(hub, una, path))
    page = await get(hub, una, "/account")
    assert "confirm your email address first" in page.text
    for hidden in ("API tokens", "/account/tokens", "/account/export"):
        assert hidden not in page.text
    before = await everything(hub)
    for path in VERIFIED:
        assert is_a_page(await get(hub, una, path), 403)
        assert is_a_page(await post(hub, una, path, **FORMS[path]), 403)
    assert is_a_page(await post(hub, una, f"/account/tokens/{NOBODYS}/revoke"), 403)
    assert await everything(hub) == before
    assert (await post(hub, una, "/account/name", name="Una")).status_code == 303
    assert led_to(await post(hub, una, "/account/delete", password=PASSWORD)) == "/done/deleted"


async def test_a_name_is_changed(hub: Hub) -> None:
    ann, bob = await hub.mediator(name="Ann"), await hub.mediator(name="Bob")
    assert 'value="Ann"' in (await get(hub, ann, "/account/name")).text
    before = await everything(hub)
    for wrong in ("", "x" * 201):
        bad = await post(hub, ann, "/account/name", name=wrong)
        assert is_a_page(bad, 422)
        assert [field for field, _ in problems(bad)] == ["name"]
        assert f'value="{wrong}"' in bad.text
    assert await everything(hub) == before
    response = await post(hub, ann, "/account/name", name=HOSTILE)
    assert led_to(response) == "/account?done=saved"
    page = await followed(hub, response, ann)
    assert "have been saved" in page.text
    names = await hub.rows("SELECT id, name FROM account")
    assert {row["id"]: row["name"] for row in names} == {ann.id: HOSTILE, bob.id: "Bob"}


async def test_an_address_changes_once_the_new_one_is_confirmed(hub: Hub) -> None:
    ann = await hub.mediator()
    response = await post(hub, ann, "/account/email", email="other@demo.example", password=PASSWORD)
    assert led_to(response) == "/account?done=mailed"
    page = await followed(hub, response, ann)
    assert "sent a link to your new address." in page.text
    assert ann.email in page.text
    assert "other@demo.example" not in page.text
    path = await link(hub, "other@demo.example")
    assert not hub.mails(ann.email)
    assert (await post(hub, ann, path)).status_code == 303
    assert "other@demo.example" in (await get(hub, ann, "/account")).text
    await hub.work()
    assert len(hub.mails(ann.email)) == 1


async def test_an_address_is_not_changed_without_the_password_or_to_an_invalid_one(hub: Hub) -> None:
    ann = await hub.mediator()
    before = await everything(hub)
    wrong = await post(hub, ann, "/account/email", email="other@demo.example", password="not my password")
    assert is_a_page(wrong, 422)
    (problem,) = problems(wrong)
    assert problem[0] == "password"
    assert problem[1].endswith("This isn't your password.")
    assert 'value="other@demo.example"' in wrong.text
    assert "not my password" not in wrong.text
    none = await post(hub, ann, "/account/email", email=HOSTILE, password=PASSWORD)
    assert is_a_page(none, 422)
    assert [field for field, _ in problems(none)] == ["email"]
    assert unescape(re.findall(r'id="email"[^>]* value="([^"]*)"', none.text)[0]) == HOSTILE
    assert PASSWORD not in none.text
    assert await everything(hub) == before
    await hub.work()
    assert not hub.mails()


async def test_an_address_that_is_taken_gets_the_same_answer(hub: Hub) -> None:
    ann, bob = await hub.mediator(), await hub.mediator()
    taken = await post(hub, ann, "/account/email", email=bob.email, password=PASSWORD)
    free = await post(hub, ann, "/account/email", email="other@demo.example", password=PASSWORD)
    assert told(taken) == told(free)
    emails = await hub.rows("SELECT email FROM account")
    assert {row["email"] for row in emails} == {ann.email, bob.email}


async def test_a_new_password_ends_other_sessions_and_tokens(hub: Hub) -> None:
    ann = await hub.mediator()
    elsewhere, token = await hub.sign_in(ann.email), await put_token(hub, ann)
    form = await get(hub, ann, "/account/password")
    assert re.findall(r'name="endOthers" type="checkbox" value="yes" (\w+)', form.text) == ["checked"]
    typed = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD, "endOthers": ["no", "yes"]}
    response = await post(hub, ann, "/account/password", **typed)
    assert (await hub.ask("{ me { id } }", token=token)).codes == ["UNAUTHENTICATED"]
    assert led_to(response) == "/account?done=password"
    assert "Your password has been changed." in (await followed(hub, response)).text
    hub.client.cookies.clear()
    for old in (ann, elsewhere):
        assert (await get(hub, old, "/account")).headers["location"] == "/signin?next=/account"
    assert await signs_in(hub, ann.email, NEW_PASSWORD)
    assert not await signs_in(hub, ann.email, PASSWORD)


async def test_a_new_password_leaves_sessions_and_tokens_if_the_box_is_not_ticked(hub: Hub) -> None:
    ann = await hub.mediator()
    elsewhere, token = await hub.sign_in(ann.email), await put_token(hub, ann)
    typed = {"currentPassword": "wrong", "newPassword": NEW_PASSWORD, "endOthers": "no"}
    wrong = await post(hub, ann, "/account/password", **typed)
    assert re.search(r'name="endOthers" type="checkbox" value="yes" aria', wrong.text)
    response = await post(hub, ann, "/account/password", **typed | {"currentPassword": PASSWORD})
    assert led_to(response) == "/account?done=password"
    hub.client.cookies.clear()
    assert is_a_page(await get(hub, elsewhere, "/account"))
    assert (await hub.ask("{ me { id } }", token=token)).data["me"]


async def test_a_password_is_kept_if_the_old_one_is_wrong_or_the_new_one_too_short(hub: Hub) -> None:
    ann = await hub.mediator()
    before = await everything(hub)
    wrong = await post(hub, ann, "/account/password", currentPassword="not my password", newPassword=NEW_PASSWORD)
    short = await post(hub, ann, "/account/password", currentPassword=PASSWORD, newPassword="short!")
    for response, field in ((wrong, "currentPassword"), (short, "newPassword")):
        assert is_a_page(response, 422)
        assert [found for found, _ in problems(response)] == [field]
        assert "set-cookie" not in response.headers
        for typed in (PASSWORD, NEW_PASSWORD, "not my password", "short!"):
            assert typed not in response.text
    assert await everything(hub) == before


@pytest.mark.parametrize("path", ["/account/email", "/account/password", "/account/delete"])
async def test_after_too_many_wrong_passwords_the_form_says_when_to_try_again(hub: Hub, path: str) -> None:
    ann = await hub.mediator()
    await exhausted(hub, limits.PASSWORD_CHECKS, 20, ann.id)
    before = await everything(hub)
    response = await post(hub, ann, path, **FORMS[path])
    assert is_a_page(response, 429)
    assert 1 <= int(response.headers["retry-after"]) <= 3600
    assert re.search(r"try again in (a minute|\d+ minutes)", response.text)
    assert await everything(hub) == before


async def test_an_account_is_deleted_with_everything_that_belongs_to_it(hub: Hub) -> None:
    ann, rev = await hub.person(Role.MEDIATOR, Role.REVIEWER), await hub.person(Role.REVIEWER)
    await hub.appointed(ann, rev)
    await put_cases(hub, ann, {"notes": "private"})
    await put_feedback(hub, ann, {"preparation": 5})
    page = await get(hub, ann, "/account/delete")
    assert is_a_page(page)
    for said in ("your logbook", "all feedback about you", "your access to the feedback", "/account/export"):
        assert said in page.text
    assert "your directory" not in page.text
    before = await everything(hub)
    wrong = await post(hub, ann, "/account/delete", password="not my password")
    assert is_a_page(wrong, 422)
    (problem,) = problems(wrong)
    assert problem[0] == "password"
    assert problem[1].endswith("This isn't your password.")
    assert "set-cookie" not in wrong.headers
    assert await everything(hub) == before
    response = await post(hub, ann, "/account/delete", password=PASSWORD)
    assert led_to(response) == "/done/deleted"
    assert "Max-Age=0" in response.headers["set-cookie"]
    hub.client.cookies.clear()
    goodbye = await followed(hub, response)
    assert 'class="button" href="/signin"' not in goodbye.text
    assert [row["id"] for row in await hub.rows("SELECT id FROM account")] == [rev.id]
    for table in ("mediator", "logbook_entry", "logbook_private", "feedback", "appointment"):
        assert not await hub.rows(f"SELECT 1 FROM {table}")
    assert not await signs_in(hub, ann.email, PASSWORD)


async def test_the_last_administrator_cannot_delete_their_account(hub: Hub) -> None:
    admin = await hub.person(Role.ADMIN)
    before = await everything(hub)
    response = await post(hub, admin, "/account/delete", password=PASSWORD)
    assert is_a_page(response, 422)
    assert problems(response) == [(None, "There has to be another administrator first.")]
    assert "set-cookie" not in response.headers
    assert await everything(hub) == before


async def test_a_form_with_characters_that_no_database_stores_is_refused_without_a_fault(hub: Hub) -> None:
    ann = await hub.mediator()
    before = await everything(hub)
    for path, form in FORMS.items():
        if form:
            response = await post(hub, ann, path, **{field: f"{text}\0" for field, text in form.items()})
            assert is_a_page(response, 400), path
    assert await everything(hub) == before


async def test_the_account_menu_leads_here(hub: Hub) -> None:
    page = await get(hub, await hub.person(Role.DIRECTORY), "/")
    assert 'href="/account"' in page.text
    assert BASE_URL not in page.text
