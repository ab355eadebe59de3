"""The whole story in a browser, from everybody's point of view and with their mails; also without JavaScript."""

from dataclasses import dataclass

import pytest
from playwright.async_api import Browser, Page, expect

from models.account import Role
from tests.browser.visiting import PHONE, follow, go_back, path_of, sign_in_by_form, sign_out, visiting
from tests.hub import PASSWORD, Hub, payload

MARTHA = "martha@demo.example"
ROSA = "rosa@demo.example"
PAUL = "paul@demo.example"


@dataclass
class Story:
    """Where it happens: one window, used by one person after another."""

    hub: Hub
    page: Page

    async def signs_up(self) -> None:
        page = self.page
        await page.goto("/")
        await page.get_by_role("link", name="Sign up").first.click()
        await page.get_by_label("Your name").fill("Martha Mediator")
        await page.get_by_label("Email address").fill(MARTHA)
        await page.get_by_label("Choose a password").fill(PASSWORD)
        await page.get_by_label("Directories can find me").check()
        await page.get_by_role("button", name="Sign up").click()
        await follow(page, self.hub, MARTHA, "verify")
        await page.get_by_role("button", name="Confirm my email address").click()
        await page.get_by_role("link", name="Sign in").last.click()
        await page.goto("/signin")
        await sign_in_by_form(page, MARTHA)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Welcome, Martha Mediator")

    async def logs_a_case(self) -> None:
        page = self.page
        await page.get_by_role("link", name="Add a case").click()
        await page.get_by_label("Your role").select_option("Lead mediator")
        await page.get_by_label("Medium").select_option("Online")
        await page.get_by_label("First day").fill("2024-05-06")
        await page.get_by_label("Last day").fill("2024-05-07")
        await page.get_by_label("Duration in hours").fill("7,5")
        await page.get_by_label("Kind of dispute").select_option("NEIGHBOURS")
        await page.get_by_label("What I did well").fill("Took time")
        await page.get_by_role("button", name="Save", exact=True).click()
        await expect(page.get_by_role("status")).to_have_text("The entry has been added.")
        await page.get_by_role("navigation", name="Main").get_by_role("link", name="Learnings").click()
        await expect(page.get_by_role("table", name="Your learnings")).to_contain_text("Took time")

    async def logs_training(self) -> None:
        page = self.page
        await page.goto("/cpd/new")
        await page.get_by_label("Title").fill("Listening")
        await page.get_by_label("Kind").select_option("Training received")
        await page.get_by_label("Duration in hours").fill("12:30")
        await page.get_by_role("button", name="Save", exact=True).click()
        await expect(page.get_by_role("table", name="Your CPD")).to_contain_text("12:30")

    async def invites_a_reviewer(self) -> None:
        page = self.page
        await page.get_by_text("Account", exact=True).click()
        await page.get_by_role("link", name="My Details").click()
        await page.get_by_label("About me").fill("I mediate between neighbours.")
        await page.get_by_label("My profile at").fill("https://demo.example/martha")
        await page.get_by_role("button", name="Save").click()
        await page.get_by_label("Email address of the person to invite").fill(ROSA)
        await page.get_by_role("button", name="Send the invitation").click()
        await expect(page.get_by_role("status")).to_have_text("The invitation is on its way.")
        await sign_out(page)
        await follow(page, self.hub, ROSA, "invitation")
        await page.get_by_label("Your name").fill("Rosa Reviewer")
        await page.get_by_label("Choose a password").fill(PASSWORD)
        await page.get_by_label("How do you know each other?").select_option("COLLEAGUE")
        await page.get_by_role("button", name="Accept with a new account").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Thank you for accepting")
        ((rosa,),) = await self.hub.rows("SELECT id FROM account WHERE email = $1", ROSA)
        admin = await self.hub.person(Role.ADMIN)
        payload(await self.hub.change("confirmReviewer", {"accountId": str(rosa)}, by=admin))

    async def asks_for_feedback(self) -> None:
        page = self.page
        await page.goto("/signin")
        await sign_in_by_form(page, MARTHA)
        await page.get_by_role("navigation", name="Main").get_by_role("link", name="Request Feedback").click()
        await page.get_by_label("Name of the party").fill("Paul Party")
        await page.get_by_label("Email address of the party").fill(PAUL)
        await page.get_by_label("Your reference").fill("Fence")
        await page.get_by_label("Last day of the mediation").fill("2024-05-07")
        await page.get_by_label("The party agreed").check()
        await page.get_by_role("button", name="Send the request").click()
        await expect(page.get_by_role("table", name="Requests")).to_contain_text("Paul Party")
        await sign_out(page)

    async def answers(self, *, share: bool) -> None:
        page = self.page
        await page.set_viewport_size({"width": PHONE, "height": 700})
        await follow(page, self.hub, PAUL, "feedback")
        await expect(page.get_by_role("main")).to_contain_text("Rosa Reviewer, the reviewer for Martha Mediator")
        await page.get_by_label("As a party to the dispute").check()
        await page.get_by_label("They were the mediator").check()
        await page.get_by_role("group", name="They listened carefully").get_by_label("Strongly agree").check()
        await page.locator("#answer-impressed").fill("The calm of it")
        await page.locator("#answer-for_reviewer").fill("For Rosa alone")
        await expect(page.get_by_label("No, don't share them")).to_be_checked()
        if share:
            await page.get_by_label("Yes, share all but").check()
        await page.get_by_label("Your name (optional)").fill("Paul P.")
        await page.get_by_role("button", name="Send my feedback").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
        await go_back(page)
        await page.reload()
        await expect(page.get_by_role("main")).to_contain_text("It's been used: we have your feedback.")
        await page.set_viewport_size({"width": 1280, "height": 800})

    async def reads_what_was_shared(self) -> None:
        page = self.page
        await page.goto("/signin")
        await sign_in_by_form(page, MARTHA)
        await page.get_by_role("navigation", name="Main").get_by_role("link", name="My Feedback").click()
        await page.get_by_role("link", name="5.0 of 5 on average").click()
        main = page.get_by_role("main")
        await expect(main).to_contain_text("The calm of it")
        await expect(main).not_to_contain_text("For Rosa alone")
        await expect(main).not_to_contain_text("Paul")
        await sign_out(page)

    async def reviews(self) -> None:
        page = self.page
        await page.goto("/signin")
        await sign_in_by_form(page, ROSA)
        await page.get_by_role("navigation", name="Main").get_by_role("link", name="Review Feedback").click()
        await page.get_by_role("link", name="Martha Mediator").first.click()
        main = page.get_by_role("main")
        for words in ("The calm of it", "For Rosa alone", "5.0", "On request"):
            await expect(main).to_contain_text(words, ignore_case=True)
        await expect(main).not_to_contain_text("Paul")
        await sign_out(page)

    async def is_verified_by_a_directory(self) -> None:
        page = self.page
        admin = await self.hub.person(Role.ADMIN)
        payload(
            await self.hub.change("createDirectory", {"name": "The Guide", "email": "guide@demo.example"}, by=admin)
        )
        await follow(page, self.hub, "guide@demo.example", "password")
        await page.get_by_label("New password").fill(PASSWORD)
        await page.get_by_role("button", name="Set the password").click()
        await page.goto("/signin")
        await sign_in_by_form(page, "guide@demo.example")
        await page.get_by_label("Name of the mediator").fill("marth")
        await page.get_by_role("button", name="Search").click()
        await page.get_by_role("link", name="Martha Mediator", exact=True).click()
        main = page.get_by_role("main")
        for words in ("7:30", "Neighbours", "Listening", "I mediate between neighbours."):
            await expect(main).to_contain_text(words)
        for private in ("Took time", "The calm of it", MARTHA):
            await expect(main).not_to_contain_text(private)
        await sign_out(page)

    async def leaves(self) -> None:
        page, hub = self.page, self.hub
        await page.goto("/signin")
        await sign_in_by_form(page, MARTHA)
        await page.goto("/account")
        await page.get_by_role("link", name="Get a copy").click()
        await page.get_by_role("button", name="Create a copy").click()
        await hub.work()
        await page.goto("/account/export")
        await expect(page.get_by_role("main")).to_contain_text("Ready")
        await page.goto(f"/export/{hub.secret(MARTHA, 'export')}")
        async with page.expect_download() as download:
            await page.get_by_role("button", name="Download my data").click()
        assert (await download.value).suggested_filename == "my-data.zip"
        await page.goto("/account/delete")
        await page.get_by_label("Your password").fill(PASSWORD)
        await page.get_by_role("button", name="Delete my account").click()
        await page.goto("/logbook")
        assert path_of(page) == "/signin"
        await page.goto("/signin")
        await sign_in_by_form(page, MARTHA)
        await expect(page.get_by_role("main")).to_contain_text("The email address or the password is wrong.")


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without JavaScript"])
async def test_everybody_does_what_they_came_to_do(browser: Browser, site: Hub, javascript: bool) -> None:
    async with visiting(browser, site, javascript=javascript) as page:
        story = Story(site, page)
        await story.signs_up()
        await story.logs_a_case()
        await story.logs_training()
        await story.invites_a_reviewer()
        await story.asks_for_feedback()
        await story.answers(share=True)
        await story.reads_what_was_shared()
        await story.reviews()
        await story.is_verified_by_a_directory()
        await story.leaves()
