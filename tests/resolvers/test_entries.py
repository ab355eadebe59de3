"""Adding, changing and deleting entries of either kind: all or nothing, and never over somebody's newer text."""

import asyncio
from datetime import timedelta
from typing import Any, NamedTuple

import pytest

from tests.hub import Hub, payload, problems


class Kind(NamedTuple):
    """One kind of entry: its mutations, its fields and its tables."""

    noun: str
    field: str
    least: dict[str, Any]
    private: str
    tables: str


CASE = Kind(
    "LogbookEntry",
    "logbookEntry",
    {"role": "OBSERVER", "medium": "ONLINE", "startedOn": "2024-01-02", "endedOn": "2024-01-03", "minutes": 90},
    "notes",
    "logbook_entry JOIN logbook_private USING (id)",
)
CPD = Kind(
    "CpdEntry",
    "cpdEntry",
    {"kind": "OTHER", "title": "Talk", "startedOn": "2024-01-02", "endedOn": "2024-01-03", "minutes": 90},
    "takeaways",
    "cpd_entry JOIN cpd_private USING (id)",
)
both = pytest.mark.parametrize("kind", [CASE, CPD], ids=lambda kind: kind.field)


async def add(hub: Hub, kind: Kind, by: Any, **facts: Any) -> str:
    made = payload(await hub.change(f"add{kind.noun}", kind.least | facts, f"{kind.field} {{ id }}", by=by))
    return str(made[kind.field]["id"])


async def stored(hub: Hub, kind: Kind) -> list[Any]:
    return await hub.rows(f"SELECT * FROM {kind.tables} ORDER BY id")


@both
async def test_an_update_changes_only_what_is_given_and_counts_the_edit(hub: Hub, kind: Kind) -> None:
    ann = await hub.mediator()
    entry = await add(hub, kind, ann, **{kind.private: "first"})
    answer = await hub.change(
        f"update{kind.noun}",
        {"id": entry, "version": 1, "minutes": 91},
        f"{kind.field} {{ minutes version {kind.private} }} current {{ id }}",
        by=ann,
    )
    assert payload(answer)[kind.field] == {"minutes": 91, "version": 2, kind.private: "first"}
    answer = await hub.change(
        f"update{kind.noun}",
        {"id": entry, "version": 2, kind.private: None},
        f"{kind.field} {{ minutes version {kind.private} }}",
        by=ann,
    )
    assert payload(answer)[kind.field] == {"minutes": 91, "version": 3, kind.private: None}


@both
async def test_the_second_of_two_tabs_gets_a_conflict_that_shows_the_current_entry(hub: Hub, kind: Kind) -> None:
    ann = await hub.mediator()
    entry = await add(hub, kind, ann, **{kind.private: "mine"})
    payload(await hub.change(f"update{kind.noun}", {"id": entry, "version": 1, kind.private: "newer"}, by=ann))
    before = await stored(hub, kind)
    for version in (1, 0, -1, 3, 2**31 - 1):
        answer = await hub.change(
            f"update{kind.noun}",
            {"id": entry, "version": version, kind.private: "older", "minutes": 5},
            f"{kind.field} {{ id }} current {{ id minutes version {kind.private} }}",
            by=ann,
        )
        assert problems(answer) == [("version", "CONFLICT")]
        told = answer.data[f"update{kind.noun}"]
        assert told[kind.field] is None
        assert told["current"] == {"id": entry, "minutes": 90, "version": 2, kind.private: "newer"}
    assert await stored(hub, kind) == before


@both
async def test_of_two_updates_at_once_one_wins_and_the_other_is_told(hub: Hub, kind: Kind) -> None:
    ann = await hub.mediator()
    entry = await add(hub, kind, ann)
    answers = await asyncio.gather(
        *(
            hub.change(f"update{kind.noun}", {"id": entry, "version": 1, kind.private: text}, by=ann)
            for text in ("one", "two")
        )
    )
    assert sorted(problems(answer) for answer in answers) == [[], [("version", "CONFLICT")]]
    (row,) = await stored(hub, kind)
    assert row["version"] == 2


@both
async def test_required_fields_cannot_be_emptied(hub: Hub, kind: Kind) -> None:
    ann = await hub.mediator()
    entry = await add(hub, kind, ann)
    before = await stored(hub, kind)
    blanks = [*kind.least, *(["outcome", "simulated"] if kind is CASE else [])]
    answer = await hub.change(
        f"update{kind.noun}",
        {"id": entry, "version": 1, kind.private: "changed"} | dict.fromkeys(blanks),
        f"{kind.field} {{ id }}",
        by=ann,
    )
    assert sorted(problems(answer)) == sorted((name, "REQUIRED") for name in blanks)
    assert await stored(hub, kind) == before


