"""The survey as a party answers it: through each way in, on a phone, with and without JavaScript."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.looking import sideways
from tests.browser.serving import HOST, served
from tests.browser.visiting import PHONE, follow, open_link, path_of, press, read_on, tab_to, visiting
from tests.hub import Hub, Person, payload

PAT = "pat@demo.example"

Way = Callable[[Page, Hub, Person], Awaitable[None]]

with_and_without = pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no javascript"])


async def by_mail(page: Page, site: Hub, ann: Person) -> None:
    await follow(page, site, PAT, "feedback")


async def by_link(page: Page, site: Hub, ann: Person) -> None:
    own = await site.ask("{ me { mediator { feedbackLink } } }", by=ann)
    await page.goto(own.data["me"]["mediator"]["feedbackLink"])


async def by_name(page: Page, site: Hub, ann: Person) -> None:
    await page.goto("/")
    await open_link(page, "Give feedback about a mediator")
    await page.get_by_label("Name of the mediator").fill("anna")
    await press(page, "Search")
    await open_link(page, "Anna Mediator")


async def asked(site: Hub) -> Person:
    """Have a mediator ask a party for feedback."""
    ann = await site.mediator(name="Anna Mediator")
    request = {"partyName": "Pat", "partyEmail": PAT, "mediationEndedOn": "2024-05-06", "partyAgreed": True}
    payload(await site.change("requestFeedback", request, by=ann))
    return ann


@with_and_without
@pytest.mark.parametrize("way", [by_mail, by_link, by_name], ids=lambda way: way.__name__)
async def test_a_party_answers_on_a_phone(browser: Browser, site: Hub, way: Way, javascript: bool) -> None:
    ann = await asked(site)
    async with visiting(browser, site, width=PHONE, javascript=javascript) as page:
        await way(page, site, ann)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Your feedback about Anna Mediator")
        survey = path_of(page)
        await read_on(page, site)
        await page.get_by_label("As a party to the dispute").check()
        await page.get_by_label("They were the mediator").check()
        await page.locator('[name="answer-listening"][value="5"]').check()
        await page.locator("#answer-impressed").fill("Calm.\nKind.")
        await page.get_by_label("Yes, share all but").check()
        await page.get_by_label("Your name (optional)").fill("Pat P.")
        await press(page, "Send my feedback")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
        await page.reload()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
        if way is by_mail:
            await page.goto(survey)
            await expect(page.get_by_role("main")).to_contain_text("we have your feedback")
    rows = await site.rows("SELECT capacity, acted_as, shared, by_invitation FROM feedback")
    assert [tuple(row) for row in rows] == [("PARTY", "MEDIATOR", True, way is by_mail)]
    answers = await site.rows("SELECT question, rating, text FROM feedback_answer ORDER BY question")
    assert [tuple(answer) for answer in answers] == [("impressed", None, "Calm.\nKind."), ("listening", 5, None)]
    assert [origin.name for origin in (await site.origins()).values()] == ["Pat P."]


async def test_a_party_answers_with_only_the_keyboard(browser: Browser, site: Hub) -> None:
    await asked(site)
    async with visiting(browser, site) as page:
        await follow(page, site, PAT, "feedback")
        for choice in ("capacity", "actedAs", "answer-listening"):
            await tab_to(page, f"[name={choice}]")
            await page.keyboard.press("Space")
        await page.keyboard.press("ArrowDown")
        await tab_to(page, "main button")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
    answers = await site.rows("SELECT capacity, question, rating, shared FROM feedback JOIN feedback_answer ON true")
    assert [tuple(answer) for answer in answers] == [("PARTY", "listening", 2, False)]


@with_and_without
async def test_a_problem_leads_to_its_field_and_nothing_typed_is_lost(
    browser: Browser, site: Hub, javascript: bool
) -> None:
    await asked(site)
    async with visiting(browser, site, width=PHONE, javascript=javascript) as page:
        await follow(page, site, PAT, "feedback")
        await page.get_by_label("As a party to the dispute").check()
        await page.get_by_label("They were the mediator").check()
        await page.locator('[name="answer-listening"][value="4"]').check()
        await page.locator("#answer-impressed").fill("Patience")
        await page.locator("#email").fill("pat@nowhere")  # the browser accepts this as an address, the hub doesn't
        await press(page, "Send my feedback")
        summary = page.get_by_role("region", name="Please check this")
        await expect(summary).to_be_focused()
        assert await sideways(page) == []
        await summary.get_by_role("link").click()
        await expect(page.locator("#email")).to_be_in_viewport()
        await expect(page.locator("#email")).to_have_value("pat@nowhere")
        await expect(page.locator("#answer-impressed")).to_have_value("Patience")
        await expect(page.locator('[name="answer-listening"][value="4"]')).to_be_checked()
        assert await site.rows("SELECT 1 FROM feedback") == []
        await page.locator("#email").fill("pat@demo.example")
        await press(page, "Send my feedback")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
    assert len(await site.rows("SELECT 1 FROM feedback")) == 1


async def test_no_other_site_learns_which_link_somebody_followed(browser: Browser, hub: Hub) -> None:
    heard: list[str] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(hear, HOST, 0) as other:
        digest = f"http://{HOST}:{other.sockets[0].getsockname()[1]}/digest"
        async with served(hub.services, digest_url=digest) as site, visiting(browser, site) as page:
            await asked(site)
            await follow(page, site, PAT, "feedback")
            secret = path_of(page).rpartition("/")[2]
            await page.get_by_role("link", name="Feedback Digest").first.click()
            await page.wait_for_url(digest)
    assert heard[0].startswith("GET /digest HTTP/1.1\r\n")
    for head in heard:
        assert site.settings.base_url not in head
        assert secret not in head
