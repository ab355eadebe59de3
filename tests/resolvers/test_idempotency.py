"""Repeated requests: a `requestKey` counts for one change, by one account, of one kind and within one day."""

import asyncio
from typing import Any

import pytest

from models.account import Role
from tests.hub import Hub, payload, problems

CPD = {"kind": "OTHER", "title": "Listening", "startedOn": "2024-01-01", "endedOn": "2024-01-01", "minutes": 60}
CASE = {
    "role": "OBSERVER",
    "medium": "ONLINE",
    "startedOn": "2024-01-01",
    "endedOn": "2024-01-01",
    "minutes": 60,
    "outcome": "ONGOING",
}
GIVEN = {"capacity": "PARTY", "actedAs": "MEDIATOR", "answers": [{"question": "listening", "rating": 4}]}


async def add(hub: Hub, who: Any, key: str | None, title: str = "Listening") -> dict[str, Any]:
    entry = CPD | {"title": title} | ({"requestKey": key} if key is not None else {})
    added: dict[str, Any] = payload(await hub.change("addCpdEntry", entry, "cpdEntry { id title }", by=who))
    return added["cpdEntry"]  # type: ignore[no-any-return]  # JSON


async def test_of_two_contents_sent_at_once_with_one_key_one_is_kept_and_one_refused(hub: Hub) -> None:
    person = await hub.mediator()
    asked = [CPD | {"title": title, "requestKey": "key"} for title in ("One", "Another") * 5]
    answers = await asyncio.gather(*(hub.change("addCpdEntry", one, "cpdEntry { title }", by=person) for one in asked))
    (made,) = await hub.rows("SELECT title FROM cpd_entry")
    for one, answer in zip(asked, answers, strict=True):
        if one["title"] == made["title"]:
            assert payload(answer)["cpdEntry"] == {"title": made["title"]}
        else:
            assert problems(answer) == [("requestKey", "REPEATED_KEY")]
            assert answer.data["addCpdEntry"]["cpdEntry"] is None


async def test_a_repeat_gets_the_answer_that_the_previous_version_kept(hub: Hub) -> None:
    person = await hub.mediator()
    first = await add(hub, person, "key")
    await hub.rows("UPDATE request_key SET content_hash = NULL")
    assert await add(hub, person, "key") == first


async def test_equal_changes_without_a_key_or_with_different_keys_are_all_made(hub: Hub) -> None:
    person = await hub.mediator()
    made = [await add(hub, person, key) for key in (None, None, "one", "two", "ONE", " one")]
    assert len({one["id"] for one in made}) == 6


async def test_the_same_key_from_somebody_else_is_another_key(hub: Hub) -> None:
    one, other = await hub.mediator(), await hub.mediator()
    assert (await add(hub, one, "key"))["id"] != (await add(hub, other, "key"))["id"]
    assert len(await hub.rows("SELECT 1 FROM cpd_entry")) == 2


async def test_the_same_key_for_another_kind_of_change_is_another_key(hub: Hub) -> None:
    person = await hub.mediator()
    await add(hub, person, "key")
    case = payload(await hub.change("addLogbookEntry", CASE | {"requestKey": "key"}, "logbookEntry { id }", by=person))
    assert case["logbookEntry"]["id"]
    assert len(await hub.rows("SELECT 1 FROM logbook_entry")) == 1


async def test_two_givers_with_the_same_key_do_not_count_as_repeats(hub: Hub) -> None:
    subjects = [await hub.mediator() for _ in range(2)]
    givers = [None, await hub.person(Role.REVIEWER), await hub.person(Role.REVIEWER)]
    for _ in range(2):
        for giver in givers:
            for subject in subjects:
                given = GIVEN | {"mediatorId": str(subject.id), "requestKey": "key"}
                payload(await hub.change("giveFeedback", given, by=giver))
    assert len(await hub.rows("SELECT 1 FROM feedback")) == 6


async def test_a_key_counts_for_24_hours(hub: Hub) -> None:
    person = await hub.mediator()
    first = await add(hub, person, "key")
    async with hub.later(hours=23) as then:
        assert await add(then, person, "key") == first
    async with hub.later(hours=25) as then:
        second = await add(then, person, "key")
        assert second["id"] != first["id"]
        assert await add(then, person, "key") == second
    async with hub.later(hours=50) as then:
        await then.work()
    assert not await hub.rows("SELECT 1 FROM request_key")


async def test_a_refused_change_does_not_use_up_its_key(hub: Hub) -> None:
    person = await hub.mediator()
    wrong = await hub.change("addCpdEntry", CPD | {"title": "", "requestKey": "key"}, by=person)
    assert wrong.data["addCpdEntry"]["userErrors"]
    assert (await add(hub, person, "key"))["title"] == "Listening"


@pytest.mark.parametrize(("length", "codes"), [(200, []), (201, ["BAD_USER_INPUT"])])
async def test_a_key_has_at_most_200_characters(hub: Hub, length: int, codes: list[str]) -> None:
    person = await hub.mediator()
    answer = await hub.change("addCpdEntry", CPD | {"requestKey": "k" * length}, by=person)
    assert answer.codes == codes
    assert len(await hub.rows("SELECT 1 FROM cpd_entry")) == (not codes)


async def test_the_table_of_keys_does_not_hold_the_keys_themselves(hub: Hub) -> None:
    person = await hub.mediator()
    await add(hub, person, "Philippa Party, 2 March")
    (row,) = await hub.rows("SELECT encode(key_hash, 'escape') AS key FROM request_key")
    assert "Philippa" not in row["key"]


async def test_an_export_asked_for_twice_with_one_key_is_made_once(hub: Hub) -> None:
    person = await hub.mediator()
    asked = [await hub.change("exportMyData", {"requestKey": "key"}, "dataExport { id }", by=person) for _ in range(2)]
    assert payload(asked[0]) == payload(asked[1])
    await hub.work()
    assert len(hub.mails(person.email)) == 1
