"""Drills of Valkey: away at the start, flushed, restarted and frozen while people make changes."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable

from redis.asyncio import Redis

from jobs.waker import Waker
from tests.faults.installation import Installation, installed
from tests.faults.line import Line
from tests.faults.machine import VALKEY, Machine
from tests.faults.people import Doings, new_request
from tests.waiting import until
from web.worker import SWEEP_EVERY

LONGEST_CHANGE = 1.0  # seconds
HEARD_WITHIN = 2 * SWEEP_EVERY  # seconds


async def _heard(site: Installation, line: Line, what: str) -> None:
    """Note how long it takes until the worker listens to Valkey."""
    began = time.monotonic()
    waker = Waker(site.hub.settings)
    waker.wake()
    await waker.close()
    async with Redis.from_url(site.hub.settings.redis_url.get_secret_value()) as redis:

        async def heard() -> bool:
            return not await redis.exists("arq:job:send_mail")  # the name that arq gives it

        await until(heard)
    line.took(what, time.monotonic() - began, HEARD_WITHIN)


async def _changes(site: Installation, doings: Doings, changes: int) -> None:
    """Let ten mediators ask for feedback, four requests at a time."""
    mediators = [await site.hub.mediator() for _ in range(10)]
    free = asyncio.Semaphore(4)

    async def ask(number: int) -> None:
        async with free:
            await doings.change("requestFeedback", new_request(), mediators[number % len(mediators)])
            await asyncio.sleep(0.05)

    await asyncio.gather(*(ask(number) for number in range(changes)))


async def _end(site: Installation, line: Line, doings: Doings, changes: int) -> None:
    """Wait for the mail, and compare everything with the promises."""
    await site.drained()
    await site.tally(line, {})
    line.promise(line.doubled == 0, "a mail was doubled")
    line.lost += changes - doings.made["requestFeedback"]
    line.took("slowest change", max(doings.times), LONGEST_CHANGE)
    doings.tell(line)
    line.promise(not doings.failed, "a change failed because of Valkey")


async def away_at_start(machine: Machine, *, changes: int = 40) -> Line:
    """Start everything without Valkey, work, and then start it."""
    line = Line(f"Valkey away when all starts, and during the first half of {changes} changes", "mails")
    await machine.stop(VALKEY)
    try:
        async with installed(machine) as site:
            doings = Doings(site)
            web, worker = await site.web(), await site.working()
            await _changes(site, doings, changes // 2)
            await machine.start(VALKEY)
            await _heard(site, line, "listened to unaided after")
            await _changes(site, doings, changes - changes // 2)
            await _end(site, line, doings, changes)
            line.promise(web.runs and worker.runs, "a process ended")
    finally:
        if VALKEY not in machine.running:
            await machine.start(VALKEY)
    return line


async def _while_changing(
    machine: Machine, line: Line, changes: int, trouble: Callable[[Installation], Awaitable[None]]
) -> Line:
    async with installed(machine) as site:
        doings = Doings(site)
        web, worker = await site.web(), await site.working()
        await asyncio.gather(_changes(site, doings, changes), trouble(site))
        await _heard(site, line, "listened to unaided after")
        await _end(site, line, doings, changes)
        line.promise(web.runs and worker.runs, "a process ended")
    return line


async def flushed(machine: Machine, *, changes: int = 100, times: int = 5) -> Line:
    """Discard everything in Valkey, again and again."""

    async def trouble(site: Installation) -> None:
        async with Redis.from_url(site.hub.settings.redis_url.get_secret_value()) as redis:
            for _ in range(times):
                await redis.flushall()
                await asyncio.sleep(0.3)

    line = Line(f"Valkey flushed {times} times during {changes} changes", "mails")
    return await _while_changing(machine, line, changes, trouble)


async def restarted(machine: Machine, *, changes: int = 100, times: int = 2) -> Line:
    """Stop Valkey, and start it again a moment later."""

    async def trouble(_site: Installation) -> None:
        for _ in range(times):
            await machine.stop(VALKEY)
            await asyncio.sleep(0.5)
            await machine.start(VALKEY)
            await asyncio.sleep(0.5)

    line = Line(f"Valkey restarted {times} times during {changes} changes", "mails")
    return await _while_changing(machine, line, changes, trouble)


async def frozen(machine: Machine, *, changes: int = 100, seconds: float = 8) -> Line:
    """Freeze Valkey, so that it accepts what is sent to it and never answers."""

    async def trouble(_site: Installation) -> None:
        machine.pause(VALKEY)
        await asyncio.sleep(seconds)
        machine.pause(VALKEY, signal.SIGCONT)

    line = Line(f"Valkey frozen (SIGSTOP) for {seconds:g} s during {changes} changes", "mails")
    return await _while_changing(machine, line, changes, trouble)
