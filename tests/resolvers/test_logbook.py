"""The logbook's filters, and the experience it adds up to."""

import random
from collections import Counter
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from models.account import Role
from models.logbook import CaseRole
from tests.hub import Hub, Person
from tests.world import put_cases

EXPERIENCE = "{ minutes cases simulatedMinutes byRole { role minutes cases } byYear { year minutes cases } }"


async def experience(hub: Hub, mediator: Person, argument: str = "") -> Any:
    answer = await hub.ask(f"{{ me {{ mediator {{ experience{argument} {EXPERIENCE} }} }} }}", by=mediator)
    return answer.data["me"]["mediator"]["experience"]


def added_up(cases: list[dict[str, Any]]) -> dict[str, Any]:
    """What cases add up to, worked out independently."""
    real = [case for case in cases if not case["simulated"]]
    minutes, numbers = Counter[Any](), Counter[Any]()
    for case in real:
        for key in (case["role"], case["ended_on"].year):
            minutes[key] += case["minutes"]
            numbers[key] += 1
    return {
        "minutes": sum(case["minutes"] for case in real),
        "cases": len(real),
        "simulatedMinutes": sum(case["minutes"] for case in cases if case["simulated"]),
        "byRole": [
            {"role": role, "minutes": minutes[role], "cases": numbers[role]} for role in CaseRole if numbers[role]
        ],
        "byYear": [
            {"year": year, "minutes": minutes[year], "cases": numbers[year]}
            for year in sorted(key for key in numbers if isinstance(key, int))
        ],
    }


async def test_experience_adds_up_by_role_and_year_apart_from_simulated_cases(hub: Hub) -> None:
    ann, other = await hub.mediator(), await hub.mediator()
    chance = random.Random(7)
    cases = []
    for _ in range(80):
        ended = date(chance.randint(2018, 2024), chance.choice([1, 6, 12]), chance.choice([1, 31 - 1, 15]))
        cases.append(
            {
                "role": chance.choice(list(CaseRole)[:5]),
                "started_on": ended.replace(year=ended.year - chance.randint(0, 1)),
                "ended_on": ended,
                "minutes": chance.randint(1, 600_000),
                "simulated": chance.random() < 0.3,
            }
        )
    await put_cases(hub, ann, *cases)
    await put_cases(hub, other, {"minutes": 1})
    assert await experience(hub, ann) == added_up(cases)
    for role in CaseRole:
        assert await experience(hub, ann, f"(role: {role})") == added_up([c for c in cases if c["role"] == role])


async def test_a_case_counts_in_the_year_of_its_last_day(hub: Hub) -> None:
    ann = await hub.mediator()
    await put_cases(
        hub,
        ann,
        {"started_on": date(2022, 12, 31), "ended_on": date(2023, 1, 1), "minutes": 5},
        {"started_on": date(2023, 12, 31), "ended_on": date(2023, 12, 31), "minutes": 7},
    )
    assert (await experience(hub, ann))["byYear"] == [{"year": 2023, "minutes": 12, "cases": 2}]
    assert [await total(hub, ann, f"year: {year}") for year in (2022, 2023, 2024)] == [0, 2, 0]


async def test_an_empty_logbook_adds_up_to_nothing(hub: Hub) -> None:
    assert await experience(hub, await hub.mediator()) == added_up([])


async def test_sums_beyond_32_bits_are_exact(hub: Hub) -> None:
    ann = await hub.mediator()
    await hub.rows(
        """INSERT INTO logbook_entry (mediator_id, role, medium, started_on, ended_on, minutes, outcome, simulated)
        SELECT $1, 'OBSERVER', 'ONLINE', '2024-01-01', '2024-01-01', 600000, 'SETTLED', n % 2 = 0
        FROM generate_series(1, 8000) AS n""",
        ann.id,
    )
    total = 4000 * 600_000
    assert total > 2**31
    assert await experience(hub, ann) == {
        "minutes": total,
        "cases": 4000,
        "simulatedMinutes": total,
        "byRole": [{"role": "OBSERVER", "minutes": total, "cases": 4000}],
        "byYear": [{"year": 2024, "minutes": total, "cases": 4000}],
    }


