"""The browser of this machine, found and started; and what a test does where one is missing."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NoReturn

import pytest
from playwright.async_api import Browser, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
NONE = f"no browser: set CHROMIUM to one's path, or install one of {', '.join(NAMES)}"
# Beside what Playwright itself passes. Root needs the first; the last lets no address of another host resolve.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
# Playwright turns off what people have: a page that the back button brings is the very one that they left.
NOT_WITHOUT = ["--disable-back-forward-cache"]


def found() -> str | None:
    """Return the path of a browser: what CHROMIUM says, else the first of the usual names on the PATH."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@asynccontextmanager
async def launched(program: str) -> AsyncIterator[Browser]:
    """Run a browser without a screen."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program, args=ARGUMENTS, ignore_default_args=NOT_WITHOUT
        )
        try:
            yield browser
        finally:
            await browser.close()


def missing(what: str) -> NoReturn:
    """Skip a test for what this machine has not; fail it where REQUIRE_BROWSER=1 says that it has to be there."""
    if os.environ.get("REQUIRE_BROWSER") == "1":
        pytest.fail(what, pytrace=False)
    pytest.skip(what)
