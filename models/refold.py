"""Folding what's stored again: after the fold has changed, and for what an older version wrote in the meantime.

It runs as the role that owns the tables, because nobody else reaches everybody's private texts.
"""

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import (
    Column,
    Integer,
    Table,
    Text,
    bindparam,
    column,
    delete,
    exists,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR, insert
from sqlalchemy.types import Uuid
from sqlmodel import SQLModel

from models.database import Database, connect
from models.folding import FOLD_VERSION, fold, words
from models.folds import fold_columns
from models.outbox import chores
from models.statement import Row, Statement
from settings import Settings, SettingsError

BATCH = 500  # rows in a transaction: nobody waits long for one of them

_MARKS = chores.c.name.startswith("fold ")
_MARK = f"fold {FOLD_VERSION}"


def _words(of: Column[Any]) -> bool:
    return isinstance(of.type, TSVECTOR)


@lru_cache(maxsize=20)
def _texts(of: Table, locked: bool) -> Statement[Row]:
    """Select ids, texts and folds of the rows after the parameter `after`; or lock those rows with the `ids`."""
    names = fold_columns(of)
    texts = [of.c[name] for name in dict.fromkeys(names.values())]
    stored = [
        func.tsvector_to_array(of.c[name], type_=ARRAY(Text())).label(name) if _words(of.c[name]) else of.c[name]
        for name in names
    ]
    rows = select(of.c.id, *texts, *stored).order_by(of.c.id)
    if locked:
        these = rows.where(of.c.id == func.any(bindparam("ids", type_=ARRAY(Uuid()))))
        return Statement(these.with_for_update(key_share=True), Row)
    some = rows.where(of.c.id > bindparam("after", type_=Uuid())).limit(bindparam("most", type_=Integer()))
    return Statement(some, Row)


@lru_cache(maxsize=20)
def _write(of: Table) -> Statement[Row]:
    """Write the folds in the parameter `rows`."""
    names = fold_columns(of)
    types = {name: ARRAY(Text()) if _words(of.c[name]) else Text() for name in names}
    given = (
        func.jsonb_to_recordset(bindparam("rows", type_=JSONB()))
        .table_valued(column("id", Uuid()), *(column(name, type_) for name, type_ in types.items()))
        .render_derived(name="given", with_types=True)
    )
    folds = {name: func.array_to_tsvector(given.c[name]) if _words(of.c[name]) else given.c[name] for name in names}
    return Statement(update(of).where(of.c.id == given.c.id).values(folds), Row)


def _folds(of: Table, row: Row) -> dict[str, Any]:
    """Fold the texts of a row."""
    made: dict[str, Any] = {}
    for name, text in fold_columns(of).items():
        if row[text] is None:
            made[name] = None
        else:
            made[name] = sorted(words(row[text])) if _words(of.c[name]) else fold(row[text])
    return made


def _is_wrong(of: Table, row: Row) -> bool:
    stored = {name: row[name] for name in fold_columns(of)}
    return _folds(of, row) != {name: sorted(it) if isinstance(it, list) else it for name, it in stored.items()}


async def _refold_table(database: Database, of: Table) -> int:
    changed, after = 0, UUID(int=0)
    while True:
        async with database.transaction() as transaction:
            rows = await transaction.all(_texts(of, locked=False), after=after, most=BATCH)
            wrong = [row["id"] for row in rows if _is_wrong(of, row)]
            if wrong:
                # Somebody may be writing them. They're locked in order of their ids, like accounts everywhere.
                locked = await transaction.all(_texts(of, locked=True), ids=wrong)
                new = [{"id": row["id"], **_folds(of, row)} for row in locked]
                changed += await transaction.run(_write(of), rows=new)
        if len(rows) < BATCH:
            return changed
        after = rows[-1]["id"]


async def refold(database: Database) -> int:
    """Fold every text again, in small transactions, and note with which version. Gives how many rows have changed."""
    tables = [table for table in SQLModel.metadata.sorted_tables if fold_columns(table)]
    changed = sum([await _refold_table(database, table) for table in tables])
    async with database.transaction() as transaction:
        await transaction.run(delete(chores).where(_MARKS, chores.c.name != _MARK))
        # Long ago, because the latest time of a chore tells how old a backup is.
        mark = insert(chores).values(name=_MARK, ran_at=func.to_timestamp(0))
        await transaction.run(mark.on_conflict_do_nothing())
    return changed


async def refold_if_changed(database: Database) -> int:
    """Fold every text again, unless that has been done with this version of the fold. Gives how many rows changed."""
    async with database.reading() as reading:
        done = await reading.value(select(exists().where(chores.c.name == _MARK)), bool)
    return 0 if done else await refold(database)


Done = TypeVar("Done")


async def as_owner(settings: Settings, work: Callable[[Database], Awaitable[Done]]) -> Done:
    """Do work on everybody's rows as the role that owns the tables.

    Raises:
        SettingsError: its URL isn't set, or leads to another role, which would miss private texts and not notice.
    """
    if settings.database_owner_url is None:
        raise SettingsError("DATABASE_OWNER_URL is not set: this runs as the role that owns the tables")
    async with connect(settings, settings.database_owner_url) as database:
        async with database.reading() as reading:
            guarded = await reading.value(select(func.row_security_active("logbook_private")), bool)
        if guarded:
            raise SettingsError("DATABASE_OWNER_URL is wrong: its role doesn't own the tables")
        return await work(database)
