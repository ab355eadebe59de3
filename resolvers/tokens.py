"""API tokens: how their owners make, list and revoke them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID, uuid4

import strawberry
from sqlalchemy import ClauseElement, bindparam, func, insert, select, update

from i18n import format_day
from i18n import gettext as _
from jobs import mail
from jobs.outbox import enqueue
from models.account import api_tokens as _tokens
from models.outbox import AuditAction
from models.statement import Row, statement
from permissions.secrets import hash_secret, new_secret
from resolvers.access import lock_own
from resolvers.audit import note
from resolvers.context import Context, Info
from resolvers.errors import Code, refuse
from resolvers.idempotency import earlier_result, once
from resolvers.inputs import read_id
from resolvers.sign_in import confirm_password
from resolvers.totp import check_second_factor, telling_of_wrong_codes
from resolvers.validation import Check

MAX_API_TOKENS = 50
TOKEN_LASTS = timedelta(days=365)
MAX_TOKEN_YEARS = 2
SIGN_IN_COUNTS = timedelta(minutes=10)

_token_rows = select(
    _tokens.c.id,
    _tokens.c.name,
    _tokens.c.created_at,
    _tokens.c.used_at,
    _tokens.c.expires_at,
    _tokens.c.revoked_at,
)


class TokenRow(Row):
    """An API token, without its secret."""

    id: UUID
    name: str
    created_at: datetime
    used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None


@statement(TokenRow)
def _own_tokens() -> ClauseElement:
    return _token_rows.where(_tokens.c.account_id == bindparam("me")).order_by(_tokens.c.name, _tokens.c.id)


@statement(TokenRow)
def _own_token() -> ClauseElement:
    return _token_rows.where(_tokens.c.id == bindparam("id"), _tokens.c.account_id == bindparam("me"))


async def api_tokens(info: Info) -> Sequence[TokenRow]:
    """Give the viewer's own API tokens, by name."""
    context = info.context
    async with context.database.reading() as reading:
        return await reading.all(_own_tokens(), me=context.account_id)


async def _own(context: Context, token_id: UUID) -> TokenRow | None:
    async with context.database.reading() as reading:
        return await reading.first(_own_token(), id=token_id, me=context.account_id)


def last_moment(now: datetime) -> datetime:
    """Give the latest time at which a token made now may expire: the end of the day two years on."""
    # This also works for the 29th of February.
    day = date(now.year + MAX_TOKEN_YEARS, now.month, 1) + timedelta(days=now.day - 1)
    return datetime.combine(day, time.max, UTC)


def _end(check: Check, context: Context, chosen: datetime | None) -> datetime:
    """Check when a token is to expire; in a year, if nothing was chosen."""
    now = context.database.now()
    end, last = check.moment("expiresAt", chosen) or now + TOKEN_LASTS, last_moment(now)
    if not now < end <= last:
        check.add(
            "expiresAt",
            Code.OUT_OF_RANGE,
            _("Please choose a time in the future, on %(day)s at the latest.", day=format_day(last.date())),
        )
    return end


@strawberry.input
class CreateApiTokenInput:
    """A new token's name and expiry, and proof that its owner is making it."""

    name: str
    expires_at: datetime | None = strawberry.field(default=None, description="In a year by default, in two at most.")
    password: str | None = strawberry.field(
        default=None, description="Your own. Needed unless you signed in within the last ten minutes."
    )
    code: str | None = strawberry.field(
        default=None,
        description="A code from your second factor, or a recovery code. "
        "Needed with the password if you have a second factor.",
    )
    request_key: str | None = None


@dataclass(frozen=True)
class NewToken:
    """A new token. Its secret is shown only once, and is None for a repeated request."""

    api_token: TokenRow | None
    token: str | None


async def create_api_token(info: Info, input: CreateApiTokenInput) -> NewToken:
    """Make an API token.

    Its owner must have proved who they are within the last ten minutes, by signing in or with the password and code.

    Raises:
        Refused: something in the input needs fixing.
        RateLimited: there were too many attempts.
        BadInput: the `requestKey` is too long.
        Unauthenticated: the viewer's session has ended in the meantime.
    """
    context, check = info.context, Check()
    name = check.name("name", input.name)
    end = _end(check, context, input.expires_at)
    check.done()
    if input.password:
        await confirm_password(context, "password", input.password)
    new_id, secret = uuid4(), new_secret()
    async with telling_of_wrong_codes(context, context.account_id) as transaction:
        owner = await lock_own(context, transaction)
        asked = once(input, proofs=("password", "code"))
        if earlier := await earlier_result(context, transaction, "createApiToken", asked, new_id):
            made = await transaction.first(_own_token(), id=earlier, me=context.account_id)
            return NewToken(made, None)
        if owner.age >= SIGN_IN_COUNTS:
            if not input.password:
                refuse(
                    "password",
                    Code.REQUIRED,
                    _("Please enter your password again: you signed in more than ten minutes ago."),
                )
            await check_second_factor(context, transaction, context.account_id, input.code)
        held = select(func.count()).where(_tokens.c.account_id == context.account_id, _tokens.c.revoked_at.is_(None))
        if (await transaction.value(held, int) or 0) >= MAX_API_TOKENS:
            refuse(
                None,
                Code.NOT_ALLOWED,
                _("You already have %(most)s API tokens. Please revoke one first.", most=MAX_API_TOKENS),
            )
        await transaction.run(
            insert(_tokens).values(
                id=new_id,
                account_id=context.account_id,
                name=name,
                secret_hash=hash_secret(secret),
                roles=owner.roles,
                expires_at=end,
            )
        )
        await enqueue(transaction, mail.API_TOKEN_MADE, new_id)
        note(context, transaction, AuditAction.API_TOKEN_CREATED, new_id, of=context.account_id)
    return NewToken(await _own(context, new_id), secret)


@strawberry.input
class RevokeApiTokenInput:
    """The token to revoke."""

    id: strawberry.ID


async def revoke_api_token(info: Info, input: RevokeApiTokenInput) -> TokenRow | None:
    """Revoke one of the viewer's own API tokens at once. Gives the token.

    Raises:
        Refused: it isn't one of the viewer's.
    """
    context, token_id = info.context, read_id(input.id)
    async with context.transaction() as transaction:
        own = _tokens.c.id == token_id, _tokens.c.account_id == context.account_id
        if await transaction.run(
            update(_tokens).where(*own, _tokens.c.revoked_at.is_(None)).values(revoked_at=func.clock())
        ):
            note(context, transaction, AuditAction.API_TOKEN_REVOKED, token_id, of=context.account_id)
    token = await _own(context, token_id)
    if token is None:
        refuse("id", Code.NOT_FOUND, _("There's no such API token."))
    return token
