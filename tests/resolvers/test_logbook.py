"""The logbook's filters, and the experience it adds up to."""

import random
from collections import Counter
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from models.account import Role
from models.logbook import CaseRole
from tests.hub import Hub, Person, payload, problems
from tests.world import put_cases, put_sessions

EXPERIENCE = "{ minutes cases simulatedMinutes byRole { role minutes cases } byYear { year minutes cases } }"


EVERY_ROLE = f"(roles: [{', '.join(CaseRole)}])"


async def experience(hub: Hub, mediator: Person, argument: str = EVERY_ROLE) -> Any:
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
                "minutes": chance.randint(1, 1_440),
                "simulated": chance.random() < 0.3,
            }
        )
    await put_cases(hub, ann, *cases)
    await put_cases(hub, other, {"minutes": 1})
    assert await experience(hub, ann) == added_up(cases)
    for role in CaseRole:
        assert await experience(hub, ann, f"(roles: [{role}])") == added_up([c for c in cases if c["role"] == role])


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
    assert seen == await experience(hub, ann, "")


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
        {"role": "OBSERVER", "dispute_kind": "FAMILY", "country": "Utopia", "notes": "Über 50% of_it\\x"},
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
        ("disputeKind: FAMILY", 1),
        ("disputeKind: OTHER", 0),
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


# Roles, times and sessions.


async def test_experience_is_as_mediator_unless_other_roles_are_asked_for(hub: Hub) -> None:
    ann, directory = await hub.mediator(), await hub.person(Role.DIRECTORY)
    roles = {role: 1 << place for place, role in enumerate(CaseRole)}
    await put_cases(hub, ann, *({"role": role, "minutes": minutes} for role, minutes in roles.items()))
    document = "query($id: ID!) {{ mediator(id: $id) {{ experience{} {{ minutes byRole {{ role minutes }} }} }} }}"

    async def asked(argument: str) -> tuple[int, list[str]]:
        answer = await hub.ask(document.format(argument), {"id": str(ann.id)}, by=directory)
        found = answer.data["mediator"]["experience"]
        assert [roles[CaseRole(row["role"])] for row in found["byRole"]] == [row["minutes"] for row in found["byRole"]]
        return found["minutes"], [row["role"] for row in found["byRole"]]

    assert await asked("") == (3, ["LEAD_MEDIATOR", "CO_MEDIATOR"])
    assert await asked("(roles: null)") == (3, ["LEAD_MEDIATOR", "CO_MEDIATOR"])
    assert await asked("(roles: [OBSERVER, OBSERVER])") == (16, ["OBSERVER"])
    assert await asked("(roles: [])") == (0, [])
    assert await asked(EVERY_ROLE) == (63, list(CaseRole))


async def test_the_totals_that_come_with_a_mediator_are_those_that_are_asked_for(hub: Hub) -> None:
    ann = await hub.mediator()
    cases = await put_cases(hub, ann, {"minutes": 60}, {"minutes": 5, "role": "OBSERVER"}, {"simulated": True})
    await put_sessions(hub, cases[0], {"minutes": 40}, {"minutes": 20, "kind": "TRAVEL"})
    sums = "{ minutes contactMinutes cases simulatedMinutes }"
    document = f"""query($id: ID!) {{ mediator(id: $id) {{
        short: experience {sums} long: experience(roles: [LEAD_MEDIATOR, CO_MEDIATOR]) {sums}
        timed: experience(from: "1950-01-01") {sums} }} }}"""
    found = (await hub.ask(document, {"id": str(ann.id)}, by=ann)).data["mediator"]
    expected = {"minutes": 60, "contactMinutes": 40, "cases": 1, "simulatedMinutes": 90}
    assert found == dict.fromkeys(("short", "long", "timed"), expected)


async def test_simulated_cases_are_added_up_if_asked_for(hub: Hub) -> None:
    ann = await hub.mediator()
    await put_cases(hub, ann, {"minutes": 60}, {"minutes": 7, "simulated": True})
    found = await experience(hub, ann, "(simulated: true)")
    assert (found["minutes"], found["cases"], found["simulatedMinutes"]) == (7, 1, 7)
    assert found["byYear"] == [{"year": 2024, "minutes": 7, "cases": 1}]


