"""The back button, with the cache of real browsers: nothing is lost, and nobody sees somebody else's answers."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Error, Page, expect

from settings import Notice
from tests.browser.visiting import PHONE, go_back, press, read_on, visiting
from tests.hub import Hub
from web.client import SENT_BEFORE

with_and_without = pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no javascript"])


async def ask_for_feedback(page: Page, name: str) -> None:
    await page.get_by_label("Name of the party").fill(name)
    await page.get_by_label("Email address of the party").fill(f"{name.lower()}@demo.example")
    await page.get_by_label("Last day of the mediation").fill("2024-05-07")
    await page.get_by_label("The party agreed").check()
    await press(page, "Send the request")


@with_and_without
async def test_a_form_changed_after_going_back_is_sent_as_well(browser: Browser, site: Hub, javascript: bool) -> None:
    ann = await site.mediator()
    async with visiting(browser, site, ann, javascript=javascript) as page:
        await page.goto("/request")
        await ask_for_feedback(page, "First")
        await expect(page.get_by_role("status")).to_have_text("Your request is on its way.")
        await go_back(page)
        await ask_for_feedback(page, "Second")
        await expect(page.get_by_role("region", name="Please check this")).to_contain_text(str(SENT_BEFORE))
        await expect(page.get_by_label("Name of the party")).to_have_value("Second")
        await press(page, "Send the request")
        await expect(page.get_by_role("status")).to_have_text("Your request is on its way.")
    await site.work()
    assert sorted(mail["to"] for mail in site.mails()) == ["first@demo.example", "second@demo.example"]


@with_and_without
async def test_a_form_sent_again_unchanged_after_going_back_counts_once(
    browser: Browser, site: Hub, javascript: bool
) -> None:
    ann = await site.mediator()
    async with visiting(browser, site, ann, javascript=javascript) as page:
        await page.goto("/request")
        await ask_for_feedback(page, "First")
        await go_back(page)
        await expect(page.get_by_label("Name of the party")).to_have_value("First")
        await press(page, "Send the request")
        await expect(page.get_by_role("status")).to_have_text("Your request is on its way.")
    assert len(await site.rows("SELECT 1 FROM feedback_request")) == 1


async def personal_path(site: Hub) -> str:
    found = await site.ask("{ me { mediator { feedbackLink } } }", by=await site.mediator())
    link: str = found.data["me"]["mediator"]["feedbackLink"]
    return urlsplit(link).path


async def answer(page: Page, site: Hub, words: str) -> None:
    """Fill in a survey, and let some minutes pass."""
    await read_on(page, site)
    await page.get_by_label("As a party to the dispute").check()
    await page.get_by_label("They were the mediator").check()
    await page.locator("#answer-impressed").fill(words)
    await page.locator("#name").fill(words)


async def test_the_next_party_at_a_tablet_finds_an_empty_form_and_their_answer_counts(
    browser: Browser, site: Hub
) -> None:
    path = await personal_path(site)
    async with visiting(browser, site) as page:
        await page.goto(path)
        for words in ("First", "Second", "Third"):
            await expect(page.locator("#answer-impressed")).to_have_value("")
            await expect(page.locator("#name")).to_have_value("")
            await expect(page.get_by_label("As a party to the dispute")).not_to_be_checked()
            await expect(page.get_by_label("No, don't share them")).to_be_checked()
            await answer(page, site, words)
            await press(page, "Send my feedback")
            await expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
            await go_back(page)
        assert await page.content() == re.sub("First|Second|Third", "", await page.content())
    assert len(await site.rows("SELECT 1 FROM feedback")) == 3


# Browsers that store nothing for a site: because of a setting, in a private window, on a full disk.
NOTHING_KEPT = {
    "denied": 'Object.defineProperty(window, kind, { get() { throw new DOMException("", "SecurityError"); } })',
    "full": 'Storage.prototype.setItem = () => { throw new DOMException("", "QuotaExceededError"); }',
    "absent": "Object.defineProperty(window, kind, { value: null })",
}


@pytest.mark.parametrize("how", NOTHING_KEPT)
async def test_if_a_browser_stores_nothing_the_next_party_still_finds_an_empty_form(
    browser: Browser, site: Hub, how: str
) -> None:
    path = await personal_path(site)
    async with visiting(browser, site) as page:
        script = f'for (const kind of ["localStorage", "sessionStorage"]) {NOTHING_KEPT[how]};'
        await page.context.add_init_script(script)
        await page.goto(path)
        for words in ("First", "Second"):
            await expect(page.locator("#answer-impressed")).to_have_value("")
            await expect(page.get_by_label("Keep what I type")).to_be_hidden()
            await answer(page, site, words)
            await expect(page.get_by_text("1 of", exact=False).first).to_be_visible()
            await press(page, "Send my feedback")
            await expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
            await go_back(page)
        await expect(page.locator("#answer-impressed")).to_have_value("")
    assert len(await site.rows("SELECT 1 FROM feedback")) == 2


@with_and_without
async def test_a_survey_sent_on_the_second_try_is_not_shown_again(
    browser: Browser, site: Hub, javascript: bool
) -> None:
    """The answer to a form isn't in any cache: the form would have to be sent again."""
    async with visiting(browser, site, javascript=javascript) as page:
        await page.goto(await personal_path(site))
        await answer(page, site, "First")
        await page.locator("#email").fill("pat@nowhere")
        await press(page, "Send my feedback")
        await expect(page.get_by_role("region", name="Please check this")).to_be_visible()
        await page.locator("#email").fill("pat@demo.example")
        await press(page, "Send my feedback")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
        with pytest.raises(Error, match="ERR_CACHE_MISS"):
            await go_back(page)


