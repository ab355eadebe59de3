"""Writing the audit log: each entry is chained to the one before, so that a change, a gap or a forgery shows.

An entry's MAC covers all that it says, its place in the log and the MAC of the entry before it. Nobody can make one
without SECRET_KEY, whatever else they have. Entries are written last in their transaction, because each waits for the
one before it to be committed.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import ClauseElement, func, select

from models.database import Reads, Transaction
from models.outbox import audit_entries
from models.statement import Row, Values, statement
from permissions.secrets import audit_mac, key_id
from settings import Settings

START = bytes(32)  # what comes before the first entry

# What a MAC covers, in this order. A column that's added later has to leave the MACs of earlier entries as they are.
COVERED = "sequence", "id", "at", "actor_id", "action", "subject_id", "account_id", "reason", "count", "key_id"
_UNSAID: Values = dict.fromkeys(("actor_id", "subject_id", "account_id", "reason", "count"))


class Head(Row):
    """The log's length and last MAC, and the database's time when that was read."""

    length: int
    mac: bytes
    now: datetime


@statement(Head)
def _locked_head() -> ClauseElement:
    found = func.lock_audit_log().table_valued("length", "mac", "now").alias("head")
    return select(*found.c)


async def write(transaction: Transaction, settings: Settings, entries: Sequence[Values]) -> None:
    """Add entries to the log. Nothing else should be written in the transaction after that: others wait for its end.

    An entry has an `action`, and whatever of the other columns there is to say; its moment, unless it has one, is that
    of the transaction.
    """
    head = await transaction.one(_locked_head())
    key = settings.secret_keys[0]
    mac, rows = head.mac, []
    for place, entry in enumerate(entries, head.length + 1):
        facts = {"id": uuid4(), "at": head.now, **_UNSAID, **entry, "sequence": place, "key_id": key_id(key)}
        mac = entry_mac(key, mac, facts)
        rows.append({name: _as_json(facts[name]) for name in COVERED} | {"mac": _as_json(mac)})
    await transaction.insert(audit_entries, rows)


def entry_mac(key: bytes, previous: bytes, entry: Mapping[str, Any] | Row) -> bytes:
    """Make the MAC that an entry has after one with the MAC `previous`."""
    return audit_mac(key, previous, orjson.dumps([_as_json(entry[name]) for name in COVERED]))


def _as_json(value: object) -> object:
    """Write a value so that PostgreSQL reads it, too, and always in the same way."""
    match value:
        case bytes():
            return f"\\x{value.hex()}"
        case datetime():
            return value.astimezone(UTC).isoformat()
        case UUID():
            return str(value)
    return value


@statement(Head)
def _head() -> ClauseElement:
    entry = audit_entries.c
    return (
        select(entry.sequence.label("length"), entry.mac, func.clock().label("now"))
        .where(entry.sequence.is_not(None), entry.mac.is_not(None))
        .order_by(entry.sequence.desc())
        .limit(1)
    )


async def head(reading: Reads) -> Head | None:
    """Give the log's head; None while it's empty."""
    return await reading.first(_head())
