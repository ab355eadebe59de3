"""What people do while a drill goes on: the changes they make over HTTP, how long each took, and how it failed."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from typing import Any
from uuid import uuid4

import httpx

from tests.faults.installation import Installation
from tests.faults.line import Line
from tests.hub import Answer, Person

PAUSE = 0.2
"""Seconds before somebody tries again what failed."""

PATIENCE = 60.0
"""Seconds after which they give up."""

MAX_REQUESTS = 80
"""How many requests for feedback somebody makes in a drill at most; the limit of the service is higher."""

MINUTES = 90
CASE: dict[str, Any] = {
    "role": "LEAD_MEDIATOR",
    "medium": "ONLINE",
    "startedOn": "2024-05-06",
    "endedOn": "2024-05-07",
    "minutes": MINUTES,
    "outcome": "SETTLED",
    "simulated": False,
    "notes": "What went well, and what did not.",
}
_numbers = count(1)


def new_request() -> dict[str, Any]:
    """Return the input of a request to a new party."""
    return {
        "partyName": "Demo Party",
        "partyEmail": f"asked{next(_numbers)}@demo.example",
        "reference": "Demo case",
        "mediationEndedOn": date(2024, 5, 6).isoformat(),
        "partyAgreed": True,
    }


@dataclass
class Doings:
    """What the web server was asked: `made` counts accepted changes by name, `times` has the seconds of each.

    `failed` counts errors that were reported properly, `unclean` those that weren't: no answer, or one that no client
    could make sense of.
    """

    site: Installation
    made: Counter[str] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    unclean: Counter[str] = field(default_factory=Counter)

    async def timed(self, ask: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """Ask once; None if that failed."""
        began = time.monotonic()
        try:
            answer = await ask()
        except (httpx.HTTPError, ValueError) as error:
            self.unclean[type(error).__name__] += 1
            return None
        finally:
            self.times.append(time.monotonic() - began)
        if answer.status == 503 and "retry-after" in answer.headers:
            self.failed["503"] += 1
            return None
        errors = answer.body.get("errors", [])
        for extensions in (one["extensions"] for one in errors):
            code = extensions["code"]
            clean = code != "INTERNAL_SERVER_ERROR" or "reference" in extensions
            (self.failed if clean else self.unclean)[code] += 1
        return None if errors else answer

    async def change(self, name: str, input: dict[str, Any], by: Person | None, fields: str = "") -> Answer | None:
        """Make a change once; None if that failed."""
        answer = await self.timed(lambda: self.site.hub.change(name, input, fields, by=by))
        if answer is not None:
            (payload,) = answer.body["data"].values()
            for problem in payload["userErrors"]:
                self.failed[problem["code"]] += 1
            self.made[name] += not payload["userErrors"]
        return answer

    async def insist(self, name: str, input: dict[str, Any], by: Person) -> None:
        """Make a change, again and again with the same key until it's accepted, for `PATIENCE` at most."""
        keyed, given_up = input | {"requestKey": str(uuid4())}, time.monotonic() + PATIENCE
        while await self.change(name, keyed, by) is None:
            if time.monotonic() > given_up:
                self.unclean["never accepted"] += 1
                return
            await asyncio.sleep(PAUSE)

    def tell(self, line: Line) -> None:
        """Note what failed, and that nothing may fail without a proper error."""
        if self.failed:
            line.notes.append(f"{self.failed.total()} clean errors ({_counted(self.failed)})")
        line.promise(not self.unclean, f"{self.unclean.total()} unclean errors ({_counted(self.unclean)})")


def _counted(errors: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in errors.most_common())
