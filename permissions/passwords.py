"""Passwords, hashed with argon2id in a thread of their own, in fair turns by network address.

A hash is slow on purpose, so someone who requests many could keep others waiting. Here network addresses take turns,
one hash each: someone who tries a hundred passwords waits for a hundred hashes, anyone else for one.
"""

import asyncio
import os
import sys
import threading
import unicodedata
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from secrets import token_urlsafe
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# As OWASP recommends: 19 MiB, two passes, one lane. docs/performance.md has the costs.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
MAX_WAITING = 64  # hashes per network address: less than two seconds
MAX_ALL_WAITING = 1024


class TooManyWait(Exception):
    """Too many hashes are waiting, for this network address or for all, so no more are accepted."""


HashWork = Callable[[], None]


class Turns:
    """Work that's waiting, by network address. Any thread may use it; one thread does the work.

    An address that was just served goes behind all others, even those that arrived meanwhile.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[HashWork]] = {}  # in the order of turns
        self._served = ""

    def put(self, whose: str, work: HashWork) -> None:
        """Let work wait for its turn.

        Raises:
            TooManyWait: too much is waiting.
        """
        with self._lock:
            own = self._waiting.get(whose, ())
            if len(own) >= MAX_WAITING or sum(map(len, self._waiting.values())) >= MAX_ALL_WAITING:
                raise TooManyWait
            self._waiting.setdefault(whose, deque()).append(work)

    def take(self) -> HashWork:
        """Take the next work; call it once for each `put`."""
        with self._lock:
            if self._served in self._waiting:
                self._waiting[self._served] = self._waiting.pop(self._served)
            self._served, works = next(iter(self._waiting.items()))
            work = works.popleft()
            if not works:
                del self._waiting[self._served]
            return work


def _make_ready() -> None:
    """Give way to everything else on this machine, above all requests: someone who signs in can wait a moment longer.

    On a machine with several cores, passwords use one, and the others stay free for requests.
    """
    if sys.platform == "linux":  # here a thread has its own priority and cores
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, min(os.getpriority(os.PRIO_PROCESS, thread) + 15, 19))
        cores = sorted(os.sched_getaffinity(thread))
        os.sched_setaffinity(thread, {cores[os.getpid() % len(cores)]})  # a different one in each process
    _nobodys_hash()  # if it were made later, the first check for an unknown person would take longer


_turns = Turns()
_thread = ThreadPoolExecutor(1, "argon2", initializer=_make_ready)


async def _in_turn(whose: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call the function in the thread, unless the caller has given up waiting by then."""
    result: Future[Any] = Future()

    def work() -> None:
        if result.set_running_or_notify_cancel():
            try:
                result.set_result(function(*arguments))
            except BaseException as error:  # noqa: BLE001 - it is the caller's
                result.set_exception(error)

    _turns.put(whose, work)
    _thread.submit(_next)
    return await asyncio.wrap_future(result)


def _next() -> None:
    _turns.take()()


@cache
def _nobodys_hash() -> str:
    return HASHER.hash(token_urlsafe())


def prepare(password: str) -> str:
    """Give a password in the form that's counted, hashed and compared (RFC 8265, OpaqueString).

    Keyboards and systems differ in how they write an accent or a space. Case and everything else stay as they are.
    """
    spaced = "".join(" " if unicodedata.category(one) == "Zs" else one for one in password)
    return unicodedata.normalize("NFC", spaced)


async def hash_password(password: str, whose: str = "") -> str:
    """Hash a password, in the turn of the network address `whose`.

    Raises:
        TooManyWait: too many hashes are waiting.
    """
    hashed: str = await _in_turn(whose, HASHER.hash, prepare(password))
    return hashed


async def check_password(password: str, stored: str | None, whose: str = "") -> bool:
    """Whether the password matches. Takes just as long if there's no account (`stored` is None).

    Raises:
        TooManyWait: too many hashes are waiting.
    """
    fits: bool = await _in_turn(whose, _fits, password, stored)
    return fits


def _fits(password: str, stored: str | None) -> bool:
    try:
        HASHER.verify(stored or _nobodys_hash(), prepare(password))
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def outdated(stored: str) -> bool:
    """Whether a stored hash was made with different parameters from today's."""
    return HASHER.check_needs_rehash(stored)
