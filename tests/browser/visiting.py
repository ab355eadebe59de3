"""Somebody using a browser: their window, what they do in it, and what no page may make it do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response

from tests.browser.serving import HOST
from tests.hub import PASSWORD, Hub, Person
from tests.web.reading import handed_out

PHONE = 360
DESKTOP = 1280
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
# Monaco in GraphiQL and the HTML of mails have styles of their own.
STYLED = ("/graphiql", "/mailbox/")


@dataclass
class Watch:
    """Notes what no page of ours (`own` is our address) may make a browser do, with a line for each fault."""

    own: str
    faults: list[str] = field(default_factory=list)

    def over(self, context: BrowserContext) -> None:
        """Watch a browser's windows."""
        context.on("request", self._asked)
        context.on("response", self._answered)
        context.on("console", self._said)
        context.on("weberror", lambda error: self.faults.append(f"error in a script: {error.error}"))

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob"} and parts.hostname != HOST:
            self.faults.append(f"left this machine: {request.url}")

    def _answered(self, response: Response) -> None:
        if not response.url.startswith(f"{self.own}/"):
            return
        if response.request.resource_type != "document":
            if response.status >= 400:
                self.faults.append(f"status {response.status}: {response.url}")
            return
        headers = response.headers
        self.faults += [f"{name} is missing: {response.url}" for name in HEADERS if headers.get(name) != HEADERS[name]]
        policy = dict(
            part.strip().partition(" ")[::2] for part in headers.get("content-security-policy", "").split(";")
        )
        if policy.get("frame-ancestors") != "'none'" or policy.get("default-src") != "'none'":
            self.faults.append(f"the policy lets in what it should not: {response.url}")
        loose = {name for name, sources in policy.items() if "unsafe" in sources}
        if loose and not (loose == {"style-src"} and urlsplit(response.url).path.startswith(STYLED)):
            self.faults.append(f"the policy has an unsafe {', '.join(sorted(loose))}: {response.url}")

    def _said(self, message: ConsoleMessage) -> None:
        # Statuses are checked above: a page that says what to correct has one that counts as an error here.
        is_status = message.text.startswith("Failed to load resource: the server responded with a status of")
        if message.type in {"error", "warning"} and not is_status:
            self.faults.append(f"{message.type} on the console: {message.text}")


@asynccontextmanager
async def visiting(
    browser: Browser,
    hub: Hub,
    by: Person | None = None,
    *,
    width: int = DESKTOP,
    dark: bool = False,
    javascript: bool = True,
) -> AsyncIterator[Page]:
    """Open a window at a served hub, in a browser profile of its own; `by` is signed in beforehand.

    Addresses are paths of the hub. At the end, this fails if any page asked another host for something, broke its
    policy, or had an error.
    """
    context = await browser.new_context(
        base_url=hub.settings.base_url,
        viewport={"width": width, "height": 800},
        color_scheme="dark" if dark else "light",
        java_script_enabled=javascript,
        locale="en-GB",
        timezone_id="UTC",
        reduced_motion="reduce",
    )
    watch = Watch(hub.settings.base_url)
    watch.over(context)
    try:
        if by is not None:
            await context.add_cookies([{"name": "session", "value": by.cookie, "url": hub.settings.base_url}])
        yield await context.new_page()
    finally:
        await context.close()
    assert not watch.faults, "\n".join(watch.faults)


def path_of(page: Page) -> str:
    """Return the path that a window is at, without the query."""
    return urlsplit(page.url).path


async def press(page: Page, button: str) -> None:
    """Press a button that leads to another page, and wait until that page and its script have loaded."""
    async with page.expect_navigation():
        await page.get_by_role("button", name=button).click()


async def go_back(page: Page) -> None:
    """Press the back button. A page from the cache is there at once, and loads nothing."""
    await page.go_back(wait_until="commit")


async def open_link(page: Page, name: str) -> None:
    """Follow a link in the main part of a page, and wait for the page that it leads to."""
    async with page.expect_navigation():
        await page.get_by_role("main").get_by_role("link", name=name).click()


async def sign_in_by_form(page: Page, email: str, password: str = PASSWORD) -> None:
    """Sign in, on the page that asks for it or from elsewhere."""
    if path_of(page) != "/signin":
        await page.goto("/signin")
    await page.get_by_label("Email address").fill(email)
    await page.get_by_label("Password").fill(password)
    await press(page, "Sign in")


async def sign_out(page: Page) -> None:
    """Sign out through the account menu."""
    await page.get_by_text("Account", exact=True).click()
    await press(page, "Sign out")


async def tab_to(page: Page, wanted: str) -> None:
    """Press Tab until an element that matches the selector has the focus."""
    for _ in range(200):
        if await page.evaluate("(wanted) => document.activeElement.matches(wanted)", wanted):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard does not reach {wanted}")


async def follow(page: Page, hub: Hub, to: str, what: str) -> None:
    """Let the worker work, then follow the link to that page in the only new mail to an address that has one."""
    await hub.work()
    mail_id = hub.mail(to, f"/{what}/")["id"]
    await page.goto("/mailbox")
    mail = page.locator(f'[aria-labelledby="subject-{mail_id}"]')
    async with page.expect_navigation():
        await mail.locator(f'a[href*="/{what}/"]').first.click()


async def read_on(page: Page, hub: Hub) -> None:
    """Let minutes pass after a survey was opened: on an open form, one that's sent at once looks like a program's."""
    await page.locator("[name=begun]").evaluate("(field, begun) => (field.value = begun)", handed_out(hub))
