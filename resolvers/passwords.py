"""Hashing in the turn of whoever asks; too many at once are an attempt too many."""

from collections.abc import Iterator
from contextlib import contextmanager

from permissions import passwords
from resolvers.context import Context
from resolvers.errors import RateLimited

_QUEUE_CLEARS = 10  # seconds, with some to spare


async def hash_password(context: Context, password: str) -> str:
    """Hash a password. Raises: RateLimited, before it is hashed, if too many wait."""
    with _limited():
        return await passwords.hash_password(password, context.viewer.address)


async def check_password(context: Context, password: str, stored: str | None) -> bool:
    """Whether the password fits, in the same time where there is no account. Raises: RateLimited as `hash_password`."""
    with _limited():
        return await passwords.check_password(password, stored, context.viewer.address)


@contextmanager
def _limited() -> Iterator[None]:
    try:
        yield
    except passwords.TooManyWait:
        raise RateLimited(_QUEUE_CLEARS) from None
