"""What a page is judged by: the rules of axe, the width of a phone, the keyboard, and its weight."""

import re
from functools import cache
from typing import Any

from playwright.async_api import Page, Request

from tests.browser.chromium import missing
from tests.npm.install import MODULES

_AXE = MODULES / "axe-core" / "axe.min.js"


@cache
def _axe() -> str:
    if not _AXE.exists():
        missing("axe-core is not installed: `make test` does it, with npm and the network")
    return _AXE.read_text(encoding="utf-8")


async def violations(page: Page) -> list[str]:
    """Run axe; return what is serious or critical, one line per element."""
    if not await page.evaluate("'axe' in globalThis"):
        await page.evaluate(_axe())  # bypasses the page's policy, which stays in force for the page itself
    found: list[dict[str, Any]] = await page.evaluate(
        "axe.run(document, { resultTypes: ['violations'] }).then((results) => results.violations)"
    )
    return [
        f"{one['id']}: {one['help']}: {node['html']}"
        for one in found
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]


async def run_together(page: Page) -> list[str]:
    """Where a sentence begins right after another's end: a space got lost between two blocks of a template."""
    return re.findall(r"\S*[a-z)][.?!][A-Z]\w*", await page.inner_text("main"))


async def sideways(page: Page) -> list[str]:
    """Return the outermost elements that stick out of the window, if the page can be scrolled sideways at all."""
    found: list[str] = await page.evaluate(
        """() => {
          const most = document.documentElement.clientWidth;
          if (document.scrollingElement.scrollWidth <= most) return [];
          const wide = [...document.body.querySelectorAll("*")].filter(
            (element) => element.getBoundingClientRect().right > most + 0.5,
          );
          return [`${document.scrollingElement.scrollWidth} px`, ...wide.map((one) => one.outerHTML.slice(0, 120))];
        }"""
    )
    return found


# Gathers what the keyboard has to reach. The buttons of a radio group are one stop.
_STOPS = """() => {
  const stop = (element) => element.type === "radio" ? `${element.form?.id} ${element.name}` : element;
  const shown = (element) => element.checkVisibility({ visibilityProperty: true }) && !element.disabled;
  const field = "input:not([type=hidden], [tabindex='-1']), select, textarea";
  const all = `a[href], button, ${field}, summary, [onclick], [role=button]`;
  globalThis.stops = new Map([...document.querySelectorAll(all)].filter(shown).map((one) => [stop(one), one]));
  globalThis.unmarked = new Set();
  globalThis.arrived = () => {
    const focused = document.activeElement;
    const style = getComputedStyle(focused);
    if (stops.has(stop(focused)) && style.outlineStyle === "none" && style.boxShadow === "none") unmarked.add(focused);
    stops.delete(stop(focused));
    return stops.size;
  };
  return stops.size;
}"""
_LEFT = """() => {
  const line = (what) => (element) => `${what}: ${element.outerHTML.slice(0, 120)}`;
  return [...[...stops.values()].map(line("not reached")), ...[...unmarked].map(line("focus not shown"))];
}"""


async def out_of_reach(page: Page) -> list[str]:
    """Press Tab until everything was reached; return what wasn't, and what doesn't show that it has the focus."""
    left: int = await page.evaluate(_STOPS)
    for _ in range(6 * left + 10):  # a date is up to four stops, and the focus may start in the middle of the page
        if not left:
            break
        await page.keyboard.press("Tab")
        left = await page.evaluate("arrived()")
    found: list[str] = await page.evaluate(_LEFT)
    return found


def asked_for(page: Page) -> list[Request]:
    """Collect the requests from now on, as their answers come in."""
    requests: list[Request] = []
    page.on("requestfinished", lambda request: requests.append(request))  # noqa: PLW0108
    return requests


async def weight(requests: list[Request]) -> int:
    """Add up the bytes of the answers, as they were transferred."""
    sizes = [await request.sizes() for request in requests]
    return sum(size["responseHeadersSize"] + size["responseBodySize"] for size in sizes)
