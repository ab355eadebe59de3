"""Drills of the worker: killed, stopped past its lease, told to stop, and not alone."""

import asyncio
import signal
from collections import Counter
from datetime import datetime
from random import Random
from typing import Any

import asyncpg

from jobs.outbox import LEASE
from tests.faults.installation import Cut, Installation, Process, installed
from tests.faults.line import Line
from tests.faults.machine import Machine
from tests.waiting import until
from web.worker import SWEEP_EVERY

SENDING = 2.0
"""Seconds that sending may add to what is promised after the end of a lease."""


async def _taken_over(site: Installation, line: Line, cuts: dict[Cut, asyncpg.Record], by: Process) -> None:
    """Note how long after its lease each cut row was done by another worker, counted from that one's first work."""
    works_since = datetime.fromisoformat(by.lines("work")[0]["timestamp"])
    ended = {row["id"]: max(row["leased_until"], works_since) for row in cuts.values()}
    late = [row["finished_at"] - ended[row["id"]] for row in await site.outbox("state = 'DONE'") if row["id"] in ended]
    if late:
        line.took("sent again after a lease's end within", max(late).total_seconds(), SWEEP_EVERY + SENDING)


async def killed(machine: Machine, *, mails: int = 300, kills: int = 10, wait: bool = True) -> Line:
    """Kill workers in the middle of sending. Without `wait`, the last worker's clock is past the leases."""
    line = Line(f"worker killed -9 {kills} times while {mails} mails went out", "mails")
    chance = Random(kills)
    cuts: dict[Cut, asyncpg.Record] = {}
    async with installed(machine) as site:
        site.mail.delay = 0.02
        await site.queue(mails)
        for _ in range(kills):
            worker = site.worker()
            await site.mail.more(mails // (kills + 5))
            await asyncio.sleep(chance.uniform(0, 2 * site.mail.delay))
            worker.send(signal.SIGKILL)
            await worker.ended()
            cuts |= await site.cut()
        last = site.worker(demo_clock_offset_hours=0 if wait else 1)
        await site.drained()
        await site.tally(line, cuts)
        if wait:
            await _taken_over(site, line, cuts, last)
    return line


async def stopped(machine: Machine, *, mails: int = 20, wait: bool = True) -> Line:
    """Freeze a worker in the middle of a send until another has done its work, then let it go on."""
    line = Line(f"worker frozen (SIGSTOP) past its lease of {LEASE.seconds} s, then let go on", "mails")
    async with installed(machine) as site:
        site.mail.open.clear()
        await site.queue(mails)
        frozen = site.worker()
        await site.mail.more(1)
        frozen.send(signal.SIGSTOP)
        cuts = await site.cut()
        site.mail.open.set()
        other = site.worker(demo_clock_offset_hours=0 if wait else 1)
        await site.drained()
        before = await site.outbox()
        frozen.send(signal.SIGCONT)

        async def fenced() -> bool:
            return any(work["fenced"] for work in frozen.lines("work"))

        await until(fenced)
        line.promise(await site.outbox() == before, "a worker recorded something after it had lost its lease")
        other.send(signal.SIGTERM)
        await other.ended()
        await site.queue(5)
        await site.drained()  # by the frozen one
        await site.tally(line, cuts)
        if wait:
            await _taken_over(site, line, cuts, other)
    return line


async def recording(machine: Machine) -> Line:
    """Freeze a worker while it records a mail that it sent, in an open transaction that locks the row of the mail."""
    line = Line("worker frozen (SIGSTOP) inside a transaction that locks a row of the outbox", "mails")
    async with installed(machine) as site:
        site.mail.open.clear()
        await site.queue(1)
        frozen = site.worker()
        await site.mail.more(1)
        admin = await asyncpg.connect(site.hub.services.admin_url)
        lock = admin.transaction()
        await lock.start()
        await admin.execute("SELECT FROM outbox FOR UPDATE")
        site.mail.open.set()
        waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"

        async def waits() -> bool:
            return bool(await admin.fetch(waiting))

        await until(waits)
        frozen.send(signal.SIGSTOP)
        await lock.rollback()
        await admin.close()
        cuts = await site.cut()
        await site.queue(5)
        other = site.worker()
        await site.drained()
        line.promise(not await site.cut(), "a mail waited for a worker that was frozen")
        frozen.send(signal.SIGCONT)
        await site.queue(5)
        await site.drained()
        await site.tally(line, cuts)
        await _taken_over(site, line, cuts, other)
        line.promise(frozen.runs, "the frozen worker ended")
    return line


async def told_to_stop(machine: Machine, *, rounds: int = 5) -> Line:
    """Tell workers to stop in the middle of sending."""
    line = Line(f"worker told to stop (SIGTERM) during a send, {rounds} times", "mails")
    async with installed(machine) as site:
        await site.queue(rounds * 10)
        for _ in range(rounds):
            site.mail.open.clear()
            worker = site.worker()
            await site.mail.more(1)
            worker.send(signal.SIGTERM)
            await asyncio.sleep(0.1)
            site.mail.open.set()
            line.promise(await worker.ended() == 0, "a worker that was told to stop ended with an error")
            line.promise(not await site.cut(), "a worker that was told to stop left a lease behind")
        site.worker()
        await site.drained()
        await site.tally(line, {})
        line.promise(line.doubled == 0, "a mail was doubled")
    return line


def _turn(chore: dict[str, Any]) -> tuple[str, str]:
    """Return the name of a chore, and the hour or minute by the database's clock in which it ran."""
    return chore["chore"], chore["at"][: 13 if chore["chore"] == "clean_up" else 16]


async def two_of_each(machine: Machine, *, mails: int = 300) -> Line:
    """Run two workers, which are also two schedulers, on one outbox."""
    line = Line(f"two workers, which are two schedulers, side by side on {mails} mails", "mails")
    async with installed(machine) as site:
        await site.queue(mails)
        workers = [site.worker() for _ in range(2)]
        await site.drained()

        async def swept() -> bool:
            return sum(len(worker.lines("chore")) for worker in workers) >= 3

        await until(swept)
        shares = [sum(not work["fenced"] for work in worker.lines("work")) for worker in workers]
        line.notes.append(f"shared {shares[0]} to {shares[1]}")
        line.promise(all(shares) or mails < 50, "one worker did it all")
        chores = Counter(map(_turn, (chore for worker in workers for chore in worker.lines("chore"))))
        line.notes.append(f"{chores.total()} turns of chores")
        line.promise(max(chores.values()) == 1, "a chore ran twice in its period")
        await site.tally(line, {})
    return line
