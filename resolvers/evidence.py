"""Evidence: the files that mediators attach to their CPD entries. Nobody else learns more than `hasCertificate`."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import strawberry
import structlog
from sqlalchemy import ClauseElement, ColumnElement, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Uuid

from models.evidence import EvidenceKind, evidence_files
from models.file_store import StoreAway, open_store
from models.statement import AnySelect, Row, statement
from permissions.file_sealing import open_file
from permissions.sealing import CannotOpen
from resolvers.context import Context, Info
from resolvers.entry_rows import EntryRow
from resolvers.errors import Away, Damaged

log = structlog.get_logger()

strawberry.enum(EvidenceKind)
_its = evidence_files.c
_me, _id = bindparam("me", type_=Uuid()), bindparam("id", type_=Uuid())


class FileRow(Row):
    """A file, without its content."""

    id: UUID
    entry_id: UUID
    name: str
    kind: str
    media_type: str
    bytes: int
    added_at: datetime


class _SealedRow(FileRow):
    sealed: bytes


def _own() -> ColumnElement[bool]:
    return _its.mediator_id == _me


def _own_files() -> AnySelect:
    shown = (_its.id, _its.entry_id, _its.name, _its.kind, _its.media_type, _its.bytes, _its.added_at)
    return select(*shown).where(_own())


@statement(FileRow)
def _of_entries() -> ClauseElement:
    ids = bindparam("ids", type_=ARRAY(Uuid()))
    return _own_files().where(_its.entry_id == func.any(ids)).order_by(_its.added_at, _its.id)


@statement(FileRow)
def own_file() -> ClauseElement:
    """Select the file `id` of the mediator `me`."""
    return _own_files().where(_its.id == _id)


@statement(_SealedRow)
def _sealed() -> ClauseElement:
    return _own_files().add_columns(_its.sealed).where(_its.id == _id)


@statement(FileRow)
def _all() -> ClauseElement:
    return _own_files().order_by(_its.added_at, _its.id)


async def files(info: Info, entry: strawberry.Parent[EntryRow]) -> Sequence[FileRow]:
    """Give the files of one of the viewer's own entries, in the order in which they were attached."""
    context = info.context

    async def batch(ids: list[UUID]) -> list[list[FileRow]]:
        async with context.database.reading() as reading:
            rows = await reading.all(_of_entries(), ids=ids, me=context.account_id)
        found: dict[UUID, list[FileRow]] = {one: [] for one in ids}
        for row in rows:
            found[row.entry_id].append(row)
        return [found[one] for one in ids]

    return await context.load(batch, "files", entry.id)


@dataclass(frozen=True)
class OpenedFile:
    """A file's content, what it is, and what it's called."""

    name: str
    media_type: str
    data: bytes


async def own_files(context: Context) -> list[FileRow]:
    """Give all the viewer's files, the oldest first."""
    async with context.database.reading() as reading:
        return await reading.all(_all(), me=context.account_id)


async def opened_file(context: Context, file_id: UUID) -> OpenedFile | None:
    """Give one of the viewer's own files with its content; None if it isn't theirs, or is gone.

    Raises:
        Away: the files can't be reached.
        Forbidden: the viewer has to verify their address or set up a second factor first.
        Damaged: it can't be read any more.
    """
    context.require_ready()
    async with context.database.reading() as reading:
        row = await reading.first(_sealed(), id=file_id, me=context.account_id)
    store = open_store(context.settings)
    if row is None or store is None:
        return None
    try:
        stored = await store.get(row.id)
    except StoreAway:
        raise Away from None
    if stored is None:
        return None
    try:
        data = await asyncio.to_thread(open_file, context.settings, row.id, row.sealed, stored, row.bytes)
    except CannotOpen:
        log.error("file_damaged", file=str(row.id))
        raise Damaged from None
    return OpenedFile(row.name, row.media_type, data)
