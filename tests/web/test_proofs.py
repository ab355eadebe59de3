"""A page says what was done to the person who did it, on that page, for an hour; never because an address says so."""

from urllib.parse import urlsplit

import pytest

from tests.hub import PASSWORD, Hub, Person, opened
from tests.web.reading import FOREIGN, cookie, followed, get, is_a_page, led_to, post
from web.pages.done import DONE as PAGES
from web.pages.done import NOT_RECEIPTED
from web.rendering import DONE_WORDS

SAVED = "Your changes have been saved."


async def proof_of(hub: Hub, ann: Person) -> str:
    """The proof in the address that changing a name leads to."""
    response = await post(hub, ann, "/account/name", name="Ann")
    assert led_to(response) == "/account?done=saved"
    return str(response.headers["location"]).rpartition("proof=")[2]


async def says_something(hub: Hub, by: Person | None, address: str) -> bool:
    page = await hub.client.get(address, headers=cookie(by) if by else {})
    assert is_a_page(page)
    return 'role="status"' in page.text


@pytest.mark.parametrize("path", ["/", "/signin", "/signup", "/give"])
async def test_no_address_makes_a_page_say_something_to_anyone_signed_out(hub: Hub, path: str) -> None:
    for word in DONE_WORDS:
        for proof in ("", "&proof=", "&proof=x", f"&proof={'x' * 43}", "&proof=%C3%BC%00"):
            assert not await says_something(hub, None, f"{path}?done={word}{proof}")


async def test_no_address_makes_a_page_say_something_to_somebody_signed_in(hub: Hub) -> None:
    ann = await hub.mediator()
    for path in ("/", "/account", "/logbook", "/request", "/details"):
        for word in DONE_WORDS:
            assert not await says_something(hub, ann, f"{path}?done={word}")


async def test_a_page_about_what_was_done_shows_nothing_without_a_proof(hub: Hub) -> None:
    for what, (title, text) in PAGES.items():
        for query in ("", "?proof=", "?proof=x", f"?proof={'x' * 43}"):
            page = await hub.client.get(f"/done/{what}{query}")
            assert is_a_page(page, 404)
            assert str(NOT_RECEIPTED) in page.text
            assert str(title) not in page.text
            assert str(text) not in page.text
    assert is_a_page(await hub.client.get("/done/else"), 404)


async def test_a_message_is_shown_again_on_reload_for_an_hour(hub: Hub) -> None:
    response = await hub.client.post("/forgotten", data={"email": "nobody@demo.example"})
    assert "set-cookie" not in response.headers, "a new cookie would make the form behind the back button useless"
    first, again = await followed(hub, response), await followed(hub, response)
    assert "Please check your email" in first.text
    assert again.text == first.text
    for minutes, status in ((59, 200), (61, 404)):
        async with hub.later(minutes=minutes) as then:
            assert is_a_page(await then.client.get(response.headers["location"]), status)


async def test_a_proof_is_for_its_own_page_and_message(hub: Hub) -> None:
    ann = await hub.mediator()
    proof = await proof_of(hub, ann)
    assert await says_something(hub, ann, f"/account?done=saved&proof={proof}")
    assert await says_something(hub, ann, f"/account?page=2&done=saved&proof={proof}")
    for address in ("/account?done=password", "/account?", "/details?done=saved", "/logbook?done=saved"):
        assert not await says_something(hub, ann, f"{address}&proof={proof}")
    for what in PAGES:
        assert is_a_page(await get(hub, ann, f"/done/{what}?proof={proof}"), 404)


async def test_a_proof_is_for_the_account_that_sent_the_form(hub: Hub) -> None:
    ann, bob = await hub.mediator(), await hub.mediator()
    proof = await proof_of(hub, ann)
    assert await says_something(hub, await hub.sign_in(ann.email), f"/account?done=saved&proof={proof}")
    assert not await says_something(hub, bob, f"/account?done=saved&proof={proof}")


async def test_a_proof_for_somebody_signed_out_is_for_their_network(hub: Hub) -> None:
    ann = await hub.mediator()
    address = (await hub.client.post("/forgotten", data={"email": ann.email})).headers["location"]
    hub.client._transport.client = ("203.0.113.7", 1)  # type: ignore[attr-defined]
    assert is_a_page(await hub.client.get(address), 404)
    assert is_a_page(await get(hub, ann, address), 404)


async def test_a_proof_from_another_installation_does_not_count(hub: Hub) -> None:
    ann = await hub.mediator()
    async with opened(hub.services) as other:  # with a key of its own
        proof = await proof_of(other, ann)
    assert not await says_something(hub, ann, f"/account?done=saved&proof={proof}")


async def test_the_address_that_a_form_leads_back_to_cannot_choose_the_message(hub: Hub) -> None:
    ann = await hub.mediator()
    entry = {"role": "LEAD_MEDIATOR", "medium": "ONLINE", "outcome": "SETTLED", "minutes": "2", "requestKey": "k"}
    days = {"startedOn": "2024-05-06", "endedOn": "2024-05-06"}
    response = await post(hub, ann, "/logbook/new", back="/logbook?done=deleted&proof=x", **entry, **days)
    page = await followed(hub, response, ann)
    assert str(DONE_WORDS["added"]) in page.text
    assert str(DONE_WORDS["deleted"]) not in page.text


async def test_a_form_that_is_refused_gets_no_proof(hub: Hub) -> None:
    ann = await hub.mediator()
    for path, form in {"/account/name": {"name": ""}, "/account/delete": {"password": "wrong"}, "/request": {}}.items():
        assert is_a_page(await post(hub, ann, path, **form), 422)
    for headers in FOREIGN:
        foreign = await hub.client.post("/account/name", data={"name": "Ann"}, headers=cookie(ann) | headers)
        assert is_a_page(foreign, 403)


async def test_a_proof_stays_out_of_the_addresses_in_a_table(hub: Hub) -> None:
    ann = await hub.mediator()
    page = await get(hub, ann, "/logbook?done=added&proof=x")
    assert is_a_page(page)
    assert "proof" not in page.text


async def test_the_goodbye_is_shown_to_the_person_who_deleted_their_account_and_to_nobody_else(hub: Hub) -> None:
    ann, bob = await hub.mediator(), await hub.mediator()
    response = await post(hub, ann, "/account/delete", password=PASSWORD)
    hub.client.cookies.clear()
    assert urlsplit(response.headers["location"]).path == "/done/deleted"
    assert "Your account has been deleted" in (await followed(hub, response)).text
    assert is_a_page(await get(hub, bob, response.headers["location"]), 404)
