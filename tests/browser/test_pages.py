"""Every page, checked with axe, at the width of a phone, with only the keyboard, and for its weight."""

from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser

from demo.embedded import Services
from demo.mailcatcher import catching
from tests.browser.demo import Demo, demo_hub
from tests.browser.looking import asked_for, out_of_reach, run_together, sideways, violations, weight
from tests.browser.pages import LOOKS, Look
from tests.browser.visiting import PHONE, path_of, visiting
from tests.conftest import fresh_database
from web.pages import pages

MAX_FIRST_VIEW = 60_000  # bytes, including everything that a page loads


@pytest.fixture(scope="module")
async def demo(browser: Browser, services: Services, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    """The demo, for tests that change nothing."""
    folder = tmp_path_factory.mktemp("mailbox")
    with catching(folder) as smtp_url:
        async with fresh_database(services, folder) as own, demo_hub(replace(own, smtp_url=smtp_url)) as demo:
            yield demo


def test_every_page_is_looked_at() -> None:
    paths = [urlsplit(look.path).path.replace("{", "").replace("}", "") for look in LOOKS]
    shown = [page for page in pages if "GET" in page.methods and not page.is_file]
    assert "/logbook/{id}" in {page.path for page in shown}
    assert [page.path for page in shown if not any(map(page.route().path_regex.match, paths))] == []
    assert len({look.name for look in LOOKS}) == len(LOOKS)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
async def test_a_page_is_light_fits_a_phone_and_is_accessible(browser: Browser, demo: Demo, look: Look) -> None:
    """All in one visit, because opening pages would take most of the time."""
    by = await demo.person(look.by) if look.by else None
    address = look.address(demo)
    path = urlsplit(address).path
    async with visiting(browser, demo.hub, by) as page:
        requests = asked_for(page)
        answer = await page.goto(address)
        assert answer is not None
        assert (answer.status, path_of(page)) == (look.status, path)
        transferred = await weight(requests)
        found = {"too heavy": [f"{transferred} bytes"] if transferred > MAX_FIRST_VIEW else []}
        if look.then:
            await look.then(page)
        found["out of the keyboard's reach"] = await out_of_reach(page)
        found["sentences run together"] = await run_together(page)
        found["axe, light"] = await violations(page)
        await page.set_viewport_size({"width": PHONE, "height": 800})
        await page.emulate_media(color_scheme="dark")
        found["axe, dark"] = await violations(page)
        found["wider than a phone"] = await sideways(page)
        assert {what: lines for what, lines in found.items() if lines} == {}
