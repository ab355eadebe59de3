"""Attaching files to the viewer's own CPD entries, and deleting them.

A file's bytes are stored before its row is written, so a file that's listed can be read. Whatever was stored without
ending up in a row is swept (`jobs/evidence.py`).
"""

import asyncio
import hashlib
from contextlib import suppress
from typing import NewType
from uuid import UUID, uuid4

import strawberry
from sqlalchemy import BigInteger, ClauseElement, bindparam, cast, delete, func, insert, select
from sqlalchemy.types import Uuid

from i18n import gettext as _
from i18n import number
from models.cpd import cpd_entries
from models.database import Reads, Transaction
from models.evidence import EvidenceKind, evidence_files
from models.file_store import FileStore, StoreAway, open_store
from models.mediator import mediators
from models.statement import Row, Values, statement
from permissions.file_sealing import seal_file
from permissions.writing import is_blank
from resolvers import limits
from resolvers.access import keep_profile
from resolvers.context import Context, Info
from resolvers.errors import Away, Code, NotFound, Refused, refuse
from resolvers.evidence import FileRow, own_file
from resolvers.evidence_content import MAX_BYTES, Content, NotTaken, read_content
from resolvers.evidence_name import clean_name
from resolvers.idempotency import Once, earlier_result, known_result, once
from resolvers.inputs import read_id
from resolvers.validation import Check

MAX_ACCOUNT_BYTES = 500 * 1024 * 1024  # of all of a mediator's files together
MAX_FILES = 20  # of one entry
_MAX_TYPED = 1_000  # characters of a name, of which 200 are kept

Base64 = NewType("Base64", bytes)
_its = evidence_files.c
_me, _entry = bindparam("me", type_=Uuid()), bindparam("entry", type_=Uuid())


@strawberry.input(description="A file for one of your CPD entries.")
class AttachFileInput:
    """A file, and what it's evidence of."""

    entry_id: strawberry.ID
    kind: EvidenceKind
    name: str
    content: Base64
    request_key: str | None = None


@strawberry.input
class DetachFileInput:
    """The file to delete."""

    id: strawberry.ID


class _IdRow(Row):
    id: UUID


@statement(_IdRow)
def _lock() -> ClauseElement:
    """Let a mediator's changes to their files come one after another."""
    return select(mediators.c.id).where(mediators.c.id == _me).with_for_update(key_share=True)


@statement(_IdRow)
def _own_entry(locked: bool) -> ClauseElement:
    """Select an own entry. Who changes its files locks it first, as whoever deletes it does."""
    rows = select(cpd_entries.c.id).where(cpd_entries.c.id == _entry, cpd_entries.c.mediator_id == _me)
    return rows.with_for_update() if locked else rows


class _OfEntryRow(Row):
    entry_id: UUID


@statement(_OfEntryRow)
def _entry_of() -> ClauseElement:
    return select(_its.entry_id).where(_its.id == bindparam("id", type_=Uuid()), _its.mediator_id == _me)


class _UsedRow(Row):
    bytes: int
    files: int


@statement(_UsedRow)
def _used() -> ClauseElement:
    of_entry = func.count().filter(_its.entry_id == _entry)
    return select(
        cast(func.coalesce(func.sum(_its.bytes), 0), BigInteger).label("bytes"), of_entry.label("files")
    ).where(_its.mediator_id == _me)


