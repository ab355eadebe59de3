"""Repeated requests: the same `requestKey` with the same content within 24 hours gets the first request's answer.

A key belongs to one account and one kind of change. With different content it's refused, and the second change isn't
made. We keep the id of what was made, and read the answer from that each time; for a change that makes many things, we
keep the answer itself. Nothing leads from a key to a piece of feedback: its repeats only know the same secret. Of the
content we keep a keyed hash, which also depends on the key. The key isn't stored.
"""

import hmac
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson
from pydantic import JsonValue
from sqlalchemy import ClauseElement, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.types import LargeBinary

from i18n import gettext as _
from jobs.expiry import REQUEST_KEY_KEPT
from models.account import request_keys
from models.database import Reads, Transaction
from models.statement import Row, Values, statement
from resolvers.context import Context
from resolvers.errors import BadInput, Code, refuse
from resolvers.validation import MAX_NAME


@dataclass(frozen=True)
class Once:
    """A change to make only once: the client's `requestKey`, if there is one, and the rest of the input as bytes."""

    key: str | None
    content: bytes


def once(input: object, *, proofs: Collection[str] = ()) -> Once:
    """Read an input that has a `requestKey`: the key, and the rest, which tells a repeat from a different change.

    `proofs`: fields that only prove who's asking. They don't count as content, since a code differs each time.
    """
    given = vars(input) if input is not None else {}
    content = {name: value for name, value in given.items() if name != "request_key" and name not in proofs}
    return Once(given.get("request_key"), orjson.dumps(content, default=str, option=orjson.OPT_SORT_KEYS))


@dataclass(frozen=True)
class Attempt:
    """One request to make a change only once: whether it repeats an earlier one, and what they have in `common`.

    Nobody can work that out without the key. It's None if there isn't one.
    """

    repeats: bool
    common: bytes | None


@dataclass(frozen=True)
class _Hashes:
    whose: bytes
    key: bytes
    content: bytes


def _hashed(context: Context, change: str, key: str, content: bytes, *scope: object) -> _Hashes:
    if len(key) > MAX_NAME:
        raise BadInput(_("A requestKey can have at most %(most)s characters.", most=MAX_NAME))
    secret = context.settings.secret_key.get_secret_value().encode()
    whose = repr((change, str(context.viewer.account_id), *map(str, scope), key)).encode()
    # Both include the key: if it's random, even someone with the secret can't try out contents.
    of_content = hmac.digest(secret, repr((whose, content)).encode(), "sha256")
    return _Hashes(whose, hmac.digest(secret, whose, "sha256"), of_content)


async def _claim(transaction: Transaction, hashed: _Hashes, fresh: Values) -> datetime | None:
    """Take a key that hasn't been used in 24 hours, and give the moment; None if it has.

    Waits for another request that's using it.
    """
    fresh = fresh | {"content_hash": hashed.content, "made_at": func.clock()}
    return await transaction.value(
        insert(request_keys)
        .values(key_hash=hashed.key, **fresh)
        .on_conflict_do_update(
            index_elements=[request_keys.c.key_hash],
            set_=fresh,
            where=request_keys.c.made_at <= func.clock() - REQUEST_KEY_KEPT,
        )
        .returning(request_keys.c.made_at),
        datetime,
    )


class _KeptRow(Row):
    result_id: UUID | None
    answer: list[JsonValue] | None
    content_hash: bytes | None
    made_at: datetime


@statement(_KeptRow)
def _kept() -> ClauseElement:
    kept = request_keys.c
    return select(kept.result_id, kept.answer, kept.content_hash, kept.made_at).where(
        kept.key_hash == bindparam("key_hash", type_=LargeBinary()), kept.made_at > func.clock() - REQUEST_KEY_KEPT
    )


async def _earlier(transaction: Reads, hashed: _Hashes) -> _KeptRow | None:
    """Find what the first request left for its key; refuse a request with different content."""
    earlier = await transaction.first(_kept(), key_hash=hashed.key)
    # During an upgrade, the previous version doesn't leave one.
    if earlier is not None and earlier.content_hash not in {None, hashed.content}:
        refuse(
            "requestKey",
            Code.REPEATED_KEY,
            _("This requestKey was used before for something else, so this wasn't done. Please use a new key."),
        )
    return earlier


async def earlier_result(
    context: Context, transaction: Transaction, change: str, once: Once, new_id: UUID, *scope: object
) -> UUID | None:
    """Give the id that the first request with this key made; None if this is the first, which makes `new_id`.

    `scope` separates people who aren't signed in. A repeat that arrives while the first is running waits for it.

    Raises:
        Refused: the key was used with different content.
        BadInput: the `requestKey` is too long.
    """
    if once.key is None:
        return None
    hashed = _hashed(context, change, once.key, once.content, *scope)
    if await _claim(transaction, hashed, {"result_id": new_id, "account_id": context.viewer.account_id}):
        return None
    earlier = await _earlier(transaction, hashed)
    return earlier.result_id if earlier is not None else None


async def known_result(context: Context, reading: Reads, change: str, once: Once) -> UUID | None:
    """Give the id that an earlier request with this key made, before anything is done; None if there's none so far.

    It takes no key: `earlier_result` does that, in the transaction that makes the change.

    Raises:
        Refused: the key was used with different content.
        BadInput: the `requestKey` is too long.
    """
    if once.key is None:
        return None
    earlier = await _earlier(reading, _hashed(context, change, once.key, once.content))
    return earlier.result_id if earlier is not None else None


async def attempt(context: Context, transaction: Transaction, change: str, once: Once, *scope: object) -> Attempt:
    """Tell a first request from its repeats, for a change that leaves neither an id nor an account with the key.

    `scope` separates people who aren't signed in. A repeat that arrives while the first is running waits for it.

    Raises:
        Refused: the key was used with different content.
        BadInput: the `requestKey` is too long.
    """
    if once.key is None:
        return Attempt(repeats=False, common=None)
    hashed = _hashed(context, change, once.key, once.content, *scope)
    claimed = await _claim(transaction, hashed, {"result_id": None, "account_id": None})
    earlier = None if claimed else await _earlier(transaction, hashed)
    # The moment tells it from an attempt with the same key after 24 hours.
    made_at = earlier.made_at if earlier else claimed
    return Attempt(repeats=earlier is not None, common=repr((hashed.whose, made_at)).encode())


async def earlier_answer(context: Context, transaction: Transaction, change: str, once: Once) -> list[JsonValue] | None:
    """Give the answer that the first request with this key left; None if there wasn't one.

    The caller must hold a lock that a repeat waits for, from before this call until its transaction ends.

    Raises:
        Refused: the key was used with different content.
        BadInput: the `requestKey` is too long.
    """
    if once.key is None:
        return None
    earlier = await _earlier(transaction, _hashed(context, change, once.key, once.content))
    return earlier.answer if earlier is not None else None


async def keep_answer(
    context: Context, transaction: Transaction, change: str, once: Once, answer: Sequence[JsonValue]
) -> None:
    """Keep a change's answer for its repeats. It has only words of ours and numbers, nothing that anyone typed.

    Raises:
        BadInput: the `requestKey` is too long.
    """
    if once.key is not None:
        kept = {"answer": answer, "account_id": context.viewer.account_id}
        await _claim(transaction, _hashed(context, change, once.key, once.content), kept)
