"""Runs the drills and prints a line for each: `python -m tests.faults [drill ...]`, or `make drills`.

The exit status is 1 if a promise broke.
"""

import asyncio
import logging
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog
import typer

from models import migrate
from tests.faults import backup, balanced, upgrade
from tests.faults.line import Line
from tests.faults.machine import Machine
from tests.hub import settings_for
from web.embedded import embedded

Drill = Callable[[Machine], Awaitable[Line]]

DRILLS: dict[str, Drill] = {
    "restored": backup.restored,
    "balanced": balanced.balanced,
    "upgraded": upgrade.upgraded,
}


async def attempt(name: str, drill: Drill, machine: Machine) -> Line:
    """Run one; what goes wrong in the drill itself breaks its promise too."""
    began = time.monotonic()
    try:
        line = await drill(machine)
    except Exception as error:  # noqa: BLE001 - the others go on
        traceback.print_exc()
        line = Line(name, "drills", 1, broken=[f"it could not be carried out: {type(error).__name__}"])
    typer.echo(f"{name:16} {time.monotonic() - began:4.0f} s  {line}")
    return line


def main() -> int:
    """Run what the command line names, or all."""
    chosen = sys.argv[1:] or list(DRILLS)
    logging.disable()  # what the driver says of connections that a drill breaks
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with TemporaryDirectory(prefix="logbook-drills-") as folder, embedded(Path(folder), durable=False) as services:
        migrate.upgrade(settings_for(services))
        machine = Machine(services, Path(folder))
        lines = [asyncio.run(attempt(name, DRILLS[name], machine)) for name in chosen]
    troubled = [line for line in lines if line.troubles or line.late]
    typer.echo(f"{len(lines)} drills, {len(troubled)} with a broken promise")
    return 1 if troubled else 0


if __name__ == "__main__":
    sys.exit(main())
