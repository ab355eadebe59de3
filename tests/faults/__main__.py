"""Runs the drills and prints a line for each: `python -m tests.faults [drill ...] [--write]`, or `make drills`.

The exit status is 1 if a promise was broken. `--write` writes the table in `docs/reliability.md` if all of them ran.
The load lasts LOAD_SECONDS, 90 unless the environment says otherwise.
"""

import asyncio
import logging
import os
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog
import typer

from demo.embedded import embedded
from models import migrate
from tests.faults import (
    backup,
    balanced,
    clock,
    full_disk,
    keys,
    load,
    postgres,
    smtp,
    upgrade,
    valkey,
    workers,
    writes,
)
from tests.faults.line import Line
from tests.faults.machine import Machine
from tests.hub import settings_for
from tests.servers import keep_pristine
from tools import readme

PAGE = readme.DOCS / "reliability.md"
LOAD_SECONDS = int(os.environ.get("LOAD_SECONDS", "90"))

Drill = Callable[[Machine], Awaitable[Line]]

# The drills in a group run side by side: they mostly wait for leases and back-offs.
GROUPS: tuple[dict[str, Drill], ...] = (
    {
        "killed": workers.killed,
        "stopped": workers.stopped,
        "recording": workers.recording,
        "balanced": balanced.balanced,
    },
    {"told_to_stop": workers.told_to_stop},
    {"two_of_each": workers.two_of_each},
    {"valkey_away": valkey.away_at_start},
    {"valkey_flushed": valkey.flushed},
    {"valkey_restarted": valkey.restarted},
    {"valkey_frozen": valkey.frozen},
    {"postgres_crashed": postgres.crashed},
    {
        "smtp_away": smtp.refused,
        "smtp_hangs": smtp.hanging,
        "smtp_451": smtp.greylisted,
        "smtp_550": smtp.refused_for_good,
        "smtp_drops": smtp.dropped,
    },
    {"clock": clock.ahead_and_back, "day": clock.away_for_a_day},
    {"edits": writes.edits},
    {"repeats": writes.repeats},
    {"poison": writes.poison},
    {"erased": writes.erased},
    {"restored": backup.restored},
    {"rekeyed": keys.rekeyed},
    {"killed_while_mixing": keys.killed_while_mixing},
    {"upgraded": upgrade.upgraded},
    {"full_disk": full_disk.full_disk},
    {"full_server": full_disk.full_server},
    {"pool": load.no_connection_left},
    {"load": partial(load.many_people, seconds=LOAD_SECONDS)},
)


async def attempt(name: str, drill: Drill, machine: Machine) -> Line:
    """Run one; if the drill itself fails, its promise is broken too."""
    began = time.monotonic()
    try:
        line = await drill(machine)
    except Exception as error:  # noqa: BLE001 - the others go on
        traceback.print_exc()
        line = Line(name, "drills", 1, broken=[f"it could not be carried out: {type(error).__name__}"])
    typer.echo(f"{name:16} {time.monotonic() - began:4.0f} s  {line}")
    return line


async def drilled(machine: Machine, chosen: set[str]) -> list[Line]:
    """Run the chosen drills, or all of them; return their lines."""
    lines = []
    for group in GROUPS:
        runs = [attempt(name, drill, machine) for name, drill in group.items() if not chosen or name in chosen]
        lines += await asyncio.gather(*runs)
    return lines


def main() -> int:
    """Run what the command line names."""
    asked = set(sys.argv[1:])
    chosen = asked - {"--write"}
    if unknown := chosen - {name for group in GROUPS for name in group}:
        typer.echo(f"There is no drill called {', '.join(sorted(unknown))}.", err=True)
        return 2
    logging.disable()  # silences the driver about connections that a drill breaks
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with TemporaryDirectory(prefix="logbook-drills-") as folder, embedded(Path(folder), durable=False) as services:
        migrate.upgrade(settings_for(services))
        asyncio.run(keep_pristine(services))
        lines = asyncio.run(drilled(Machine(services, Path(folder)), chosen))
    if "--write" in asked and not chosen:
        text = PAGE.read_text(encoding="utf-8")
        rows = [("what was done", "how many", "lost", "doubled", "what else"), *(line.row() for line in lines)]
        PAGE.write_text(readme.placed(text, "reliability", readme.markdown_table(*rows)), encoding="utf-8")
    troubled = [line for line in lines if line.troubles or line.late]
    typer.echo(f"{len(lines)} drills, {len(troubled)} with a broken promise")
    return 1 if troubled else 0


if __name__ == "__main__":
    sys.exit(main())
