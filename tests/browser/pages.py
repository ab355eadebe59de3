"""How each page is looked at: where it is, who looks, and what they do there first.

A page whose path names no place is here because it's declared. Other pages need a line, and so does a page in another
state or seen by somebody else. Each page is checked with axe, at phone width, by keyboard and for its weight
(test_pages.py), and shots.py takes its picture.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from playwright.async_api import FilePayload, Page

from demo.seed import DEMO_PASSWORD
from permissions.secrets import seal
from tests.browser.demo import Demo
from tests.browser.serving import HOST
from tests.browser.visiting import press
from web.page import FOR_ADMINISTRATORS, FOR_DIRECTORIES, FOR_EVERYBODY, FOR_MEDIATORS, FOR_REVIEWERS, FOR_SIGNED_IN
from web.pages import pages
from web.pages.done import SHOWN
from web.proofs import PROOF_LASTS, proof

Act = Callable[[Page], Awaitable[None]]


@dataclass(frozen=True)
class Look:
    """A page as one of the demo's people sees it.

    `path` may name places in the demo, such as `{entry}` (demo.py has them all). `by` is a handle; None is signed out.
    `then` is done on the page before it's looked at.
    """

    name: str
    path: str
    by: str | None = None
    status: int = 200
    then: Act | None = None
    dark: bool = False
    """Whether a screenshot is taken in dark colours as well."""

    def address(self, demo: Demo) -> str:
        """Where to go; a page that says what was done is opened as if by somebody who did it."""
        path = self.path.format(**demo.places)
        if not path.startswith("/done/"):
            return path
        settings, until = demo.hub.settings, demo.hub.database.now() + PROOF_LASTS
        shows = seal(settings, SHOWN, demo.places["receipt"]) if path == "/done/feedback" else ""
        return f"{path}?shows={shows}&proof={proof(settings, until, path, shows, HOST)}"


def typed(button: str, **fields: str) -> Act:
    """Type into fields, given by their ids, and press a button."""

    async def act(page: Page) -> None:
        for field, text in fields.items():
            await page.locator(f"#{field}").fill(text)
        await press(page, button)

    return act


async def wrong_survey(page: Page) -> None:
    """Send a survey with an email address that the browser accepts and the hub doesn't."""
    await page.get_by_label("As a party to the dispute").check()
    await page.get_by_label("They were the mediator").check()
    await page.locator("#email").fill("pat@nowhere")
    await press(page, "Send my feedback")


async def attached_text(page: Page) -> None:
    """Attach something that isn't taken."""
    text = FilePayload(name="words.txt", mimeType="text/plain", buffer=b"just words")
    await page.locator("#file").set_input_files(text)
    await page.locator("#kind").select_option("CERTIFICATE")
    await press(page, "Attach")


NAMED = [
    Look("welcome", "/", dark=True),
    Look("sign-in-refused", "/signin", then=typed("Sign in", email="nobody@demo.example", password="not my password")),
    Look("give-found", "/give", then=typed("Search", search="Demo")),
    Look("give-nobody", "/give", then=typed("Search", search="Nobody")),
    Look("give-refused", "/give", then=typed("Search", search="De")),
    Look("survey-by-request", "/feedback/{request}", dark=True),
    Look("survey-by-link", "/give/{personal}"),
    Look("survey-by-choice", "/give/to/{mediator}"),
    Look("survey-refused", "/give/to/{mediator}", then=wrong_survey, dark=True),
    Look("survey-thanks", "/done/feedback"),
    Look("receipt-shown", "/receipt/{receipt}", dark=True),
    Look("receipt-unknown", "/receipt", then=typed("Show my feedback", code="0000")),
    Look("receipt-erase", "/receipt/{receipt}/erase"),
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
    Look("sign-up-refused", "/signup", then=typed("Sign up", name="Demo", email="demo@nowhere", password="a long one")),
    Look("sign-up-done", "/done/signup"),
    Look("forgotten-done", "/done/forgotten"),
    Look("account-deleted", "/done/deleted"),
    Look("home-mediator", "/", by="mediator", dark=True),
    Look("home-new-mediator", "/", by="mediator12"),
    Look("home-reviewer", "/", by="reviewer"),
    Look("home-asked", "/", by="reviewer2"),
    Look("details-waiting", "/details", by="mediator11"),
    Look("details-invited", "/details", by="mediator12"),
    Look("home-peer", "/", by="peer"),
    Look("home-directory", "/", by="directory"),
    Look("home-administrator", "/", by="admin"),
    Look(
        "second-factor-secret", "/account/second-factor", by="mediator", then=typed("Continue", password=DEMO_PASSWORD)
    ),
    Look("logbook", "/logbook", by="mediator", dark=True),
    Look("logbook-empty", "/logbook", by="mediator12"),
    Look("logbook-entry", "/logbook/{entry}", by="mediator"),
    Look("logbook-edit", "/logbook/{entry}/edit", by="mediator"),
    Look("case-session-new", "/logbook/{entry}/sessions/new", by="mediator"),
    Look("case-session-edit", "/logbook/{entry}/sessions/{session}/edit", by="mediator"),
    Look("cpd-entry", "/cpd/{cpd}", by="mediator"),
    Look("cpd-files", "/cpd/{certified}/files", by="mediator", dark=True),
    Look("cpd-files-refused", "/cpd/{certified}/files", by="mediator", then=attached_text),
    Look("cpd-edit", "/cpd/{cpd}/edit", by="mediator"),
    Look("opening-balance-edit", "/opening-balances/{balance}/edit", by="mediator"),
    Look("learnings-empty", "/learnings", by="mediator12"),
    Look("my-feedback-empty", "/my-feedback", by="mediator12"),
    Look("my-feedback-piece", "/my-feedback/{feedback}", by="mediator"),
    Look("review-mediator", "/review/{mediator}", by="reviewer", dark=True),
    Look("review-end", "/review/{mediator}/end", by="reviewer"),
    Look("directory-search", "/mediators", by="directory"),
    Look("directory-mediator", "/mediators/{mediator}", by="directory", dark=True),
]

HANDLES = {
    FOR_EVERYBODY: None,
    FOR_SIGNED_IN: "mediator",
    FOR_MEDIATORS: "mediator",
    FOR_REVIEWERS: "reviewer",
    FOR_DIRECTORIES: "directory",
    FOR_ADMINISTRATORS: "admin",
}


def declared() -> Iterator[Look]:
    """Return a look at each page that needs no place, unless there's a line for the same look."""
    plain = {(look.path, look.by) for look in NAMED if look.then is None}
    for page in pages:
        by = HANDLES[page.audience]
        if "GET" in page.methods and not page.is_file and "{" not in page.path and (page.path, by) not in plain:
            yield Look(page.path.strip("/").replace("/", "-"), page.path, by)


LOOKS = [*NAMED, *declared()]
