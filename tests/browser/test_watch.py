"""What the other tests look for would be found."""

from typing import Any

import pytest
from playwright.async_api import Browser
from starlette.responses import HTMLResponse
from starlette.routing import Route

from tests.browser.looking import asked_for, out_of_reach, sideways, violations, weight
from tests.browser.visiting import PHONE, visiting
from tests.hub import Hub


def add(site: Hub, path: str, body: str, headers: dict[str, str] | None = None) -> None:
    """Add a page made by the test to the hub."""

    async def bad(_request: Any) -> HTMLResponse:
        return HTMLResponse(
            f'<!doctype html><html lang="en"><title>Bad</title><link rel="icon" href="data:,">{body}', headers=headers
        )

    site.app.router.routes.append(Route(path, bad))


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('<iframe src="https://elsewhere.example/"></iframe>', "https://elsewhere.example/"),
        ("<script>document.title = 'run'</script>", "inline script"),
        ('<p style="color: red">red</p>', "inline style"),
        ('<script src="/static/missing.js"></script>', "status 404"),
    ],
)
async def test_a_page_that_breaks_a_rule_fails_its_test(browser: Browser, site: Hub, body: str, fault: str) -> None:
    add(site, "/bad", body)
    with pytest.raises(AssertionError, match=fault):
        async with visiting(browser, site) as page:
            await page.goto("/bad")


async def test_following_a_link_to_another_host_fails_its_test(browser: Browser, site: Hub) -> None:
    async def follow_it() -> None:
        async with visiting(browser, site) as page:
            await page.goto("/signin")
            async with page.expect_event("requestfailed"):
                await page.get_by_role("link", name="Privacy policy").click()

    with pytest.raises(AssertionError, match=r"left this machine: https://demo\.example/privacy"):
        await follow_it()


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("content-security-policy", "default-src 'self'; frame-ancestors 'none'"),
        ("content-security-policy", "default-src 'none'; script-src 'unsafe-inline'; frame-ancestors 'none'"),
        ("content-security-policy", "default-src 'none'"),
        ("x-content-type-options", "sniff"),
        ("referrer-policy", "unsafe-url"),
        ("cache-control", "public"),
    ],
)
async def test_a_page_without_its_headers_fails_its_test(browser: Browser, site: Hub, header: str, value: str) -> None:
    add(site, "/bad", "", {header: value})
    with pytest.raises(AssertionError, match=f"{header}|policy"):
        async with visiting(browser, site) as page:
            await page.goto("/bad")


async def test_axe_reports_what_keeps_people_out(browser: Browser, site: Hub) -> None:
    add(site, "/bad", '<main><h1>Bad</h1><img src="data:,"><input></main>')
    async with visiting(browser, site) as page:
        await page.goto("/bad")
        assert {line.partition(":")[0] for line in await violations(page)} == {"image-alt", "label"}


async def test_elements_that_are_wider_than_a_phone_are_named(browser: Browser, site: Hub) -> None:
    add(site, "/bad", '<hr size="1" width="500">')
    async with visiting(browser, site, width=PHONE) as page:
        await page.goto("/bad")
        assert '<hr size="1" width="500">' in await sideways(page)


async def test_elements_that_the_keyboard_cannot_reach_are_named(browser: Browser, site: Hub) -> None:
    links = '<a href="/">fine</a> <a href="/x" tabindex="-1">away</a> <input type="date"> <button>fine</button>'
    radios = '<input type="radio" name="a"><input type="radio" name="a" checked> <input type="radio" name="b">'
    add(site, "/bad", links + radios)
    async with visiting(browser, site) as page:
        await page.goto("/bad")
        assert await out_of_reach(page) == ['not reached: <a href="/x" tabindex="-1">away</a>']


async def test_the_weight_is_what_was_transferred(browser: Browser, site: Hub) -> None:
    add(site, "/heavy", "x" * 100_000)
    async with visiting(browser, site) as page:
        requests = asked_for(page)
        await page.goto("/heavy")
        assert 100_000 < await weight(requests) < 102_000
