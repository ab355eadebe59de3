"""Batched loading: whatever is asked for in one turn of the event loop is loaded in one batch, without duplicates."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Batch = Callable[[list[Key]], Awaitable[Sequence[Value]]]


class Loader(Generic[Key, Value]):
    """What one request has loaded, or is loading, with one kind of batch."""

    __slots__ = ("_batch", "_found", "_next", "_task", "_waiting")

    def __init__(self, batch: Batch[Key, Value]) -> None:
        self._batch = batch
        self._found: dict[Key, Value] = {}
        self._waiting: dict[Key, list[asyncio.Future[Value]]] = {}
        self._next: list[Key] = []

    def load(self, key: Key) -> Awaitable[Value]:
        """Load one thing. If the batch raises an exception, it's raised for each of its keys."""
        loop = asyncio.get_running_loop()
        # One future for each caller: it's cancelled with that caller, and no other may be.
        asked: asyncio.Future[Value] = loop.create_future()
        if key in self._found:
            asked.set_result(self._found[key])
        elif key in self._waiting:
            self._waiting[key].append(asked)
        else:
            self._waiting[key] = [asked]
            if not self._next:
                # It begins in the loop's next turn, when everything in this turn has been asked for.
                self._task = loop.create_task(self._run())
            self._next.append(key)
        return asked

    async def _run(self) -> None:
        keys, self._next = self._next, []
        try:
            found = dict(zip(keys, await self._batch(keys), strict=True))
        except Exception as error:  # noqa: BLE001 - it's raised where things were asked for
            for key in keys:
                for asked in self._waiting.pop(key):
                    if not asked.done():
                        asked.set_exception(error)
            return
        self._found |= found
        for key, value in found.items():
            for asked in self._waiting.pop(key):
                if not asked.done():
                    asked.set_result(value)
