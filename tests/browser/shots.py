"""Takes pictures of every page with the demo's data, for people to look at: `make shots`.

They are tests/browser/shots/<page>-<width>.png, with `-dark` if pages.py says so. `make shots SHOTS=--docs` takes
the pictures in `docs/images/` instead, which show the tops of three of these pages.
"""

import asyncio
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog
from playwright.async_api import Browser, Page

from demo.embedded import Services, embedded
from models import migrate
from tests.browser.chromium import NONE, found, launched
from tests.browser.demo import Demo, demo_hub
from tests.browser.pages import LOOKS, Look
from tests.browser.visiting import DESKTOP, PHONE, visiting
from tests.hub import settings_for

SHOTS = Path(__file__).parent / "shots"
IMAGES = Path(__file__).parents[2] / "docs" / "images"
# What the docs show, and its width and height: small files, because the history keeps every version.
SHOWN = {"logbook": (DESKTOP, 800), "review-mediator": (DESKTOP, 860), "survey-by-request": (PHONE, 780)}
Shoot = Callable[[Page, Demo, Look], Awaitable[None]]


async def shoot(page: Page, demo: Demo, look: Look) -> None:
    """Take a page at both widths, from top to bottom."""
    await page.emulate_media(color_scheme="light")
    await page.goto(look.address(demo))
    if look.then:
        await look.then(page)
    for dark in (False, True) if look.dark else (False,):
        await page.emulate_media(color_scheme="dark" if dark else "light")
        for width in (DESKTOP, PHONE):
            await page.set_viewport_size({"width": width, "height": 800})
            path = SHOTS / f"{look.name}-{width}{'-dark' if dark else ''}.png"
            await page.screenshot(path=path, full_page=True)


async def shoot_top(page: Page, demo: Demo, look: Look) -> None:
    """Take the top of a page if the docs show it."""
    if look.name in SHOWN:
        width, height = SHOWN[look.name]
        await page.set_viewport_size({"width": width, "height": height})
        await page.goto(look.path.format(**demo.places))
        await page.screenshot(path=IMAGES / f"{look.name}.png")


async def shoot_for(browser: Browser, demo: Demo, handle: str | None, take: Shoot) -> None:
    """Take everything that one person sees in one window: opening more would take most of the time."""
    by = await demo.person(handle) if handle else None
    async with visiting(browser, demo.hub, by) as page:
        for look in LOOKS:
            if look.by == handle:
                await take(page, demo, look)


async def shoot_all(program: str, services: Services, take: Shoot) -> None:
    """Fill a hub with the demo's data, and take its pages as several people at once."""
    async with launched(program) as browser, demo_hub(services) as demo, asyncio.TaskGroup() as group:
        for handle in {look.by for look in LOOKS}:
            group.create_task(shoot_for(browser, demo, handle, take))


def main() -> int:
    """Take the pictures; return the exit status."""
    program = found()
    if program is None:
        print(NONE, file=sys.stderr)  # noqa: T201
        return 1
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    folder, take = (IMAGES, shoot_top) if "--docs" in sys.argv[1:] else (SHOTS, shoot)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as data, embedded(Path(data), durable=False) as services:
        migrate.upgrade(settings_for(services))
        asyncio.run(shoot_all(program, services, take))
    print(f"{len(list(folder.iterdir()))} pictures in {folder}, {time.monotonic() - began:.0f} s")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
