"""Passwords and sessions at the edge: what is stored, how much work hashing is, and who causes the same work."""

import asyncio
import os
import sys
import threading
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher

from permissions import passwords
from permissions.passwords import Turns
from permissions.secrets import hash_secret
from tests.hub import BASE_URL, PASSWORD, Hub, payload, problems
from tests.waiting import until
from tests.world import statements

OTHER = "another good password"
NOBODY = "nobody@demo.example"


@pytest.fixture
def argon2(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What argon2 was asked to do, in order: the hash it compared with, or "" where it made one."""
    done: list[str] = []
    verify, make = PasswordHasher.verify, PasswordHasher.hash

    def noted_verify(hasher: PasswordHasher, stored: str, password: str) -> bool:
        done.append(stored)
        return verify(hasher, stored, password)

    def noted_make(hasher: PasswordHasher, password: str) -> str:
        done.append("")
        return make(hasher, password)

    passwords._nobodys_hash()
    monkeypatch.setattr(PasswordHasher, "verify", noted_verify)
    monkeypatch.setattr(PasswordHasher, "hash", noted_make)
    return done


async def test_a_wrong_password_and_an_unknown_address_cause_the_same_work(hub: Hub, argon2: list[str]) -> None:
    ann = await hub.mediator()
    argon2.clear()
    answers, ran = [], []
    for email in (ann.email, NOBODY, "no address", ""):
        async with statements(hub) as run:
            answers.append(await hub.try_to_sign_in(email, OTHER))
        ran.append(run)
    assert [answer.body for answer in answers] == [answers[0].body] * 4
    assert ran == [ran[0]] * 4
    assert len(argon2) == 4
    parameters = {stored.rsplit("$", 2)[0] for stored in argon2}
    assert len(parameters) == 1
    assert parameters.pop().startswith("$argon2id$")


async def test_an_account_without_a_password_causes_the_same_work(hub: Hub, argon2: list[str]) -> None:
    ann = await hub.mediator()
    await hub.rows("UPDATE account SET password_hash = NULL WHERE id = $1", ann.id)
    argon2.clear()
    assert problems(await hub.try_to_sign_in(ann.email, PASSWORD)) == [(None, "WRONG_CREDENTIALS")]
    assert len(argon2) == 1


async def test_a_reset_runs_the_same_statements_for_an_unknown_address(hub: Hub) -> None:
    ann = await hub.mediator()
    run = []
    for email in ("first@demo.example", ann.email, NOBODY):
        async with statements(hub) as one:
            assert payload(await hub.change("requestPasswordReset", {"email": email}, "mailSent"))["mailSent"]
        run.append(one)
    assert run[1] == run[2]
    assert len(await hub.rows("SELECT 1 FROM account_link")) == 1
    await hub.work()
    assert [mail["to"] for mail in hub.mails()] == [ann.email]


def given_way() -> tuple[int, int]:
    """How much lower this thread's priority is than the main thread's, and how many cores it may use."""
    asks = threading.get_native_id()
    behind = os.getpriority(os.PRIO_PROCESS, asks) - os.getpriority(os.PRIO_PROCESS, os.getpid())
    return behind, len(os.sched_getaffinity(asks))


async def test_argon2_runs_outside_the_event_loop_one_hash_at_a_time(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = await hub.mediator()
    running, most, let_go, loop_thread = 0, 0, threading.Event(), threading.get_ident()
    lock = threading.Lock()
    verify = PasswordHasher.verify

    def held(hasher: PasswordHasher, stored: str, password: str) -> bool:
        nonlocal running, most
        assert threading.get_ident() != loop_thread
        with lock:
            running += 1
            most = max(most, running)
        let_go.wait(60)
        with lock:
            running -= 1
        return verify(hasher, stored, password)

    monkeypatch.setattr(PasswordHasher, "verify", held)
    signing_in = [asyncio.create_task(hub.try_to_sign_in(ann.email, OTHER)) for _ in range(6)]

    async def busy() -> bool:
        return running == 1

    await until(busy)
    # Meanwhile, others get answers.
    assert (await hub.ask("{ me { id } }", by=ann)).data["me"]["id"] == str(ann.id)
    let_go.set()
    assert [problems(answer) for answer in await asyncio.gather(*signing_in)] == [[(None, "WRONG_CREDENTIALS")]] * 6
    assert most == 1


async def test_too_many_hashes_from_one_address_are_refused_while_others_are_served(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await hub.mediator()
    waiting, begun, let_go = Turns(), threading.Event(), threading.Event()
    monkeypatch.setattr(passwords, "_turns", waiting)
    monkeypatch.setattr(passwords, "MAX_WAITING", 2)
    verify = PasswordHasher.verify

    def held(hasher: PasswordHasher, stored: str, password: str) -> bool:
        begun.set()
        let_go.wait(60)
        return verify(hasher, stored, password)

    monkeypatch.setattr(PasswordHasher, "verify", held)
    guesses = [asyncio.create_task(hub.try_to_sign_in("0@demo.example", OTHER))]
    assert await asyncio.to_thread(begun.wait, 60)  # or it might still be waiting when the next two come
    guesses += [asyncio.create_task(hub.try_to_sign_in(f"{number}@demo.example", OTHER)) for number in (1, 2)]

    async def full() -> bool:
        return sum(map(len, waiting._waiting.values())) == 2

    await until(full)
    before = await hub.rows("SELECT t::text FROM account t")
    new = {"name": "Nora", "email": "nora@demo.example", "password": OTHER}
    refused = [
        *[await hub.try_to_sign_in(email, password) for email in (ann.email, NOBODY) for password in (PASSWORD, OTHER)],
        await hub.change("changePassword", {"currentPassword": PASSWORD, "newPassword": OTHER}, by=ann),
        await hub.change("signUp", new),
    ]
    assert {str(answer.body["errors"][0]["extensions"]) for answer in refused} == {
        str({"code": "RATE_LIMITED", "retryAfter": 10})
    }
    assert len({str(answer.body) for answer in refused[:4]}) == 1
    assert await hub.rows("SELECT t::text FROM account t") == before
    transport = httpx.ASGITransport(app=hub.app, client=("203.0.113.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        elsewhere = asyncio.create_task(replace(hub, client=client).try_to_sign_in(ann.email, PASSWORD))

        async def waits() -> bool:
            return "203.0.113.7" in waiting._waiting

        await until(waits)
        let_go.set()
        assert payload(await elsewhere)["signedIn"]
    assert [problems(answer) for answer in await asyncio.gather(*guesses)] == [[(None, "WRONG_CREDENTIALS")]] * 3


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has no priority of its own here")
async def test_argon2_gives_way_to_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    behind: list[tuple[int, int]] = []
    passwords._nobodys_hash()

    def noted(hasher: PasswordHasher, password: str) -> str:
        behind.append(given_way())
        return ""

    monkeypatch.setattr(PasswordHasher, "hash", noted)
    await passwords.hash_password(PASSWORD)
    ((nice, cores),) = behind
    assert nice > 0
    assert cores == 1


async def test_a_hash_with_other_parameters_is_replaced_at_the_next_sign_in(hub: Hub) -> None:
    ann = await hub.mediator()
    old = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash(PASSWORD)
    await hub.rows("UPDATE account SET password_hash = $2 WHERE id = $1", ann.id, old)
    await hub.try_to_sign_in(ann.email, OTHER)
    (row,) = await hub.rows("SELECT password_hash FROM account WHERE id = $1", ann.id)
    assert row["password_hash"] == old
    assert payload(await hub.try_to_sign_in(ann.email, PASSWORD))["signedIn"]
    (row,) = await hub.rows("SELECT password_hash FROM account WHERE id = $1", ann.id)
    assert (
        row["password_hash"].rsplit("$", 2)[0] == passwords._nobodys_hash().rsplit("$", 2)[0] != old.rsplit("$", 2)[0]
    )
    assert payload(await hub.try_to_sign_in(ann.email, PASSWORD))["signedIn"]


Entry = Callable[[Hub, str], Any]


async def by_sign_up(hub: Hub, password: str) -> Any:
    given = {"name": "Nora Newcomer", "email": "nora.new@demo.example", "password": password}
    return await hub.change("signUp", given)


async def by_reset(hub: Hub, password: str) -> Any:
    nora = await hub.mediator(name="Nora Newcomer", email="nora.new@demo.example")
    payload(await hub.change("requestPasswordReset", {"email": nora.email}))
    await hub.work()
    token = hub.secret(nora.email, "password")
    answer = await hub.change("resetPassword", {"token": token, "password": password})
    if problems(answer):  # the link still works
        payload(await hub.change("resetPassword", {"token": token, "password": OTHER}))
    return answer


async def by_change(hub: Hub, password: str) -> Any:
    nora = await hub.mediator(name="Nora Newcomer", email="nora.new@demo.example")
    return await hub.change("changePassword", {"currentPassword": PASSWORD, "newPassword": password}, by=nora)


async def by_invitation(hub: Hub, password: str) -> Any:
    payload(await hub.change("inviteReviewer", {"email": "nora.new@demo.example"}, by=await hub.mediator()))
    await hub.work()
    token = hub.secret("nora.new@demo.example", "invitation")
    given = {"token": token, "name": "Nora Newcomer", "password": password, "relation": "COLLEAGUE"}
    return await hub.change("acceptInvitation", given)


@pytest.mark.parametrize("choose", [by_sign_up, by_reset, by_change, by_invitation])
async def test_nobody_holds_a_connection_while_waiting_for_a_hash(
    hub: Hub, choose: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A queue of hashes may be two seconds long, and there are only a few connections for everybody."""
    held: list[int] = []
    make, verify = PasswordHasher.hash, PasswordHasher.verify

    def noted_make(hasher: PasswordHasher, password: str) -> str:
        held.append(hub.app.state.database.in_use())
        return make(hasher, password)

    def noted_verify(hasher: PasswordHasher, stored: str, password: str) -> bool:
        held.append(hub.app.state.database.in_use())
        return verify(hasher, stored, password)

    passwords._nobodys_hash()
    monkeypatch.setattr(PasswordHasher, "hash", noted_make)
    monkeypatch.setattr(PasswordHasher, "verify", noted_verify)
    payload(await choose(hub, OTHER))
    assert {*held} == {0}


@pytest.mark.parametrize("password", ["password", "Mediation-Logbook", "nora newcomer", "nora.new@demo.example"])
@pytest.mark.parametrize("choose", [by_sign_up, by_reset, by_change, by_invitation])
async def test_an_easily_guessed_password_is_refused_wherever_one_is_chosen(
    hub: Hub, choose: Entry, password: str
) -> None:
    field = "newPassword" if choose is by_change else "password"
    assert problems(await choose(hub, password)) == [(field, "NOT_ALLOWED")]


@pytest.mark.parametrize("choose", [by_sign_up, by_reset, by_change, by_invitation])
async def test_a_password_that_is_hard_to_guess_is_accepted_wherever_one_is_chosen(hub: Hub, choose: Entry) -> None:
    payload(await choose(hub, "調停の日誌を書くひと"))


COMPOSED = "\u010capk\u016fv ostr\u00fd\u00a0d\u00e9\u0161\u0165"  # with a non-breaking space


@pytest.mark.parametrize("choose", [by_sign_up, by_reset, by_change, by_invitation])
async def test_a_password_is_the_same_on_every_keyboard(hub: Hub, choose: Entry) -> None:
    decomposed = unicodedata.normalize("NFD", COMPOSED).replace("\u00a0", " ")
    chosen, typed = (decomposed, COMPOSED) if choose is by_change else (COMPOSED, decomposed)
    payload(await choose(hub, chosen))
    for same in (chosen, typed, COMPOSED.replace("\u00a0", "\u2003")):
        nora = await hub.sign_in("nora.new@demo.example", same)
    for other in (COMPOSED.lower(), COMPOSED.replace("\u0161", "s"), COMPOSED.replace("\u00a0", "")):
        assert problems(await hub.try_to_sign_in(nora.email, other)) == [(None, "WRONG_CREDENTIALS")]
    payload(await hub.change("changePassword", {"currentPassword": typed, "newPassword": OTHER}, by=nora))
    hub.client.cookies.clear()
    nora = await hub.sign_in(nora.email, OTHER)
    payload(await hub.change("changePassword", {"currentPassword": OTHER, "newPassword": chosen}, by=nora))
    hub.client.cookies.clear()
    nora = await hub.sign_in(nora.email, typed)
    payload(await hub.change("deleteMyAccount", {"password": typed}, by=nora))


async def test_a_password_counts_down_to_its_last_character(hub: Hub) -> None:
    ann = await hub.mediator()
    chosen = "Long and good? " * 17
    changed = await hub.change("changePassword", {"currentPassword": PASSWORD, "newPassword": chosen}, by=ann)
    payload(changed)
    hub.client.cookies.clear()
    for other in (chosen.rstrip(), chosen[:-1], chosen.lower(), chosen + " "):
        assert problems(await hub.try_to_sign_in(ann.email, other)) == [(None, "WRONG_CREDENTIALS")]
    assert payload(await hub.try_to_sign_in(ann.email, chosen))["signedIn"]


async def test_a_session_has_256_bits_is_kept_as_a_hash_and_is_new_at_each_sign_in(hub: Hub) -> None:
    ann = await hub.mediator()
    seen = [ann.cookie]
    for _ in range(3):
        browser = replace(ann, cookie=seen[-1])
        answer = await hub.change("signIn", {"email": ann.email, "password": PASSWORD}, by=browser)
        cookie = hub.client.cookies["session"]
        hub.client.cookies.clear()
        assert cookie not in seen
        assert len(cookie) == 43
        assert cookie not in str(answer.body)
        seen.append(cookie)
    (stored,) = await hub.rows("SELECT secret_hash FROM session")
    assert bytes(stored["secret_hash"]) == hash_secret(seen[-1])
    for ended in (*seen[:-1], bytes(stored["secret_hash"]).hex()):
        assert (await hub.ask("{ me { id } }", headers={"cookie": f"session={ended}"})).status == 401


async def test_a_session_planted_by_a_stranger_does_not_become_the_owners(hub: Hub) -> None:
    ann = await hub.mediator()
    planted = "x" * 43
    headers = {"cookie": f"session={planted}"}
    assert (await hub.change("signIn", {"email": ann.email, "password": PASSWORD}, headers=headers)).status == 401
    form = {"email": ann.email, "password": PASSWORD}
    response = await hub.client.post("/signin", data=form, headers=headers)
    assert response.status_code == 303
    assert planted not in str(response.headers)
    hub.client.cookies.clear()
    assert (await hub.ask("{ me { id } }", headers=headers)).status == 401


LINKS = """
SELECT 'account_link' AS kind, secret_hash FROM account_link
UNION ALL SELECT 'invitation', secret_hash FROM reviewer_invitation
UNION ALL SELECT 'feedback_request', secret_hash FROM feedback_request
UNION ALL SELECT 'personal_link', feedback_link_hash FROM mediator
UNION ALL SELECT 'export', secret_hash FROM data_export
"""


async def test_no_table_holds_a_link_that_opens_something(hub: Hub) -> None:
    ann = await hub.mediator()
    request = {
        "partyName": "Pat",
        "partyEmail": "pat@demo.example",
        "mediationEndedOn": "2024-05-06",
        "partyAgreed": True,
    }
    payload(await hub.change("requestFeedback", request, by=ann))
    payload(await hub.change("inviteReviewer", {"email": "rev@demo.example"}, by=ann))
    payload(await hub.change("requestPasswordReset", {"email": ann.email}))
    payload(await hub.change("exportMyData", {}, by=ann))
    own = (await hub.ask("{ me { mediator { feedbackLink } } }", by=ann)).data["me"]["mediator"]["feedbackLink"]
    await hub.work()
    mails = " ".join(mail["text"] for mail in hub.mails())
    found = {own.rsplit("/", 1)[1]}
    for page in ("feedback", "invitation", "password", "export"):
        found |= {part.split()[0] for part in mails.split(f"/{page}/")[1:]}
    assert len(found) == 5
    kept = {bytes(row["secret_hash"]) for row in await hub.rows(LINKS)}
    tables = await hub.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows = [str(row[0]) for (table,) in tables for row in await hub.rows(f"SELECT t::text FROM {table} t")]
    for secret in found:
        assert hash_secret(secret) in kept
        assert not [row for row in rows if secret in row]
