"""SECRET_KEY is replaced: what was made with the one before goes on working, and can be sealed again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import main
from models.account import Role
from permissions.sealing import CannotOpen, open_origin
from tests.hub import Hub, Person, opened, payload, problems, secret_in
from tests.security.test_second_factor import code_of, protected, sign_in_with
from tests.servers import environment
from tests.world import put_feedback

OLD, NEW = "the-key-of-the-first-years" * 2, "the-key-that-replaced-it" * 2
ANSWER = {"capacity": "PARTY", "actedAs": "MEDIATOR", "answers": [{"question": "safety", "rating": 4}]}
STATE = "query($t: String!) { feedbackInvitation(token: $t) { state } }"
LISTED = "{ me { mediator { feedbackLink feedbackRequests { nodes { partyName } } } } }"
ORIGINS = (
    '{ mediators(first: 1) { nodes { feedback(first: 5) { nodes { origin(reason: "Ticket 12") { name email } } } } } }'
)


@asynccontextmanager
async def keyed(hub: Hub, key: str, before: str = "") -> AsyncIterator[Hub]:
    async with opened(hub.services, settings=hub.settings, secret_key=key, secret_keys_before=before) as now:
        yield now


@dataclass
class Past:
    """What was made with the old key."""

    mediator: Person
    factor: str
    personal: str
    unused: str
    used: str
    receipt: str


async def request(hub: Hub, mediator: Person, name: str) -> None:
    facts = {"partyName": name, "partyEmail": f"{name}@demo.example", "partyAgreed": True}
    payload(await hub.change("requestFeedback", facts | {"mediationEndedOn": "2024-03-02"}, by=mediator))


async def past(hub: Hub) -> Past:
    """A link open, one used, an address stopped, a mail queued, a second factor, a personal link, and an origin."""
    mediator, secret, _ = await protected(hub, await hub.mediator())
    for name in ("open", "used", "stopped"):
        await request(hub, mediator, name)
    await hub.work()
    mails = {name: hub.mail(f"{name}@demo.example") for name in ("open", "used", "stopped")}
    used = secret_in(mails["used"], "feedback")
    given = ANSWER | {"token": used, "name": "Gil", "email": "gil@demo.example", "requestKey": "once"}
    receipt = payload(await hub.change("giveFeedback", given, "receipt"))["receipt"]
    payload(await hub.change("stopRequests", {"token": secret_in(mails["stopped"], "stop")}))
    await hub.work()
    await request(hub, mediator, "queued")
    personal = (await hub.ask(LISTED, by=mediator)).data["me"]["mediator"]["feedbackLink"]
    return Past(mediator, secret, personal, secret_in(mails["open"], "feedback"), used, receipt)


async def still_works(hub: Hub, it: Past) -> None:
    """Check all of it, with another key than that which it was made with."""
    states = {name: (await hub.ask(STATE, {"t": token})).data for name, token in vars(it).items() if "used" in name}
    assert {name: found["feedbackInvitation"]["state"] for name, found in states.items()} == {
        "unused": "OPEN",
        "used": "SPENT",
    }
    assert problems(await hub.change("giveFeedback", ANSWER | {"token": it.used})) == [("token", "SPENT")]
    shown = await hub.ask("query($c: String!) { feedbackReceipt(code: $c) { mediatorName } }", {"c": it.receipt})
    assert shown.data["feedbackReceipt"] == {"mediatorName": it.mediator.name}
    own = (await hub.ask(LISTED, by=it.mediator)).data["me"]["mediator"]
    assert own["feedbackLink"] == it.personal
    assert {one["partyName"] for one in own["feedbackRequests"]["nodes"]} >= {"open", "used", "stopped", "queued"}
    subject = "query($l: String!) { feedbackSubject(link: $l) { name } }"
    assert (await hub.ask(subject, {"l": it.personal})).data["feedbackSubject"] == {"name": it.mediator.name}
    admin = await hub.person(Role.ADMIN)
    assert "gil@demo.example" in str((await hub.ask(ORIGINS, by=admin)).data)
    payload(await sign_in_with(hub, it.mediator, code_of(hub, it.factor)))
    await hub.rows("UPDATE second_factor SET last_step = NULL")


async def test_what_the_key_before_made_goes_on_working(hub: Hub) -> None:
    async with keyed(hub, OLD) as before:
        it = await past(before)
    async with keyed(hub, NEW, before=OLD) as now:
        await still_works(now, it)
        await now.work()
        queued = secret_in(now.mail("queued@demo.example"), "feedback")
        assert (await now.ask(STATE, {"t": queued})).data["feedbackInvitation"]["state"] == "OPEN"
        await request(now, it.mediator, "stopped")
        await now.work()
        assert len(now.mails("stopped@demo.example")) == 1  # from before it was stopped
        payload(await now.change("giveFeedback", ANSWER | {"token": it.unused}))
        giver = await now.person(Role.MEDIATOR, email="gil@demo.example")
        payload(await now.change("deleteMyAccount", {"password": "correct horse battery"}, by=giver))
        assert "gil@demo.example" not in [origin.email for origin in (await now.origins()).values()]


async def rekeyed(hub: Hub) -> Any:
    return await asyncio.to_thread(CliRunner().invoke, main, ["rekey"], env=environment(hub.settings))


async def test_what_is_sealed_again_needs_the_key_before_no_longer(hub: Hub) -> None:
    async with keyed(hub, OLD) as before:
        it = await past(before)
    async with keyed(hub, NEW, before=OLD) as now:
        done = await rekeyed(now)
        assert (done.exit_code, done.stderr) == (0, "")
        # An origin, the day's key, the second factor, the personal link, and the mark of the used link.
        assert "Sealed or hashed again: 5." in done.stdout
        assert "1 addresses stopped all requests under an earlier key" in done.stdout
        assert "Sealed or hashed again: 0." in (await rekeyed(now)).stdout
        await now.work()
        await still_works(now, it)
    async with keyed(hub, NEW) as alone:
        await still_works(alone, it)
        giver = await alone.person(Role.MEDIATOR, email="gil@demo.example")
        payload(await alone.change("deleteMyAccount", {"password": "correct horse battery"}, by=giver))
        assert await alone.origins() == {}


async def test_without_the_key_before_nothing_sealed_opens_and_nothing_fails_that_need_not(hub: Hub) -> None:
    async with keyed(hub, OLD) as before:
        it = await past(before)
    async with keyed(hub, NEW) as now:
        own = (await now.ask(LISTED, by=it.mediator)).data["me"]["mediator"]
        assert own["feedbackLink"] is None
        assert [one["partyName"] for one in own["feedbackRequests"]["nodes"]] == [None] * 4
        assert (await now.ask(STATE, {"t": it.unused})).data["feedbackInvitation"]["state"] == "OPEN"
        assert problems(await sign_in_with(now, it.mediator, code_of(now, it.factor))) == [
            ("code", "WRONG_CREDENTIALS")
        ]
        for row in await now.rows("SELECT id, sealed FROM feedback_origin"):
            with pytest.raises(CannotOpen):
                open_origin(now.settings, row["id"], row["sealed"])
        await now.work()
        assert now.mails("queued@demo.example") == []  # there's no way to write it
        done = await rekeyed(now)
        assert done.exit_code == 1
        assert "No key opens: 3." in done.stderr


async def test_only_the_owner_of_the_tables_seals_again(hub: Hub) -> None:
    async with keyed(hub, OLD) as before:
        await past(before)
    async with keyed(hub, NEW, before=OLD) as now:
        sealed = await now.rows("SELECT sealed FROM feedback_origin")
        env = environment(now.settings) | {"DATABASE_OWNER_URL": now.services.database_url}
        done = await asyncio.to_thread(CliRunner().invoke, main, ["rekey"], env=env)
        assert (done.exit_code, done.stderr) == (1, "DATABASE_OWNER_URL is wrong: its role doesn't own the tables\n")
        assert await now.rows("SELECT sealed FROM feedback_origin") == sealed


async def test_a_sealed_value_opens_only_in_its_own_row(hub: Hub) -> None:
    async with keyed(hub, OLD) as now:
        it = await past(now)
        await put_feedback(now, it.mediator, name="Other")
        await now.rows("UPDATE feedback_origin SET sealed = (SELECT sealed FROM feedback_origin ORDER BY id LIMIT 1)")
        opened_ones = 0
        for row in await now.rows("SELECT id, sealed FROM feedback_origin"):
            try:
                open_origin(now.settings, row["id"], row["sealed"])
                opened_ones += 1
            except CannotOpen:
                continue
        assert opened_ones == 1