@both
async def test_all_wrong_values_are_named_at_once_and_nothing_is_saved(hub: Hub, kind: Kind) -> None:
    ann = await hub.mediator()
    entry = await add(hub, kind, ann)
    before = await stored(hub, kind)
    for facts, told in (
        ({"minutes": 0}, {("minutes", "OUT_OF_RANGE")}),
        ({"minutes": 600_001}, {("minutes", "OUT_OF_RANGE")}),
        ({"minutes": -5}, {("minutes", "OUT_OF_RANGE")}),
        ({"startedOn": "2024-01-04"}, {("endedOn", "OUT_OF_RANGE")}),
        ({"startedOn": "1949-12-31"}, {("startedOn", "OUT_OF_RANGE")}),
        ({"endedOn": "9999-12-31"}, {("endedOn", "OUT_OF_RANGE")}),
        ({kind.private: "x" * 10_001}, {(kind.private, "TOO_LONG")}),
        ({kind.private: "x" * 10_001, "minutes": 0}, {(kind.private, "TOO_LONG"), ("minutes", "OUT_OF_RANGE")}),
    ):
        added = await hub.change(f"add{kind.noun}", kind.least | facts, by=ann)
        changed = await hub.change(f"update{kind.noun}", {"id": entry, "version": 1} | facts, by=ann)
        for answer in (added, changed):
            assert set(problems(answer)) == told, facts
    assert await stored(hub, kind) == before


async def test_values_at_the_limits_are_accepted(hub: Hub) -> None:
    ann = await hub.mediator()
    today = hub.database.latest_today().isoformat()
    for facts in (
        {"minutes": 1},
        {"minutes": 600_000, "startedOn": "1950-01-01"},
        {"startedOn": "1950-01-01", "endedOn": today},
        {"notes": "x" * 10_000, "parties": "\N{GRINNING FACE}" * 10_000},
        {"country": "x" * 200, "partyCount": 10_000},
    ):
        await add(hub, CASE, ann, **facts)
    for facts, told in (
        ({"partyCount": 10_001}, ("partyCount", "OUT_OF_RANGE")),
        ({"partyCount": 0}, ("partyCount", "OUT_OF_RANGE")),
        ({"country": "x" * 201}, ("country", "TOO_LONG")),
        ({"country": "two\nlines"}, ("country", "INVALID")),
    ):
        assert problems(await hub.change("addLogbookEntry", CASE.least | facts, by=ann)) == [told]
    tomorrow = (hub.database.latest_today() + timedelta(days=2)).isoformat()
    answer = await hub.change("addLogbookEntry", CASE.least | {"endedOn": tomorrow}, by=ann)
    assert problems(answer) == [("endedOn", "OUT_OF_RANGE")]


@both
async def test_a_deleted_entry_is_gone_with_its_private_part(hub: Hub, kind: Kind) -> None:
    ann = await hub.mediator()
    entry, kept = await add(hub, kind, ann, **{kind.private: "gone"}), await add(hub, kind, ann)
    deleted = payload(await hub.change(f"delete{kind.noun}", {"id": entry}, "deletedId", by=ann))
    assert deleted["deletedId"] == entry
    (row,) = await stored(hub, kind)
    assert str(row["id"]) == kept
    (private,) = kind.tables.split()[2:3]
    assert [str(one["id"]) for one in await hub.rows(f"SELECT id FROM {private}")] == [kept]
    for mutation, facts in ((f"delete{kind.noun}", {}), (f"update{kind.noun}", {"version": 1})):
        assert problems(await hub.change(mutation, {"id": entry} | facts, by=ann)) == [("id", "NOT_FOUND")]


@both
async def test_equal_entries_are_added_twice_but_a_repeated_request_only_once(hub: Hub, kind: Kind) -> None:
    ann, bea = await hub.mediator(), await hub.mediator()
    first = await add(hub, kind, ann, requestKey="k")
    assert await add(hub, kind, ann, requestKey="k") == first
    assert await add(hub, kind, ann, requestKey="other") != first
    assert await add(hub, kind, bea, requestKey="k") != first
    assert await add(hub, kind, ann) != await add(hub, kind, ann)
    assert len(await stored(hub, kind)) == 5
    at_once = await asyncio.gather(*(add(hub, kind, ann, requestKey="at once") for _ in range(4)))
    assert len(set(at_once)) == 1


@both
async def test_each_payload_in_a_request_shows_what_the_changes_before_it_did(hub: Hub, kind: Kind) -> None:
    ann = await hub.mediator()
    lists = """mediator { logbook { totalCount nodes { id } } cpd { totalCount nodes { id } }
        experience(roles: [OBSERVER]) { cases } }"""
    name = f"Add{kind.noun}Input"
    document = f"""mutation($entry: {name}!) {{
        a: updateProfile(input: {{}}) {{ {lists} }}
        b: add{kind.noun}(input: $entry) {{ {kind.field} {{ id }} }}
        c: updateProfile(input: {{}}) {{ {lists} }} }}"""
    answer = (await hub.ask(document, {"entry": kind.least}, by=ann)).data
    listed = "logbook" if kind is CASE else "cpd"
    assert answer["a"]["mediator"][listed] == {"totalCount": 0, "nodes": []}
    made = {"id": answer["b"][kind.field]["id"]}
    assert answer["c"]["mediator"][listed] == {"totalCount": 1, "nodes": [made]}
    assert answer["c"]["mediator"]["experience"]["cases"] == (kind is CASE)
