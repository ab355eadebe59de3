"""Hashing passwords, in turns by network address. Too many at once count as too many attempts."""

from collections.abc import Iterator
from contextlib import contextmanager

from permissions import passwords
from resolvers.context import Context
from resolvers.errors import RateLimited

_QUEUE_CLEARS = 10  # seconds, with a margin


async def hash_in_turn(context: Context, password: str) -> str:
    """Hash a password.

    Raises:
        RateLimited: too many are waiting; then it isn't hashed.
    """
    with _limited():
        return await passwords.hash_password(password, context.viewer.address)


async def check_in_turn(context: Context, password: str, stored: str | None) -> bool:
    """Whether the password matches. Takes just as long if there's no account.

    Raises:
        RateLimited: too many are waiting; then it isn't checked.
    """
    with _limited():
        return await passwords.check_password(password, stored, context.viewer.address)


@contextmanager
def _limited() -> Iterator[None]:
    try:
        yield
    except passwords.TooManyWait:
        raise RateLimited(_QUEUE_CLEARS) from None
