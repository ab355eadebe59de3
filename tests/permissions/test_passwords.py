"""Who waits for a hash, and behind how many others."""

import asyncio
import threading
from collections import Counter

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from permissions import passwords
from permissions.passwords import MAX_WAITING, TooManyWait, Turns, check_password, hash_password
from tests.waiting import until


def _order(arrivals: list[list[str]]) -> list[str]:
    """The order in which people's work is done, if another bundle arrives before each piece of it."""
    turns, done = Turns(), list[str]()
    waiting = 0
    for bundle in [*arrivals, *([[]] * sum(map(len, arrivals)))]:
        for whose in bundle:
            turns.put(whose, lambda whose=whose: done.append(whose))  # type: ignore[misc]
        waiting += len(bundle)
        if waiting:
            turns.take()()
            waiting -= 1
    return done


@given(st.lists(st.lists(st.sampled_from("abcd"), max_size=6), max_size=12))
def test_all_work_is_done_and_nobody_is_served_twice_while_somebody_else_waits(arrivals: list[list[str]]) -> None:
    order = _order(arrivals)
    assert Counter(order) == Counter(whose for bundle in arrivals for whose in bundle)
    arrived = Counter[str]()
    served = Counter[str]()
    since_own: dict[str, Counter[str]] = {}
    done = iter(order)
    for bundle in [*arrivals, *([[]] * len(order))]:
        for whose in bundle:
            if arrived[whose] == served[whose]:
                since_own[whose] = Counter()
            arrived[whose] += 1
        now = next(done, None) if arrived.total() > served.total() else None
        if now is None:
            continue
        served[now] += 1
        since_own.pop(now)
        for others in since_own.values():
            others[now] += 1
            assert others[now] <= 1, (order, now)
        if arrived[now] > served[now]:
            since_own[now] = Counter()


def test_a_newcomer_is_next_however_much_somebody_else_has_queued() -> None:
    turns, done = Turns(), list[str]()
    for _ in range(MAX_WAITING):
        turns.put("many", lambda: done.append("many"))
    turns.take()()
    turns.put("one", lambda: done.append("one"))
    for _ in range(MAX_WAITING):
        turns.take()()
    assert done == ["many", "one", *["many"] * (MAX_WAITING - 1)]


def test_the_queue_is_bounded_for_each_person_and_for_everybody_together(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = Turns()
    for _ in range(MAX_WAITING):
        turns.put("many", lambda: None)
    with pytest.raises(TooManyWait):
        turns.put("many", lambda: None)
    turns.put("one", lambda: None)
    monkeypatch.setattr(passwords, "MAX_ALL_WAITING", MAX_WAITING + 1)
    with pytest.raises(TooManyWait):
        turns.put("another", lambda: None)
    turns.take()
    turns.put("another", lambda: None)


class _Held:
    """Holds every hash back until it's let go, and notes which passwords were hashed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hashed: list[str] = []
        self.let_go = threading.Event()
        make = PasswordHasher.hash

        def held(hasher: PasswordHasher, password: str) -> str:
            self.hashed.append(password)
            self.let_go.wait(60)
            return make(hasher, password)

        passwords._nobodys_hash()
        monkeypatch.setattr(PasswordHasher, "hash", held)

    async def begun(self) -> bool:
        return bool(self.hashed)


async def test_only_one_of_150_guesses_is_hashed_before_somebody_elses_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = _Held(monkeypatch)
    guesses = [asyncio.create_task(hash_password(f"guess {number}", "attacker")) for number in range(150)]
    await until(held.begun)
    other = asyncio.create_task(hash_password("other", "elsewhere"))
    await asyncio.sleep(0)
    held.let_go.set()
    results = await asyncio.gather(*guesses, other, return_exceptions=True)
    assert held.hashed[:2] == ["guess 0", "other"]
    refused = [result for result in results if isinstance(result, BaseException)]
    assert all(isinstance(one, TooManyWait) for one in refused)
    assert len(held.hashed) == len(results) - len(refused) <= MAX_WAITING + 2


async def test_nothing_is_hashed_for_somebody_who_has_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    held = _Held(monkeypatch)
    first, gives_up = (asyncio.create_task(hash_password(name, "somebody")) for name in ("first", "gives up"))
    await until(held.begun)
    gives_up.cancel()
    await asyncio.sleep(0)
    last = asyncio.create_task(hash_password("last", "somebody"))
    await asyncio.sleep(0)
    held.let_go.set()
    await asyncio.gather(first, last)
    assert held.hashed == ["first", "last"]


async def test_a_failed_hash_raises_for_its_caller_and_the_next_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnicodeEncodeError):
        await hash_password("\ud800")
    assert await check_password("x", await hash_password("x"))


@pytest.mark.usefixtures("full_cost")
async def test_a_hash_costs_what_owasp_advises() -> None:
    assert (await hash_password("x")).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
