"""Every page, a line each: where it is, who looks at it, and what they do there first.

Add a line and the page is looked at by axe, at phone width, by keyboard and on the scales (test_pages.py), and shot
(shots.py).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from playwright.async_api import Page

from demo.seed import DEMO_PASSWORD
from tests.browser.demo import Demo
from tests.browser.serving import HOST
from tests.browser.visiting import press
from web.receipts import RECEIPT_LASTS, receipt

Act = Callable[[Page], Awaitable[None]]


@dataclass(frozen=True)
class Look:
    """A page as one of the demo's people sees it.

    `path` may name places of the demo, such as `{entry}` (demo.py has them all). `by` is a handle; None is signed out.
    `then` is done on the page before it is looked at.
    """

    name: str
    path: str
    by: str | None = None
    status: int = 200
    then: Act | None = None
    dark: bool = False
    """Whether a screenshot is taken in dark colours, too."""

    def address(self, demo: Demo) -> str:
        """Where to go; a page that says what was done is opened as by those who did it."""
        path = self.path.format(**demo.places)
        if not path.startswith("/done/"):
            return path
        made = receipt(demo.hub.settings, demo.hub.database.now() + RECEIPT_LASTS, path, "", HOST)
        return f"{path}?receipt={made}"


def typed(button: str, **fields: str) -> Act:
    """Type into fields, by their ids, and press a button."""

    async def act(page: Page) -> None:
        for field, text in fields.items():
            await page.locator(f"#{field}").fill(text)
        await press(page, button)

    return act


async def wrong_survey(page: Page) -> None:
    """Send a survey whose address the browser takes and the hub does not."""
    await page.get_by_label("As a party to the dispute").check()
    await page.get_by_label("They were the mediator").check()
    await page.locator("#email").fill("pat@nowhere")
    await press(page, "Send my feedback")


LOOKS = [
    Look("welcome", "/", dark=True),
    Look("sign-in", "/signin"),
    Look("sign-in-refused", "/signin", then=typed("Sign in", email="nobody@demo.example", password="not my password")),
    Look("give", "/give"),
    Look("give-found", "/give", then=typed("Search", search="Demo")),
    Look("give-nobody", "/give", then=typed("Search", search="Nobody")),
    Look("give-refused", "/give", then=typed("Search", search="De")),
    Look("survey-by-request", "/feedback/{request}", dark=True),
    Look("survey-by-link", "/give/{personal}"),
    Look("survey-by-choice", "/give/to/{mediator}"),
    Look("survey-refused", "/give/to/{mediator}", then=wrong_survey, dark=True),
    Look("survey-thanks", "/done/feedback"),
    Look("survey-spent", "/feedback/{spent}", status=410),
    Look("link-unknown", "/feedback/{unknown}", status=404),
    Look("verify", "/verify/{verify}"),
    Look("verify-done", "/done/verify"),
    Look("password", "/password/{password}"),
    Look("invitation", "/invitation/{invitation}"),
    Look("invitation-signed-in", "/invitation/{invitation}", by="mediator"),
    Look("stop", "/stop/{stop}"),
    Look("export", "/export/{export}", by="mediator"),
    Look("mailbox", "/mailbox"),
    Look("sign-up", "/signup"),
    Look("sign-up-refused", "/signup", then=typed("Sign up", name="Demo", email="demo@nowhere", password="a long one")),
    Look("sign-up-done", "/done/signup"),
    Look("forgotten", "/forgotten"),
    Look("forgotten-done", "/done/forgotten"),
    Look("account-deleted", "/done/deleted"),
    Look("home-mediator", "/", by="mediator", dark=True),
    Look("home-new-mediator", "/", by="mediator12"),
    Look("home-reviewer", "/", by="reviewer"),
    Look("home-peer", "/", by="peer"),
    Look("home-directory", "/", by="directory"),
    Look("home-administrator", "/", by="admin"),
    Look("account", "/account", by="mediator"),
    Look("account-name", "/account/name", by="mediator"),
    Look("account-email", "/account/email", by="mediator"),
    Look("account-password", "/account/password", by="mediator"),
    Look("account-delete", "/account/delete", by="mediator"),
    Look("account-token", "/account/tokens/new", by="mediator"),
    Look("second-factor", "/account/second-factor", by="mediator"),
    Look("second-factor-secret", "/account/second-factor", by="mediator", then=typed("Continue", password=DEMO_PASSWORD)),
    Look("second-factor-codes", "/account/second-factor/codes", by="mediator"),
    Look("second-factor-remove", "/account/second-factor/remove", by="mediator"),
    Look("account-export", "/account/export", by="mediator"),
    Look("details", "/details", by="mediator"),
    Look("logbook", "/logbook", by="mediator", dark=True),
    Look("logbook-empty", "/logbook", by="mediator12"),
    Look("logbook-new", "/logbook/new", by="mediator"),
    Look("logbook-entry", "/logbook/{entry}", by="mediator"),
    Look("logbook-edit", "/logbook/{entry}/edit", by="mediator"),
    Look("logbook-import", "/logbook/import", by="mediator"),
    Look("cpd-new", "/cpd/new", by="mediator"),
    Look("cpd-entry", "/cpd/{cpd}", by="mediator"),
    Look("cpd-edit", "/cpd/{cpd}/edit", by="mediator"),
    Look("learnings", "/learnings", by="mediator"),
    Look("learnings-empty", "/learnings", by="mediator12"),
    Look("request", "/request", by="mediator"),
    Look("my-feedback", "/my-feedback", by="mediator"),
    Look("my-feedback-empty", "/my-feedback", by="mediator12"),
    Look("my-feedback-piece", "/my-feedback/{feedback}", by="mediator"),
    Look("review", "/review", by="reviewer"),
    Look("review-mediator", "/review/{mediator}", by="reviewer", dark=True),
    Look("review-end", "/review/{mediator}/end", by="reviewer"),
    Look("directory-search", "/mediators", by="directory"),
    Look("directory-mediator", "/mediators/{mediator}", by="directory", dark=True),
]
