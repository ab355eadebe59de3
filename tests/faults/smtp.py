"""Drills of the mail server: away, hanging, greylisting, refusing mails for good, hanging up at the worst moment."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from models.account import Role
from tests.faults.installation import Installation, installed
from tests.faults.line import Line
from tests.faults.machine import Machine
from tests.faults.mail_server import DROPS, HANGS, TAKES, takes
from tests.hub import Person, payload
from tests.waiting import until

TRY_AGAIN, NO_SUCH_USER = "451 4.7.1 come back later", "550 5.1.1 no such user"

DEAD = "query($after: String) { deadMail(first: 3, after: $after) { totalCount nodes { id kind attempts smtpCode }"
DEAD += " pageInfo { hasNextPage endCursor } } }"


async def _backed_off(site: Installation, line: Line) -> None:
    """Note how often each mail was tried."""
    attempts = Counter(row["attempts"] for row in await site.outbox())
    line.notes.append("tried " + ", ".join(f"{n} times: {mails}" for n, mails in sorted(attempts.items())))


async def refused(machine: Machine, *, mails: int = 20) -> Line:
    """Let the mail server be away while mail is due, and come back."""
    line = Line("mail server away (connection refused), then back", "mails")
    async with installed(machine) as site:
        await site.mail.stop()
        await site.queue(mails)
        site.worker()

        async def tried() -> bool:
            rows = await site.outbox()
            return all(row["attempts"] and row["lease"] is None for row in rows)

        await until(tried)
        waits = [row["next_at"] > row["created_at"] for row in await site.outbox("state = 'QUEUED'")]
        line.promise(len(waits) == mails and all(waits), "a mail was not put off")
        await site.mail.start()
        await site.drained()
        await _backed_off(site, line)
        await site.tally(line, {})
        line.promise(line.doubled == 0, "a mail was doubled")
    return line


async def _answered(line: Line, machine: Machine, mails: int, answer: Callable[[str, int], str]) -> Line:
    """Queue mails to a server that answers like this, and wait until all are delivered."""
    async with installed(machine, smtp_timeout=2) as site:
        site.mail.answer = answer
        await site.queue(mails)
        site.worker()
        await site.drained()
        await _backed_off(site, line)
        dropped = {(site.message_id(row), n): row for row in await site.outbox() for n in range(row["attempts"] - 1)}
        await site.tally(line, dropped if answer is drops_some else {})
    return line


def hangs_on_some(recipient: str, time: int) -> str:
    """Never answer one in four the first time."""
    return HANGS if time == 1 and _number(recipient) % 4 == 0 else TAKES


def greylists(_recipient: str, time: int) -> str:
    """Ask everybody to come back later, once."""
    return TRY_AGAIN if time == 1 else TAKES


def drops_some(recipient: str, time: int) -> str:
    """Accept one in two and hang up before saying so, the first time."""
    return DROPS if time == 1 and _number(recipient) % 2 == 0 else TAKES


def knows_not_all(recipient: str, _time: int) -> str:
    """Refuse one in ten for good."""
    return NO_SUCH_USER if _number(recipient) % 10 == 0 else TAKES


def _number(recipient: str) -> int:
    return int(recipient.removeprefix("party").partition("@")[0])


async def hanging(machine: Machine, *, mails: int = 8) -> Line:
    """Let the mail server fall silent after the content of a mail."""
    return await _answered(Line("mail server hangs on one mail in four", "mails"), machine, mails, hangs_on_some)


async def greylisted(machine: Machine, *, mails: int = 20) -> Line:
    """Let the mail server ask to come back later."""
    return await _answered(Line("mail server says 451 to each mail at first", "mails"), machine, mails, greylists)


async def dropped(machine: Machine, *, mails: int = 20) -> Line:
    """Let the mail server accept mails and hang up before it says so: nobody can know that they were accepted."""
    line = Line("mail server takes one mail in two and hangs up before it says so", "mails")
    return await _answered(line, machine, mails, drops_some)


async def _dead(site: Installation, admin: Person) -> list[dict[str, Any]]:
    """List dead mail page by page, as an administrator does."""
    found: list[dict[str, Any]] = []
    after = None
    while True:
        page = (await site.hub.ask(DEAD, {"after": after}, by=admin)).data["deadMail"]
        found += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            assert len(found) == page["totalCount"]
            return found


async def refused_for_good(machine: Machine, *, mails: int = 50) -> Line:
    """Let the mail server refuse one mail in ten; an administrator sees these, and later sends them again."""
    line = Line(f"mail server refuses (550) one in ten of {mails} mails; an administrator retries those", "mails")
    async with installed(machine) as site:
        admin = await site.hub.person(Role.ADMIN)
        site.mail.answer = knows_not_all
        await site.queue(mails)
        await site.web()
        site.worker()
        await site.drained()
        dead = await _dead(site, admin)
        line.notes.append(f"{len(dead)} dead and listed")
        line.promise(len(site.mail.taken) == mails - len(dead), "a dead mail held up another")
        facts = {(one["kind"], one["attempts"], one["smtpCode"]) for one in dead}
        line.promise(len(dead) == mails // 10 and facts == {("email_changed", 1, 550)}, "dead mail is not as listed")
        site.mail.answer = takes
        for one in dead:
            payload(await site.hub.change("retryMail", {"id": one["id"]}, by=admin))
        await site.drained()
        line.promise(not await _dead(site, admin), "a mail is still dead")
        await site.tally(line, {})
        line.promise(line.doubled == 0, "a mail was doubled")
    return line
