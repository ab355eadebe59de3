"""GraphiQL as an administrator uses it: the docs appear, a query runs, its tabs stay, and it leads home and out."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Page, expect

from models.account import Role
from tests.browser.chromium import missing
from tests.browser.looking import sideways
from tests.browser.visiting import DESKTOP, PHONE, path_of, press, sign_in_by_form, visiting
from tests.hub import Hub, Person
from tests.waiting import until
from web.graphiql import installed_version, operations


@asynccontextmanager
async def looking(browser: Browser, site: Hub, admin: Person, *, width: int = DESKTOP) -> AsyncIterator[Page]:
    """GraphiQL, as it opens for somebody who signs in to it."""
    if installed_version() is None:
        missing("GraphiQL is not built: `make setup` does it, with npm and the network")
    async with visiting(browser, site, width=width) as page:
        await page.goto("/graphiql")
        await sign_in_by_form(page, admin.email)
        await expect(page.get_by_role("button", name="Execute query")).to_be_visible()
        yield page


async def titles(page: Page) -> list[str]:
    """What the tabs are called, from left to right."""
    return await page.get_by_role("tab").all_inner_texts()


async def reads(page: Page, operation: str) -> None:
    """Wait until GraphiQL has read the operation that it shows: until then, it goes by the name of the one before."""
    await until(lambda: page.evaluate("name => sessionStorage['graphiql:query']?.includes(name)", f" {operation}"))


async def type_variables(page: Page, text: str) -> None:
    """Replace the variables of the tab that is open. The editor closes each bracket itself, and types over its own."""
    await page.get_by_label("Variables").locator(".monaco-editor").first.click()
    for key in ("ControlOrMeta+A", "Delete"):
        await page.keyboard.press(key)
    await page.keyboard.type(text)


async def test_an_administrator_reads_the_docs_and_runs_a_query(browser: Browser, site: Hub) -> None:
    admin = await site.person(Role.ADMIN, name="Ada Administrator")
    async with looking(browser, site, admin, width=PHONE) as page:
        assert await sideways(page) == []
        await page.set_viewport_size({"width": DESKTOP, "height": 800})
        docs = page.get_by_role("button", name=re.compile("Show Documentation Explorer"))
        await docs.click()
        explorer = page.locator(".graphiql-doc-explorer")
        await explorer.get_by_text("Query", exact=True).click()
        await expect(explorer.get_by_text("auditLog", exact=True)).to_be_visible()
        await expect(explorer.get_by_text("deadMail", exact=True)).to_be_visible()
        await page.get_by_role("tab", name="WaitingAppointments").click()
        await reads(page, "WaitingAppointments {")
        await page.get_by_role("button", name="Execute query").click()
        await expect(page.locator(".result-window")).to_contain_text('"waitingAppointments"')


async def test_it_says_who_is_signed_in_and_leads_home_and_out(browser: Browser, site: Hub) -> None:
    admin = await site.person(Role.ADMIN, name="Ada Administrator")
    async with looking(browser, site, admin) as page:
        header = page.get_by_role("banner")
        await expect(header).to_contain_text(f"Signed in as Ada Administrator ({admin.email})")
        await header.get_by_role("link", name="Home").click()
        await page.wait_for_url(site.settings.base_url + "/")
        await page.go_back()
        await expect(page.get_by_role("button", name="Execute query")).to_be_visible()
        await until(lambda: page.evaluate("sessionStorage.length > 0"))
        await press(page, "Sign out")
        assert path_of(page) == "/"
        assert await page.evaluate("sessionStorage.length") == 0
        await page.goto("/graphiql")
        assert path_of(page) == "/signin"


async def test_its_tabs_are_the_work_at_first_and_after_a_reload_what_they_were(browser: Browser, site: Hub) -> None:
    named = [found[1] for one in operations() if (found := re.search(r"^(?:query|mutation) (\w+)", one, re.MULTILINE))]
    admin, ann = await site.person(Role.ADMIN), await site.mediator(name="Ann")
    async with looking(browser, site, admin) as page:
        assert await titles(page) == named
        variables = page.get_by_label("Variables").locator(".view-lines")
        await expect(variables).to_contain_text('"search": ""')

        await page.get_by_role("tab", name="DeleteAccount").click()
        await expect(variables).to_contain_text('"email": ""')
        await type_variables(page, '{"id": "typed"}')
        await until(lambda: page.evaluate("sessionStorage['graphiql:tabState'].includes('typed')"))
        before = await titles(page)
        assert before == named
        await page.reload()
        await expect(page.get_by_role("tab", name="DeleteAccount")).to_have_attribute("aria-selected", "true")
        await expect(variables).to_contain_text("typed")
        assert await titles(page) == before

        # A tab that was closed stays closed, and a new one stays open.
        await page.get_by_role("button", name="Close Tab").last.click()
        await expect(page.get_by_role("tab")).to_have_count(len(named) - 1)
        await reads(page, "SignOutAccount(")
        await page.get_by_role("button", name="New tab").click()
        await expect(page.get_by_role("tab", name="<untitled>")).to_be_visible()
        kept = [*named[:-1], "<untitled>"]
        assert await titles(page) == kept
        await until(lambda: page.evaluate("!JSON.parse(sessionStorage['graphiql:tabState']).tabs.at(-1).query"))
        await page.reload()
        await expect(page.get_by_role("tab", name="<untitled>")).to_have_attribute("aria-selected", "true")
        assert await titles(page) == kept

        await page.get_by_role("tab", name="FindPeople").click()
        await expect(variables).to_contain_text('"search": ""')
        await reads(page, "FindPeople(")
        await type_variables(page, '{"search": "ann"}')
        await page.get_by_role("button", name="Execute query").click()
        await expect(page.locator(".result-window")).to_contain_text(str(ann.id))
