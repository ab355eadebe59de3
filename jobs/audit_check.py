"""Checks the audit log: finds entries that were changed, forged, moved or removed, and an end that was cut off.

Each MAC is made again from the entry and the MAC stored before it, so what's wrong in one place shows in that place. A
restored backup loses the end of the log too; `logbook restore-check` notes that in the log itself, where nobody can
forge it.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ClauseElement, bindparam, func, select
from sqlalchemy.types import BigInteger

from jobs.audit import COVERED, START, entry_mac
from jobs.audit_anchor import Anchor
from models.database import Reads
from models.outbox import AuditAction, audit_entries
from models.statement import Row, statement
from permissions.secrets import key_with_id
from settings import Settings

GIVEN_BY_HAND = datetime.max.replace(tzinfo=UTC)  # the moment of an anchor that somebody noted without it
_AT_ONCE = 1000
_BEFORE_ALL = -(2**63)


class _EntryRow(Row):
    sequence: int
    id: UUID
    at: datetime
    actor_id: UUID | None
    action: str
    subject_id: UUID | None
    account_id: UUID | None
    reason: str | None
    count: int | None
    key_id: bytes | None
    mac: bytes | None


@statement(_EntryRow)
def _entries() -> ClauseElement:
    entry = audit_entries.c
    return (
        select(*(entry[name] for name in COVERED), entry.mac)
        .where(entry.sequence > bindparam("after", type_=BigInteger()), entry.sequence.is_not(None))
        .order_by(entry.sequence)
        .limit(_AT_ONCE)
    )


class _OutsideRow(Row):
    count: int


@statement(_OutsideRow)
def _outside() -> ClauseElement:
    return select(func.count().label("count")).where(audit_entries.c.sequence.is_(None))


class _Restored(NamedTuple):
    at: datetime
    place: int


@dataclass
class Checked:
    """What a check found: the log's length and last MAC, what's wrong, and what else there is to say."""

    length: int = 0
    mac: bytes = START
    wrong: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


async def check(reading: Reads, settings: Settings, anchors: Sequence[Anchor]) -> Checked:
    """Check the whole log, and its end against the heads that were recorded elsewhere."""
    found, macs, restored = Checked(), dict[int, bytes](), list[_Restored]()
    wanted = {anchor.length for anchor in anchors}
    async for entry in _walk(reading):
        if entry.sequence <= found.length:
            found.wrong.append(f"Entry {entry.sequence} is in a place that no entry can have.")
            continue
        if problem := _gap(found.length, entry.sequence) or _problem(settings, found.mac, entry):
            found.wrong.append(problem)
        elif entry.action == AuditAction.BACKUP_RESTORED:
            restored.append(_Restored(entry.at, entry.sequence))
        found.length, found.mac = entry.sequence, entry.mac or b""
        if entry.sequence in wanted:
            macs[entry.sequence] = found.mac
    outside = (await reading.one(_outside())).count
    if outside:
        found.wrong.append(
            f"{_entries_are(outside)} outside the chain: written by a version from before it, or by somebody else."
        )
    _compare(found, macs, restored, anchors)
    return found


async def _walk(reading: Reads) -> AsyncIterator[_EntryRow]:
    after, rows = _BEFORE_ALL, None
    while rows is None or len(rows) == _AT_ONCE:
        rows = await reading.all(_entries(), after=after)
        for row in rows:
            yield row
            after = row.sequence


def _gap(length: int, place: int) -> str | None:
    """Say what's missing before an entry. Without the entry before it, its own MAC can't be checked."""
    missing = place - 1 - length
    return f"{_entries_are(missing)} missing before entry {place}." if missing else None


def _problem(settings: Settings, previous: bytes, entry: _EntryRow) -> str | None:
    key = key_with_id(settings, entry.key_id)
    if key is None:
        of = entry.key_id.hex() if entry.key_id else "none"
        return (
            f"Entry {entry.sequence} can't be checked: it was written with a key ({of}) that isn't in "
            "SECRET_KEYS_BEFORE, or changed."
        )
    if entry.mac != entry_mac(key, previous, entry):
        return f"Entry {entry.sequence} was changed or forged, or the one before it was. Its id is {entry.id}."
    return None


def _entries_are(number: int) -> str:
    return "1 entry is" if number == 1 else f"{number} entries are"


def _compare(found: Checked, macs: dict[int, bytes], restored: list[_Restored], anchors: Sequence[Anchor]) -> None:
    """Look for each recorded head. One that was lost when a backup was restored is no longer expected."""
    lost, cut = dict[_Restored, int](), None
    for anchor in anchors:
        if macs.get(anchor.length) == anchor.mac:
            continue
        later = next((one for one in restored if one.at >= anchor.at and one.place <= anchor.length), None)
        if later:
            lost[later] = max(lost.get(later, 0), anchor.length + 1 - later.place)
        elif anchor.length <= found.length:
            found.wrong.append(f"Entry {anchor.length} isn't the one that was recorded{_when(anchor)}.")
        elif cut is None or anchor.length > cut.length:
            cut = anchor
    if cut is not None:
        missing = _entries_are(cut.length - found.length)
        found.wrong.append(
            f"The end was cut off: {missing} missing after entry {found.length}. {cut.length} were "
            f"recorded{_when(cut)}. After a backup was restored, run restore-check first."
        )
    for one, entries in lost.items():
        found.remarks.append(
            f"A backup was restored on {one.at:%Y-%m-%d}, which lost at least {entries} of the "
            f"entries after entry {one.place - 1}."
        )


def _when(anchor: Anchor) -> str:
    return "" if anchor.at == GIVEN_BY_HAND else f" on {anchor.at:%Y-%m-%d}"
