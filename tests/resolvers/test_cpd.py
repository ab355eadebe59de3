"""The list of continuing professional development."""

from datetime import date
from typing import Any
from uuid import uuid4

import pytest

from models.account import Role
from models.cpd import CpdTag
from tests.hub import Hub, Person, payload, problems
from tests.world import put_cases, put_cpd


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


LEAST = {"kind": "MENTORING", "title": "Talk", "startedOn": "2024-01-02", "endedOn": "2024-01-03", "minutes": 90}
READ = "cpdEntry { id version format tags credits { body activity points } supervisedCaseId }"
SIMI = {"body": "SIMI", "activity": "Training", "points": "5.25"}
CMC = {"body": "CMC", "activity": None, "points": None}


async def test_one_activity_counts_for_several_bodies_in_their_own_words(hub: Hub) -> None:
    ann = await hub.mediator()
    (case,) = await put_cases(hub, ann, {})
    facts = {
        "format": "ON_DEMAND",
        "tags": ["LAW", "ETHICS", "LAW"],
        "credits": [SIMI, CMC],
        "supervisedCaseId": str(case),
    }
    made = payload(await hub.change("addCpdEntry", LEAST | facts, READ, by=ann))["cpdEntry"]
    assert made == facts | {"id": made["id"], "version": 1, "tags": ["LAW", "ETHICS"]}
    changed = {"id": made["id"], "version": 1, "tags": [], "credits": [CMC], "supervisedCaseId": None, "format": None}
    after = payload(await hub.change("updateCpdEntry", changed, READ, by=ann))["cpdEntry"]
    assert after == changed | {"version": 2}
    kept = payload(await hub.change("updateCpdEntry", {"id": made["id"], "version": 2, "minutes": 5}, READ, by=ann))
    assert kept["cpdEntry"] == changed | {"version": 3}


@pytest.mark.parametrize(
    ("given", "read"),
    [("5", "5"), ("5.00", "5"), ("0.01", "0.01"), ("9999.99", "9999.99"), ("100", "100"), (5.1, "5.1"), (3, "3")],
)
async def test_points_stay_exact(hub: Hub, given: Any, read: str) -> None:
    ann = await hub.mediator()
    made = payload(await hub.change("addCpdEntry", LEAST | {"credits": [SIMI | {"points": given}]}, READ, by=ann))
    assert made["cpdEntry"]["credits"][0]["points"] == read


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"credits": [CMC] * 11}, ("credits", "OUT_OF_RANGE")),
        ({"credits": [CMC, SIMI | {"body": " "}]}, ("credits.1.body", "REQUIRED")),
        ({"credits": [SIMI | {"body": "x" * 201}]}, ("credits.0.body", "TOO_LONG")),
        ({"credits": [SIMI | {"body": "two\nlines"}]}, ("credits.0.body", "INVALID")),
        ({"credits": [SIMI | {"activity": "x" * 201}]}, ("credits.0.activity", "TOO_LONG")),
        *(
            ({"credits": [SIMI | {"points": points}]}, ("credits.0.points", "OUT_OF_RANGE"))
            for points in ("0", "0.00", "-1", "0.001", "5.001", "10000", "9999.991", "0.010000001")
        ),
        ({"tags": list(CpdTag)[:11]}, ("tags", "OUT_OF_RANGE")),
        ({"supervisedCaseId": "nothing"}, ("supervisedCaseId", "NOT_FOUND")),
    ],
)
async def test_what_bodies_would_not_count_is_refused_and_nothing_is_saved(hub: Hub, facts: Any, told: Any) -> None:
    ann = await hub.mediator()
    entry = payload(await hub.change("addCpdEntry", LEAST, READ, by=ann))["cpdEntry"]
    before = await hub.rows("SELECT * FROM cpd_entry JOIN cpd_private USING (id)")
    assert problems(await hub.change("addCpdEntry", LEAST | facts, by=ann)) == [told]
    changed = {"id": entry["id"], "version": 1} | facts
    assert problems(await hub.change("updateCpdEntry", changed, by=ann)) == [told]
    assert await hub.rows("SELECT * FROM cpd_entry JOIN cpd_private USING (id)") == before


