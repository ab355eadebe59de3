"""Repeated requests: the same `requestKey` within 24 hours gets the answer that the first one got.

A key counts for one account and one kind of change. What is kept is the id of what was made, from which the answer is
read anew; of a change that makes many things, the answer itself.
"""

import hmac
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from jobs.expiry import REQUEST_KEY_KEPT
from models.account import request_keys
from models.database import Transaction
from resolvers.checks import NAME_MOST
from resolvers.context import Context
from resolvers.errors import BadInput


def _hashed(context: Context, change: str, key: str, *scope: object) -> bytes:
    if len(key) > NAME_MOST:
        raise BadInput(f"A requestKey has at most {NAME_MOST} characters.")
    return hmac.digest(
        context.settings.secret_key.get_secret_value().encode(),
        repr((change, str(context.viewer.account_id), *map(str, scope), key)).encode(),
        "sha256",
    )


async def _claim(transaction: Transaction, hashed: bytes, fresh: dict[str, Any]) -> bool:
    """Take a key that nobody has used in 24 hours; False if it was used. Waits for who is using it."""
    fresh = fresh | {"made_at": func.clock()}
    claimed = await transaction.first(
        insert(request_keys)
        .values(key_hash=hashed, **fresh)
        .on_conflict_do_update(
            index_elements=[request_keys.c.key_hash],
            set_=fresh,
            where=request_keys.c.made_at <= func.clock() - REQUEST_KEY_KEPT,
        )
        .returning(request_keys.c.key_hash)
    )
    return claimed is not None


async def earlier_result(
    context: Context, transaction: Transaction, change: str, key: str | None, new_id: UUID, *scope: object
) -> UUID | None:
    """Give the id that the first request of this key made; None if this is the first, which makes `new_id`.

    `scope` tells people apart who are signed out. A repeat that comes while the first is under way waits for it.
    """
    if key is None:
        return None
    hashed = _hashed(context, change, key, *scope)
    if await _claim(transaction, hashed, {"result_id": new_id, "account_id": context.viewer.account_id}):
        return None
    earlier: UUID = await transaction.value(select(request_keys.c.result_id).where(request_keys.c.key_hash == hashed))
    return earlier


async def earlier_answer(context: Context, transaction: Transaction, change: str, key: str | None) -> list[Any] | None:
    """Give the answer that the first request of this key kept; None if there was none.

    The caller holds a lock that a repeat waits for, from before this until its transaction ends.
    """
    if key is None:
        return None
    found: list[Any] | None = await transaction.value(
        select(request_keys.c.answer).where(
            request_keys.c.key_hash == _hashed(context, change, key),
            request_keys.c.made_at > func.clock() - REQUEST_KEY_KEPT,
        )
    )
    return found


async def keep_answer(
    context: Context, transaction: Transaction, change: str, key: str | None, answer: list[Any]
) -> None:
    """Keep the answer of a change for its repeats: words and numbers, nothing that somebody typed."""
    if key is not None:
        kept = {"answer": answer, "account_id": context.viewer.account_id}
        await _claim(transaction, _hashed(context, change, key), kept)
