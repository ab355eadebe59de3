"""Shared feedback reaches the mediator in groups, at a random moment, and nothing shows what waits."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.hub import BASE_URL, Hub, Person, opened, payload
from tests.world import put_feedback

GIVE = "mutation($input: GiveFeedbackInput!) { giveFeedback(input: $input) { receipt userErrors { code } } }"
ANSWERS = {"capacity": "PARTY", "actedAs": "MEDIATOR", "answers": [{"question": "listening", "rating": 4}]}


@pytest.fixture
async def grouped(hub: Hub) -> AsyncIterator[Hub]:
    async with opened(hub.services, settings=hub.settings, release_least=3, release_after=30) as grouped:
        await grouped.work()  # today's plan is made
        yield grouped


async def give_from(hub: Hub, address: str, about: Person, **facts: Any) -> str:
    """Give feedback without a request, from a network address; return the code of its receipt."""
    transport = httpx.ASGITransport(hub.app, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        body = {"query": GIVE, "variables": {"input": ANSWERS | {"mediatorId": str(about.id), "share": True} | facts}}
        headers = {"content-type": "application/json"}
        answer = (await client.post("/graphql", content=json.dumps(body), headers=headers)).json()
    assert answer["data"]["giveFeedback"]["userErrors"] == []
    return str(answer["data"]["giveFeedback"]["receipt"])


async def waiting(hub: Hub, mediator: Person, pieces: int, **facts: Any) -> list[Any]:
    return [await put_feedback(hub, mediator, released=False, **facts) for _ in range(pieces)]


async def seen_by(hub: Hub, mediator: Person) -> int:
    query = "{ me { mediator { feedback { totalCount } } } }"
    return int((await hub.ask(query, by=mediator)).data["me"]["mediator"]["feedback"]["totalCount"])


async def seen_after(hub: Hub, mediator: Person, days: int) -> int:
    """How much a mediator sees after so many nights, each with its plan, and the day after the last one."""
    for day in range(1, days + 2):
        async with hub.later(days=day) as then:
            await then.work()
            seen = await seen_by(then, mediator)
    return seen


async def test_two_shared_pieces_wait_and_with_a_third_all_arrive_together(grouped: Hub) -> None:
    ann = await grouped.mediator()
    await waiting(grouped, ann, 2)
    assert await seen_after(grouped, ann, 2) == 0
    await waiting(grouped, ann, 1)
    await put_feedback(grouped, ann, shared=False, released=False)
    async with grouped.later(days=4) as night:
        await night.work()
        assert {row["n"] for row in await grouped.rows("SELECT count(*) n FROM feedback GROUP BY release_at")} == {3, 1}
    async with grouped.later(days=5) as day:
        await day.work()
        assert await seen_by(day, ann) == 3


async def test_the_moment_is_random_and_the_same_for_the_whole_group(grouped: Hub) -> None:
    for mediator in [await grouped.mediator() for _ in range(8)]:
        await waiting(grouped, mediator, 3)
    async with grouped.later(days=1) as night:
        planned = night.database.now()
        await night.work()
    rows = await grouped.rows("SELECT mediator_id, min(release_at) a, max(release_at) z FROM feedback GROUP BY 1")
    assert all(row["a"] == row["z"] for row in rows)
    assert len({row["a"] for row in rows}) == 8
    assert all(timedelta(0) <= row["a"] - planned <= timedelta(days=1, minutes=1) for row in rows)


async def test_what_arrives_after_the_plan_waits_for_the_next_group(grouped: Hub) -> None:
    ann = await grouped.mediator()
    await waiting(grouped, ann, 3)
    async with grouped.later(days=1) as night:
        await night.work()
    await waiting(grouped, ann, 1)
    assert await seen_after(grouped, ann, 3) == 3


async def test_after_a_month_a_piece_arrives_alone_only_if_its_giver_allowed_that(grouped: Hub) -> None:
    ann = await grouped.mediator()
    today = grouped.database.now()
    (allowed,) = await waiting(grouped, ann, 1, received_at=today, share_alone=True)
    await waiting(grouped, ann, 1, received_at=today)
    async with grouped.later(days=29) as before:
        await before.work()
        assert await grouped.rows("SELECT FROM feedback WHERE release_at IS NOT NULL") == []
    async with grouped.later(days=30) as night:
        await night.work()
    async with grouped.later(days=31) as then:
        await then.work()
        assert [row["id"] for row in await grouped.rows("SELECT id FROM feedback WHERE released")] == [allowed]


@pytest.mark.parametrize(
    ("addresses", "seen"),
    [
        (["198.51.100.1", "198.51.100.77", "198.51.100.200"], 0),
        (["198.51.100.1", "198.51.100.77", "198.51.101.1", "203.0.113.5"], 4),
        (["2001:db8::1", "2001:db8::2", "2001:db8::3"], 0),
        (["2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:3::1"], 3),
        (["198.51.100.1", "::ffff:198.51.100.2", "64:ff9b::c633:6403"], 0),
    ],
)
async def test_pieces_from_one_neighbourhood_count_as_one_persons(
    grouped: Hub, addresses: list[str], seen: int
) -> None:
    ann = await grouped.mediator()
    for address in addresses:
        await give_from(grouped, address, ann)
    assert await seen_after(grouped, ann, 1) == seen


@pytest.mark.parametrize("admission", ["HELD", "DISCARDED"])
async def test_what_is_not_admitted_makes_no_group_larger_but_its_receipt_shows_the_same(
    grouped: Hub, admission: str
) -> None:
    ann = await grouped.mediator()
    await waiting(grouped, ann, 2)
    (other,) = await waiting(grouped, ann, 1, admission=admission, network_hash=b"n")
    assert await seen_after(grouped, ann, 2) == 0
    released = "SELECT id, network_hash FROM feedback WHERE released"
    assert await grouped.rows(released) == []
    await waiting(grouped, ann, 1)
    async with grouped.later(days=4) as night:
        await night.work()
    async with grouped.later(days=5) as day:
        await day.work()
        assert await seen_by(day, ann) == 3
    rows = {row["id"]: row["network_hash"] for row in await grouped.rows(released)}
    assert len(rows) == 4
    assert rows[other] == (b"n" if admission == "HELD" else None)


@pytest.mark.parametrize("admission", ["ADMITTED", "HELD", "DISCARDED"])
async def test_a_piece_that_may_arrive_alone_is_released_after_a_month_whether_or_not_it_counts(
    grouped: Hub, admission: str
) -> None:
    ann = await grouped.mediator()
    await waiting(grouped, ann, 1, received_at=grouped.database.now(), share_alone=True, admission=admission)
    for days in (30, 31):
        async with grouped.later(days=days) as then:
            await then.work()
    assert len(await grouped.rows("SELECT FROM feedback WHERE released")) == 1


async def test_pieces_that_are_shared_later_still_count_as_one_neighbourhoods(grouped: Hub) -> None:
    ann = await grouped.mediator()
    codes = [await give_from(grouped, f"198.51.100.{number}", ann, share=False) for number in range(3)]
    for code in codes:
        payload(await grouped.change("changeFeedbackSharing", {"code": code, "share": True}))
    assert await seen_after(grouped, ann, 2) == 0


async def test_a_piece_that_is_no_longer_shared_is_not_released_with_its_group(grouped: Hub) -> None:
    ann = await grouped.mediator()
    await waiting(grouped, ann, 2)
    code = await give_from(grouped, "198.51.100.1", ann)
    async with grouped.later(days=1) as night:
        await night.work()
    assert len(await grouped.rows("SELECT FROM feedback WHERE release_at IS NOT NULL")) == 3
    payload(await grouped.change("changeFeedbackSharing", {"code": code, "share": False}))
    assert await seen_after(grouped, ann, 2) == 0


async def test_a_neighbourhood_is_kept_only_while_a_shared_piece_waits(grouped: Hub) -> None:
    ann, bea = await grouped.mediator(), await grouped.mediator()
    for about in (ann, bea):
        for number in range(3):
            await give_from(grouped, f"198.51.{number}.1", about)
    await give_from(grouped, "198.51.9.1", ann, share=False)
    rows = await grouped.rows("SELECT network_hash FROM feedback WHERE network_hash IS NOT NULL")
    assert len({row["network_hash"] for row in rows}) == 6  # the same for nobody else
    assert await seen_after(grouped, ann, 1) == 3
    assert await grouped.rows("SELECT FROM feedback WHERE network_hash IS NOT NULL OR release_at IS NOT NULL") == []


async def test_a_group_that_became_too_small_waits_on(grouped: Hub) -> None:
    ann = await grouped.mediator()
    first, *_ = await waiting(grouped, ann, 3)
    async with grouped.later(days=1) as night:
        await night.work()
    await grouped.rows("DELETE FROM feedback WHERE id = $1", first)
    async with grouped.later(days=2, minutes=1) as then:
        await then.work()
        assert await seen_by(then, ann) == 0
    assert await seen_after(grouped, ann, 3) == 0
    await waiting(grouped, ann, 1)
    assert await seen_after(grouped, ann, 5) == 3


async def test_nothing_that_the_mediator_reads_changes_while_pieces_wait(grouped: Hub) -> None:
    ann = await grouped.mediator()
    read = "{ me { mediator { feedback { totalCount nodes { id answers { question rating } } } } } }"
    before = (await grouped.ask(read, by=ann)).body
    for number in range(4):
        await give_from(grouped, f"198.51.{number}.1", ann, shareAlone=number == 2)
        await grouped.work()
        assert (await grouped.ask(read, by=ann)).body == before


async def test_to_arrive_alone_is_kept_only_with_sharing(grouped: Hub) -> None:
    ann = await grouped.mediator()
    for share in (True, False):
        await give_from(grouped, "198.51.100.1", ann, share=share, shareAlone=True)
    rows = await grouped.rows("SELECT shared, share_alone FROM feedback")
    assert sorted(tuple(row) for row in rows) == [(False, False), (True, True)]


async def test_in_the_demo_shared_feedback_arrives_at_once(hub: Hub) -> None:
    ann = await hub.mediator()
    facts = ANSWERS | {"mediatorId": str(ann.id)}
    payload(await hub.change("giveFeedback", facts | {"share": True}))
    payload(await hub.change("giveFeedback", facts | {"share": False}))
    assert await seen_by(hub, ann) == 1
