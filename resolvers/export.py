"""Exports of all your data: requested here, made by a job, and kept for a week behind an emailed link."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

import strawberry
from sqlalchemy import ClauseElement, bindparam, func, insert, select

from jobs.outbox import MAKE_EXPORT, enqueue
from models.outbox import data_exports
from models.statement import Row, statement
from permissions.secrets import Opens, hash_secret, link_secret
from resolvers import limits
from resolvers.context import Context, Info
from resolvers.idempotency import earlier_result, once

_rows = select(
    data_exports.c.id,
    data_exports.c.requested_at,
    data_exports.c.ready_at,
    data_exports.c.expires_at,
    data_exports.c.percent,
)


class ExportRow(Row):
    """An archive of an account's data, without its content."""

    id: UUID
    requested_at: datetime
    ready_at: datetime | None
    expires_at: datetime | None
    percent: int


@statement(ExportRow)
def _own_exports() -> ClauseElement:
    own = _rows.where(data_exports.c.account_id == bindparam("me"))
    return own.order_by(data_exports.c.requested_at.desc(), data_exports.c.id)


@statement(ExportRow)
def _own_export() -> ClauseElement:
    return _rows.where(data_exports.c.id == bindparam("id"), data_exports.c.account_id == bindparam("me"))


async def exports(info: Info) -> Sequence[ExportRow]:
    """Give the viewer's own exports, newest first."""
    context = info.context
    async with context.database.reading() as reading:
        return await reading.all(_own_exports(), me=context.account_id)


async def _own(context: Context, export_id: UUID) -> ExportRow | None:
    async with context.database.reading() as reading:
        return await reading.first(_own_export(), id=export_id, me=context.account_id)


@strawberry.input
class ExportMyDataInput:
    """The key that identifies a repeated request."""

    request_key: str | None = None


async def export_my_data(info: Info, input: ExportMyDataInput | None = None) -> ExportRow | None:
    """Ask for an archive of all the viewer's data. An email says when it's ready.

    Raises:
        RateLimited: there were too many attempts.
        BadInput: the `requestKey` is too long.
        Refused: the key was used with different content.
    """
    context, new_id = info.context, uuid4()
    async with context.transaction() as transaction:
        if earlier := await earlier_result(context, transaction, "exportMyData", once(input), new_id):
            return await transaction.first(_own_export(), id=earlier, me=context.account_id)
        await context.limiter.count(limits.EXPORTS, context.account_id)
        await transaction.run(
            insert(data_exports).values(
                id=new_id,
                account_id=context.account_id,
                secret_hash=hash_secret(link_secret(context.settings, Opens.EXPORT, new_id)),
            )
        )
        await enqueue(transaction, MAKE_EXPORT, new_id)
    return await _own(context, new_id)


async def archive(context: Context, secret: str) -> bytes | None:
    """Give the ZIP archive behind an emailed link; None if it isn't the viewer's, or the link no longer works.

    Raises:
        Forbidden: the viewer has to verify their address or set up a second factor first.
    """
    context.require_ready()
    async with context.database.reading() as reading:
        return await reading.value(
            select(data_exports.c.archive).where(
                data_exports.c.secret_hash == hash_secret(secret),
                data_exports.c.account_id == context.account_id,
                data_exports.c.expires_at > func.clock(),
            ),
            bytes,
        )
