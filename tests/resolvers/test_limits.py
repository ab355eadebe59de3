"""Limits: each one trips, with or without Valkey, and none keeps a name."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from limits import parse
from redis.asyncio import Redis

from models.account import Role
from permissions.secrets import Opens, address_hash, device_token, link_secret
from resolvers import limits
from resolvers.errors import RateLimited
from resolvers.limits import Identity, Limit, Limiter
from tests.hub import BASE_URL, PASSWORD, Answer, Hub, Person, opened, password_hash, payload

HERE = "127.0.0.1"  # the address that the test's client comes from
GIVEN = {"capacity": "PARTY", "actedAs": "MEDIATOR", "answers": [{"question": "listening", "rating": 4}]}
REQUEST = {
    "partyName": "Philippa Party",
    "partyEmail": "philippa@demo.example",
    "mediationEndedOn": "2024-03-02",
    "partyAgreed": True,
}
FILE = {"entryId": "unknown", "kind": "OTHER", "name": "a.pdf", "content": "YQ=="}
CASE = {"role": "OBSERVER", "medium": "ONLINE", "startedOn": "2024-01-02", "endedOn": "2024-01-03", "minutes": 90}


async def use_up(hub: Hub, limit: Limit, *by: Identity) -> int:
    """Count attempts until there are too many, and return how many were allowed."""
    limiter: Limiter = hub.app.state.limiter
    for allowed in range(1000):
        try:
            await limiter.count(limit, *by)
        except RateLimited:
            return allowed
    raise AssertionError(limit)


def all_limits() -> set[Limit]:
    return {one for one in vars(limits).values() if isinstance(one, Limit)}


def assert_limited(answer: Answer, what: object, limit: Limit | None = None) -> None:
    assert answer.codes == ["RATE_LIMITED"], what
    (error,) = answer.body["errors"]
    windows = {parse(one.rate).get_expiry() for one in ([limit] if limit else all_limits())}
    assert error["extensions"]["retryAfter"] in windows, "a whole window, which gives nothing away about the attempts"
    assert str(error["extensions"]["retryAfter"]) in error["message"]


async def rows_of_everything(hub: Hub) -> dict[str, list[str]]:
    tables = await hub.rows(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'sign_in_trouble'"
    )
    return {
        table["tablename"]: sorted(row[0] for row in await hub.rows(f"SELECT t::text FROM {table['tablename']} t"))
        for table in tables
    }


async def test_each_limit_trips_and_what_it_stops_changes_nothing(hub: Hub) -> None:
    mediator, chosen = await hub.mediator(), await hub.person(Role.REVIEWER)
    email, party = mediator.email, REQUEST["partyEmail"]
    credentials = {"email": email, "password": PASSWORD}
    to_party, to_mediator, to_stranger = (
        address_hash(hub.settings, str(one)) for one in (party, email, "stranger@demo.example")
    )
    about = {"mediatorId": str(mediator.id)}
    by_link = GIVEN | {"link": link_secret(hub.settings, Opens.PERSONAL_LINK, mediator.id)}
    subject = "query($id: ID, $link: String) { feedbackSubject(id: $id, link: $link) { id } }"

    # Mutations by name, with their input; queries as a document, with its variables.
    stopped: list[tuple[Limit, tuple[Identity, ...], list[tuple[str, dict[str, Any]]]]] = [
        (limits.SIGN_IN_ACCOUNT, (to_mediator, HERE), [("signIn", credentials | {"email": f" {email.upper()}"})]),
        (limits.SIGN_IN_STRANGERS, (to_stranger,), [("signIn", credentials | {"email": "stranger@demo.example"})]),
        (limits.SIGN_IN_ADDRESS, (HERE,), [("signIn", credentials | {"email": "other@demo.example"})]),
        (limits.SECOND_FACTOR, (mediator.id,), [("confirmSecondFactor", {"code": "000000"})]),
        (limits.SIGN_UP, (HERE,), [("signUp", credentials | {"name": "N"})]),
        (limits.RESET_ADDRESS, (HERE,), [("requestPasswordReset", {"email": "other@demo.example"})]),
        (
            limits.LINK_TRIES,
            (HERE,),
            [
                ("verifyEmail", {"token": "t"}),
                ("resetPassword", {"token": "t", "password": PASSWORD}),
                ("acceptInvitation", {"token": "t", "relation": "COLLEAGUE"}),
                ("stopRequests", {"token": "t"}),
                ("giveFeedback", GIVEN | {"token": "t"}),
                ("changeFeedbackSharing", {"code": "t", "share": True}),
                ("eraseFeedback", {"code": "t"}),
                ('{ feedbackReceipt(code: "t") { shared } }', {}),
                ('{ feedbackInvitation(token: "t") { state } }', {}),
                (subject, {"link": "t"}),
            ],
        ),
        (limits.OPEN_FEEDBACK, (HERE,), [("giveFeedback", GIVEN | about), ("giveFeedback", by_link)]),
        (limits.SEARCH, (HERE,), [('{ feedbackSubjects(search: "abc") { id } }', {}), (subject, {"id": "t"})]),
        (limits.REQUESTS_TO, (mediator.id, to_party), [("requestFeedback", REQUEST)]),
        (limits.REQUESTS_SENT, (mediator.id,), [("requestFeedback", REQUEST | {"partyEmail": "q@demo.example"})]),
        (limits.INVITATIONS_SENT, (mediator.id,), [("inviteReviewer", {"email": "new@demo.example"})]),
        (limits.APPOINTMENTS, (mediator.id,), [("appointReviewer", {"reviewerId": str(chosen.id)})]),
        (limits.EXPORTS, (mediator.id,), [("exportMyData", {})]),
        (
            limits.IMPORTS,
            (mediator.id,),
            [("importLogbookEntries", {"entries": [CASE]} | options) for options in ({}, {"dryRun": True})],
        ),
        (limits.UPLOADS, (mediator.id,), [("attachFile", FILE)]),
        (
            limits.PASSWORD_CHECKS,
            (mediator.id,),
            [
                ("changePassword", {"currentPassword": PASSWORD, "newPassword": PASSWORD}),
                ("changeEmail", credentials),
                ("deleteMyAccount", {"password": PASSWORD}),
            ],
        ),
    ]
    budgets = {limits.MAIL_TO, limits.RESETS_TO, limits.NOTICES_TO, limits.FEEDBACK_ABOUT}  # these stop nothing
    assert {limit for limit, _, _ in stopped} == all_limits() - budgets

    before = await rows_of_everything(hub)
    for limit, by, attempts in stopped:
        await use_up(hub, limit, *by)
        for what, values in attempts:
            signed_in = limit.name in {
                "second_factor",
                "appointments",
                "exports",
                "imports",
                "uploads",
                "password_checks",
                "invitations_sent",
            }
            who = mediator if signed_in or what == "requestFeedback" else None
            is_query = "{" in what
            answer = await (hub.ask(what, values, by=who) if is_query else hub.change(what, values, by=who))
            assert_limited(answer, what, limit)
    assert await rows_of_everything(hub) == before


async def test_each_limit_allows_as_many_attempts_as_it_says(hub: Hub) -> None:
    for limit in all_limits():
        assert await use_up(hub, limit, "somebody") == int(limit.rate.split("/")[0]), limit


async def test_every_attempt_counts_even_many_in_one_request(hub: Hub) -> None:
    person = await hub.mediator()
    attempt = 'signIn(input: { email: $email, password: "wrong" }) { signedIn }'
    document = "mutation($email: String!) {" + " ".join(f"a{number}: {attempt}" for number in range(12)) + "}"
    answer = await hub.ask(document, {"email": person.email})
    assert answer.codes == ["RATE_LIMITED"] * 2
    assert [error["path"] for error in answer.body["errors"]] == [["a10"], ["a11"]]


async def test_signing_in_forgets_earlier_failed_attempts(hub: Hub) -> None:
    person = await hub.mediator()
    whose = (address_hash(hub.settings, person.email), HERE)
    for _ in range(9):
        await hub.app.state.limiter.count(limits.SIGN_IN_ACCOUNT, *whose)
    await hub.sign_in(person.email)
    assert await use_up(hub, limits.SIGN_IN_ACCOUNT, *whose) == 10


async def test_a_stranger_elsewhere_cannot_lock_anybody_out(hub: Hub) -> None:
    person = await hub.mediator()
    await use_up(hub, limits.SIGN_IN_ACCOUNT, address_hash(hub.settings, person.email), "203.0.113.7")
    await hub.sign_in(person.email)


async def guessed_from_everywhere(hub: Hub, person: Person) -> None:
    """Use up the guesses of browsers that have never signed in to an account."""
    await use_up(hub, limits.SIGN_IN_STRANGERS, address_hash(hub.settings, person.email))


async def test_guesses_from_many_addresses_slow_down_strangers_but_not_the_owners_browser(hub: Hub) -> None:
    person = await hub.mediator()
    first = await hub.change("signIn", {"email": person.email.upper(), "password": PASSWORD})
    device = hub.client.cookies["device"]
    hub.client.cookies.clear()
    cookie = first.headers.get_list("set-cookie")[1].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    await guessed_from_everywhere(hub, person)
    credentials = {"email": person.email, "password": PASSWORD}
    assert_limited(await hub.change("signIn", credentials), "a stranger, even with the right password")
    for foreign in ("", "x", "\u00e9", device_token(hub.settings, "the hash of another password")):
        headers = {"cookie": f"device={foreign}".encode()}
        assert_limited(await hub.change("signIn", credentials, headers=headers), foreign)
    known = await hub.change("signIn", credentials, "signedIn", headers={"cookie": f"device={device}"})
    assert payload(known)["signedIn"]
    hub.client.cookies.clear()


@pytest.mark.parametrize("how", ["changed", "reset"])
async def test_a_known_browser_is_no_longer_known_after_the_password_changes(hub: Hub, how: str) -> None:
    person = await hub.mediator()
    payload(await hub.change("signIn", {"email": person.email, "password": PASSWORD}))
    device = hub.client.cookies["device"]
    hub.client.cookies.clear()
    new = "a wholly new password"
    if how == "changed":
        change = {"currentPassword": PASSWORD, "newPassword": new, "endOthers": False}
        payload(await hub.change("changePassword", change, by=person))
    else:
        payload(await hub.change("requestPasswordReset", {"email": person.email}))
        await hub.work()
        link = hub.secret(person.email, "password")
        payload(await hub.change("resetPassword", {"token": link, "password": new}))
    fresh = hub.client.cookies["device"]
    hub.client.cookies.clear()
    await guessed_from_everywhere(hub, person)
    credentials = {"email": person.email, "password": new}
    assert_limited(await hub.change("signIn", credentials, headers={"cookie": f"device={device}"}), "the old one")
    known = await hub.change("signIn", credentials, "signedIn", headers={"cookie": f"device={fresh}"})
    assert payload(known)["signedIn"]
    hub.client.cookies.clear()


async def test_a_known_browser_gets_no_more_guesses_than_others_from_one_address(hub: Hub) -> None:
    person = await hub.mediator()
    known = {"cookie": f"device={device_token(hub.settings, password_hash())}"}
    await use_up(hub, limits.SIGN_IN_ACCOUNT, address_hash(hub.settings, person.email), HERE)
    assert_limited(await hub.change("signIn", {"email": person.email, "password": PASSWORD}, headers=known), "known")


async def test_a_browser_is_known_once_it_sets_a_new_password_by_mail(hub: Hub) -> None:
    person = await hub.mediator()
    await guessed_from_everywhere(hub, person)
    payload(await hub.change("requestPasswordReset", {"email": person.email}))
    await hub.work()
    reset = {"token": hub.secret(person.email, "password"), "password": "another good password"}
    payload(await hub.change("resetPassword", reset))
    device = hub.client.cookies["device"]
    hub.client.cookies.clear()
    known = {"cookie": f"device={device}"}
    credentials = {"email": person.email, "password": "another good password"}
    assert payload(await hub.change("signIn", credentials, "signedIn", headers=known))["signedIn"]
    hub.client.cookies.clear()


async def test_a_failed_sign_in_does_not_make_a_browser_known(hub: Hub) -> None:
    person = await hub.mediator()
    answer = await hub.change("signIn", {"email": person.email, "password": "wrong"})
    assert "set-cookie" not in answer.headers


async def test_an_ipv6_network_counts_as_one_and_so_does_ipv4_however_it_is_written(hub: Hub) -> None:
    for counted in ("2001:db8:0:1::/64", "203.0.113.7"):
        await use_up(hub, limits.SEARCH, counted)
    for host, limited in (
        ("2001:db8:0:1::1", True),
        ("2001:db8:0:1:ffff:0:0:2", True),
        ("2001:db8:0:2::1", False),
        ("203.0.113.7", True),
        ("::ffff:203.0.113.7", True),
        ("::ffff:203.0.113.8", False),
    ):
        transport = httpx.ASGITransport(app=hub.app, client=(host, 1))
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
            answer = await replace(hub, client=client).ask('{ feedbackSubjects(search: "abc") { id } }')
            assert answer.codes == (["RATE_LIMITED"] if limited else []), host


async def test_repeats_with_one_request_key_count_once(hub: Hub) -> None:
    mediator = await hub.mediator()
    for _ in range(8):
        payload(await hub.change("requestFeedback", REQUEST | {"requestKey": "once"}, by=mediator))
    for _ in range(4):
        payload(await hub.change("requestFeedback", REQUEST, by=mediator))
    assert_limited(await hub.change("requestFeedback", REQUEST, by=mediator), "the sixth to one address")


async def test_without_valkey_limits_count_in_memory_and_changes_still_work(hub: Hub) -> None:
    async with opened(hub.services, settings=hub.settings, redis_url="unix:///nowhere/valkey.sock") as alone:
        person = await alone.mediator()
        whose = (address_hash(alone.settings, person.email), HERE)
        await alone.sign_in(person.email)
        assert await use_up(alone, limits.SIGN_IN_ACCOUNT, *whose) == 10
        assert_limited(await alone.change("signIn", {"email": person.email, "password": PASSWORD}), "signIn")
        payload(await alone.change("requestFeedback", REQUEST, by=person))


@asynccontextmanager
async def silent_server(folder: Path) -> AsyncIterator[tuple[str, list[asyncio.StreamWriter]]]:
    """A server that accepts connections and never answers; yields its URL and the accepted connections."""
    taken: list[asyncio.StreamWriter] = []

    async def take(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(writer)

    path = folder / "s"
    server = await asyncio.start_unix_server(take, path)
    try:
        yield f"unix://{path}", taken
    finally:
        server.close()
        for writer in taken:
            writer.close()


async def test_a_valkey_that_hangs_makes_only_the_first_change_wait(hub: Hub, tmp_path: Path) -> None:
    async with (
        silent_server(tmp_path) as (url, taken),
        opened(hub.services, settings=hub.settings, redis_url=url) as slow,
    ):
        limiter: Limiter = slow.app.state.limiter
        limiter.patience = Limiter.patience
        for _ in range(5):
            await limiter.count(limits.SEARCH, HERE)
            await limiter.forget(limits.SEARCH, HERE)
        assert len(taken) == 1
        person = await slow.mediator()
        for _ in range(5):
            payload(await slow.change("requestFeedback", REQUEST, by=person))
        assert_limited(await slow.change("requestFeedback", REQUEST, by=person), "the sixth to one address")


async def contents(url: str) -> str:
    """Everything in Valkey, keys and values."""
    client = Redis.from_url(url)
    found: list[object] = []
    try:
        async for key in client.scan_iter():
            kind = (await client.type(key)).decode()
            read: Any = {"string": client.get, "list": client.lrange, "zset": client.zrange}[kind]
            found += [key, await (read(key) if kind == "string" else read(key, 0, -1))]
    finally:
        await client.aclose()
    return repr(found)


async def test_valkey_holds_no_name_address_reference_or_id(hub: Hub) -> None:
    mediator, reviewer = await hub.mediator(), await hub.person(Role.REVIEWER)
    await hub.sign_in(mediator.email)
    payload(await hub.change("requestFeedback", REQUEST | {"reference": "The zebra", "requestKey": "k"}, by=mediator))
    payload(await hub.change("inviteReviewer", {"email": "invited@demo.example"}, by=mediator))
    payload(await hub.change("appointReviewer", {"reviewerId": str(reviewer.id)}, by=mediator))
    payload(await hub.change("requestPasswordReset", {"email": mediator.email}))
    payload(await hub.change("giveFeedback", GIVEN | {"mediatorId": str(mediator.id), "name": "Gisela"}))
    held = await contents(hub.services.redis_url)
    assert "LIMIT" in held
    for secret in ("philippa", "zebra", "demo.example", "gisela", str(mediator.id), str(reviewer.id), HERE):
        assert secret not in held.lower(), secret


@pytest.mark.parametrize("by", [("a", "b"), ("ab",), ("a,b",)])
async def test_a_limit_by_two_things_is_not_mixed_up_with_one_by_a_single_thing(hub: Hub, by: tuple[str, ...]) -> None:
    await use_up(hub, limits.REQUESTS_TO, "a b")
    await hub.app.state.limiter.count(limits.REQUESTS_TO, *by)
