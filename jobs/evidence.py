"""Files that are gone: their bytes are removed from the store, and so is whatever never got a row.

A file can't be read any more as soon as its row is deleted, which its key goes with. What's done here makes room, and
keeps what's left from being guessed at by its size.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import ClauseElement, any_, bindparam, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Integer, Uuid

from jobs.expiry import Every, take_turn
from models.database import Database, Transaction
from models.evidence import deleted_files
from models.file_store import FileStore, StoreAway
from models.statement import Row, statement

log = structlog.get_logger()

UNKNOWN_KEPT = timedelta(hours=1)  # longer than an upload takes, from its bytes to its row
_BATCH = 500


class _IdRow(Row):
    id: UUID


@statement(_IdRow)
def _unswept() -> ClauseElement:
    most = bindparam("most", type_=Integer())
    return select(deleted_files.c.id).where(~deleted_files.c.swept).order_by(deleted_files.c.id).limit(most)


@statement(_IdRow)
def _known() -> ClauseElement:
    known = func.known_files(bindparam("ids", type_=ARRAY(Uuid())))
    return select(literal_column("known_files", Uuid()).label("id")).select_from(known)


async def sweep(database: Database, store: FileStore | None) -> int:
    """Remove the bytes of deleted files and, once an hour, what has no row. Gives how many were removed.

    If the store is away, that's for the next time.
    """
    if store is None:
        return 0
    try:
        removed = await remove_deleted(database, store)
        # Not within the transaction that takes the turn: a store may take minutes to say what's in it.
        if await take_turn(database, "sweep_files", Every.HOUR, _nothing):
            removed += await remove_unknown(database, store, datetime.now(UTC) - UNKNOWN_KEPT)
    except StoreAway as error:
        log.warning("file_store_away", reason=str(error))
        return 0
    return removed


async def _nothing(_transaction: Transaction) -> None:
    pass


async def remove_deleted(database: Database, store: FileStore) -> int:
    """Remove the bytes of the files whose rows are gone, and give how many."""
    removed = 0
    while True:
        async with database.reading() as reading:
            found = [row.id for row in await reading.all(_unswept(), most=_BATCH)]
        for one in found:
            await store.remove(one.hex)
        if found:
            these = deleted_files.c.id == any_(bindparam("ids", found, ARRAY(Uuid())))
            async with database.transaction() as transaction:
                await transaction.run(update(deleted_files).where(these).values(swept=True))
        removed += len(found)
        if len(found) < _BATCH:
            return removed


async def remove_unknown(database: Database, store: FileStore, before: datetime) -> int:
    """Remove what was written before that moment and belongs to no file, half-written files included.

    The store's time is that of its own machine, and so is `before`.
    """
    removed, batch = 0, list[str]()
    async for one in store.everything():
        if one.written_at < before:
            batch.append(one.name)
        if len(batch) == _BATCH:
            removed += await _remove_without_row(database, store, batch)
            batch = []
    return removed + await _remove_without_row(database, store, batch)


async def _remove_without_row(database: Database, store: FileStore, names: list[str]) -> int:
    ids = [one for one in map(_file_id, names) if one is not None]
    async with database.reading() as reading:
        known = {row.id.hex for row in await reading.all(_known(), ids=ids)}
    unknown = [name for name in names if name not in known]
    for name in unknown:
        await store.remove(name)
    return len(unknown)


def _file_id(name: str) -> UUID | None:
    try:
        return UUID(hex=name)
    except ValueError:
        return None
