"""Opening balances: hours from before the logbook, which their mediator declares and others read."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from models.account import Role
from models.mediator import Visibility
from tests.hub import Hub, Person, payload, problems
from tests.world import put_token, statements

LEAD = {"role": "LEAD_MEDIATOR", "minutes": 7_200, "cases": 40, "before": "2020-01-01"}
READ = "id role minutes cases before version"
OWN = f"{{ me {{ mediator {{ openingBalances {{ {READ} }} }} }} }}"
SHOWN = "{ mediators { nodes { id openingBalances { role minutes cases before } } } }"


async def add(hub: Hub, by: Person, **facts: Any) -> dict[str, Any]:
    made = payload(await hub.change("addOpeningBalance", LEAD | facts, f"openingBalance {{ {READ} }}", by=by))
    balance: dict[str, Any] = made["openingBalance"]
    return balance


async def own(hub: Hub, by: Person) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await hub.ask(OWN, by=by)).data["me"]["mediator"]["openingBalances"]
    return found


async def test_a_balance_reads_back_as_declared_the_earliest_first(hub: Hub) -> None:
    ann = await hub.mediator()
    later, earlier = await add(hub, ann), await add(hub, ann, before="2010-05-06", role="OBSERVER", cases=None)
    assert later == LEAD | {"id": later["id"], "version": 1}
    assert await own(hub, ann) == [earlier, later]
    document = "{ me { mediator { experience { minutes cases byYear { year } } logbook { totalCount } } } }"
    mediator = (await hub.ask(document, by=ann)).data["me"]["mediator"]
    assert mediator == {"experience": {"minutes": 0, "cases": 0, "byYear": []}, "logbook": {"totalCount": 0}}


async def test_directories_and_administrators_read_it_and_nobody_else_does(hub: Hub) -> None:
    ann, hidden = await hub.mediator(), await hub.mediator(visibility=Visibility.PRIVATE)
    await add(hub, ann)
    await add(hub, hidden)
    directory, admin = await hub.person(Role.DIRECTORY), await hub.person(Role.ADMIN)
    found = (await hub.ask(SHOWN, by=directory)).data["mediators"]["nodes"]
    assert found == [{"id": str(ann.id), "openingBalances": [LEAD]}]
    found = (await hub.ask(SHOWN, by=admin)).data["mediators"]["nodes"]
    assert [node["openingBalances"] for node in found] == [[LEAD], [LEAD]]
    version = SHOWN.replace("before", "version")
    for by in (directory, admin):
        assert (await hub.ask(version, by=by)).codes == ["GRAPHQL_VALIDATION_FAILED"]
    reviewer, stranger = await hub.person(Role.REVIEWER), await hub.mediator()
    await hub.appointed(ann, reviewer)
    for somebody in (reviewer, None):
        assert (await hub.ask(SHOWN, by=somebody)).codes == ["GRAPHQL_VALIDATION_FAILED"]
    assert await own(hub, stranger) == []


async def test_somebody_with_several_roles_reads_what_their_standing_towards_each_mediator_allows(hub: Hub) -> None:
    cyd = await hub.person(Role.MEDIATOR, Role.REVIEWER, Role.DIRECTORY)
    listed, reviewed = await hub.mediator(), await hub.mediator(visibility=Visibility.PRIVATE)
    await hub.appointed(reviewed, cyd)
    for person in (cyd, listed, reviewed):
        await add(hub, person)
    found = (await hub.ask("{ mediators { nodes { id openingBalances { minutes version } } } }", by=cyd)).data
    assert {node["id"]: node["openingBalances"] for node in found["mediators"]["nodes"]} == {
        str(cyd.id): [{"minutes": 7_200, "version": 1}],
        str(listed.id): [{"minutes": 7_200, "version": None}],
        str(reviewed.id): None,
    }


async def test_those_of_many_mediators_are_loaded_by_one_statement(hub: Hub) -> None:
    directory = await hub.person(Role.DIRECTORY)
    for _ in range(4):
        ann = await hub.mediator()
        await add(hub, ann)
        await add(hub, ann, role="OBSERVER")
    async with statements(hub) as run:
        answer = await hub.ask(SHOWN, by=directory)
    assert [len(node["openingBalances"]) for node in answer.data["mediators"]["nodes"]] == [2] * 4
    assert len([sql for sql in run if "opening_balance" in sql]) == 1


async def test_an_update_changes_only_what_is_given_and_a_second_tab_gets_a_conflict(hub: Hub) -> None:
    ann = await hub.mediator()
    balance = await add(hub, ann)
    change = {"id": balance["id"], "version": 1, "minutes": 60}
    fields = f"openingBalance {{ {READ} }} current {{ {READ} }}"
    changed = payload(await hub.change("updateOpeningBalance", change, fields, by=ann))["openingBalance"]
    assert changed == balance | {"minutes": 60, "version": 2}
    answer = await hub.change("updateOpeningBalance", change | {"minutes": 1}, fields, by=ann)
    assert problems(answer) == [("version", "CONFLICT")]
    assert answer.data["updateOpeningBalance"]["current"] == changed
    emptied = {"id": balance["id"], "version": 2, "cases": None}
    assert payload(await hub.change("updateOpeningBalance", emptied, fields, by=ann))["openingBalance"]["cases"] is None
    for name in ("role", "minutes", "before"):
        answer = await hub.change("updateOpeningBalance", {"id": balance["id"], "version": 3, name: None}, by=ann)
        assert problems(answer) == [(name, "REQUIRED")]
    assert await own(hub, ann) == [changed | {"cases": None, "version": 3}]


async def test_values_at_the_limits_are_accepted_and_beyond_them_refused(hub: Hub) -> None:
    ann = await hub.mediator()
    today = hub.database.latest_today()
    for facts in (
        {"minutes": 1, "cases": 1, "before": "1950-01-01"},
        {"minutes": 6_000_000, "cases": 100_000, "before": today.isoformat()},
        {"cases": None},
    ):
        balance = await add(hub, ann, **facts)
    before = await hub.rows("SELECT * FROM opening_balance ORDER BY id")
    for name, value in (
        *(("minutes", minutes) for minutes in (0, -1, 6_000_001)),
        *(("cases", cases) for cases in (0, -1, 100_001)),
        *(("before", day) for day in ("1949-12-31", (today + timedelta(days=1)).isoformat())),
    ):
        assert problems(await hub.change("addOpeningBalance", LEAD | {name: value}, by=ann)) == [(name, "OUT_OF_RANGE")]
        change = {"id": balance["id"], "version": 1, name: value}
        assert problems(await hub.change("updateOpeningBalance", change, by=ann)) == [(name, "OUT_OF_RANGE")]
    assert await hub.rows("SELECT * FROM opening_balance ORDER BY id") == before


async def test_there_are_at_most_twenty_even_if_they_come_at_once(hub: Hub) -> None:
    ann, bea = await hub.mediator(), await hub.mediator()
    for _ in range(18):
        await add(hub, ann)
    answers = await asyncio.gather(*(hub.change("addOpeningBalance", LEAD, by=ann) for _ in range(4)))
    assert sorted(map(problems, answers)) == [[], [], [(None, "NOT_ALLOWED")], [(None, "NOT_ALLOWED")]]
    await add(hub, bea)
    found = await own(hub, ann)
    assert len(found) == 20
    payload(await hub.change("deleteOpeningBalance", {"id": found[0]["id"]}, by=ann))
    await add(hub, ann)


async def test_a_repeated_request_adds_one(hub: Hub) -> None:
    ann = await hub.mediator()
    first = await add(hub, ann, requestKey="k")
    assert await add(hub, ann, requestKey="k") == first
    assert problems(await hub.change("addOpeningBalance", LEAD | {"requestKey": "k", "minutes": 1}, by=ann)) == [
        ("requestKey", "REPEATED_KEY")
    ]
    assert await own(hub, ann) == [first]


@pytest.mark.parametrize("mutation", ["updateOpeningBalance", "deleteOpeningBalance"])
async def test_somebody_elses_is_as_unknown_as_none(hub: Hub, mutation: str) -> None:
    ann, bea = await hub.mediator(), await hub.mediator()
    theirs = await add(hub, bea)
    change = {"version": 1, "minutes": 1} if mutation.startswith("update") else {}
    answers = [await hub.change(mutation, {"id": one} | change, by=ann) for one in (theirs["id"], str(uuid4()), "no")]
    assert problems(answers[0]) == [("id", "NOT_FOUND")]
    assert answers[1].body == answers[2].body == answers[0].body
    for by in (await hub.person(Role.DIRECTORY), await hub.person(Role.ADMIN), await hub.person(Role.REVIEWER), None):
        refused = await hub.change(mutation, {"id": theirs["id"]} | change, by=by)
        assert set(refused.codes) == {"GRAPHQL_VALIDATION_FAILED"}
        refused = await hub.change("addOpeningBalance", LEAD, by=by)
        assert set(refused.codes) == {"GRAPHQL_VALIDATION_FAILED"}
    assert await own(hub, bea) == [theirs]
    payload(await hub.change("deleteOpeningBalance", {"id": theirs["id"]}, by=bea))
    assert await own(hub, bea) == []


async def test_an_api_token_adds_an_opening_balance_too(hub: Hub) -> None:
    ann = await hub.mediator()
    balance = {"role": "LEAD_MEDIATOR", "minutes": 7_200, "before": "2020-01-01"}
    payload(await hub.change("addOpeningBalance", balance, token=await put_token(hub, ann)))
