"""Records the audit log's head, its length and last MAC, once a day where the database can't reach: a file and the log.

The chain shows any change within the log, but a log whose end was cut off is whole. So `logbook audit-check` compares
it with what was recorded. The file is beside the ledger of deletions, because it has to survive the database, too.
"""

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

import structlog

from jobs import audit
from jobs.ledger import append
from models.database import Database

log = structlog.get_logger()


class Anchor(NamedTuple):
    """The audit log's head at a moment, recorded outside the database."""

    at: datetime
    length: int
    mac: bytes


def line(anchor: Anchor) -> str:
    """Write one anchor."""
    return f"{anchor.at.isoformat(timespec='seconds')} {anchor.length} {anchor.mac.hex()}\n"


def read_anchors(path: Path) -> list[Anchor]:
    """Give a file's anchors, oldest first. Anything that isn't a whole line, such as one cut short, is skipped."""
    found = []
    for entry in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            at, length, mac = entry.split(" ")
            found.append(Anchor(datetime.fromisoformat(at).astimezone(UTC), int(length), bytes.fromhex(mac)))
        except ValueError:
            continue
    return found


class AnchorFile:
    """Keeps one process's file, if it has one, and logs what goes into it."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._day: date | None = None
        self._lock = asyncio.Lock()  # two at once would both find that today's is missing

    async def keep(self, database: Database) -> bool:
        """Record the log's head if that hasn't been done today; tell whether it was."""
        async with self._lock:
            today = database.now().date()
            if self._day is None and self._path is not None:
                there = await asyncio.to_thread(read_anchors, self._path)
                self._day = there[-1].at.date() if there else None
            if self._day == today:
                return False
            async with database.reading() as reading:
                head = await audit.head(reading)
            if head is None:
                return False
            anchor = Anchor(head.now, head.length, head.mac)
            if self._path is not None:
                await asyncio.to_thread(append, self._path, line(anchor))
            log.info("audit_log", length=anchor.length, mac=anchor.mac.hex())
            self._day = today
            return True
