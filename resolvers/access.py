"""What opens an account besides its password: sessions and API tokens, seen by their owner and by each request."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Select, bindparam, exists, func, insert, or_, select, update
from sqlalchemy.types import Interval, LargeBinary

from models.account import Role, accounts, api_tokens, second_factors, sessions
from models.database import Database, Row, Statement, Transaction
from permissions.secrets import hash_secret, new_secret
from permissions.viewer import Viewer
from resolvers.checks import Check
from resolvers.context import Context
from resolvers.errors import Code, Unauthenticated, refuse
from resolvers.repeats import Once, earlier_result
from settings import Settings

# "Last used" is kept to within five minutes, so that reading does not write at every request.
STALE = timedelta(minutes=5)
TOKENS_MOST = 50

_now = func.clock()
_hash = bindparam("hash", type_=LargeBinary())


def has_second_factor() -> ColumnElement[bool]:
    """Select whether an account has a second factor that was confirmed; over `accounts`."""
    return exists().where(second_factors.c.account_id == accounts.c.id, second_factors.c.confirmed_at.is_not(None))


def _opened(used_at: Any, *columns: Any) -> Select[Any]:
    stale = func.coalesce(used_at < _now - bindparam("stale", STALE, Interval()), True)
    return select(
        *columns,
        accounts.c.id.label("account_id"),
        accounts.c.roles,
        accounts.c.email_verified_at.is_not(None).label("verified"),
        func.coalesce(accounts.c.paid_until > _now, False).label("paid"),
        has_second_factor().label("has_second_factor"),
        stale.label("stale"),
    )


_SESSION = Statement(
    _opened(sessions.c.used_at, sessions.c.id)
    .join(accounts, accounts.c.id == sessions.c.account_id)
    .where(
        sessions.c.secret_hash == _hash,
        sessions.c.used_at > _now - bindparam("idle", type_=Interval()),
        sessions.c.created_at > _now - bindparam("whole", type_=Interval()),
    )
)
_TOKEN = Statement(
    _opened(api_tokens.c.used_at, api_tokens.c.id)
    .join(accounts, accounts.c.id == api_tokens.c.account_id)
    .where(
        api_tokens.c.secret_hash == _hash,
        api_tokens.c.revoked_at.is_(None),
        or_(api_tokens.c.expires_at.is_(None), api_tokens.c.expires_at > _now),
    )
)


async def viewer_of_session(database: Database, settings: Settings, secret: str, address: str) -> Viewer:
    """Make the viewer of a session's secret; Unauthenticated if it has ended or never was."""
    lasts = {"idle": timedelta(days=settings.session_idle_days), "whole": timedelta(days=settings.session_days)}
    return await _viewer(database, settings, _SESSION, secret, address, **lasts)


async def viewer_of_token(database: Database, settings: Settings, secret: str, address: str) -> Viewer:
    """Make the viewer of an API token; Unauthenticated if it has expired, was revoked or never was."""
    return await _viewer(database, settings, _TOKEN, secret, address)


async def _viewer(
    database: Database, settings: Settings, statement: Statement, secret: str, address: str, **values: Any
) -> Viewer:
    by_token = statement is _TOKEN
    table = api_tokens if by_token else sessions
    async with database.reading() as reading:
        row = await reading.first(statement, hash=hash_secret(secret), **values)
        if row is None:
            raise Unauthenticated
        if row.stale:
            await reading.run(update(table).where(table.c.id == row.id).values(used_at=func.clock()))
    return Viewer(
        account_id=row.account_id,
        roles=_roles(*row.roles),
        verified=row.verified,
        paid=row.paid,
        lacks_second_factor=settings.admin_second_factor and Role.ADMIN in row.roles and not row.has_second_factor,
        by_token=by_token,
        session_id=None if by_token else row.id,
        address=address,
    )


@lru_cache(maxsize=100)
def _roles(*named: str) -> frozenset[Role]:
    return frozenset(map(Role, named))


async def own_sessions(context: Context) -> Sequence[Row]:
    """Give the viewer's own sessions, the last used first."""
    async with context.database.reading() as reading:
        return await reading.all(
            select(
                sessions.c.id,
                sessions.c.created_at,
                sessions.c.used_at,
                (sessions.c.id == context.viewer.session_id).label("current"),
            )
            .where(sessions.c.account_id == context.account_id)
            .order_by(sessions.c.used_at.desc(), sessions.c.id)
        )


_token_rows = select(
    api_tokens.c.id,
    api_tokens.c.name,
    api_tokens.c.created_at,
    api_tokens.c.used_at,
    api_tokens.c.expires_at,
    api_tokens.c.revoked_at,
)


async def own_tokens(context: Context) -> Sequence[Row]:
    """Give the viewer's own API tokens, by name."""
    async with context.database.reading() as reading:
        return await reading.all(
            _token_rows.where(api_tokens.c.account_id == context.account_id).order_by(
                api_tokens.c.name, api_tokens.c.id
            )
        )


async def own_token(context: Context, token_id: UUID) -> Row | None:
    """Load one of the viewer's own API tokens."""
    async with context.database.reading() as reading:
        return await reading.first(
            _token_rows.where(api_tokens.c.id == token_id, api_tokens.c.account_id == context.account_id)
        )


async def create_token(context: Context, name: str, expires_at: datetime | None, once: Once) -> tuple[UUID, str | None]:
    """Make an API token; give its id and its secret, which is shown this once (None to a repeated request)."""
    check = Check()
    name = check.name("name", name)
    expires_at = check.moment("expiresAt", expires_at)
    if expires_at is not None and expires_at <= context.database.now():
        check.add("expiresAt", Code.OUT_OF_RANGE, "Give a moment that is still to come.")
    check.done()
    new_id, secret = uuid4(), new_secret()
    async with context.transaction() as transaction:
        await _refuse_ended(context, transaction)
        if earlier := await earlier_result(context, transaction, "createApiToken", once, new_id):
            return earlier, None
        held = await transaction.value(
            select(func.count()).where(api_tokens.c.account_id == context.account_id, api_tokens.c.revoked_at.is_(None))
        )
        if held >= TOKENS_MOST:
            refuse(None, Code.NOT_ALLOWED, f"You have {TOKENS_MOST} tokens: revoke one first.")
        await transaction.run(
            insert(api_tokens).values(
                id=new_id,
                account_id=context.account_id,
                name=name,
                secret_hash=hash_secret(secret),
                expires_at=expires_at,
            )
        )
    return new_id, secret


async def _refuse_ended(context: Context, transaction: Transaction) -> None:
    """Raise Unauthenticated if the session was ended while this request was under way: a token would outlive it.

    Whoever ends it locks the account, so that either is done before the other begins.
    """
    await transaction.first(select(accounts.c.id).where(accounts.c.id == context.account_id).with_for_update(read=True))
    if not await transaction.value(select(sessions.c.id).where(sessions.c.id == context.viewer.session_id)):
        raise Unauthenticated


async def revoke_token(context: Context, token_id: UUID) -> UUID:
    """Revoke one of the viewer's own API tokens: it ends at once."""
    async with context.transaction() as transaction:
        revoked = await transaction.run(
            update(api_tokens)
            .where(api_tokens.c.id == token_id, api_tokens.c.account_id == context.account_id)
            .values(revoked_at=func.coalesce(api_tokens.c.revoked_at, func.clock()))
        )
    if not revoked:
        refuse("id", Code.NOT_FOUND, "There is no such token.")
    return token_id
