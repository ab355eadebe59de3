"""Sealing again: what was sealed or hashed with one of `SECRET_KEYS_BEFORE`, with the present key.

It runs as the role that owns the tables, because nobody else reaches all of it, and while the service runs. What's
hashed from something that isn't stored can't be hashed again: the addresses that stopped requests.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import ClauseElement, Column, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Integer, LargeBinary

from jobs.mixing import have_rewritten
from models.account import second_factors
from models.database import Database, Transaction
from models.feedback import details_keys, feedback_origins, feedback_requests, spent_links, stopped_addresses
from models.mediator import mediators
from models.statement import Row, Statement, Values, statement
from permissions.scopes import link_works
from permissions.sealing import (
    CannotOpen,
    is_of_earlier_key,
    mailbox_hashes,
    open_factor,
    open_origin,
    open_personal_link,
    reseal_day_key,
    seal_factor,
    seal_origin,
    seal_personal_link,
)
from permissions.secrets import KEY_ID_BYTES, Opens, key_id, link_secret, spent_marks, stored_link_secret
from settings import Settings

BATCH = 500  # rows in a transaction
_FIRST = {UUID: UUID(int=0), date: date.min}


@dataclass(frozen=True)
class Rekeyed:
    """What was sealed or hashed again, what no key opens, and how many stopped addresses need an earlier key."""

    again: int
    lost: int
    stopped: int


@lru_cache(maxsize=10)
def _earlier(key: Column[Any], sealed: Column[bytes]) -> Statement[Row]:
    """Select values that aren't sealed with the key whose id is `present`, after the row `after`."""
    named = func.substring(sealed, 1, KEY_ID_BYTES)
    return Statement(
        select(key.label("key"), sealed.label("sealed"))
        .where(named != bindparam("present", type_=LargeBinary()), key > bindparam("after", type_=key.type))
        .order_by(key)
        .limit(bindparam("most", type_=Integer())),
        Row,
    )


Sealed = Callable[[Settings, Any, bytes], Values]  # seals a row's value again: the row's key, the value


def _origin(settings: Settings, feedback_id: UUID, sealed: bytes) -> Values:
    origin = open_origin(settings, feedback_id, sealed)
    found_by = mailbox_hashes(settings, origin.email)[0] if origin.email else None
    return {"sealed": seal_origin(settings, feedback_id, origin), "mailbox_hash": found_by}


def _day_key(settings: Settings, day: date, sealed: bytes) -> Values:
    return {"sealed": reseal_day_key(settings, day, sealed)}


def _factor(settings: Settings, account_id: UUID, sealed: bytes) -> Values:
    return {"sealed": seal_factor(settings, account_id, open_factor(settings, account_id, sealed))}


def _link(settings: Settings, mediator_id: UUID, sealed: bytes) -> Values:
    secret = open_personal_link(settings, mediator_id, sealed)
    return {"feedback_link_sealed": seal_personal_link(settings, mediator_id, secret)}


_SEALED: tuple[tuple[Column[Any], Column[bytes], Sealed], ...] = (
    (feedback_origins.c.id, feedback_origins.c.sealed, _origin),
    (details_keys.c.day, details_keys.c.sealed, _day_key),
    (second_factors.c.account_id, second_factors.c.sealed, _factor),
    (mediators.c.id, mediators.c.feedback_link_sealed, _link),
)


async def _reseal(
    database: Database, settings: Settings, key: Column[Any], sealed: Column[bytes], again: Sealed
) -> tuple[int, int]:
    """Seal a table's values again. Gives how many were, and how many no key opens."""
    after, done, lost = _FIRST[key.type.python_type], 0, 0
    present = key_id(settings.secret_keys[0])
    while True:
        async with database.transaction() as transaction:
            rows = await transaction.all(_earlier(key, sealed), present=present, after=after, most=BATCH)
            for row in rows:
                try:
                    values = again(settings, row["key"], row["sealed"])
                except CannotOpen:
                    lost += 1
                    continue
                # If it has changed in the meantime, that was with the present key.
                unchanged = (key == row["key"]) & (sealed == row["sealed"])
                done += await transaction.run(update(key.table).where(unchanged).values(values))
        if len(rows) < BATCH:
            return done, lost
        after = rows[-1]["key"]


class _LinkRow(Row):
    id: UUID
    secret_hash: bytes


@statement(_LinkRow)
def _personal_links() -> ClauseElement:
    hashed = mediators.c.feedback_link_hash.label("secret_hash")
    return select(mediators.c.id, hashed).where(mediators.c.feedback_link_sealed.is_(None))


async def _keep_personal_links(transaction: Transaction, settings: Settings) -> int:
    """Seal the personal links that an earlier key derived, which have to stay as they are."""
    kept = 0
    for row in await transaction.all(_personal_links()):
        secret = stored_link_secret(settings, Opens.PERSONAL_LINK, row.id, row.secret_hash)
        if secret is not None and secret != link_secret(settings, Opens.PERSONAL_LINK, row.id):
            sealed = seal_personal_link(settings, row.id, secret)
            own = update(mediators).where(mediators.c.id == row.id)
            kept += await transaction.run(own.values(feedback_link_sealed=sealed))
    return kept


class _HashRow(Row):
    hash: bytes


@statement(_HashRow)
def _open_requests() -> ClauseElement:
    return select(feedback_requests.c.secret_hash.label("hash")).where(link_works())


async def _mark_again(transaction: Transaction, settings: Settings) -> int:
    """Mark the used links of requests that still work."""
    marked = 0
    for row in await transaction.all(_open_requests()):
        present, *earlier = spent_marks(settings, row.hash)
        had = spent_links.c.mark == func.any(bindparam("earlier", earlier, ARRAY(LargeBinary())))
        marked += await transaction.run(update(spent_links).where(had).values(mark=present))
    return marked


@statement(_HashRow)
def _stopped() -> ClauseElement:
    return select(stopped_addresses.c.address_hash.label("hash"))


async def rekey(database: Database, settings: Settings) -> Rekeyed:
    """Seal and hash again what can be, in small transactions. It can be run again at any time."""
    counts = [await _reseal(database, settings, *one) for one in _SEALED]
    async with database.transaction() as transaction:
        links = await _keep_personal_links(transaction, settings)
        marks = await _mark_again(transaction, settings)
        stopped = sum(is_of_earlier_key(settings, row.hash) for row in await transaction.all(_stopped()))
        await have_rewritten(transaction, *{key.table.name for key, _, _ in _SEALED}, spent_links.name)
    return Rekeyed(sum(done for done, _ in counts) + links + marks, sum(lost for _, lost in counts), stopped)
