"""Rate limits. They count attempts, not HTTP requests; keys are hashes, never names or addresses.

The counters are in Valkey. While it can't be reached they're in this process's memory, so that the service keeps
running and stays protected.
"""

import asyncio
import hmac
import time
from dataclasses import dataclass
from uuid import UUID

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio import ConnectionPool

from resolvers.errors import RateLimited
from settings import Settings

Identity = UUID | str | bytes | None  # who or what attempts are counted by


@dataclass(frozen=True)
class Limit:
    """How often one thing may be tried. The comment beside each limit says what it's counted by."""

    name: str
    rate: str


SIGN_IN_ADDRESS = Limit("sign_in_address", "200/10 minutes")  # network address
# Account and network address, so that nobody can lock others out.
SIGN_IN_ACCOUNT = Limit("sign_in_account", "10/10 minutes")
# Account, for browsers that have never signed in to it: guesses from many addresses. The owner's browsers aren't
# affected, and a link for a new password makes a browser the owner's.
SIGN_IN_STRANGERS = Limit("sign_in_strangers", "100/hour")
SECOND_FACTOR = Limit("second_factor", "10/hour")  # account; you need the password to get this far
SIGN_UP = Limit("sign_up", "60/hour")  # network address
RESET_ADDRESS = Limit("reset_address", "60/hour")  # network address
LINK_TRIES = Limit("link_tries", "100/10 minutes")  # network address
OPEN_FEEDBACK = Limit("open_feedback", "60/hour")  # network address
SEARCH = Limit("search", "120/minute")  # network address
REQUESTS_SENT = Limit("requests_sent", "100/day")  # account
REQUESTS_TO = Limit("requests_to", "5/day")  # account and mailbox
INVITATIONS_SENT = Limit("invitations_sent", "20/day")  # account
APPOINTMENTS = Limit("appointments", "30/day")  # account; each emails two people
EXPORTS = Limit("exports", "10/day")  # account
IMPORTS = Limit("imports", "60/hour")  # account; dry runs count too
UPLOADS = Limit("uploads", "60/hour")  # account
PASSWORD_CHECKS = Limit("password_checks", "20/hour")  # account

# Budgets for emails that strangers cause. Beyond them, changes are made and answered as usual, but their emails wait
# (`jobs.outbox.enqueue_mail`). So nobody learns what others do, and nobody misses an email.
MAIL_TO = Limit("mail_to", "20/day")  # mailbox
RESETS_TO = Limit("resets_to", "5/hour")  # email address and network address
NOTICES_TO = Limit("notices_to", "60/hour")  # mediator, for named notices of feedback without a request

# Mediator and network address. Beyond it, feedback without a request is held for an administrator; nothing shows that.
FEEDBACK_ABOUT = Limit("feedback_about", "5/hour")


_RECONNECT_AFTER = 10.0  # seconds of counting in memory before trying Valkey again


class Limiter:
    """Counts attempts. `patience`: how long, in seconds, a count waits for Valkey before it's made in memory."""

    patience = 0.25

    def __init__(self, settings: Settings) -> None:
        # Our own pool, because the storage never closes one that it makes itself.
        self._pool = ConnectionPool.from_url(settings.redis_url.get_secret_value())
        self._shared = MovingWindowRateLimiter(
            RedisStorage(
                "async+redis://",
                implementation="redispy",
                connection_pool=self._pool,  # type: ignore[arg-type]  # passed on to redis, which accepts it
            )
        )
        self._local = MovingWindowRateLimiter(MemoryStorage())
        self._key = settings.secret_key.get_secret_value().encode()
        self._away_until = 0.0

    async def close(self) -> None:
        """Close the connections to Valkey."""
        await self._pool.aclose()

    async def count(self, limit: Limit, *by: Identity) -> None:
        """Count one attempt.

        Raises:
            RateLimited: there were too many attempts.
        """
        item, identity = parse(limit.rate), self._identity(limit, by)
        if not self._is_away():
            try:
                async with asyncio.timeout(self.patience):
                    return await _hit(self._shared, item, identity)
            except RateLimited:
                raise
            except Exception:  # noqa: BLE001 - whatever is wrong with Valkey, memory works
                self._away_until = time.monotonic() + _RECONNECT_AFTER
        return await _hit(self._local, item, identity)

    def _is_away(self) -> bool:
        return time.monotonic() < self._away_until

    async def is_over(self, limit: Limit, *by: Identity) -> bool:
        """Count one attempt, and say whether there were too many."""
        try:
            await self.count(limit, *by)
        except RateLimited:
            return True
        return False

    async def forget(self, limit: Limit, *by: Identity) -> None:
        """Forget the attempts so far: the last one showed that they were the owner's."""
        item, identity = parse(limit.rate), self._identity(limit, by)
        await self._local.clear(item, identity)
        if self._is_away():
            return
        try:
            async with asyncio.timeout(self.patience):
                await self._shared.clear(item, identity)
        except Exception:  # noqa: BLE001 - as in `count`
            self._away_until = time.monotonic() + _RECONNECT_AFTER

    def _identity(self, limit: Limit, by: tuple[Identity, ...]) -> str:
        return hmac.digest(self._key, repr((limit.name, *map(str, by))).encode(), "sha256").hex()


async def _hit(limiter: MovingWindowRateLimiter, item: RateLimitItem, identity: str) -> None:
    if not await limiter.hit(item, identity):
        # The whole window: its real end would show when others tried.
        raise RateLimited(item.get_expiry())
