"""Mail that strangers cause: mail over a mailbox's budget waits for the next hour, and nobody can tell."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from jobs import mail
from jobs.outbox import WorkKind
from permissions.secrets import address_hash, stop_token
from resolvers import limits
from resolvers.address import mailbox_hash
from tests.hub import BASE_URL, PASSWORD, Answer, Hub, Person, opened, payload, problems, secret_in, text_of
from tests.resolvers.test_limits import GIVEN, HERE, REQUEST, use_up

NEW = "another good password"
Door = Callable[[Hub, Person, str], Awaitable[Answer]]


@pytest.fixture
async def hub(hub: Hub) -> AsyncIterator[Hub]:
    """A hub whose clock starts at half past, so that no new hour begins while a test runs."""
    async with hub.later(minutes=30 - datetime.now(UTC).minute) as then:
        yield then


async def sign_up(hub: Hub, _by: Person, email: str) -> Answer:
    return await hub.change("signUp", {"name": "N", "email": email, "password": PASSWORD}, "mailSent")


async def reset(hub: Hub, _by: Person, email: str) -> Answer:
    return await hub.change("requestPasswordReset", {"email": email}, "mailSent")


async def change_email(hub: Hub, by: Person, email: str) -> Answer:
    return await hub.change("changeEmail", {"email": email, "password": PASSWORD}, "mailSent", by=by)


async def invite(hub: Hub, by: Person, email: str) -> Answer:
    return await hub.change("inviteReviewer", {"email": email}, by=by)


async def request(hub: Hub, by: Person, email: str) -> Answer:
    return await hub.change("requestFeedback", REQUEST | {"partyEmail": email}, by=by)


DOORS: list[Door] = [sign_up, reset, change_email, invite, request]
# The mail that somebody gets at an address without an account, and at one with an account.
UNKNOWN: dict[Door, WorkKind | None] = {sign_up: mail.VERIFY_EMAIL, reset: None, change_email: mail.CHANGE_EMAIL}
KNOWN: dict[Door, WorkKind | None] = {
    sign_up: mail.ALREADY_REGISTERED,
    reset: mail.RESET_PASSWORD,
    change_email: mail.ALREADY_REGISTERED,
}
SAME: dict[Door, WorkKind | None] = {invite: mail.REVIEWER_INVITED, request: mail.FEEDBACK_REQUEST}


async def spend(hub: Hub, *addresses: str) -> None:
    """Use up these addresses' budgets of mail."""
    for address in addresses:
        await use_up(hub, limits.MAIL_TO, mailbox_hash(hub.settings, address))


async def after(hub: Hub, hours: int) -> list[str]:
    """The kinds of mail that have been sent once so many hours have passed."""
    async with hub.later(hours=hours) as then:
        await then.work()
    return sorted(row["kind"] for row in await hub.rows("SELECT kind FROM outbox WHERE state = 'DONE'"))


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("known", [False, True])
async def test_over_the_budget_every_answer_is_the_same_and_one_mail_comes_at_the_next_hour(
    hub: Hub, door: Door, known: bool
) -> None:
    addresses = ["fresh@demo.example", "over@demo.example"]
    askers = {address: await hub.mediator() for address in addresses}
    if known:
        for address in addresses:
            await hub.mediator(email=address)
    await spend(hub, addresses[1])
    answers = [await door(hub, askers[address], address) for address in addresses]
    assert answers[0].body == answers[1].body
    assert answers[0].headers == answers[1].headers
    payload(answers[0])
    await hub.work()
    assert not hub.mails(addresses[1])
    kind = SAME.get(door, (KNOWN if known else UNKNOWN).get(door))
    assert [mail["to"] for mail in hub.mails()] == ([addresses[0]] if kind else [])
    if door is not request:  # each request is about another case
        for _ in range(2):
            assert (await door(hub, askers[addresses[1]], addresses[1])).body == answers[1].body
        assert len(await hub.rows("SELECT 1 FROM outbox WHERE state = 'QUEUED'")) == 1
    await hub.work()
    assert not hub.mails(addresses[1])
    for hours in (1, 2, 30):
        async with hub.later(hours=hours) as then:
            await then.work()
        assert len(hub.mails(addresses[1])) == (1 if kind else 0)
    assert not await hub.rows("SELECT 1 FROM outbox WHERE state = 'QUEUED'")


