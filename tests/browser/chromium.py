"""Finds and starts the browser of this machine, and says what a test does if there's none."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NoReturn

import pytest
from playwright.async_api import Browser, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
NONE = f"no browser: set CHROMIUM to one's path, or install one of {', '.join(NAMES)}"
# Besides what Playwright itself passes. Root needs the first; with the last, no address of another host resolves.
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
# Playwright turns off what people's browsers do: the back button brings back exactly the page that they left.
NOT_WITHOUT = ["--disable-back-forward-cache"]


def found() -> str | None:
    """Return the path of a browser: the one in CHROMIUM, or else the first with a usual name on the PATH."""
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
    """Skip a test because something isn't installed; fail it if REQUIRE_BROWSER=1 says that it has to be."""
    if os.environ.get("REQUIRE_BROWSER") == "1":
        pytest.fail(what, pytrace=False)
    pytest.skip(what)