async def test_a_time_counts_the_sessions_on_its_days_and_both_ends_belong_to_it(hub: Hub) -> None:
    ann, admin = await hub.mediator(), await hub.person(Role.ADMIN)
    long, _, _ = await put_cases(
        hub, ann, {}, {"ended_on": date(2024, 5, 10), "minutes": 16}, {"ended_on": date(2024, 5, 11), "minutes": 32}
    )
    days = {date(2024, 5, 1): 1, date(2024, 5, 9): 2, date(2024, 5, 10): 4, date(2024, 6, 1): 8}
    await put_sessions(hub, long, *({"held_on": day, "minutes": minutes} for day, minutes in days.items()))
    document = "query($id: ID!) {{ mediator(id: $id) {{ experience({}) {{ minutes cases }} }} }}"
    for by in (ann, admin):
        for argument, minutes, cases in (
            ('from: "2024-05-10"', 4 + 8 + 16 + 32, 3),
            ('to: "2024-05-10"', 1 + 2 + 4 + 16, 2),
            ('from: "2024-05-09", to: "2024-05-10"', 2 + 4 + 16, 2),
            ('from: "2024-05-02", to: "2024-05-08"', 0, 0),
            ('from: "2024-05-10", to: "2024-05-09"', 0, 0),
        ):
            answer = await hub.ask(document.format(argument), {"id": str(ann.id)}, by=by)
            assert answer.data["mediator"]["experience"] == {"minutes": minutes, "cases": cases}, argument


async def test_for_a_directory_a_time_is_of_whole_months(hub: Hub) -> None:
    ann, directory = await hub.mediator(), await hub.person(Role.DIRECTORY, Role.MEDIATOR)
    days = [date(2024, month, day) for month in (1, 2, 3) for day in (1, 10, 28)]
    for one in (ann, directory):
        await put_cases(hub, one, *({"started_on": day, "ended_on": day, "minutes": 1} for day in days))
    document = "query($id: ID!) {{ mediator(id: $id) {{ experience({}) {{ minutes byRoleAndYear {{ cases }} }} }} }}"

    async def minutes(of: Person, argument: str) -> int:
        answer = await hub.ask(document.format(argument), {"id": str(of.id)}, by=directory)
        return int(answer.data["mediator"]["experience"]["minutes"])

    for day in (1, 2, 10, 11, 28, 29):
        assert await minutes(ann, f'from: "2024-02-{day:02}", to: "2024-02-{day:02}"') == 3
        assert await minutes(ann, f'from: "2024-02-{day:02}"') == 6
        assert await minutes(ann, f'to: "2024-02-{day:02}"') == 6
    # In their own logbook, the same person counts by days.
    assert await minutes(directory, 'from: "2024-02-10", to: "2024-02-10"') == 1


async def test_roles_are_told_apart_in_each_year(hub: Hub) -> None:
    ann = await hub.mediator()
    first, _ = await put_cases(hub, ann, {"role": "CO_MEDIATOR"}, {"minutes": 7})
    await put_sessions(
        hub, first, {"minutes": 3}, {"minutes": 5, "kind": "TRAVEL"}, {"minutes": 1, "held_on": date(2025, 1, 2)}
    )
    document = """{ me { mediator { experience {
        byRoleAndYear { role year minutes contactMinutes cases } byYear { year cases } } } } }"""
    found = (await hub.ask(document, by=ann)).data["me"]["mediator"]["experience"]
    assert [tuple(row.values()) for row in found["byRoleAndYear"]] == [
        ("LEAD_MEDIATOR", 2024, 7, 7, 1),
        ("CO_MEDIATOR", 2024, 8, 3, 1),
        ("CO_MEDIATOR", 2025, 1, 1, 1),
    ]
    assert found["byYear"] == [{"year": 2024, "cases": 2}, {"year": 2025, "cases": 1}]


