"""Repeated requests: the same `requestKey` within 24 hours gets the answer that the first one got."""

import hmac
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from jobs.expiry import REQUEST_KEY_KEPT
from models.account import request_keys
from models.database import Transaction
from resolvers.checks import NAME_MOST
from resolvers.context import Context
from resolvers.errors import BadInput


async def earlier_result(
    context: Context, transaction: Transaction, change: str, key: str | None, new_id: UUID, *scope: object
) -> UUID | None:
    """Give the id that the first request of this key made; None if this is the first, which makes `new_id`.

    A key counts for one account, one kind of change and one `scope`, which tells people apart who are signed out. A
    repeat that comes while the first is under way waits for it.
    """
    if key is None:
        return None
    if len(key) > NAME_MOST:
        raise BadInput(f"A requestKey has at most {NAME_MOST} characters.")
    hashed = hmac.digest(
        context.settings.secret_key.get_secret_value().encode(),
        repr((change, str(context.viewer.account_id), *map(str, scope), key)).encode(),
        "sha256",
    )
    fresh = {"result_id": new_id, "made_at": func.clock(), "account_id": context.viewer.account_id}
    claimed = await transaction.first(
        insert(request_keys)
        .values(key_hash=hashed, **fresh)
        .on_conflict_do_update(
            index_elements=[request_keys.c.key_hash],
            set_=fresh,
            where=request_keys.c.made_at <= func.clock() - REQUEST_KEY_KEPT,
        )
        .returning(request_keys.c.result_id)
    )
    if claimed:
        return None
    earlier: UUID = await transaction.value(select(request_keys.c.result_id).where(request_keys.c.key_hash == hashed))
    return earlier
