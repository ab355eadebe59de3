"""The receipt as a party meets it: shown once after the survey, and a page for reading, sharing and erasing."""

import re
from html import unescape
from typing import Any

import httpx

from resolvers import limits
from settings import Notice
from tests.hub import Hub, Person, opened, payload
from tests.web.reading import cookie, everything, exhausted, followed, get, is_a_page, led_to, plain, problems
from tests.web.test_survey_page import form

GIVEN = {
    "capacity": "PARTY",
    "actedAs": "MEDIATOR",
    "answers": [{"question": "impressed", "text": "patience"}, {"question": "for_reviewer", "text": "beware"}],
}
UNKNOWN = "0000-0000-0000-0000-0000-0000"


async def given(hub: Hub, mediator: Person, **facts: Any) -> str:
    """Give feedback, and return the path of its receipt."""
    facts |= {"mediatorId": str(mediator.id)}
    return f"/receipt/{payload(await hub.change('giveFeedback', GIVEN | facts, 'receipt'))['receipt']}"


async def shown(hub: Hub, path: str) -> str:
    page = await hub.client.get(path)
    assert is_a_page(page)
    return plain(page.text)


async def test_the_survey_says_before_sending_that_a_receipt_will_be_shown(hub: Hub) -> None:
    ann = await hub.mediator()
    text = await shown(hub, f"/give/to/{ann.id}")
    assert text.index("When you've sent this, we show you a receipt") < text.index("Send my feedback")


async def test_the_way_from_the_survey_to_a_receipt_that_changes_and_erases(hub: Hub) -> None:
    async with opened(hub.services, settings=hub.settings, release_least=3) as grouped:
        ann = await grouped.mediator(name="Ann")
        sent = form(grouped) | {"answer-impressed": "Her patience", "name": "Gil"}
        thanks = await followed(grouped, await grouped.client.post(f"/give/to/{ann.id}", data=sent))
        (code,) = set(re.findall(r"/receipt/([\w-]+)", thanks.text))
        assert f"{grouped.settings.base_url}/receipt/{code}" in thanks.text
        path = f"/receipt/{code}"
        page = await grouped.client.get(path)
        assert "Her patience" in page.text
        assert re.findall(r'value="(\w+)" [^>]*checked', page.text) == ["no"]
        chosen = await grouped.client.post(path, data={"share": "yes", "shareAlone": "yes"})
        assert led_to(chosen) == f"{path}?done=sharing"
        page = await followed(grouped, chosen)
        assert "Your choice about sharing has been saved." in page.text
        assert re.findall(r'value="(\w+)"[^>]* checked', page.text) == ["yes", "yes"]
        (row,) = await grouped.rows("SELECT shared, share_alone FROM feedback")
        assert tuple(row) == (True, True)
        assert "for good" in await shown(grouped, f"{path}/erase")
        assert len(await grouped.rows("SELECT FROM feedback")) == 1, "looking erases nothing"
        erased = await grouped.client.post(f"{path}/erase")
        assert led_to(erased) == "/done/erased"
        assert "Your feedback has been erased" in (await followed(grouped, erased)).text
        assert await grouped.rows("SELECT FROM feedback_answer") == []
        assert is_a_page(await grouped.client.get(path), 404)


async def test_what_was_released_can_still_be_read_and_erased_but_not_taken_back(hub: Hub) -> None:
    ann = await hub.mediator()
    path = await given(hub, ann, share=True)
    page = await hub.client.get(path)
    assert "this can't be changed any more" in plain(page.text)
    assert 'name="share"' not in page.text
    refused = await hub.client.post(path, data={"share": "no"})
    assert is_a_page(refused, 422)
    assert "Your answers have been released" in refused.text
    (row,) = await hub.rows("SELECT shared FROM feedback")
    assert row["shared"]
    assert led_to(await hub.client.post(f"{path}/erase")) == "/done/erased"


async def test_a_repeated_form_shows_the_same_receipt_and_the_page_is_gone_after_an_hour(hub: Hub) -> None:
    ann = await hub.mediator()
    sent = form(hub)
    first, again = [await hub.client.post(f"/give/to/{ann.id}", data=sent) for _ in range(2)]
    codes = [set(re.findall(r"/receipt/([\w-]+)", (await followed(hub, one)).text)) for one in (first, again)]
    assert codes[0] == codes[1]
    (code,) = codes[0]
    assert code not in first.headers["location"], "the address, which the browser remembers, doesn't have it"
    async with hub.later(minutes=61) as then:
        late = await then.client.get(first.headers["location"])
        assert is_a_page(late, 404)
        assert code not in late.text