async def attach_file(info: Info, input: AttachFileInput) -> FileRow | None:
    """Attach a file to one of the viewer's own CPD entries, and give it.

    Raises:
        Refused: something in the input needs fixing, or there's no room left.
        Forbidden: the viewer has no paid access.
        RateLimited: there were too many attempts.
        Away: the files can't be reached.
        BadInput: the `requestKey` is too long.
    """
    context, entry_id, file_id = info.context, read_id(input.entry_id), uuid4()
    context.require_paid()
    store = open_store(context.settings)
    if store is None or not context.settings.takes_files:
        refuse(None, Code.NOT_ALLOWED, _("Files can't be attached here."))
    await context.limiter.count(limits.UPLOADS, context.account_id)
    sent = _once(input)
    async with context.database.reading() as reading:
        if known := await known_result(context, reading, "attachFile", sent):
            return await reading.first(own_file(), id=known, me=context.account_id)
        _check_name(input.name)
        await _require_room(context, reading, entry_id, min(len(input.content), MAX_BYTES))
    content = await _content(input.content)
    values: Values = {
        "id": file_id,
        "mediator_id": context.account_id,
        "entry_id": entry_id,
        "kind": input.kind,
        "name": clean_name(input.name, content.media_type),
        "media_type": content.media_type,
        "bytes": len(content.data),
    }
    sealed, stored = await asyncio.to_thread(seal_file, context.settings, file_id, content.data)
    try:
        await store.put(file_id, stored)
        async with context.transaction() as transaction:
            attached = await _attach(context, transaction, sent, values | {"sealed": sealed})
    except StoreAway:
        await _discard(store, file_id)
        raise Away from None
    except (Refused, NotFound):  # after any other error, the row may be there: what's left is for the sweep
        await _discard(store, file_id)
        raise
    if attached != file_id:
        await _discard(store, file_id)  # an earlier request with this key stored it already
    async with context.database.reading() as reading:
        return await reading.first(own_file(), id=attached, me=context.account_id)


def _once(input: AttachFileInput) -> Once:
    given = once(input, proofs=("content",))
    return Once(given.key, given.content + hashlib.sha256(input.content).digest())


def _check_name(given: str) -> None:
    check = Check()
    if check.text("name", given, most=_MAX_TYPED) is None or is_blank(given):
        check.add("name", Code.REQUIRED, _("Please fill this in."))
    check.done()


async def _content(sent: bytes) -> Content:
    try:
        return await read_content(sent)
    except NotTaken as reason:
        refuse("content", Code.OUT_OF_RANGE if reason.too_large else Code.INVALID, str(reason))


async def _require_room(context: Context, reading: Reads, entry_id: UUID, size: int, *, locked: bool = False) -> None:
    if await reading.first(_own_entry(locked), entry=entry_id, me=context.account_id) is None:
        refuse("entryId", Code.NOT_FOUND, _("There's no such entry."))
    used = await reading.one(_used(), entry=entry_id, me=context.account_id)
    if used.files >= MAX_FILES:
        refuse(None, Code.NOT_ALLOWED, _("An entry can have at most %(most)s files.", most=MAX_FILES))
    if used.bytes + size > MAX_ACCOUNT_BYTES:
        most = number(MAX_ACCOUNT_BYTES // 1024**2)
        refuse(
            None,
            Code.NOT_ALLOWED,
            _("Your files can be at most %(most)s MB together. Please remove some that you don't need.", most=most),
        )


async def _attach(context: Context, transaction: Transaction, once: Once, values: Values) -> UUID:
    """Write a file's row, and give its id; or that of the file that the first request with this key attached."""
    await keep_profile(context, transaction)
    await transaction.first(_lock(), me=context.account_id)
    file_id: UUID = values["id"]
    if earlier := await earlier_result(context, transaction, "attachFile", once, file_id):
        return earlier
    await _require_room(context, transaction, values["entry_id"], values["bytes"], locked=True)
    await transaction.run(insert(evidence_files).values(values))
    return file_id


async def _discard(store: FileStore, file_id: UUID) -> None:
    """Remove what was stored. If that can't be done now, it's swept within hours."""
    with suppress(StoreAway):
        await store.remove(file_id.hex)


async def detach_file(info: Info, input: DetachFileInput) -> UUID:
    """Delete a file, and give its id.

    Raises:
        Refused: it isn't one of the viewer's.
    """
    context, file_id = info.context, read_id(input.id)
    async with context.transaction() as transaction:
        await transaction.first(_lock(), me=context.account_id)
        if found := await transaction.first(_entry_of(), id=file_id, me=context.account_id):
            await transaction.first(_own_entry(locked=True), entry=found.entry_id, me=context.account_id)
        own = delete(evidence_files).where(_its.id == file_id, _its.mediator_id == context.account_id)
        if not await transaction.run(own):
            refuse("id", Code.NOT_FOUND, _("There's no such file."))
    return file_id
