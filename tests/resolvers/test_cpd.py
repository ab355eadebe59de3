"""The list of continuing professional development."""

from datetime import date
from typing import Any

from tests.hub import Hub, Person, payload
from tests.world import put_cpd


async def titles(hub: Hub, mediator: Person, condition: str) -> list[str]:
    document = f"{{ me {{ mediator {{ cpd(filter: {{ {condition} }}) {{ totalCount nodes {{ title }} }} }} }} }}"
    page = (await hub.ask(document, by=mediator)).data["me"]["mediator"]["cpd"]
    assert page["totalCount"] == len(page["nodes"])
    return sorted(node["title"] for node in page["nodes"])


async def test_every_filter_keeps_only_what_matches(hub: Hub) -> None:
    ann, other = await hub.mediator(), await hub.mediator()
    await put_cpd(
        hub,
        ann,
        {"title": "A", "kind": "CONFERENCE", "provider": "School of Listening"},
        {"title": "B", "started_on": date(2022, 12, 31), "ended_on": date(2023, 1, 1), "takeaways": "listen MORE"},
        {"title": "Listening C", "evidence_url": "https://demo.example/listen"},
    )
    await put_cpd(hub, other, {"title": "Theirs"})
    for condition, found in (
        ("", ["A", "B", "Listening C"]),
        ("kind: CONFERENCE", ["A"]),
        ("year: 2023", ["B"]),
        ("year: 2022", []),
        ('text: "LISTEN"', ["A", "B", "Listening C"]),
        ('text: "more"', ["B"]),
        ('text: "demo.example"', []),
        ('text: " "', ["A", "B", "Listening C"]),
        ('kind: CONFERENCE, text: "school"', ["A"]),
        ('kind: OTHER, text: "school"', []),
    ):
        assert await titles(hub, ann, condition) == found, condition


async def test_an_entry_reads_back_as_it_was_written(hub: Hub) -> None:
    ann = await hub.mediator()
    written: dict[str, Any] = {
        "kind": "CONFERENCE",
        "title": "Talk",
        "provider": "School",
        "startedOn": "2024-01-02",
        "endedOn": "2024-01-03",
        "minutes": 600_000,
        "evidenceUrl": "https://demo.example/paper?a=b#c",
        "takeaways": "two\nlines",
    }
    made = payload(await hub.change("addCpdEntry", written, f"cpdEntry {{ {' '.join(written)} version }}", by=ann))
    assert made["cpdEntry"] == written | {"version": 1}
    listed = await hub.ask(f"{{ me {{ mediator {{ cpd {{ nodes {{ {' '.join(written)} }} }} }} }} }}", by=ann)
    assert listed.data["me"]["mediator"]["cpd"]["nodes"] == [written]
