"""GraphiQL as an administrator uses it: the docs appear, a query runs, and nothing is requested from another host."""

import re

from playwright.async_api import Browser, expect

from models.account import Role
from tests.browser.chromium import missing
from tests.browser.looking import sideways
from tests.browser.visiting import DESKTOP, PHONE, sign_in_by_form, visiting
from tests.hub import Hub
from web.graphiql import installed_version


async def test_an_administrator_reads_the_docs_and_runs_a_query(browser: Browser, site: Hub) -> None:
    if installed_version() is None:
        missing("GraphiQL is not built: `make setup` does it, with npm and the network")
    admin = await site.person(Role.ADMIN, name="Ada Administrator")
    async with visiting(browser, site, width=PHONE) as page:
        await page.goto("/graphiql")
        await sign_in_by_form(page, admin.email)
        await expect(page.get_by_role("button", name="Execute query")).to_be_visible()
        assert await sideways(page) == []
        await page.set_viewport_size({"width": DESKTOP, "height": 800})
        docs = page.get_by_role("button", name=re.compile("Show Documentation Explorer"))
        await docs.click()
        explorer = page.locator(".graphiql-doc-explorer")
        await explorer.get_by_text("Query", exact=True).click()
        await expect(explorer.get_by_text("auditLog", exact=True)).to_be_visible()
        await expect(explorer.get_by_text("deadMail", exact=True)).to_be_visible()
        await page.get_by_role("button", name="Execute query").click()
        await expect(page.locator(".result-window")).to_contain_text('"__typename": "OwnAccount"')
