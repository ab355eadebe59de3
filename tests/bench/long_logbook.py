"""What sessions cost in a long logbook: `make bench-logbook`, 20 years of 2,000 cases, with and without 6,000 sessions.

Two mediators have the same cases; those of one are divided into three sessions each. Both are asked in turn, so the
ratio is that of one run.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit, urlunsplit

import structlog
import typer

from demo.embedded import Services, embedded
from demo.mailcatcher import catching
from models import migrate
from tests.hub import Hub, Person, opened, settings_for
from tools.readme import markdown_table, placed

CASES, SESSIONS, ROUNDS = 2_000, 3, 200
PAGE = Path(__file__).parents[2] / "docs" / "performance.md"

FILL = f"""
WITH made AS (
    INSERT INTO logbook_entry (mediator_id, role, medium, started_on, ended_on, minutes, outcome, simulated)
    SELECT $1, (ARRAY['LEAD_MEDIATOR', 'CO_MEDIATOR', 'OBSERVER'])[1 + n % 3], 'ONLINE',
           date '2006-01-01' + n * 7300 / {CASES}, date '2006-01-11' + n * 7300 / {CASES}, 60 + 3 * (n % 100),
           'SETTLED', n % 10 = 0
      FROM generate_series(1, {CASES}) AS n RETURNING id, mediator_id)
INSERT INTO logbook_private (id, mediator_id, reference, reference_folded)
SELECT id, mediator_id, 'Case', 'case' FROM made
"""
DIVIDE = f"""
INSERT INTO case_session (entry_id, mediator_id, held_on, minutes, kind, medium)
SELECT id, mediator_id, started_on + 3 * part, minutes / {SESSIONS},
       (ARRAY['PREPARATION', 'MEDIATION', 'DRAFTING'])[1 + part], medium
  FROM logbook_entry, generate_series(0, {SESSIONS - 1}) AS part WHERE mediator_id = $1
"""
YEARS = "{ me { mediator { experience { minutes contactMinutes byYear { year minutes } } } } }"
EVERYTHING = "{ me { mediator { experience { byRole { role } byYear { year } byRoleAndYear { minutes } } } } }"


async def _median(ask: Callable[[Person], Awaitable[object]], *people: Person) -> list[float]:
    """Give the median for each person, in milliseconds."""
    taken: dict[Person, list[float]] = {person: [] for person in people}
    for _ in range(ROUNDS):
        for person, times in taken.items():
            began = time.perf_counter()
            await ask(person)
            times.append(time.perf_counter() - began)
    return [1000 * median(times) for times in taken.values()]


async def _run(hub: Hub) -> None:
    whole, divided = await hub.mediator(), await hub.mediator()
    for person in (whole, divided):
        await hub.rows(FILL, person.id)
    await hub.rows(DIVIDE, divided.id)
    await hub.rows("UPDATE logbook_entry SET version = version WHERE mediator_id = $1", divided.id)
    for table in ("logbook_entry", "logbook_private", "case_session"):
        await hub.rows(f"VACUUM ANALYZE {table}")

    def page(path: str) -> Callable[[Person], Awaitable[object]]:
        async def ask(person: Person) -> None:
            (await hub.client.get(path, headers={"Cookie": f"session={person.cookie}"})).raise_for_status()

        return ask

    def totals(document: str) -> Callable[[Person], Awaitable[object]]:
        async def ask(person: Person) -> None:
            assert (await hub.ask(document, by=person)).data

        return ask

    rows = [("2,000 cases of 20 years", "ratio", "with 6,000 sessions, ms", "without, ms")]
    for name, ask in (
        ("the logbook's page", page("/logbook")),
        ("Home, with the hours of this year", page("/")),
        ("totals by year", totals(YEARS)),
        ("totals by role, by year, and by both", totals(EVERYTHING)),
    ):
        without, with_them = await _median(ask, whole, divided)
        rows.append((name, f"{with_them / without:.2f}", f"{with_them:.1f}", f"{without:.1f}"))
    report = markdown_table(*rows)
    typer.echo(report)
    PAGE.write_text(placed(PAGE.read_text(encoding="utf-8"), "long logbook", report), encoding="utf-8")


async def _served(services: Services, mailbox: Path) -> None:
    async with AsyncExitStack() as until_done:
        smtp_url = until_done.enter_context(catching(mailbox))
        admin_url = urlunsplit(urlsplit(services.admin_url)._replace(path="/logbook"))
        own = replace(services, admin_url=admin_url, smtp_url=smtp_url, mailbox=mailbox)
        hub = await until_done.enter_async_context(opened(own))
        await _run(hub)


def main() -> None:
    """Fill a database, measure, and write the table into the page on performance."""
    with TemporaryDirectory() as folder, embedded(Path(folder) / "data", durable=False) as services:
        Path(folder).chmod(0o755)
        migrate.upgrade(settings_for(services))
        asyncio.run(_served(services, Path(folder) / "mailbox"))


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    main()
