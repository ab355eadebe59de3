"""Waits for what another process or task does, and never for time to pass."""

import asyncio
from collections.abc import Awaitable, Callable


async def until(done: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    """Return as soon as it's done; fail with TimeoutError if that takes too long."""
    async with asyncio.timeout(seconds):
        while not await done():  # noqa: ASYNC110 - nobody there could set an event of ours
            await asyncio.sleep(0.02)