async def test_a_proof_is_shown_only_with_its_own_confirmation(hub: Hub) -> None:
    ann = await hub.mediator()
    one, two = [
        httpx.URL(
            (await hub.client.post(f"/give/to/{ann.id}", data=form(hub) | {"requestKey": key})).headers["location"]
        )
        for key in ("one", "two")
    ]
    mixed = one.copy_set_param("proof", two.params["proof"])
    assert is_a_page(await hub.client.get(str(one)))
    assert is_a_page(await hub.client.get(str(mixed)), 404)


async def test_the_code_can_be_typed_in(hub: Hub) -> None:
    path = await given(hub, await hub.mediator())
    assert "code on your receipt" in await shown(hub, "/receipt")
    found = await hub.client.post("/receipt", data={"code": path.rpartition("/")[2].lower().replace("-", " ")})
    assert found.status_code == 303
    assert "patience" in await shown(hub, found.headers["location"])
    wrong = await hub.client.post("/receipt", data={"code": UNKNOWN})
    assert is_a_page(wrong, 422)
    assert [field for field, _ in problems(wrong)] == ["code"]


async def test_too_many_codes_are_too_many(hub: Hub) -> None:
    path = await given(hub, await hub.mediator())
    await exhausted(hub, limits.LINK_TRIES, 100, "127.0.0.1")
    before = await everything(hub)
    for address, sent in (("/receipt", {"code": UNKNOWN}), (path, {"share": "yes"}), (f"{path}/erase", {})):
        assert is_a_page(await hub.client.post(address, data=sent), 429)
    assert await everything(hub) == before


async def test_a_receipt_says_the_same_as_a_wrong_code_where_its_mediator_is_signed_in(hub: Hub) -> None:
    ann, bea = await hub.mediator(), await hub.mediator()
    path = await given(hub, ann)
    before = await everything(hub)
    for end in ("", "/erase"):
        theirs, wrong = await get(hub, ann, path + end), await get(hub, ann, f"/receipt/{UNKNOWN}{end}")
        assert is_a_page(theirs, 404)
        assert theirs.text == wrong.text
        posted = [
            await hub.client.post(one + end, data={"share": "yes"}, headers=cookie(ann))
            for one in (path, f"/receipt/{UNKNOWN}")
        ]
        assert posted[0].status_code == posted[1].status_code == 404
        assert posted[0].text == posted[1].text
    typed = [
        await hub.client.post("/receipt", data={"code": one}, headers=cookie(ann))
        for one in (path.rpartition("/")[2], UNKNOWN)
    ]
    assert typed[0].text.replace(path.rpartition("/")[2], "") == typed[1].text.replace(UNKNOWN, "")
    assert await everything(hub) == before
    assert is_a_page(await get(hub, bea, path))


async def test_a_receipt_is_kept_from_caches_search_engines_and_other_sites(hub: Hub) -> None:
    path = await given(hub, await hub.mediator())
    for address in (path, f"{path}/erase", "/receipt"):
        page = await hub.client.get(address)
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert '<meta name="robots" content="noindex">' in page.text


async def test_another_site_can_neither_change_nor_erase(hub: Hub) -> None:
    path = await given(hub, await hub.mediator())
    before = await everything(hub)
    for end in ("", "/erase"):
        refused = await hub.client.post(path + end, data={"share": "yes"}, headers={"origin": "https://evil.example"})
        assert is_a_page(refused, 403)
    assert await everything(hub) == before


async def test_what_is_held_or_discarded_has_a_receipt_like_any_other(hub: Hub) -> None:
    async with opened(hub.services, settings=hub.settings, release_least=3, feedback_notice=Notice.OFF) as grouped:
        ann = await grouped.mediator()
        paths = [await given(grouped, ann, email=email) for email in (None, ann.email, *[None] * 4)]
        rows = await grouped.rows("SELECT admission FROM feedback")
        assert {row["admission"] for row in rows} == {"ADMITTED", "DISCARDED", "HELD"}
        pages = [unescape((await grouped.client.get(path)).text) for path in paths]
        codes = [path.removeprefix("/receipt/") for path in paths]
        assert len({page.replace(code, "") for page, code in zip(pages, codes, strict=True)}) == 1