async def test_an_ongoing_case_is_never_completed(hub: Hub) -> None:
    ann = await hub.mediator()
    case = {"role": "OBSERVER", "medium": "ONLINE", "startedOn": "2024-01-01", "endedOn": "2024-01-01", "minutes": 1}
    fields = "logbookEntry { id completed } userErrors { code }"
    for outcome, completed in (("SETTLED", True), ("ONGOING", False)):
        made = payload(await hub.change("addLogbookEntry", case | {"outcome": outcome}, fields, by=ann))
        assert made["logbookEntry"]["completed"] is completed
    change = {"id": made["logbookEntry"]["id"], "version": 1, "completed": True}
    assert payload(await hub.change("updateLogbookEntry", change, fields, by=ann))["logbookEntry"]["completed"] is False
    change |= {"version": 2, "outcome": "SETTLED_LATER"}
    assert payload(await hub.change("updateLogbookEntry", change, fields, by=ann))["logbookEntry"]["completed"] is True


@pytest.mark.parametrize(
    ("minutes", "days", "told"),
    [
        (24 * 60, 1, "IMPLAUSIBLE"),
        (24 * 60 + 1, 1, "OUT_OF_RANGE"),
        (14 * 60, 1, None),
        (14 * 60 + 1, 1, "IMPLAUSIBLE"),
        (14 * 60 + 1, 2, None),
        (48 * 60 + 1, 2, "OUT_OF_RANGE"),
    ],
)
async def test_hours_have_to_fit_into_the_days_of_a_case(hub: Hub, minutes: int, days: int, told: str | None) -> None:
    ann = await hub.mediator()
    case: dict[str, Any] = {"role": "OBSERVER", "medium": "ONLINE", "minutes": minutes}
    case |= {"startedOn": "2024-01-01", "endedOn": f"2024-01-{days:02}"}
    expected = [("minutes", told)] if told else []
    for mutation, values in (("addLogbookEntry", case), ("importLogbookEntries", {"entries": [case]})):
        for confirmed in (False, True):
            fields = "outcomes { problems { field code } } userErrors { field code }"
            fields = fields if mutation.startswith("import") else "userErrors { field code }"
            answer = await hub.change(mutation, values | {"confirmImplausible": confirmed}, fields, by=ann)
            found = answer.data[mutation]
            problems = found["userErrors"] or [one for each in found.get("outcomes", []) for one in each["problems"]]
            told_now = [] if confirmed and told == "IMPLAUSIBLE" else expected
            assert [(one["field"], one["code"]) for one in problems] == told_now
            await hub.rows("DELETE FROM logbook_entry")


async def test_a_case_that_was_never_plausible_can_be_edited_in_everything_else(hub: Hub) -> None:
    ann = await hub.mediator()
    (case,) = await put_cases(hub, ann, {"minutes": 10_000})
    change = {"id": str(case), "version": 1, "notes": "Seen again"}
    payload(await hub.change("updateLogbookEntry", change, by=ann))
    answer = await hub.change("updateLogbookEntry", change | {"version": 2, "endedOn": "2024-05-08"}, by=ann)
    assert problems(answer) == [("minutes", "OUT_OF_RANGE")]


async def test_opening_balances_are_a_line_of_their_own_in_the_roles_asked_for(hub: Hub) -> None:
    ann, directory = await hub.mediator(), await hub.person(Role.DIRECTORY)
    await put_cases(hub, ann, {"minutes": 5})
    for role, minutes in (("LEAD_MEDIATOR", 7_200), ("CO_MEDIATOR", 60), ("OBSERVER", 30)):
        balance = {"role": role, "minutes": minutes, "before": "2020-01-01"}
        payload(await hub.change("addOpeningBalance", balance, by=ann))
    document = """query($id: ID!) { mediator(id: $id) {
        usual: experience { minutes contactMinutes openingMinutes byYear { minutes } byRole { minutes } }
        observing: experience(roles: [OBSERVER]) { minutes openingMinutes }
        timed: experience(from: "2019-01-01") { minutes openingMinutes }
        simulated: experience(simulated: true) { minutes openingMinutes } } }"""
    for by in (ann, directory):
        assert (await hub.ask(document, {"id": str(ann.id)}, by=by)).data["mediator"] == {
            "usual": {
                "minutes": 5,
                "contactMinutes": 5,
                "openingMinutes": 7_260,
                "byYear": [{"minutes": 5}],
                "byRole": [{"minutes": 5}],
            },
            "observing": {"minutes": 0, "openingMinutes": 30},
            "timed": {"minutes": 5, "openingMinutes": 0},
            "simulated": {"minutes": 0, "openingMinutes": 0},
        }