async def test_without_a_script_the_next_party_loses_nothing(browser: Browser, site: Hub) -> None:
    async with visiting(browser, site, javascript=False) as page:
        await page.goto(await personal_path(site))
        await answer(page, site, "First")
        await press(page, "Send my feedback")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
        await go_back(page)
        await answer(page, site, "Second")
        await press(page, "Send my feedback")
        await expect(page.get_by_role("region", name="Please check this")).to_contain_text(str(SENT_BEFORE))
        await expect(page.locator("#answer-impressed")).to_have_value("Second")
        await press(page, "Send my feedback")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
    texts = await site.rows("SELECT text FROM feedback_answer ORDER BY text")
    assert [row["text"] for row in texts] == ["First", "Second"]


async def kept(page: Page) -> int:
    """Count what the browser has stored."""
    count: int = await page.evaluate("Object.keys(localStorage).length")
    return count


async def begin(page: Page, path: str, words: str) -> None:
    """Start a survey, and have it kept."""
    await page.goto(path)
    await page.locator("#answer-impressed").fill(words)
    await page.get_by_label("As a party to the dispute").check()
    await page.get_by_label("They were the mediator").check()
    await page.get_by_label("Keep what I type").check()
    assert await kept(page) == 1


async def test_nothing_is_kept_on_a_device_unless_somebody_asks_for_it(browser: Browser, site: Hub) -> None:
    path = await personal_path(site)
    async with visiting(browser, site) as page:
        await page.goto(path)
        await expect(page.get_by_label("Keep what I type")).not_to_be_checked()
        await page.locator("#answer-impressed").fill("The calm of it")
        assert await kept(page) == 0
        await page.get_by_label("Keep what I type").check()
        stored = await page.evaluate("JSON.stringify(localStorage)")
        assert "The calm of it" in stored
        assert path.rpartition("/")[2] not in stored
        await page.locator("#answer-impressed").fill("The patience")
        assert "The patience" in await page.evaluate("JSON.stringify(localStorage)")
        await page.get_by_label("Keep what I type").uncheck()
        assert await kept(page) == 0
        await page.locator("#answer-impressed").fill("Anew")
        assert await kept(page) == 0
        await page.reload()
        await expect(page.locator("#answer-impressed")).to_have_value("")