async def test_a_directory_reads_the_same_experience_as_the_mediator(hub: Hub) -> None:
    ann, directory = await hub.mediator(), await hub.person(Role.DIRECTORY)
    await put_cases(hub, ann, {"minutes": 5}, {"minutes": 7, "simulated": True})
    document = f"query($id: ID!) {{ mediator(id: $id) {{ experience {EXPERIENCE} }} }}"
    seen = (await hub.ask(document, {"id": str(ann.id)}, by=directory)).data["mediator"]["experience"]
    assert seen == await experience(hub, ann)


# Filters.


async def total(hub: Hub, mediator: Person, condition: str) -> int:
    document = f"{{ me {{ mediator {{ logbook(filter: {{ {condition} }}) {{ totalCount nodes {{ id }} }} }} }} }}"
    page = (await hub.ask(document, by=mediator)).data["me"]["mediator"]["logbook"]
    assert len(page["nodes"]) == page["totalCount"]
    return int(page["totalCount"])


async def test_every_filter_keeps_only_what_matches_and_several_must_all_match(hub: Hub) -> None:
    ann = await hub.mediator()
    await put_cases(
        hub,
        ann,
        {"role": "OBSERVER", "dispute_kind": "Family", "country": "Utopia", "notes": "Über 50% of_it\\x"},
        {"role": "OBSERVER", "medium": "HYBRID", "outcome": "ONGOING", "parties": "the FAMILY next door"},
        {"simulated": True, "started_on": date(2023, 1, 1), "ended_on": date(2023, 1, 1), "did_well": "family talk"},
        {},
    )
    for condition, found in (
        ("", 4),
        ("role: OBSERVER", 2),
        ("medium: HYBRID", 1),
        ("outcome: ONGOING", 1),
        ("simulated: true", 1),
        ("simulated: false", 3),
        ("year: 2023", 1),
        ('disputeKind: "Family"', 1),
        ('disputeKind: "family"', 0),
        ('country: "Utopia"', 1),
        ("role: OBSERVER, medium: HYBRID", 1),
        ("role: OBSERVER, simulated: true", 0),
        ("role: null, year: null, text: null", 4),
        ('text: "family"', 3),
        ('text: "FAMILY", role: OBSERVER', 2),
        ('text: "über"', 1),
        ('text: "50%"', 1),
        ('text: "5%0"', 0),
        ('text: "of_it"', 1),
        ('text: "of.it"', 0),
        (r'text: "it\\"', 1),
        (r'text: "%"', 1),
        (r'text: "U\u0308ber"', 1),
        ('text: "  Utopia "', 1),
        ('text: ""', 4),
        ('text: "  "', 4),
    ):
        assert await total(hub, ann, condition) == found, condition


@pytest.mark.parametrize("year", [0, -1, 10_000, 2**31 - 1])
async def test_an_impossible_year_is_bad_input(hub: Hub, year: int) -> None:
    ann = await hub.mediator()
    document = "query($year: Int) { me { mediator { logbook(filter: { year: $year }) { totalCount } } } }"
    assert (await hub.ask(document, {"year": year}, by=ann)).codes == ["BAD_USER_INPUT"]


async def test_an_entry_belongs_to_the_month_of_its_last_day(hub: Hub) -> None:
    ann = await hub.mediator()
    (one,) = await put_cases(hub, ann, {"started_on": date(1950, 1, 31), "ended_on": date(1950, 2, 1)})
    answer = await hub.ask("{ me { mediator { logbook { nodes { id endedMonth } } } } }", by=ann)
    (node,) = answer.data["me"]["mediator"]["logbook"]["nodes"]
    assert (UUID(node["id"]), node["endedMonth"]) == (one, "1950-02")
