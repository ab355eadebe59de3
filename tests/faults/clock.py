"""Drills of the clock: an hour ahead and back, and a worker that was away for a day.

`DEMO_CLOCK_OFFSET_HOURS` moves the service's own clock for one process and its database connections; the clock of the
machine isn't changed.
"""

import asyncio
import signal
from collections import Counter

from tests.faults.installation import installed
from tests.faults.line import Line
from tests.faults.machine import Machine
from tests.faults.people import new_request
from tests.hub import payload
from tests.waiting import until


async def ahead_and_back(machine: Machine, *, mails: int = 30) -> Line:
    """Work with a clock that's an hour ahead, interrupt a send then, and go on with the right clock."""
    line = Line("clock an hour ahead, then back, with mail queued and a send cut off in that hour", "mails")
    async with installed(machine) as site:
        site.mail.delay = 0.02
        mediator = await site.hub.mediator()
        ahead = [await site.web(demo_clock_offset_hours=1), site.worker(demo_clock_offset_hours=1)]
        for _ in range(mails // 2):
            payload(await site.hub.change("requestFeedback", new_request(), by=mediator))
        await site.drained()
        site.mail.open.clear()
        first = asyncio.create_task(site.mail.more(1))
        for _ in range(mails // 2):
            payload(await site.hub.change("requestFeedback", new_request(), by=mediator))
        await first
        for process in ahead:
            process.send(signal.SIGKILL)
            await process.ended()
        cuts = await site.cut()
        site.mail.open.set()
        await site.web()
        back = site.worker()
        await site.drained()  # with what was written an hour in the future
        await site.tally(line, cuts)
        turns = Counter(chore["chore"] for chore in back.lines("chore"))
        line.notes.append(f"at most {max(turns.values(), default=0)} turns of a chore after")
        line.promise(max(turns.values(), default=0) <= 4, "chores ran in a storm")
        listed = await site.hub.rows("SELECT count(*) FROM feedback_request_details")
        line.promise(listed[0][0] == mails, "requests were erased before their time")
    return line


async def away_for_a_day(machine: Machine, *, mails: int = 30) -> Line:
    """Run no worker for 25 hours, then start one."""
    line = Line("no worker for 25 hours", "mails")
    async with installed(machine) as site:
        mediator = await site.hub.mediator()
        web = await site.web()
        for _ in range(mails):
            payload(await site.hub.change("requestFeedback", new_request(), by=mediator))
        # By then, its link will have expired.
        payload(await site.hub.change("requestPasswordReset", {"email": mediator.email}))
        half = "SELECT id FROM feedback_request_details ORDER BY id LIMIT " + str(mails // 2)
        await site.hub.rows(
            f"UPDATE feedback_request_details SET made_at = made_at - interval '96 hours' WHERE id IN ({half})"
        )
        web.send(signal.SIGTERM)
        await web.ended()
        queued = {row["subject_id"]: row["id"] for row in await site.outbox()}
        late = site.worker(demo_clock_offset_hours=25)
        await site.drained()

        async def swept() -> bool:
            return len({chore["chore"] for chore in late.lines("chore")}) >= 4

        await until(swept)
        kept = await site.hub.rows("SELECT id FROM feedback_request_details")
        expired = mails - len(kept)
        due = ", ".join(f"'{queued[row['id']]}'" for row in kept)
        await site.tally(line, {}, but=f"id NOT IN ({due})")
        turns = Counter(chore["chore"] for chore in late.lines("chore"))
        line.notes.append(f"{expired} requests past their five days erased, and a link that had expired not sent")
        line.promise(expired == mails // 2, "expiry was not right")
        line.promise(line.doubled == 0, "a mail was doubled")
        line.promise(max(turns.values()) <= 2, f"chores ran in a storm: {dict(turns)}")
    return line