async def test_each_request_and_each_mediators_invitation_waits_for_its_own_hour(hub: Hub) -> None:
    first, second = await hub.mediator(name="Mo First"), await hub.mediator(name="Mia Second")
    await spend(hub, "over@demo.example")
    for by in (first, second, first):
        payload(await request(hub, by, "over@demo.example"))
        payload(await invite(hub, by, "over+tag@demo.example"))
    assert await after(hub, 0) == []
    assert await after(hub, 1) == ["feedback_request", "reviewer_invited"]
    assert await after(hub, 2) == ["feedback_request"] * 2 + ["reviewer_invited"] * 2
    assert await after(hub, 3) == ["feedback_request"] * 3 + ["reviewer_invited"] * 2
    assert await after(hub, 9) == await after(hub, 3), "the first mediator's second invitation replaced their first"
    invitations = [mail for mail in hub.mails() if "/invitation/" in mail["text"]]
    assert {"Mo First" in text_of(mail) for mail in invitations} == {True, False}
    for one in invitations:
        taken_up = {"token": secret_in(one, "invitation"), "relation": "COLLEAGUE"}
        answer = await hub.change("acceptInvitation", taken_up)
        assert ("token", "NOT_FOUND") not in problems(answer), "its link works"


async def test_the_newest_link_waits_and_its_time_starts_with_its_mail(hub: Hub) -> None:
    ann, by = await hub.mediator(), await hub.mediator()
    await spend(hub, ann.email, "new@demo.example")
    for _ in range(3):
        payload(await reset(hub, by, ann.email))
    for name in ("First", "Second"):
        payload(
            await hub.change("signUp", {"name": name, "email": "new@demo.example", "password": f"{PASSWORD} {name}"})
        )
    lasts = await hub.rows(
        "SELECT l.purpose, l.expires_at - o.next_at AS lasts FROM outbox o JOIN account_link l ON l.id = o.subject_id"
    )
    assert {row["purpose"]: row["lasts"].total_seconds() / 3600 for row in lasts} == {
        "RESET_PASSWORD": 2,
        "VERIFY_EMAIL": 48,
    }
    async with hub.later(hours=1) as then:
        await then.work()
        (mail,) = then.mails(ann.email)
        assert "2 hours" in text_of(mail)
        payload(await then.change("resetPassword", {"token": secret_in(mail, "password"), "password": NEW}))
        (mail,) = then.mails("new@demo.example")
        payload(await then.change("verifyEmail", {"token": secret_in(mail, "verify")}))
    hub.client.cookies.clear()
    await hub.sign_in(ann.email, NEW)
    assert (await hub.sign_in("new@demo.example", f"{PASSWORD} Second")).name == "Second"


@pytest.mark.parametrize("known", [False, True])
async def test_addresses_with_tags_do_not_replace_mail_that_waits_for_the_plain_one(hub: Hub, known: bool) -> None:
    by = await hub.mediator()
    addresses = ["ann+1@demo.example", "ann@demo.example", "ann+2@demo.example", "ann+3@demo.example"]
    if known:
        for email in addresses:
            await hub.mediator(email=email)
    await spend(hub, "ann@demo.example")
    for email in addresses:
        payload(await sign_up(hub, by, email))
    got = []
    for hour in range(1, 6):
        async with hub.later(hours=hour) as then:
            await then.work()
        got.append([mail["to"] for mail in hub.mails()])
        assert len(got[-1]) <= hour
    # Of addresses with tags only the newest is mailed: a hundred of them can't make the owner wait for days.
    assert {*got[-1]} == ({*addresses} if known else {"ann@demo.example", "ann+3@demo.example"})
    assert "ann@demo.example" in got[1]


