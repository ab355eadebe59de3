"""Signing in with a mouse, with only a keyboard, and without JavaScript."""

import re

import pytest
from playwright.async_api import Browser, expect

from models.account import Role
from tests.browser.visiting import open_link, path_of, sign_in_by_form, sign_out, tab_to, visiting
from tests.hub import PASSWORD, Hub

with_and_without = pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no javascript"])


@with_and_without
async def test_a_mediator_signs_in_and_out(browser: Browser, site: Hub, javascript: bool) -> None:
    ann = await site.mediator(name="Ann Mediator")
    async with visiting(browser, site, javascript=javascript) as page:
        await page.goto("/")
        await open_link(page, "Sign in")
        await sign_in_by_form(page, ann.email)
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Ann Mediator")
        await sign_out(page)
        await expect(page.get_by_role("main").get_by_role("link", name="Sign in")).to_be_visible()


async def test_a_mediator_signs_in_and_out_with_only_the_keyboard(browser: Browser, site: Hub) -> None:
    ann = await site.mediator(name="Ann Mediator")
    async with visiting(browser, site) as page:
        await page.goto("/signin")
        await tab_to(page, "#email")
        await page.keyboard.type(ann.email)
        await page.keyboard.press("Tab")
        await page.keyboard.type(PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Ann Mediator")
        await tab_to(page, "summary")
        await page.keyboard.press("Enter")
        await tab_to(page, "[action='/signout'] button")
        await page.keyboard.press("Space")
        await expect(page.get_by_role("main").get_by_role("link", name="Sign in")).to_be_visible()


@with_and_without
async def test_a_message_about_a_wrong_password_has_the_focus_and_the_address_is_kept(
    browser: Browser, site: Hub, javascript: bool
) -> None:
    ann = await site.mediator()
    async with visiting(browser, site, javascript=javascript) as page:
        await sign_in_by_form(page, ann.email, "not my password")
        summary = page.get_by_role("region", name="Please check this")
        await expect(summary).to_contain_text("The email address or the password is wrong.")
        await expect(summary).to_be_focused()
        await expect(page.get_by_label("Email address")).to_have_value(ann.email)
        await expect(page.get_by_label("Password")).to_have_value("")
        await expect(page).to_have_title(re.compile("^Please check: Sign in"))


async def test_a_page_that_needs_signing_in_comes_back_afterwards(browser: Browser, site: Hub) -> None:
    admin = await site.person(Role.ADMIN)
    async with visiting(browser, site) as page:
        await page.goto("/graphiql")
        assert path_of(page) == "/signin"
        await sign_in_by_form(page, admin.email)
        assert path_of(page) == "/graphiql"


async def test_the_session_is_out_of_reach_of_scripts_and_other_sites(browser: Browser, site: Hub) -> None:
    ann = await site.mediator()
    async with visiting(browser, site) as page:
        await sign_in_by_form(page, ann.email)
        await expect(page.get_by_role("heading", level=1)).to_contain_text(ann.name)
        cookies = await page.context.cookies()
        assert {cookie["name"] for cookie in cookies} == {"device", "session"}
        assert all((cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax") for cookie in cookies)
        assert await page.evaluate("document.cookie") == ""
