"""API tokens, as their owners make, see and revoke them."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select, update

from i18n import day
from i18n import gettext as _
from jobs import mail
from jobs.outbox import enqueue
from models.account import api_tokens
from models.database import Row
from permissions.secrets import hash_secret, new_secret
from resolvers.access import lock_own
from resolvers.checks import Check
from resolvers.codes import check_second_factor, telling_of_wrong_codes
from resolvers.context import Context
from resolvers.errors import Code, refuse
from resolvers.repeats import Once, earlier_result
from resolvers.sign_in import confirm_password

TOKENS_MOST = 50
TOKEN_LASTS = timedelta(days=365)
TOKEN_YEARS_MOST = 2
SIGN_IN_COUNTS = timedelta(minutes=10)

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


def last_moment(now: datetime) -> datetime:
    """Give the last moment at which a token may end that is made now: of the day two years on."""
    # In this way the 29th of February has such a day, too.
    day = date(now.year + TOKEN_YEARS_MOST, now.month, 1) + timedelta(days=now.day - 1)
    return datetime.combine(day, time.max, UTC)


def _end(check: Check, context: Context, chosen: datetime | None) -> datetime:
    """Check when a token is to end: in a year if nothing was chosen."""
    now = context.database.now()
    end, last = check.moment("expiresAt", chosen) or now + TOKEN_LASTS, last_moment(now)
    if not now < end <= last:
        check.add(
            "expiresAt",
            Code.OUT_OF_RANGE,
            _("Please choose a time in the future, on %(day)s at the latest.", day=day(last.date())),
        )
    return end


async def create_token(
    context: Context,
    name: str,
    expires_at: datetime | None,
    password: str | None,
    code: str | None,
    once: Once,
) -> tuple[UUID, str | None]:
    """Make an API token; give its id and its secret, which is shown this once (None to a repeated request).

    Whoever makes one has shown within ten minutes what signing in takes: by signing in, or by password and code again.
    """
    check = Check()
    name = check.name("name", name)
    end = _end(check, context, expires_at)
    check.done()
    if password:
        await confirm_password(context, "password", password)
    new_id, secret = uuid4(), new_secret()
    async with telling_of_wrong_codes(context, context.account_id) as transaction:
        owner = await lock_own(context, transaction)
        if earlier := await earlier_result(context, transaction, "createApiToken", once, new_id):
            return earlier, None
        if owner.age >= SIGN_IN_COUNTS:
            if not password:
                refuse(
                    "password",
                    Code.REQUIRED,
                    _("Please enter your password again: you signed in more than ten minutes ago."),
                )
            await check_second_factor(context, transaction, context.account_id, code)
        held = await transaction.value(
            select(func.count()).where(api_tokens.c.account_id == context.account_id, api_tokens.c.revoked_at.is_(None))
        )
        if held >= TOKENS_MOST:
            refuse(
                None,
                Code.NOT_ALLOWED,
                _("You have %(most)s tokens already. Please revoke one first.", most=TOKENS_MOST),
            )
        await transaction.run(
            insert(api_tokens).values(
                id=new_id,
                account_id=context.account_id,
                name=name,
                secret_hash=hash_secret(secret),
                roles=owner.roles,
                expires_at=end,
            )
        )
        await enqueue(transaction, mail.API_TOKEN_MADE, new_id)
    return new_id, secret


async def revoke_token(context: Context, token_id: UUID) -> UUID:
    """Revoke one of the viewer's own API tokens: it ends at once."""
    async with context.transaction() as transaction:
        revoked = await transaction.run(
            update(api_tokens)
            .where(api_tokens.c.id == token_id, api_tokens.c.account_id == context.account_id)
            .values(revoked_at=func.coalesce(api_tokens.c.revoked_at, func.clock()))
        )
    if not revoked:
        refuse("id", Code.NOT_FOUND, _("There's no such token."))
    return token_id