async def test_a_kept_survey_is_only_shown_to_somebody_who_asks_for_it(browser: Browser, site: Hub) -> None:
    path, other = await personal_path(site), await personal_path(site)
    async with visiting(browser, site, width=PHONE) as page:
        await begin(page, path, "The calm of it")
        key = await page.locator("[name=requestKey]").input_value()
        await page.context.set_offline(True)
        await page.get_by_role("button", name="Send my feedback").click()
        await expect(page.get_by_role("button", name="Send my feedback")).to_be_hidden()
        await page.context.set_offline(False)
        await page.goto(other)
        await expect(page.get_by_role("button", name="Continue")).to_be_hidden()
        await page.goto(path)
        assert "The calm of it" not in await page.content()
        await expect(page.locator("#answer-impressed")).to_have_value("")
        await expect(page.get_by_label("As a party to the dispute")).not_to_be_checked()
        await expect(page.get_by_label("Keep what I type")).not_to_be_checked()
        # Somebody else answers, without asking for anything or removing anything.
        await page.locator("#answer-impressed").fill("Somebody else")
        await page.reload()
        await page.get_by_role("button", name="Continue").click()
        await expect(page.locator("#answer-impressed")).to_have_value("The calm of it")
        await expect(page.get_by_label("As a party to the dispute")).to_be_checked()
        await expect(page.get_by_label("Keep what I type")).to_be_checked()
        assert await page.locator("[name=requestKey]").input_value() == key
        await answer(page, site, "The calm of it all")
        await page.locator("#email").fill("pat@nowhere")
        await press(page, "Send my feedback")
        await expect(page.get_by_label("Keep what I type")).to_be_checked()
        await page.locator("#email").fill("pat@demo.example")
        assert "pat@demo.example" in await page.evaluate("JSON.stringify(localStorage)")
        await press(page, "Send my feedback")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
        assert await kept(page) == 0
    assert len(await site.rows("SELECT 1 FROM feedback")) == 1


async def test_a_kept_survey_goes_on_under_what_the_page_tells_now(browser: Browser, site: Hub) -> None:
    path = await personal_path(site)
    async with visiting(browser, site) as page:
        await begin(page, path, "The calm of it")
        site.app.state.settings = site.settings.model_copy(update={"feedback_notice": Notice.OFF})
        await page.reload()
        await page.get_by_role("button", name="Continue").click()
        await expect(page.locator("#answer-impressed")).to_have_value("The calm of it")
        await expect(page.locator("[name=notice]")).to_have_value("off")


async def test_a_kept_survey_is_discarded_with_a_button_and_after_five_days(browser: Browser, site: Hub) -> None:
    path = await personal_path(site)
    async with visiting(browser, site) as page:
        await begin(page, path, "The calm of it")
        await page.reload()
        await page.get_by_role("button", name="Discard").click()
        await expect(page.get_by_role("button", name="Discard")).to_be_hidden()
        assert await kept(page) == 0
        for passed in (5 * 24 * 3600 * 1000, -3600 * 1000):  # ms; or the clock was set back
            await begin(page, path, "The calm of it")
            await page.evaluate(
                """(passed) => {
                  const [key] = Object.keys(localStorage);
                  const draft = JSON.parse(localStorage.getItem(key));
                  localStorage.setItem(key, JSON.stringify({ ...draft, at: draft.at - passed }));
                }""",
                passed,
            )
            await page.goto("/give")
            assert await kept(page) == 0
        await page.evaluate("localStorage.setItem('survey:x', 'no draft')")
        await page.goto(path)
        assert await kept(page) == 0


async def test_nothing_is_kept_or_offered_while_somebody_is_signed_in(browser: Browser, site: Hub) -> None:
    path, ann = await personal_path(site), await site.mediator()
    async with visiting(browser, site) as page:
        await begin(page, path, "The calm of it")
        session = {"name": "session", "value": ann.cookie, "url": site.settings.base_url}
        await page.context.add_cookies([session])  # type: ignore[list-item]  # of Playwright's own kind
        await page.goto(path)
        await expect(page.get_by_text(re.compile(r"^Answered: 0 of"))).to_be_visible()
        await expect(page.get_by_text("on this device")).to_be_hidden()
        await page.locator("#answer-impressed").fill("Mine")
        assert "Mine" not in await page.evaluate("JSON.stringify(localStorage)")
        await page.context.clear_cookies()
        await page.goto(path)
        await page.get_by_role("button", name="Continue").click()
        await expect(page.locator("#answer-impressed")).to_have_value("The calm of it")


async def test_a_busy_button_says_what_it_does_again_after_going_back(browser: Browser, site: Hub) -> None:
    """Other browsers also keep a page that sent a file; this one only does so because nothing is really sent."""
    async with visiting(browser, site, await site.mediator()) as page:
        await page.goto("/logbook/import")
        button = page.get_by_role("button", name="Preview")
        await button.evaluate("it => it.form.dispatchEvent(new SubmitEvent('submit', { submitter: it }))")
        await expect(page.get_by_role("button", name="Reading…")).to_be_visible()
        await page.goto("/logbook")
        await go_back(page)
        await expect(button).to_be_visible()
        await expect(page.locator("[aria-busy]")).to_have_count(0)
