"""Importing a spreadsheet as a mediator does it in a browser: from the sample file, on a phone and a desktop."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, FilePayload, Page, expect

from tests.browser.looking import sideways, violations
from tests.browser.visiting import DESKTOP, PHONE, press, visiting
from tests.hub import Hub

WRONG = "soon,Judge,Online,1:30,Settled," + "<b>long</b>" * 60
CASES: FilePayload = {
    "name": "cases.csv",
    "mimeType": "text/csv",
    "buffer": f"Date,Role,How,Hours,Outcome,Comments\n{WRONG}\n5/6/2024,Lead,Zoom,7:30,yes,fine\n".encode(),
}


def text_of(path: Path) -> str:
    return path.read_text("utf-8-sig")


async def looks_well(page: Page, javascript: bool) -> None:
    if javascript:  # axe can't run without it
        assert await violations(page) == []
        assert await sideways(page) == []


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no javascript"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
async def test_a_spreadsheet_becomes_cases(browser: Browser, site: Hub, width: int, javascript: bool) -> None:
    ann = await site.mediator()
    async with visiting(browser, site, ann, width=width, javascript=javascript) as page:
        await page.goto("/logbook")
        await page.get_by_role("link", name="Import a spreadsheet").first.click()
        await looks_well(page, javascript)
        await page.get_by_label("Your file").set_input_files(CASES)
        await press(page, "Preview")
        await expect(page.get_by_role("heading", name="Please check this")).to_be_visible()
        await looks_well(page, javascript)
        await page.get_by_label("Medium", exact=True).select_option("C: How")
        await press(page, "Preview")
        await expect(page.get_by_text("5 Jun 2024")).to_be_visible()
        await looks_well(page, javascript)
        async with page.expect_download() as rows:
            await page.get_by_role("button", name="Download these rows").click()
        assert "<b>long</b>" in text_of(await (await rows.value).path())
        await page.get_by_label("How dates such as").select_option("Month first: 6 May")
        await press(page, "Import 1 case")
        await expect(page.get_by_text("Please check the new preview")).to_be_visible()
        await expect(page.get_by_text("6 May 2024").first).to_be_visible()
        await press(page, "Import 1 case")
        await expect(page.get_by_role("heading", name="1 case imported")).to_be_visible()
        await looks_well(page, javascript)
        await page.reload()
        async with page.expect_download() as rows:
            await page.get_by_role("button", name="Download these rows").click()
        mended = text_of(await (await rows.value).path())
        await page.get_by_role("link", name="Go to the logbook").click()
        await expect(page.get_by_text("1 case", exact=True)).to_be_visible()
        await page.get_by_role("link", name="Import a spreadsheet").click()
        mended = mended.replace("soon,Judge", "2024-05-07,Observer")
        await page.get_by_label("Your file").set_input_files({**CASES, "buffer": mended.encode()})
        await press(page, "Preview")
        await expect(page.get_by_role("button", name="Preview")).to_be_visible()