async def test_a_stranger_cannot_take_away_a_link_for_a_new_password(hub: Hub) -> None:
    ann = await hub.mediator()
    payload(await reset(hub, ann, ann.email))
    await hub.work()
    link = hub.secret(ann.email, "password")
    tags = [ann.email.replace("@", f"+{number}@") for number in range(3)]
    for address in [ann.email] * 30 + tags * 3:
        payload(await reset(hub, ann, address))
    await hub.work()
    assert len(hub.mails()) == 5, "one network's limit for one address"
    async with hub.later(hours=1) as then:
        await then.work()
        assert [mail["to"] for mail in hub.mails()] == [ann.email] * 6, "no later than this"
    payload(await hub.change("resetPassword", {"token": link, "password": NEW}))


async def test_one_network_that_asks_too_often_does_not_hold_up_others(hub: Hub) -> None:
    ann = await hub.mediator()
    await use_up(hub, limits.RESETS_TO, address_hash(hub.settings, ann.email), HERE)
    transport = httpx.ASGITransport(app=hub.app, client=("203.0.113.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        document = {"query": f'mutation {{ requestPasswordReset(input: {{ email: "{ann.email}" }}) {{ mailSent }} }}'}
        await client.post("/graphql", json=document)
    await hub.work()
    assert [mail["to"] for mail in hub.mails()] == [ann.email]


async def test_an_address_with_a_tag_has_no_budget_of_its_own(hub: Hub) -> None:
    by = await hub.mediator()
    await spend(hub, "Over@demo.example")
    for address in ("over@demo.example", "over+1@demo.example", "OVER+2+3@demo.example"):
        payload(await sign_up(hub, by, address))
    await hub.work()
    assert not hub.mails()
    async with hub.later(hours=1) as then:
        await then.work()
    assert len(hub.mails()) == 1


async def test_held_mail_names_no_address_and_loses_its_hash_once_sent(hub: Hub) -> None:
    by = await hub.mediator()
    await spend(hub, "over@demo.example")
    payload(await request(hub, by, "over@demo.example"))
    mailbox = mailbox_hash(hub.settings, "over@demo.example").hex()
    (row,) = await hub.rows("SELECT t::text FROM outbox t")
    assert mailbox in row[0]
    assert "over" not in row[0]
    async with hub.later(hours=1) as then:
        await then.work()
    assert hub.mails("over@demo.example")
    assert mailbox not in str(await hub.rows("SELECT t::text FROM outbox t"))


async def test_held_mail_is_not_sent_if_its_address_stops_requests_meanwhile(hub: Hub) -> None:
    by = await hub.mediator()
    await spend(hub, "over@demo.example")
    for door in (request, invite):
        payload(await door(hub, by, "over@demo.example"))
    payload(await hub.change("stopRequests", {"token": stop_token(hub.settings, "over@demo.example")}))
    async with hub.later(hours=5) as then:
        await then.work()
    assert not hub.mails()
    assert {row["state"] for row in await hub.rows("SELECT state FROM outbox")} == {"DROPPED"}


@pytest.mark.parametrize("door", [request, invite])
async def test_an_address_that_stopped_requests_gets_none_and_it_looks_as_if_sent(hub: Hub, door: Door) -> None:
    by = await hub.mediator()
    payload(await hub.change("stopRequests", {"token": stop_token(hub.settings, "party@demo.example")}))
    answers = [await door(hub, by, address) for address in ("party@demo.example", "other@demo.example")]
    payload(answers[0])
    assert answers[0].body == answers[1].body
    await hub.work()
    assert [mail["to"] for mail in hub.mails()] == ["other@demo.example"]


async def test_somebody_who_stopped_requests_can_still_have_an_account(hub: Hub) -> None:
    payload(await hub.change("stopRequests", {"token": stop_token(hub.settings, "party@demo.example")}))
    payload(await sign_up(hub, await hub.mediator(), "party@demo.example"))
    await hub.work()
    (mail,) = hub.mails("party@demo.example")
    payload(await hub.change("verifyEmail", {"token": secret_in(mail, "verify")}))
    me = await hub.sign_in("party@demo.example")
    payload(await hub.change("stopRequests", {"token": stop_token(hub.settings, "new@demo.example")}))
    payload(await change_email(hub, me, "new@demo.example"))
    await hub.work()
    payload(await hub.change("verifyEmail", {"token": hub.secret("new@demo.example", "verify")}))


async def test_mail_over_the_budget_waits_even_while_valkey_is_down(hub: Hub) -> None:
    away = {"redis_url": "unix:///nowhere/valkey.sock"}
    async with opened(hub.services, settings=hub.settings, moved=hub.moved, **away) as alone:
        ann = await alone.mediator()
        for _ in range(7):
            payload(await reset(alone, ann, ann.email))
        await alone.work()
        assert len(alone.mails(ann.email)) == 5
        async with alone.later(hours=1) as then:
            await then.work()
        assert len(alone.mails(ann.email)) == 6


async def give(hub: Hub, about: Person, email: str | None) -> Answer:
    return await hub.change("giveFeedback", GIVEN | {"mediatorId": str(about.id), "email": email}, "received")


async def left(hub: Hub, *counted: tuple[limits.Limit, Any]) -> list[int]:
    return [await use_up(hub, limit, by) for limit, by in counted]


async def test_feedback_from_the_mediators_own_address_counts_and_is_answered_like_any(hub: Hub) -> None:
    worlds = []
    for own in (False, True):
        async with opened(hub.services, settings=hub.settings, secret_key=f"{own:d}" * 40) as world:
            ann = await world.mediator()
            address = ann.email if own else "giver@demo.example"
            answers = [(await give(world, ann, address)).body for _ in range(3)]
            counts = await left(world, (limits.OPEN_FEEDBACK, HERE), (limits.NOTICES_TO, ann.id))
            over = await give(world, ann, address)
            worlds.append((answers, counts, over.body))
            assert over.codes == ["RATE_LIMITED"]
            kept = await world.rows("SELECT FROM feedback WHERE mediator_id = $1 AND admission = 'ADMITTED'", ann.id)
            assert len(kept) == (0 if own else 3)
    assert worlds[0] == worlds[1]
    assert worlds[0][1] == [57, 57]


async def test_strangers_cannot_keep_feedback_away_by_giving_a_lot(hub: Hub) -> None:
    ann = await hub.mediator()
    await use_up(hub, limits.NOTICES_TO, ann.id)
    for email in ("one@demo.example", ann.email, "other@demo.example"):
        payload(await give(hub, ann, email))
    assert len(await hub.rows("SELECT FROM feedback WHERE admission = 'ADMITTED'")) == 2
    await hub.work()
    assert not hub.mails()
    async with hub.later(hours=1) as then:
        await then.work()
    assert [mail["to"] for mail in hub.mails()] == [ann.email]


async def test_asking_oneself_counts_like_asking_anybody_else(hub: Hub) -> None:
    for door, limit in ((invite, limits.INVITATIONS_SENT), (request, limits.REQUESTS_SENT)):
        rest = []
        for own in (False, True):
            ann = await hub.mediator()
            await door(hub, ann, ann.email if own else "other@demo.example")
            rest.append(await use_up(hub, limit, ann.id))
        assert rest[0] == rest[1], limit


async def test_a_deleted_accounts_held_mail_goes_with_it(hub: Hub) -> None:
    ann = await hub.mediator()
    await spend(hub, "over@demo.example", ann.email)
    for door, email in ((invite, "over@demo.example"), (request, "over@demo.example"), (reset, ann.email)):
        payload(await door(hub, ann, email))
    payload(await hub.change("deleteMyAccount", {"password": PASSWORD}, by=ann))
    hub.client.cookies.clear()
    kinds = {row["kind"] for row in await hub.rows("SELECT kind FROM outbox")}
    assert kinds == {"account_deleted"}
