"""Feedback requests: after five days, who was asked isn't known anywhere any more."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from permissions.secrets import stop_token
from resolvers.survey import survey
from tests.hub import PASSWORD, Answer, Hub, Person, opened, payload, problems, secret_in, text_of
from tests.jobs.test_mail_headers import ENCODED
from tests.jobs.test_mail_render import plain_name

REQUEST = {
    "partyName": "Philippa Party",
    "partyEmail": "Philippa@demo.example",
    "reference": "Reference 4711",
    "mediationEndedOn": "2024-03-02",
    "partyAgreed": True,
}
FIELDS = "feedbackRequest { id madeOn partyName partyEmail reference mediationEndedOn }"
LIST = (
    f"{{ me {{ mediator {{ feedbackRequests {{ totalCount nodes {FIELDS.removeprefix('feedbackRequest ')} }} }} }} }}"
)
STATE = "query($token: String!) { feedbackInvitation(token: $token) { state subject { name } } }"
ANSWERS = {"capacity": "PARTY", "actedAs": "MEDIATOR", "answers": [{"question": "listening", "rating": 4}]}


async def ask_for(hub: Hub, mediator: Person, **facts: Any) -> Answer:
    return await hub.change("requestFeedback", REQUEST | facts, FIELDS, by=mediator)


async def requested(hub: Hub, mediator: Person, **facts: Any) -> dict[str, Any]:
    made: dict[str, Any] = payload(await ask_for(hub, mediator, **facts))["feedbackRequest"]
    return made


async def listed(hub: Hub, mediator: Person) -> list[dict[str, Any]]:
    found = (await hub.ask(LIST, by=mediator)).data["me"]["mediator"]["feedbackRequests"]
    assert found["totalCount"] == len(found["nodes"])
    nodes: list[dict[str, Any]] = found["nodes"]
    return nodes


async def mailed_token(hub: Hub, to: str = "Philippa@demo.example") -> str:
    await hub.work()
    return hub.secret(to, "feedback")


async def state(hub: Hub, token: str) -> str:
    return str((await hub.ask(STATE, {"token": token})).data["feedbackInvitation"]["state"])


async def everything(hub: Hub) -> str:
    """All rows of all tables as text."""
    tables = await hub.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    found = [await hub.rows(f'SELECT t::text FROM "{table["tablename"]}" t') for table in tables]
    return "\n".join(row[0] for rows in found for row in rows).lower()


async def test_a_request_tells_the_party_everything_they_need_to_recall_the_mediation(hub: Hub) -> None:
    mediator = await hub.mediator()
    made = await requested(hub, mediator)
    assert {name: made[name] for name in REQUEST if name in made} == {
        name: value for name, value in REQUEST.items() if name != "partyAgreed"
    }
    await hub.work()
    mail = hub.mail("Philippa@demo.example")
    token, text = secret_in(mail, "feedback"), text_of(mail)
    least, most = survey().least_minutes, survey().most_minutes
    for fact in (mediator.name, "Philippa Party", "Reference 4711", "2 Mar 2024", f"{least} to {most} minutes"):
        assert fact in text
    found = (await hub.ask(STATE, {"token": token})).data["feedbackInvitation"]
    assert found == {"state": "OPEN", "subject": {"name": mediator.name}}


async def test_request_details_are_gone_after_five_days_even_if_no_worker_has_run(hub: Hub) -> None:
    mediator = await hub.mediator()
    made = await requested(hub, mediator)
    await hub.work()
    gone = {"partyName": None, "partyEmail": None, "reference": None}
    async with hub.later(hours=119) as then:
        assert await listed(then, mediator) == [made]
        await then.work()
        assert await listed(then, mediator) == [made]
    async with hub.later(hours=121) as then:
        assert await listed(then, mediator) == [made | gone]
        assert [party.name for party in (await then.parties()).values()] == ["Philippa Party"], "no worker has run yet"
        await then.work()
        assert await listed(then, mediator) == [made | gone]
    assert await hub.parties() == {}
    left = await everything(hub)
    assert "philippa" not in left
    assert "4711" not in left


async def test_mail_that_has_waited_for_five_days_is_never_sent_and_leaves_nothing(hub: Hub) -> None:
    mediator = await hub.mediator()
    await requested(hub, mediator)
    async with hub.later(hours=121) as then:
        await then.work()
    assert hub.mails() == []
    (row,) = await hub.rows("SELECT state FROM outbox")
    assert row["state"] == "DROPPED"
    assert "philippa" not in await everything(hub)


async def test_the_outbox_never_holds_the_partys_name_or_address(hub: Hub) -> None:
    mediator = await hub.mediator()
    await requested(hub, mediator)
    (row,) = await hub.rows("SELECT outbox::text FROM outbox")
    assert "hilippa" not in row[0]
    assert "4711" not in row[0]


async def test_the_link_works_for_90_days(hub: Hub) -> None:
    mediator = await hub.mediator()
    await requested(hub, mediator)
    token = await mailed_token(hub)
    async with hub.later(days=89) as then:
        await then.work()
        assert await state(then, token) == "OPEN"
    async with hub.later(days=91) as then:
        assert await state(then, token) == "EXPIRED"
        late = await then.change("giveFeedback", ANSWERS | {"token": token})
        assert problems(late) == [("token", "EXPIRED")]
        assert not await then.rows("SELECT 1 FROM feedback")
    async with hub.later(days=89) as then:
        payload(await then.change("giveFeedback", ANSWERS | {"token": token}))


async def test_a_withdrawn_request_is_not_mailed_and_forgets_the_party_at_once(hub: Hub) -> None:
    mediator = await hub.mediator()
    made = await requested(hub, mediator)
    withdrawn = await hub.change("withdrawFeedbackRequest", {"id": made["id"]}, "withdrawnId", by=mediator)
    assert payload(withdrawn)["withdrawnId"] == made["id"]
    assert "philippa" not in await everything(hub)
    assert await listed(hub, mediator) == []
    await hub.work()
    assert hub.mails() == []
    again = await hub.change("withdrawFeedbackRequest", {"id": made["id"]}, by=mediator)
    assert problems(again) == [("id", "NOT_FOUND")]


async def test_a_withdrawn_link_says_so(hub: Hub) -> None:
    mediator = await hub.mediator()
    made = await requested(hub, mediator)
    token = await mailed_token(hub)
    payload(await hub.change("withdrawFeedbackRequest", {"id": made["id"]}, by=mediator))
    assert await state(hub, token) == "WITHDRAWN"
    answer = await hub.change("giveFeedback", ANSWERS | {"token": token})
    assert problems(answer) == [("token", "EXPIRED")]
    assert "withdrawn" in answer.body["data"]["giveFeedback"]["userErrors"][0]["message"]
    assert not await hub.rows("SELECT 1 FROM feedback")


async def test_only_its_own_mediator_withdraws_a_request(hub: Hub) -> None:
    mediator, other = await hub.mediator(), await hub.mediator()
    made = await requested(hub, mediator)
    foreign = await hub.change("withdrawFeedbackRequest", {"id": made["id"]}, by=other)
    assert problems(foreign) == [("id", "NOT_FOUND")]
    assert await listed(hub, mediator) == [made]
    assert await listed(hub, other) == []


async def test_a_mediator_cannot_tell_whether_a_request_was_answered(hub: Hub) -> None:
    mediator = await hub.mediator()
    answered, waiting = await requested(hub, mediator), await requested(hub, mediator, partyEmail="other@demo.example")
    before = await hub.ask(LIST, by=mediator)
    payload(await hub.change("giveFeedback", ANSWERS | {"token": await mailed_token(hub)}))
    assert (await hub.ask(LIST, by=mediator)).body == before.body
    withdrawals = [
        await hub.change("withdrawFeedbackRequest", {"id": one["id"]}, by=mediator) for one in (answered, waiting)
    ]
    assert withdrawals[0].body == withdrawals[1].body
    assert len(await hub.rows("SELECT 1 FROM feedback")) == 1


async def test_an_address_that_stopped_requests_gets_none_and_nobody_is_told(hub: Hub) -> None:
    mediator, other = await hub.mediator(), await hub.mediator()
    await requested(hub, mediator)
    await hub.work()
    stop = hub.secret(None, "stop")
    payload(await hub.change("stopRequests", {"token": stop}, "stopped"))
    payload(await hub.change("stopRequests", {"token": stop}, "stopped"))
    refused = await requested(hub, other, partyEmail="philippa@DEMO.example")
    assert refused["partyEmail"] == "philippa@DEMO.example"
    assert await listed(hub, other) == [refused]
    await hub.work()
    assert len(hub.mails()) == 1
    assert "philippa" not in str(await hub.rows("SELECT encode(address_hash, 'escape') FROM stopped_address")).lower()


async def test_a_queued_request_is_not_mailed_once_its_address_stops_requests(hub: Hub) -> None:
    mediator = await hub.mediator()
    await requested(hub, mediator)
    stop = stop_token(hub.settings, "PHILIPPA@demo.example")
    payload(await hub.change("stopRequests", {"token": stop}))
    await hub.work()
    assert hub.mails() == []


async def test_the_stop_link_still_works_when_everything_else_is_forgotten(hub: Hub) -> None:
    mediator = await hub.mediator()
    await requested(hub, mediator)
    await hub.work()
    stop = hub.secret(None, "stop")
    async with hub.later(days=400) as then:
        await then.work()
        payload(await then.change("stopRequests", {"token": stop}))
    await requested(hub, await hub.mediator())
    await hub.work()
    assert len(hub.mails()) == 1


@pytest.mark.parametrize("token", ["", "garbage", "é", "====", "A" * 64, "A" * 5000])
async def test_a_stop_link_that_we_did_not_send_stops_nothing(hub: Hub, token: str) -> None:
    assert problems(await hub.change("stopRequests", {"token": token})) == [("token", "NOT_FOUND")]
    assert not await hub.rows("SELECT 1 FROM stopped_address")


async def test_a_stop_link_that_was_tampered_with_stops_nothing(hub: Hub) -> None:
    token = stop_token(hub.settings, "a@demo.example")
    other = stop_token(hub.settings, "b@demo.example")
    spliced = other[:40] + token[40:]
    assert problems(await hub.change("stopRequests", {"token": spliced})) == [("token", "NOT_FOUND")]
    assert not await hub.rows("SELECT 1 FROM stopped_address")


async def test_a_request_sent_fifty_times_at_once_with_one_key_is_one_request_and_one_mail(hub: Hub) -> None:
    mediator = await hub.mediator()
    answers = await asyncio.gather(*(ask_for(hub, mediator, requestKey="once") for _ in range(50)))
    assert [answer.body for answer in answers] == [answers[0].body] * 50
    assert payload(answers[0])["feedbackRequest"]["partyName"] == "Philippa Party"
    assert len(await hub.rows("SELECT 1 FROM feedback_request")) == 1
    await hub.work()
    assert len(hub.mails()) == 1


async def test_two_equal_requests_without_a_key_are_both_sent(hub: Hub) -> None:
    mediator = await hub.mediator()
    first, second = await requested(hub, mediator), await requested(hub, mediator)
    assert first["id"] != second["id"]
    await hub.work()
    assert len(hub.mails()) == 2


async def test_a_date_that_is_today_in_the_far_east_is_accepted(hub: Hub) -> None:
    mediator = await hub.mediator()
    latest = (hub.database.now() + timedelta(hours=14)).date()
    await requested(hub, mediator, mediationEndedOn=latest.isoformat())
    tomorrow = await ask_for(hub, mediator, mediationEndedOn=(latest + timedelta(days=1)).isoformat())
    assert problems(tomorrow) == [("mediationEndedOn", "OUT_OF_RANGE")]


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ({"partyAgreed": False}, [("partyAgreed", "REQUIRED")]),
        ({"partyName": " ", "partyEmail": ""}, [("partyName", "REQUIRED"), ("partyEmail", "REQUIRED")]),
        ({"partyName": "x" * 201}, [("partyName", "TOO_LONG")]),
        ({"partyName": "a\nb"}, [("partyName", "INVALID")]),
        ({"reference": "x" * 201}, [("reference", "TOO_LONG")]),
        ({"partyEmail": "not an address"}, [("partyEmail", "INVALID")]),
        ({"partyEmail": "a@demo.example, b@demo.example"}, [("partyEmail", "INVALID")]),
        ({"mediationEndedOn": "1949-12-31"}, [("mediationEndedOn", "OUT_OF_RANGE")]),
    ],
)
async def test_what_is_wrong_with_a_request_is_pointed_out_and_none_of_it_is_kept(
    hub: Hub, wrong: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    mediator = await hub.mediator()
    assert problems(await ask_for(hub, mediator, **wrong, requestKey="k")) == found
    for table in ("feedback_request", "feedback_request_details", "outbox", "request_key"):
        assert not await hub.rows(f"SELECT 1 FROM {table}")
    await requested(hub, mediator, requestKey="k")


@pytest.mark.parametrize("own", ["MO+LOG@Straße.example", "mo@straße.example", "mo+x@xn--strae-oqa.example"])
async def test_a_mediator_cannot_ask_themselves(hub: Hub, own: str) -> None:
    mediator = await hub.mediator(email="Mo+log@straße.example")
    assert problems(await ask_for(hub, mediator, partyEmail=own)) == [("partyEmail", "NOT_ALLOWED")]
    assert not await hub.rows("SELECT 1 FROM feedback_request")
    await requested(hub, mediator, partyEmail="mo@strasse.example")


async def test_a_mediator_cannot_ask_themselves_at_the_address_they_move_to(hub: Hub) -> None:
    mediator = await hub.mediator()
    payload(await hub.change("changeEmail", {"email": "New@demo.example", "password": PASSWORD}, by=mediator))
    assert problems(await ask_for(hub, mediator, partyEmail="new+1@demo.example")) == [("partyEmail", "NOT_ALLOWED")]
    assert not await hub.rows("SELECT 1 FROM feedback_request")


@pytest.mark.parametrize("email", ["a@example..org", "jö@example.org", ".a@example.org", "a@demo.invalid"])
async def test_an_address_that_mail_cannot_reach_is_pointed_out_in_the_form(hub: Hub, email: str) -> None:
    mediator = await hub.mediator()
    assert problems(await ask_for(hub, mediator, partyEmail=email)) == [("partyEmail", "INVALID")]
    assert not await hub.rows("SELECT 1 FROM feedback_request")
    await hub.work()
    assert hub.mails() == []


async def test_a_request_goes_to_the_domain_that_was_typed(hub: Hub) -> None:
    mediator = await hub.mediator()
    made = await requested(hub, mediator, partyEmail="pat@straße.example")
    assert made["partyEmail"] == "pat@straße.example"
    await hub.work()
    assert [mail["to"] for mail in hub.mails()] == ["pat@xn--strae-oqa.example"]


@pytest.mark.parametrize("name", ENCODED)
async def test_a_request_keeps_our_own_words_whatever_the_mediator_is_called(hub: Hub, name: str) -> None:
    mediator = await hub.mediator()
    payload(await hub.change("updateAccount", {"name": name}, by=mediator))
    await requested(hub, mediator, partyName=name, reference=name)
    await hub.work()
    (mail,) = hub.mails()
    assert mail["subject"] == f"{plain_name(name)} would like your feedback"
    assert mail["text"].split()[0] == "Hello"
    for part in (mail["subject"], mail["text"], mail["html"]):
        assert "Words of the attacker" not in part
        assert "evil.example" not in part


async def test_a_party_is_asked_even_while_valkey_is_down(hub: Hub) -> None:
    async with opened(hub.services, settings=hub.settings, redis_url="unix:///nowhere/valkey.sock") as alone:
        mediator = await alone.mediator()
        await requested(alone, mediator)
        await alone.work()
        assert len(alone.mails()) == 1


async def test_the_day_on_which_the_party_agreed_is_kept_as_long_as_the_request(hub: Hub) -> None:
    mediator = await hub.mediator()
    agreed = "{ me { mediator { feedbackRequests { nodes { madeOn agreedOn partyName } } } } }"
    await requested(hub, mediator)
    today = hub.database.now().date().isoformat()
    async with hub.later(hours=121) as later:
        await later.work()
        (kept,) = (await later.ask(agreed, by=mediator)).data["me"]["mediator"]["feedbackRequests"]["nodes"]
    assert kept == {"madeOn": today, "agreedOn": today, "partyName": None}
