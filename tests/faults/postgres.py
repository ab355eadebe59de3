"""The drill of a PostgreSQL that crashes under load."""

import asyncio
import signal
from random import Random

from tests.faults.installation import Installation, installed
from tests.faults.line import Line
from tests.faults.machine import POSTGRES, Machine
from tests.faults.people import CASE, MAX_REQUESTS, Doings, new_request
from tests.hub import Person

LONGEST_ERROR = 10.0
"""Seconds within which somebody must get an answer while PostgreSQL is away, even if it's an error."""

READ = "{ me { mediator { logbook(first: 10) { nodes { id minutes notes } } experience { minutes cases } } } }"


async def _work(doings: Doings, mediator: Person, chance: Random, stop: asyncio.Event) -> None:
    """Add entries, ask for feedback and read, one after the other; anything that failed is sent again with its key."""
    asked = 0
    while not stop.is_set():
        kind = chance.random()
        if kind < 0.4:
            await doings.insist("addLogbookEntry", CASE, mediator)
        elif kind < 0.6 and asked < MAX_REQUESTS:
            asked += 1
            await doings.insist("requestFeedback", new_request(), mediator)
        else:
            await doings.timed(lambda: doings.site.hub.ask(READ, by=mediator))
        await asyncio.sleep(chance.uniform(0, 0.1))


async def whole(site: Installation, line: Line, doings: Doings) -> None:
    """Compare the tables with what was accepted: nothing more, nothing less, and nothing incomplete."""
    (row,) = await site.hub.rows(
        "SELECT (SELECT count(*) FROM logbook_entry) entries, (SELECT count(*) FROM logbook_private) notes, "
        "(SELECT count(*) FROM feedback_request) requests, (SELECT count(*) FROM feedback_request_details) details, "
        "(SELECT count(*) FROM outbox) mails"
    )
    entries, requests = doings.made["addLogbookEntry"], doings.made["requestFeedback"]
    line.of, line.count = "changes", entries + requests
    line.lost += max(0, entries - row["entries"]) + max(0, requests - row["requests"])
    line.doubled += max(0, row["entries"] - entries) + max(0, row["requests"] - requests)
    line.promise(line.doubled == 0, "a change was made twice")
    line.promise(row["entries"] == row["notes"], "an entry was written in part")
    line.promise(row["requests"] == row["details"] == row["mails"], "a request was written in part")


async def crashed(machine: Machine, *, people: int = 20, times: int = 2, seconds: float = 4) -> Line:
    """Crash PostgreSQL while people work, and start it again."""
    line = Line(f"PostgreSQL crashed (immediate stop) {times} times while {people} people worked", "changes")
    async with installed(machine) as site:
        doings, stop = Doings(site), asyncio.Event()
        mediators = [await site.hub.mediator() for _ in range(people)]
        site.mail.delay = 0.02
        web, worker = await site.web(), await site.working()
        working = [asyncio.create_task(_work(doings, one, Random(n), stop)) for n, one in enumerate(mediators)]
        for _ in range(times):
            await asyncio.sleep(seconds)
            await machine.stop(POSTGRES, signal.SIGQUIT)
            await asyncio.sleep(1)
            await machine.start(POSTGRES)
        await asyncio.sleep(seconds)
        stop.set()
        await asyncio.gather(*working)
        cuts = await site.cut()
        await site.drained()
        mails = Line("", "")
        await site.tally(mails, cuts)
        line.lost += mails.lost
        line.promise(not mails.broken, "; ".join(mails.broken))
        line.promise(mails.doubled == 0, "a mail was sent again though its worker lived")
        line.notes.append(f"{mails.count} mails, {mails.lost} lost, {mails.doubled} doubled")
        await whole(site, line, doings)
        doings.tell(line)
        line.took("longest answer", max(doings.times), LONGEST_ERROR)
        line.promise(web.runs and worker.runs, "a process of ours ended")
    return line
