"""Does the outbox's work: claims what is due, does it several at once, and records how each piece ended."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import structlog
from aiosmtplib import SMTPException

from jobs import mailer, outbox
from jobs.mail import MAILS
from jobs.metrics import count_work
from jobs.outbox import WorkRow
from models.database import Database
from models.outbox import OutboxState
from settings import Settings

log = structlog.get_logger()

AT_ONCE = 8  # pieces of work under way in one drain; each mail has a connection of its own to the mail server
LOOK_EVERY = 5.0  # seconds after which a drain that still has something under way looks for more
RECORD_EVERY = 0.5  # seconds

# Does one piece of work, given its row, and says how it ended. Opened once for everything that one drain finds.
Do = Callable[[WorkRow], Awaitable[OutboxState]]
Opening = Callable[[], AbstractAsyncContextManager[Do]]


class Drain:
    """One process's way through the outbox: at most `AT_ONCE` pieces of work at a time, however often it's asked."""

    def __init__(self, database: Database, opening: Opening, *, exports: bool = False) -> None:
        self._database = database
        self._opening = opening
        self._exports = exports
        self._asked = asyncio.Event()
        self._closed = False
        self._running: asyncio.Task[int] | None = None

    async def run(self, *, at_most: float | None = None) -> int:
        """Do everything that's due and give how many rows were finished, waiting at most `at_most` seconds.

        If it's already running, that run looks once more, and this gives 0 at once. It's a task of its own, so a
        cancelled caller doesn't cut off work. Raises the database's errors when it goes away.
        """
        self._asked.set()
        if self._closed or (self._running is not None and not self._running.done()):
            return 0
        self._running = asyncio.create_task(self._all())
        done, _ = await asyncio.wait([self._running], timeout=at_most)
        return self._running.result() if done else 0

    async def close(self) -> None:
        """Begin nothing more, and finish what's been started, because otherwise it would be done twice."""
        self._closed = True
        if self._running is not None:
            await asyncio.wait([self._running])

    async def _all(self) -> int:
        finished = 0
        while self._asked.is_set() and not self._closed:  # it may be called while connections are closed
            async with self._opening() as do:
                finished += await self._due(do)
        return finished

    async def _due(self, do: Do) -> int:
        """Do what's due. It claims only as much as can be started at once, because leases could end before then."""
        under_way: set[asyncio.Task[bool]] = set()
        ended: list[asyncio.Task[bool]] = []
        try:
            while not self._closed:
                self._asked.clear()
                for work in await outbox.claim(self._database, AT_ONCE - len(under_way), exports=self._exports):
                    under_way.add(asyncio.create_task(_do(self._database, do, work)))
                if not under_way:
                    break
                ended += await self._room(under_way)
        finally:
            if under_way:
                ended += (await asyncio.wait(under_way))[0]
            errors = [error for task in ended if (error := task.exception())]
        if errors:  # the database went away, and the outbox doesn't know about them
            raise errors[0]
        return sum(task.result() for task in ended)

    async def _room(self, under_way: set["asyncio.Task[bool]"]) -> list["asyncio.Task[bool]"]:
        """Wait until it's worth looking again, and remove what has ended.

        That's when half of the room is free, or, with any room at all, when somebody asks or `LOOK_EVERY` has passed.
        So one mail that hangs doesn't hold up the others.
        """
        ended: list[asyncio.Task[bool]] = []
        asked = asyncio.create_task(self._asked.wait())
        try:
            while under_way and (not ended or len(under_way) > AT_ONCE // 2):
                waits = under_way if len(under_way) >= AT_ONCE else {*under_way, asked}
                done, _ = await asyncio.wait(waits, timeout=LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED)
                ended += done & under_way
                under_way -= done
                if len(under_way) < AT_ONCE and (not done or asked in done):
                    break
        finally:
            asked.cancel()
        return ended


async def _do(database: Database, do: Do, work: WorkRow) -> bool:
    """Do one piece of work and record how it ended; a failure is put off, and after many failures it's given up."""
    code = None
    try:
        # More attempts than that ended their workers before they could be recorded.
        state = await do(work) if work.attempts <= outbox.MAX_ATTEMPTS else OutboxState.DEAD
    except mailer.Undeliverable as error:
        code, state = error.code, OutboxState.DEAD
    except Exception as error:  # one bad row mustn't stop the others
        code = mailer.refusal(error)
        state = OutboxState.DEAD if work.attempts >= outbox.MAX_ATTEMPTS else OutboxState.QUEUED
        if not isinstance(error, SMTPException | OSError | TimeoutError):
            log.error("work_failed", work=str(work.id), kind=work.kind, exc_info=error)
    wait = outbox.back_off(work.attempts)
    kept = await _record(lambda: outbox.finish(database, work, state, code=code, wait=wait))
    count_work(work.kind, state, is_mail=work.kind in MAILS, kept=kept)
    log.info("work", work=str(work.id), kind=work.kind, state=state, attempts=work.attempts, code=code, fenced=not kept)
    return kept


async def _record(finish: Callable[[], Awaitable[bool]]) -> bool:
    """Record how work ended, as soon as the database is there: mail sent but not recorded would be sent again."""
    given_up = time.monotonic() + outbox.LEASE.total_seconds()
    while True:
        try:
            return await finish()
        except Exception as error:
            if time.monotonic() > given_up:
                raise
            log.error("record_failed", exc_info=error)
        await asyncio.sleep(RECORD_EVERY)


@asynccontextmanager
async def sending(database: Database, settings: Settings) -> AsyncIterator[Do]:
    """Give what sends the mail of a row, over connections that are kept while the block runs."""
    async with mailer.Post(settings) as post:

        async def send(work: WorkRow) -> OutboxState:
            async with database.transaction() as transaction:
                letter = await MAILS[work.kind].letter(transaction, settings, work)
            if letter is None:
                return OutboxState.DROPPED
            await post.hand_in(mailer.compose(settings, letter, work.id))
            return OutboxState.DONE

        yield send
