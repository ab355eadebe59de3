"""Fixtures: one browser per test process, and hubs that it can reach."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, expect

from tests.browser.chromium import NONE, found, launched, missing
from tests.browser.serving import served
from tests.hub import Hub

expect.set_options(
    timeout=30_000
)  # ms; how long a busy machine may take, and Playwright's own limit for everything else


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The browser; each `visiting` has its own profile in it."""
    program = found() or missing(NONE)
    async with launched(program) as browser:
        yield browser


@pytest.fixture
async def site(hub: Hub) -> AsyncIterator[Hub]:
    """A served hub with an empty database, for one test."""
    async with served(hub.services) as site:
        yield site
