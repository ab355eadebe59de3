"""Sealing the keys of files again with the first of `FILES_KEYS`, and whether all the keys that files need are there.

It runs as the role that owns the tables, and while the service runs. The files themselves stay as they are.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ClauseElement, bindparam, delete, func, literal_column, select, update
from sqlalchemy.types import Integer, LargeBinary, Uuid

from models.database import Database, Reads
from models.evidence import evidence_files
from models.statement import Row, statement
from permissions.file_sealing import known_key_ids, reseal_file_key
from permissions.sealing import CannotOpen
from permissions.secrets import KEY_ID_BYTES
from settings import Settings

BATCH = 500  # rows in a transaction
_its = evidence_files.c


@dataclass(frozen=True)
class Rotated:
    """How many files' keys were sealed again, and how many no key opens."""

    again: int
    lost: int


class _SealedRow(Row):
    id: UUID
    sealed: bytes


@statement(_SealedRow)
def _earlier() -> ClauseElement:
    """Select keys that aren't sealed with the key whose id is `present`, after the row `after`."""
    named = func.substring(_its.sealed, 1, KEY_ID_BYTES)
    return (
        select(_its.id, _its.sealed)
        .where(named != bindparam("present", type_=LargeBinary()), _its.id > bindparam("after", type_=Uuid()))
        .order_by(_its.id)
        .limit(bindparam("most", type_=Integer()))
    )


async def rotate_keys(database: Database, settings: Settings, *, delete_lost: bool = False) -> Rotated:
    """Seal all keys with the first key. It can be run again at any time.

    `delete_lost`: delete the files that no key opens.
    """
    after, again, lost = UUID(int=0), 0, 0
    present = known_key_ids(settings)[0]
    while True:
        async with database.transaction() as transaction:
            rows = await transaction.all(_earlier(), present=present, after=after, most=BATCH)
            for row in rows:
                # If it has changed in the meantime, that was with the first key.
                unchanged = (_its.id == row.id) & (_its.sealed == row.sealed)
                try:
                    sealed = reseal_file_key(settings, row.id, row.sealed)
                except CannotOpen:
                    lost += 1
                    if delete_lost:
                        await transaction.run(delete(evidence_files).where(unchanged))
                    continue
                again += await transaction.run(update(evidence_files).where(unchanged).values(sealed=sealed))
        if len(rows) < BATCH:
            return Rotated(again, lost)
        after = rows[-1].id


class _KeyRow(Row):
    key_id: bytes


@statement(_KeyRow)
def _needed() -> ClauseElement:
    return select(literal_column("file_key_ids", LargeBinary()).label("key_id")).select_from(func.file_key_ids())


async def lacks_keys(reading: Reads, settings: Settings) -> bool:
    """Whether some file needs a key that isn't one of `FILES_KEYS`."""
    return bool({bytes(row.key_id) for row in await reading.all(_needed())} - set(known_key_ids(settings)))
