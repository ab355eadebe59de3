"""Sessions and API tokens: how a request is signed in by one, and how they end."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID

from sqlalchemy import ClauseElement, ColumnElement, bindparam, delete, exists, func, select, update
from sqlalchemy.types import Interval, LargeBinary, Uuid

from models.account import Role, accounts, api_tokens, pending_sign_ins, second_factors, sessions
from models.database import Database, Transaction
from models.mediator import mediators
from models.statement import AnySelect, Expression, Row, Statement, statement
from permissions.secrets import hash_secret
from permissions.viewer import Viewer
from resolvers.account_row import lock_account
from resolvers.context import Context, Info
from resolvers.errors import Unauthenticated
from settings import Settings

# "Last used" is accurate to five minutes, so that not every request has to write.
STALE = timedelta(minutes=5)

_now = func.clock()
_hash = bindparam("hash", type_=LargeBinary())


def has_second_factor() -> ColumnElement[bool]:
    """Select whether an account has a confirmed second factor; over `accounts`."""
    return exists().where(second_factors.c.account_id == accounts.c.id, second_factors.c.confirmed_at.is_not(None))


class OpenedRow(Row):
    """The session or token that a secret opens, and its account."""

    id: UUID
    most_roles: list[str]
    account_id: UUID
    roles: list[str]
    verified: bool
    paid: bool
    has_second_factor: bool
    stale: bool


def _opened(used_at: Expression, *columns: Expression) -> AnySelect:
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


@statement(OpenedRow)
def _by_session() -> ClauseElement:
    return (
        _opened(sessions.c.used_at, sessions.c.id, accounts.c.roles.label("most_roles"))
        .join(accounts, accounts.c.id == sessions.c.account_id)
        .where(
            sessions.c.secret_hash == _hash,
            sessions.c.used_at > _now - bindparam("idle", type_=Interval()),
            sessions.c.created_at > _now - bindparam("whole", type_=Interval()),
        )
    )


@statement(OpenedRow)
def _by_token() -> ClauseElement:
    return (
        _opened(api_tokens.c.used_at, api_tokens.c.id, api_tokens.c.roles.label("most_roles"))
        .join(accounts, accounts.c.id == api_tokens.c.account_id)
        .where(
            api_tokens.c.secret_hash == _hash,
            api_tokens.c.revoked_at.is_(None),
            api_tokens.c.expires_at > _now,
        )
    )


async def viewer_of_session(database: Database, settings: Settings, secret: str, address: str) -> Viewer:
    """Make the viewer of a session's secret.

    Raises:
        Unauthenticated: the session has ended, or there never was one.
    """
    lasts = {"idle": timedelta(days=settings.session_idle_days), "whole": timedelta(days=settings.session_days)}
    return await _viewer(database, settings, _by_session(), secret, address, lasts)


async def viewer_of_token(database: Database, settings: Settings, secret: str, address: str) -> Viewer:
    """Make the viewer of an API token.

    Raises:
        Unauthenticated: the token has expired, was revoked or never existed.
    """
    return await _viewer(database, settings, _by_token(), secret, address)


async def _viewer(
    database: Database,
    settings: Settings,
    opened: Statement[OpenedRow],
    secret: str,
    address: str,
    lasts: dict[str, timedelta] | None = None,
) -> Viewer:
    by_token = lasts is None
    table = api_tokens if by_token else sessions
    async with database.reading() as reading:
        row = await reading.first(opened, hash=hash_secret(secret), **(lasts or {}))
    if row is None:
        raise Unauthenticated
    if row.stale:
        async with database.transaction() as transaction:
            await transaction.run(update(table).where(table.c.id == row.id).values(used_at=func.clock()))
    return Viewer(
        account_id=row.account_id,
        roles=_roles(*row.roles) & _roles(*row.most_roles),
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


class SessionRow(Row):
    """A signed-in browser."""

    id: UUID
    created_at: datetime
    used_at: datetime
    current: bool


@statement(SessionRow)
def _sessions() -> ClauseElement:
    current = sessions.c.id == bindparam("current", type_=Uuid())
    return (
        select(sessions.c.id, sessions.c.created_at, sessions.c.used_at, current.label("current"))
        .where(sessions.c.account_id == bindparam("me"))
        .order_by(sessions.c.used_at.desc(), sessions.c.id)
    )


async def own_sessions(info: Info) -> Sequence[SessionRow]:
    """Give the viewer's own sessions, most recently used first."""
    context = info.context
    async with context.database.reading() as reading:
        return await reading.all(_sessions(), me=context.account_id, current=context.viewer.session_id)


class OwnerRow(Row):
    """The viewer's roles, and how long ago they signed in."""

    roles: list[str]
    age: timedelta


@statement(OwnerRow)
def _owner() -> ClauseElement:
    return (
        select(accounts.c.roles, (func.clock() - sessions.c.created_at).label("age"))
        .join(sessions, sessions.c.account_id == accounts.c.id)
        .where(accounts.c.id == bindparam("me"), sessions.c.id == bindparam("session", type_=Uuid()))
    )


async def lock_own(context: Context, transaction: Transaction) -> OwnerRow:
    """Lock the viewer's account. Gives its `roles`, and the `age` of their session.

    Ending all sessions or changing roles locks the account too, so either is done before the other begins.

    Raises:
        Unauthenticated: the session ended while this request was running, and a change must not outlive it.
    """
    await lock_account(transaction, context.account_id)
    row = await transaction.first(_owner(), me=context.account_id, session=context.viewer.session_id)
    if row is None:
        raise Unauthenticated
    return row


class _ProfileRow(Row):
    id: UUID


@statement(_ProfileRow)
def _profile() -> ClauseElement:
    """Select the viewer's profile, and keep it and the account from being deleted until commit."""
    rows = select(mediators.c.id).join(accounts, accounts.c.id == mediators.c.id)
    mine = rows.where(accounts.c.id == bindparam("me", type_=Uuid()))
    return mine.with_for_update(read=True, key_share=True, of=[accounts, mediators])


async def keep_profile(context: Context, transaction: Transaction) -> None:
    """Let nobody delete the viewer's account until commit.

    A deletion locks the account, the profile, and then everything that's theirs. So a change that locks a thing of
    theirs and then adds another, which refers to the profile, calls this first, or both would wait for each other.
    """
    await transaction.first(_profile(), me=context.account_id)


async def end_sessions(transaction: Transaction, account_id: UUID, *, but: UUID | None = None) -> None:
    """End every session of an account except one, and every sign-in that is waiting for its code."""
    await transaction.run(
        delete(sessions).where(sessions.c.account_id == account_id, sessions.c.id.is_distinct_from(but))
    )
    await end_pending(transaction, account_id)


async def end_pending(transaction: Transaction, account_id: UUID) -> None:
    """End every sign-in of an account that is waiting for its code."""
    await transaction.run(delete(pending_sign_ins).where(pending_sign_ins.c.account_id == account_id))


async def end_all(transaction: Transaction, account_id: UUID) -> None:
    """End everything that opens an account except its password: sessions, API tokens and links to its exports."""
    await end_sessions(transaction, account_id)
    await transaction.run(
        update(api_tokens)
        .where(api_tokens.c.account_id == account_id, api_tokens.c.revoked_at.is_(None))
        .values(revoked_at=func.clock())
    )
    await transaction.run(select(func.end_exports(account_id)))
