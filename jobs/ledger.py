"""The ledger of deletions: a file kept apart from the database and its backups, which survives them.

A backup holds accounts and files that were deleted after it was made. The ledger names them, so that a restored
database can delete them again. Each line is a moment and the id of an account or a file, which means nothing by itself.
It's a copy of the deletions of accounts in the audit log, and of what the database notes of files: a worker adds what's
missing within seconds of the commit, and writes it all again if the file is gone, so each worker's ledger is complete.
"""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import ClauseElement, bindparam, cast, func, select, union_all
from sqlalchemy.types import Date, DateTime

from models.database import Database, Reads
from models.evidence import deleted_files
from models.outbox import AuditAction, audit_entries
from models.statement import Row, statement
from settings import Settings, SettingsError


class Deletion(Row):
    """When an account or a file was deleted, and its id."""

    at: datetime
    subject_id: UUID


@statement(Deletion)
def _deletions(since: bool) -> ClauseElement:
    """Select deletions, those of files with the end of their day, which is all that's known of when they were."""
    accounts = select(audit_entries.c.at, audit_entries.c.subject_id).where(
        audit_entries.c.action == AuditAction.ACCOUNT_DELETED, audit_entries.c.subject_id.is_not(None)
    )
    end = func.timezone("UTC", cast(deleted_files.c.deleted_on + 1, DateTime()), type_=DateTime(timezone=True))
    files = select(end.label("at"), deleted_files.c.id)
    if since:
        accounts = accounts.where(audit_entries.c.at >= bindparam("since", type_=DateTime(timezone=True)))
        files = files.where(deleted_files.c.deleted_on >= bindparam("since_day", type_=Date()))
    found = union_all(accounts, files).subquery()
    return select(found.c.at, found.c.subject_id).order_by(found.c.at, found.c.subject_id)


# An entry has the moment when its transaction began, up to an hour before its commit, and a file the end of its day.
LONGEST_COMMIT = timedelta(hours=1 + 24)


def line(moment: datetime, deleted_id: UUID) -> str:
    """Write one deletion."""
    return f"{moment.isoformat(timespec='seconds')} {deleted_id}\n"


def read_ledger(path: Path) -> set[UUID]:
    """Give the ids of a ledger, none if there's no file.

    Anything that isn't a whole line, such as one cut short, is skipped.
    """
    found = set()
    for entry in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            found.add(UUID(entry.partition(" ")[2]))
        except ValueError:
            continue
    return found


def append(path: Path, text: str) -> None:
    """Add to the ledger; when this returns, it's on disk."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "rb+") as file:
        size = file.seek(0, os.SEEK_END)
        if size:  # keeps a line that was cut short apart from the next
            file.seek(size - 1)
            text = text if file.read(1) == b"\n" else f"\n{text}"
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())


def heads_beside(ledger: Path) -> Path:
    """Give the file beside a ledger that has the audit log's heads (`jobs/audit_anchor.py`)."""
    return ledger.with_name(f"{ledger.name}.audit")


async def deletions(reading: Reads, since: datetime | None = None) -> list[Deletion]:
    """Give each deletion that the database knows of, oldest first. Only workers and the owner read those of files."""
    if since is None:
        return await reading.all(_deletions(since=False))
    day = since.astimezone(UTC).date() - timedelta(days=1)
    return await reading.all(_deletions(since=True), since=since, since_day=day)


def require_writable(settings: Settings) -> None:
    """Raise SettingsError if the ledger or the file beside it can't be written."""
    if settings.deletions_ledger is not None:
        try:
            append(settings.deletions_ledger, "")
            append(heads_beside(settings.deletions_ledger), "")
        except OSError as error:
            raise SettingsError(f"DELETIONS_LEDGER cannot be written: {error.strerror}") from None


class Ledger:
    """Keeps one file up to date with the database."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._newest: datetime | None = None
        self._lock = asyncio.Lock()  # two at once would both find the same lines missing

    async def keep(self, database: Database) -> int:
        """Add the deletions missing from the file; give how many."""
        async with self._lock:
            return await self._keep(database)

    async def _keep(self, database: Database) -> int:
        if not self._path.exists():
            self._newest = None
        since = self._newest and self._newest - LONGEST_COMMIT
        async with database.reading() as reading:
            rows = await deletions(reading, since)
        if not rows:
            return 0
        there = await asyncio.to_thread(read_ledger, self._path)
        missing = [line(row.at, row.subject_id) for row in rows if row.subject_id not in there]
        if missing:
            await asyncio.to_thread(append, self._path, "".join(missing))
        self._newest = rows[-1].at
        return len(missing)
