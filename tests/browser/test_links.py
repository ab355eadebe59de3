"""The links in mails, followed from the mailbox and used with the button on their page."""

import asyncio
import io
import zipfile

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.visiting import follow, open_link, path_of, press, sign_in_by_form, visiting
from tests.hub import PASSWORD, Hub, payload

NEW_PASSWORD = "a wholly new password"

with_and_without = pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no javascript"])


async def is_done(page: Page, heading: str) -> None:
    await expect(page.get_by_role("heading", level=1)).to_have_text(heading)


@with_and_without
async def test_an_address_is_confirmed(browser: Browser, site: Hub, javascript: bool) -> None:
    payload(await site.change("signUp", {"name": "New", "email": "new@demo.example", "password": PASSWORD}))
    async with visiting(browser, site, javascript=javascript) as page:
        await follow(page, site, "new@demo.example", "verify")
        assert await site.rows("SELECT 1 FROM account WHERE email_verified_at IS NOT NULL") == []
        await page.get_by_role("main").get_by_role("button").click()
        await is_done(page, "Your email address is confirmed")
        await open_link(page, "Sign in")
        await sign_in_by_form(page, "new@demo.example")
        await expect(page.get_by_role("heading", level=1)).to_contain_text("New")
    assert len(await site.rows("SELECT 1 FROM account WHERE email_verified_at IS NOT NULL")) == 1


@with_and_without
async def test_a_forgotten_password_is_replaced(browser: Browser, site: Hub, javascript: bool) -> None:
    ann = await site.mediator(name="Ann")
    payload(await site.change("requestPasswordReset", {"email": ann.email}))
    async with visiting(browser, site, javascript=javascript) as page:
        await follow(page, site, ann.email, "password")
        link = path_of(page)
        await page.get_by_label("New password").fill(NEW_PASSWORD)
        await press(page, "Set the password")
        await is_done(page, "Your new password is set")
        await open_link(page, "Sign in")
        await sign_in_by_form(page, ann.email, NEW_PASSWORD)
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Ann")
        await page.goto(link)
        await page.get_by_label("New password").fill("another new password")
        await press(page, "Set the password")
        await is_done(page, "This link doesn't work")


@with_and_without
async def test_an_invited_person_becomes_a_reviewer(browser: Browser, site: Hub, javascript: bool) -> None:
    payload(await site.change("inviteReviewer", {"email": "rev@demo.example"}, by=await site.mediator()))
    async with visiting(browser, site, javascript=javascript) as page:
        await follow(page, site, "rev@demo.example", "invitation")
        await page.get_by_label("Your name").fill("Rev Reviewer")
        await page.get_by_label("Choose a password").fill(NEW_PASSWORD)
        await page.get_by_label("How do you know each other?").select_option("COLLEAGUE")
        await press(page, "Accept with a new account")
        await is_done(page, "Thank you for accepting")
        await open_link(page, "Sign in")
        await sign_in_by_form(page, "rev@demo.example", NEW_PASSWORD)
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Rev Reviewer")
    assert len(await site.rows("SELECT 1 FROM appointment")) == 1


@with_and_without
async def test_somebody_with_an_account_signs_in_to_accept(browser: Browser, site: Hub, javascript: bool) -> None:
    bea = await site.mediator(name="Bea")
    payload(await site.change("inviteReviewer", {"email": bea.email}, by=await site.mediator()))
    async with visiting(browser, site, javascript=javascript) as page:
        await follow(page, site, bea.email, "invitation")
        await open_link(page, "Sign in")
        await sign_in_by_form(page, bea.email)
        await page.get_by_label("How do you know each other?").first.select_option("COLLEAGUE")
        await press(page, "Accept the invitation")
        await is_done(page, "Thank you for accepting")
    (row,) = await site.rows("SELECT reviewer_id FROM appointment")
    assert row["reviewer_id"] == bea.id


@with_and_without
async def test_requests_are_stopped(browser: Browser, site: Hub, javascript: bool) -> None:
    request = {"partyName": "Pat", "partyEmail": "pat@demo.example", "mediationEndedOn": "2024-05-06"}
    payload(await site.change("requestFeedback", request | {"partyAgreed": True}, by=await site.mediator()))
    async with visiting(browser, site, javascript=javascript) as page:
        await follow(page, site, "pat@demo.example", "stop")
        assert await site.rows("SELECT 1 FROM stopped_address") == []
        await page.get_by_role("main").get_by_role("button").click()
        await is_done(page, "You won't be asked again")
    assert len(await site.rows("SELECT 1 FROM stopped_address")) == 1


@with_and_without
async def test_a_copy_of_ones_data_is_downloaded(browser: Browser, site: Hub, javascript: bool) -> None:
    ann = await site.mediator()
    payload(await site.change("exportMyData", {}, by=ann))
    async with visiting(browser, site, by=ann, javascript=javascript) as page:
        await follow(page, site, ann.email, "export")
        async with page.expect_download() as downloading:
            await page.get_by_role("button", name="Download my data").click()
        download = await downloading.value
        assert download.suggested_filename == "my-data.zip"
        path = await download.path()
        kept = await asyncio.to_thread(path.read_bytes)
    (row,) = await site.rows("SELECT archive FROM data_export")
    assert kept == row["archive"]
    assert zipfile.ZipFile(io.BytesIO(kept)).testzip() is None


async def test_the_link_in_an_html_mail_leads_to_the_same_page(browser: Browser, site: Hub) -> None:
    payload(await site.change("signUp", {"name": "New", "email": "new@demo.example", "password": PASSWORD}))
    await site.work()
    async with visiting(browser, site) as page:
        await page.goto("/mailbox")
        await page.get_by_role("link", name="as HTML").click()
        await page.locator('a[href*="/verify/"]').first.click()
        await page.get_by_role("main").get_by_role("button").click()
        await is_done(page, "Your email address is confirmed")


async def test_the_link_of_a_withdrawn_request_says_so_kindly(browser: Browser, site: Hub) -> None:
    ann = await site.mediator()
    request = {"partyName": "Pat", "partyEmail": "pat@demo.example", "mediationEndedOn": "2024-05-06"}
    payload(await site.change("requestFeedback", request | {"partyAgreed": True}, by=ann))
    await site.work()
    (asked,) = await site.rows("SELECT id FROM feedback_request")
    payload(await site.change("withdrawFeedbackRequest", {"id": str(asked["id"])}, by=ann))
    async with visiting(browser, site) as page:
        await follow(page, site, "pat@demo.example", "feedback")
        await is_done(page, "This link is closed")
        await expect(page.get_by_role("main")).to_contain_text("has been withdrawn")