@pytest.mark.parametrize("points", ["five", "", "NaN", "Infinity", "1e3", "٣", True, [], {}, "1" * 40, 1e300])
async def test_points_that_are_no_decimal_number_are_no_input(hub: Hub, points: Any) -> None:
    ann = await hub.mediator()
    answer = await hub.change("addCpdEntry", LEAST | {"credits": [SIMI | {"points": points}]}, by=ann)
    assert answer.codes == ["BAD_USER_INPUT"]
    assert await hub.rows("SELECT 1 FROM cpd_entry") == []


async def test_only_an_own_case_was_supervised_and_anyone_elses_is_as_unknown_as_none(hub: Hub) -> None:
    ann, bea = await hub.mediator(), await hub.mediator()
    (own,), (foreign,) = await put_cases(hub, ann, {}), await put_cases(hub, bea, {})
    entry = payload(await hub.change("addCpdEntry", LEAST | {"supervisedCaseId": str(own)}, READ, by=ann))["cpdEntry"]
    answers = [
        await hub.change("updateCpdEntry", {"id": entry["id"], "version": 1, "supervisedCaseId": str(one)}, by=ann)
        for one in (foreign, uuid4(), "nothing")
    ]
    assert problems(answers[0]) == [("supervisedCaseId", "NOT_FOUND")]
    assert answers[1].body == answers[2].body == answers[0].body
    payload(await hub.change("deleteLogbookEntry", {"id": str(own)}, by=ann))
    document = "query($id: ID!) { me { mediator { cpdEntry(id: $id) { version supervisedCaseId } } } }"
    left = (await hub.ask(document, {"id": entry["id"]}, by=ann)).data["me"]["mediator"]["cpdEntry"]
    assert (left["supervisedCaseId"], left["version"]) == (None, 1)


async def test_filters_and_facets_know_tags_and_formats(hub: Hub) -> None:
    ann = await hub.mediator()
    await put_cpd(
        hub,
        ann,
        {"title": "A", "tags": ["ETHICS", "LAW"], "format": "LIVE"},
        {"title": "B", "tags": ["LAW"], "format": "ONLINE"},
        {"title": "C", "tags": [], "format": None},
    )
    for condition, found in (
        ("tags: ETHICS", ["A"]),
        ("tags: [ETHICS, LAW]", ["A", "B"]),
        ("tags: TRAUMA", []),
        ("format: ONLINE", ["B"]),
        ("format: ONLINE, tags: ETHICS", []),
    ):
        assert await titles(hub, ann, condition) == found, condition
    facets = (await hub.ask("{ me { mediator { cpdFacets { tags } } } }", by=ann)).data["me"]["mediator"]["cpdFacets"]
    assert facets == {"tags": ["ETHICS", "LAW"]}


async def test_a_directory_reads_what_counts_but_not_which_case_was_supervised(hub: Hub) -> None:
    ann, directory, admin = await hub.mediator(), await hub.person(Role.DIRECTORY), await hub.person(Role.ADMIN)
    (case,) = await put_cases(hub, ann, {})
    entry = LEAST | {"tags": ["LAW"], "credits": [SIMI], "supervisedCaseId": str(case)}
    payload(await hub.change("addCpdEntry", entry, by=ann))
    for by in (directory, admin):
        document = "{ mediators { nodes { cpd { nodes { format tags credits { body activity points } %s } } } } }"
        shown = (await hub.ask(document % "", by=by)).data["mediators"]["nodes"][0]["cpd"]["nodes"]
        assert shown == [{"format": None, "tags": ["LAW"], "credits": [SIMI]}]
        assert (await hub.ask(document % "supervisedCaseId", by=by)).codes == ["GRAPHQL_VALIDATION_FAILED"]
    signed_out = await hub.ask("{ mediators { nodes { cpd { nodes { tags } } } } }")
    assert signed_out.codes == ["GRAPHQL_VALIDATION_FAILED"]
