"""What our script adds to pages: filters that apply by themselves, nothing lost by accident, nothing sent twice."""

from playwright.async_api import Browser, Dialog, expect

from tests.browser.visiting import PHONE, go_back, visiting
from tests.hub import Hub
from tests.world import put_cases


async def test_a_filter_applies_when_it_is_chosen_and_the_back_button_undoes_it(browser: Browser, site: Hub) -> None:
    ann = await site.mediator()
    await put_cases(site, ann, {"role": "OBSERVER"}, {"role": "LEAD_MEDIATOR", "reference": "Fence"})
    async with visiting(browser, site, ann) as page:
        await page.goto("/logbook")
        cases = page.get_by_role("table", name="Your cases")
        await page.get_by_role("form", name="Which cases to show").get_by_label("Role").select_option("Observer")
        await expect(cases).not_to_contain_text("Fence")
        await expect(page).to_have_url("/logbook?role=OBSERVER")  # filters that weren't chosen stay out of the address
        await page.get_by_role("link", name="Hours").first.click()
        await expect(cases.get_by_role("columnheader", name="Hours")).to_have_attribute("aria-sort", "ascending")
        await go_back(page)
        await go_back(page)
        await expect(cases).to_contain_text("Fence")
        await page.get_by_role("form", name="Which cases to show").get_by_label("Search").fill("fence")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("main")).to_contain_text("1 case with this filter")


async def test_on_a_phone_the_filters_of_a_table_are_folded_away(browser: Browser, site: Hub) -> None:
    ann = await site.mediator()
    await put_cases(site, ann, {})
    async with visiting(browser, site, ann, width=PHONE) as page:
        await page.goto("/logbook")
        role = page.get_by_role("form", name="Which cases to show").get_by_label("Role")
        await expect(role).to_be_hidden()
        await page.get_by_text("Filter and sort").first.click()
        await role.select_option("Lead mediator")
        await expect(page.get_by_role("form", name="Which cases to show").get_by_label("Role")).to_be_visible()


async def test_leaving_a_form_with_typed_text_asks_first_and_saving_does_not(browser: Browser, site: Hub) -> None:
    ann = await site.mediator()
    asked: list[str] = []

    async def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        await dialog.dismiss()

    async with visiting(browser, site, ann) as page:
        page.on("dialog", stay)
        await page.goto("/logbook/new")
        await page.get_by_label("Notes").press_sequentially("Not lost")
        await page.get_by_role("link", name="Learnings").click()
        await expect(page.get_by_label("Notes")).to_have_value("Not lost")
        assert asked == ["beforeunload"]
        await page.get_by_label("Your role").select_option("Observer")
        await page.get_by_label("Medium").select_option("Online")
        await page.get_by_label("Duration in hours").fill("1:00")
        await page.get_by_role("button", name="Save", exact=True).click()
        await expect(page.get_by_role("status")).to_have_text("The entry has been added.")
        assert asked == ["beforeunload"]
        await expect(page).to_have_url("/logbook")  # reloading doesn't say it again


async def test_a_double_click_sends_a_form_once(browser: Browser, site: Hub) -> None:
    ann = await site.mediator()
    sent: list[str] = []
    async with visiting(browser, site, ann) as page:
        page.on("request", lambda request: sent.append(request.method) if request.method == "POST" else None)
        await page.goto("/request")
        await page.get_by_label("Name of the party").fill("Pat")
        await page.get_by_label("Email address of the party").fill("pat@demo.example")
        await page.get_by_label("Last day of the mediation").fill("2024-05-07")
        await page.get_by_label("The party agreed").check()
        await page.get_by_role("button", name="Send the request").dblclick()
        await expect(page.get_by_role("status")).to_have_text("Your request is on its way.")
    assert sent == ["POST"]
    assert len(await site.rows("SELECT 1 FROM feedback_request")) == 1


async def test_the_personal_link_is_copied(browser: Browser, site: Hub) -> None:
    ann = await site.mediator()
    async with visiting(browser, site, ann) as page:
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await page.goto("/request")
        link = await page.get_by_label("Link to hand out").input_value()
        await page.get_by_role("button", name="Copy").click()
        await expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert await page.evaluate("navigator.clipboard.readText()") == link


async def test_a_printed_logbook_has_the_tables_and_nothing_to_press(browser: Browser, site: Hub) -> None:
    ann = await site.mediator()
    await put_cases(site, ann, {"reference": "Fence"})
    async with visiting(browser, site, ann) as page:
        await page.goto("/logbook")
        await page.emulate_media(media="print")
        await expect(page.get_by_role("table", name="Your cases")).to_be_visible()
        await expect(page.get_by_text("Hours by role, without simulations").first).to_be_visible()
        for role in ("button", "navigation", "combobox"):
            assert await page.get_by_role(role).count() == 0, role
        assert (await page.pdf()).startswith(b"%PDF")
