"""Learnings: a mediator's reflections, gathered from the logbook and CPD as they are now."""

from datetime import date
from typing import Any

from tests.hub import Hub, Person, payload
from tests.world import put_cases, put_cpd


async def learnings(hub: Hub, mediator: Person, condition: str = "") -> list[dict[str, Any]]:
    document = f"""{{ me {{ mediator {{ learnings(filter: {{ {condition} }}) {{
        totalCount nodes {{ id date source kind text entryId }} }} }} }} }}"""
    page = (await hub.ask(document, by=mediator)).data["me"]["mediator"]["learnings"]
    assert page["totalCount"] == len(page["nodes"])
    nodes: list[dict[str, Any]] = page["nodes"]
    return nodes


async def put_reflections(hub: Hub, mediator: Person) -> tuple[str, str]:
    (case, _) = await put_cases(
        hub,
        mediator,
        {"ended_on": date(2024, 5, 7), "did_well": "waited", "found_challenging": "the noise", "notes": "no learning"},
        {"reference": "no learning", "parties": "no learning"},
    )
    (course, _) = await put_cpd(
        hub, mediator, {"ended_on": date(2023, 1, 1), "takeaways": "wait longer"}, {"title": "no learning"}
    )
    return str(case), str(course)


async def test_each_reflection_is_one_learning_newest_first(hub: Hub) -> None:
    ann = await hub.mediator()
    case, course = await put_reflections(hub, ann)
    await put_reflections(hub, await hub.mediator())
    found = await learnings(hub, ann)
    assert [one["date"] for one in found] == ["2024-05-07", "2024-05-07", "2023-01-01"]
    assert sorted((one["source"], one["kind"], one["text"], one["entryId"]) for one in found) == [
        ("CPD", "TAKEAWAY", "wait longer", course),
        ("MEDIATION", "DID_WELL", "waited", case),
        ("MEDIATION", "FOUND_CHALLENGING", "the noise", case),
    ]


async def test_every_filter_keeps_only_what_matches(hub: Hub) -> None:
    ann = await hub.mediator()
    await put_reflections(hub, ann)
    for condition, texts in (
        ("source: CPD", ["wait longer"]),
        ("source: MEDIATION", ["the noise", "waited"]),
        ("kind: DID_WELL", ["waited"]),
        ("kind: TAKEAWAY, source: MEDIATION", []),
        ("year: 2023", ["wait longer"]),
        ('text: "WAIT"', ["wait longer", "waited"]),
        ('text: "no learning"', []),
        ('text: ""', ["the noise", "wait longer", "waited"]),
    ):
        assert sorted(one["text"] for one in await learnings(hub, ann, condition)) == texts, condition


async def test_a_learning_keeps_its_id_and_follows_its_entry(hub: Hub) -> None:
    ann = await hub.mediator()
    case, _ = await put_reflections(hub, ann)
    before = {one["kind"]: one["id"] for one in await learnings(hub, ann)}
    assert len(set(before.values())) == 3
    payload(await hub.change("updateLogbookEntry", {"id": case, "version": 1, "didWell": "waited on"}, by=ann))
    after = await learnings(hub, ann)
    assert {one["kind"]: one["id"] for one in after} == before
    assert "waited on" in {one["text"] for one in after}
    payload(await hub.change("updateLogbookEntry", {"id": case, "version": 2, "didWell": None}, by=ann))
    payload(await hub.change("deleteLogbookEntry", {"id": case}, by=ann))
    assert [one["text"] for one in await learnings(hub, ann)] == ["wait longer"]
