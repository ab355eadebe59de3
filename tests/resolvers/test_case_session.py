"""The sessions of a case, and how a case and its hours follow from them."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.account import Role
from models.case_session import SessionKind
from resolvers.case_session_changes import MAX_SESSIONS
from tests.hub import Answer, Hub, Person, payload, problems
from tests.world import put_cases, put_sessions, statements

CASE = "{ version minutes contactMinutes startedOn endedOn sessions { heldOn minutes kind medium } }"
SESSION = "caseSession { id heldOn heldMonth minutes kind medium version } userErrors { field code }"


async def case_of(hub: Hub, mediator: Person, case_id: UUID) -> Any:
    document = f"query($id: ID!) {{ me {{ mediator {{ logbookEntry(id: $id) {CASE} }} }} }}"
    return (await hub.ask(document, {"id": str(case_id)}, by=mediator)).data["me"]["mediator"]["logbookEntry"]


async def add(hub: Hub, mediator: Person, case_id: UUID, held_on: str, minutes: int, **facts: Any) -> Answer:
    values = {"entryId": str(case_id), "heldOn": held_on, "minutes": minutes} | facts
    return await hub.change("addCaseSession", values, SESSION, by=mediator)


def session(held_on: str, minutes: int, kind: str = "MEDIATION", medium: str = "ONLINE") -> dict[str, Any]:
    return {"heldOn": held_on, "minutes": minutes, "kind": kind, "medium": medium}


async def by_year(hub: Hub, mediator: Person) -> dict[int, tuple[int, int, int]]:
    document = "{ me { mediator { experience { byYear { year minutes contactMinutes cases } } } } }"
    rows = (await hub.ask(document, by=mediator)).data["me"]["mediator"]["experience"]["byYear"]
    return {row["year"]: (row["minutes"], row["contactMinutes"], row["cases"]) for row in rows}


async def test_the_hours_so_far_become_the_first_session_so_last_years_total_does_not_move(hub: Hub) -> None:
    ann = await hub.mediator()
    (case,) = await put_cases(hub, ann, {"started_on": date(2023, 12, 4), "ended_on": date(2023, 12, 5)})
    assert await by_year(hub, ann) == {2023: (90, 90, 1)}
    made = payload(await add(hub, ann, case, "2024-01-09", 30, kind="DRAFTING", medium="TELEPHONE"))["caseSession"]
    assert made.pop("id")
    assert made == session("2024-01-09", 30, "DRAFTING", "TELEPHONE") | {"heldMonth": "2024-01", "version": 1}
    assert await case_of(hub, ann, case) == {
        "version": 2,
        "minutes": 120,
        "contactMinutes": 90,
        "startedOn": "2023-12-04",
        "endedOn": "2024-01-09",
        "sessions": [session("2023-12-05", 90), session("2024-01-09", 30, "DRAFTING", "TELEPHONE")],
    }
    assert await by_year(hub, ann) == {2023: (90, 90, 1), 2024: (30, 0, 1)}


async def test_a_session_before_the_first_day_or_after_the_last_widens_the_case(hub: Hub) -> None:
    ann = await hub.mediator()
    (case,) = await put_cases(hub, ann, {})
    await put_sessions(hub, case, {})
    for day in ("2024-05-02", "2024-05-20"):
        payload(await add(hub, ann, case, day, 10))
    found = await case_of(hub, ann, case)
    assert (found["startedOn"], found["endedOn"], found["minutes"]) == ("2024-05-02", "2024-05-20", 80)


async def test_a_session_takes_the_cases_medium_unless_it_says_its_own(hub: Hub) -> None:
    ann = await hub.mediator()
    (case,) = await put_cases(hub, ann, {"medium": "HYBRID"})
    assert payload(await add(hub, ann, case, "2024-05-07", 10))["caseSession"]["medium"] == "HYBRID"


async def test_changing_and_deleting_sessions_adds_the_case_up_anew(hub: Hub) -> None:
    ann = await hub.mediator()
    (case,) = await put_cases(hub, ann, {})
    one, two = await put_sessions(hub, case, {"minutes": 60}, {"minutes": 30, "kind": "TRAVEL"})
    changed = {"id": str(one), "version": 1, "minutes": 75, "kind": "FOLLOW_UP"}
    made = payload(await hub.change("updateCaseSession", changed, SESSION, by=ann))["caseSession"]
    assert (made["minutes"], made["kind"], made["version"]) == (75, "FOLLOW_UP", 2)
    found = await case_of(hub, ann, case)
    assert (found["minutes"], found["contactMinutes"]) == (105, 0)
    payload(await hub.change("deleteCaseSession", {"id": str(two)}, "deletedId userErrors { code }", by=ann))
    found = await case_of(hub, ann, case)
    assert (found["minutes"], found["contactMinutes"]) == (75, 0)


async def test_a_case_keeps_its_last_session_so_travel_never_becomes_contact_hours(hub: Hub) -> None:
    ann = await hub.mediator()
    (case,) = await put_cases(hub, ann, {})
    (only,) = await put_sessions(hub, case, {"kind": "TRAVEL"})
    before = await case_of(hub, ann, case)
    answer = await hub.change("deleteCaseSession", {"id": str(only)}, "userErrors { field code }", by=ann)
    assert problems(answer) == [("id", "NOT_ALLOWED")]
    assert await case_of(hub, ann, case) == before


async def test_a_session_that_was_a_mistake_leaves_nothing_behind(hub: Hub) -> None:
    ann = await hub.mediator()
    (case,) = await put_cases(hub, ann, {"started_on": date(2023, 12, 4), "ended_on": date(2023, 12, 5)})
    for held_on in ("2024-01-09", "2023-11-30"):
        made = payload(await add(hub, ann, case, held_on, 30))["caseSession"]
        payload(await hub.change("deleteCaseSession", {"id": made["id"]}, "deletedId userErrors { code }", by=ann))
        assert await by_year(hub, ann) == {2023: (90, 90, 1)}
        found = await case_of(hub, ann, case)
        assert found["endedOn"] == "2023-12-05"
    made = payload(await add(hub, ann, case, "2025-01-09", 30))["caseSession"]
    moved = {"id": made["id"], "version": 1, "heldOn": "2024-01-09"}
    payload(await hub.change("updateCaseSession", moved, SESSION, by=ann))
    assert (await case_of(hub, ann, case))["endedOn"] == "2024-01-09"


async def test_the_hours_so_far_of_a_long_case_can_be_moved_and_lowered(hub: Hub) -> None:
    ann = await hub.mediator()
    facts = {"started_on": date(2024, 1, 1), "ended_on": date(2024, 3, 31), "minutes": 2_400}
    (case,) = await put_cases(hub, ann, facts)
    payload(await add(hub, ann, case, "2024-03-31", 30))
    [(so_far,)] = await hub.rows("SELECT id FROM case_session WHERE minutes = 2400")
    change = {"id": str(so_far), "version": 1}
    payload(await hub.change("updateCaseSession", change | {"heldOn": "2024-03-01"}, SESSION, by=ann))
    payload(await hub.change("updateCaseSession", change | {"version": 2, "minutes": 2_300}, SESSION, by=ann))
    raised = await hub.change("updateCaseSession", change | {"version": 3, "minutes": 2_301}, SESSION, by=ann)
    assert problems(raised) == [("minutes", "OUT_OF_RANGE")]


async def test_two_changes_to_one_session_conflict(hub: Hub) -> None:
    ann = await hub.mediator()
    (case,) = await put_cases(hub, ann, {})
    (one,) = await put_sessions(hub, case, {})
    changed = {"id": str(one), "version": 1, "minutes": 75}
    payload(await hub.change("updateCaseSession", changed, SESSION, by=ann))
    fields = f"current {{ minutes version }} {SESSION}"
    answer = await hub.change("updateCaseSession", changed | {"minutes": 80}, fields, by=ann)
    assert problems(answer) == [("version", "CONFLICT")]
    assert answer.data["updateCaseSession"]["current"] == {"minutes": 75, "version": 2}


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"minutes": 0}, [("minutes", "OUT_OF_RANGE")]),
        ({"minutes": 24 * 60 + 1, "confirmImplausible": True}, [("minutes", "OUT_OF_RANGE")]),
        ({"minutes": 14 * 60 + 1}, [("minutes", "IMPLAUSIBLE")]),
        ({"minutes": 14 * 60}, []),
        ({"minutes": 14 * 60 + 1, "confirmImplausible": True}, []),
        ({"heldOn": "1949-12-31"}, [("heldOn", "OUT_OF_RANGE")]),
        ({"heldOn": "2999-01-01"}, [("heldOn", "OUT_OF_RANGE")]),
    ],
)
async def test_a_session_has_to_be_plausible(hub: Hub, facts: dict[str, Any], told: list[tuple[str, str]]) -> None:
    ann = await hub.mediator()
    (case,) = await put_cases(hub, ann, {})
    before = await case_of(hub, ann, case)
    values: dict[str, Any] = {"held_on": facts.pop("heldOn", "2024-01-03"), "minutes": facts.pop("minutes", 10)}
    answer = await add(hub, ann, case, **values, **facts)
    assert problems(answer) == told
    if told:
        assert await case_of(hub, ann, case) == before


async def test_the_sessions_of_one_day_are_plausible_together(hub: Hub) -> None:
    ann = await hub.mediator()
    (case,) = await put_cases(hub, ann, {})
    await put_sessions(hub, case, {"minutes": 13 * 60})
    assert problems(await add(hub, ann, case, "2024-05-07", 61)) == [("minutes", "IMPLAUSIBLE")]
    payload(await add(hub, ann, case, "2024-05-07", 61, confirmImplausible=True))
    assert problems(await add(hub, ann, case, "2024-05-07", 10 * 60, confirmImplausible=True)) == [
        ("minutes", "OUT_OF_RANGE")
    ]
    payload(await add(hub, ann, case, "2024-05-08", 61))


async def test_a_case_has_a_limited_number_of_sessions(hub: Hub) -> None:
    ann = await hub.mediator()
    (case,) = await put_cases(hub, ann, {})
    days = ({"held_on": date(2024, 1, 1) + timedelta(days=number)} for number in range(MAX_SESSIONS))
    await put_sessions(hub, case, *days)
    before = await case_of(hub, ann, case)
    assert problems(await add(hub, ann, case, "2024-12-01", 10)) == [(None, "OUT_OF_RANGE")]
    assert await case_of(hub, ann, case) == before


async def test_a_case_with_sessions_keeps_their_hours_and_days(hub: Hub) -> None:
    ann = await hub.mediator()
    (case,) = await put_cases(hub, ann, {})
    await put_sessions(hub, case, {"held_on": date(2024, 5, 6)}, {"held_on": date(2024, 5, 7)})
    for facts, told in (
        ({"minutes": 119}, [("minutes", "NOT_ALLOWED")]),
        ({"startedOn": "2024-05-07"}, [("startedOn", "OUT_OF_RANGE")]),
        ({"endedOn": "2024-05-06"}, [("endedOn", "OUT_OF_RANGE")]),
        ({"minutes": 120, "startedOn": "2024-05-01", "notes": "Went well"}, []),
    ):
        answer = await hub.change("updateLogbookEntry", {"id": str(case), "version": 1} | facts, by=ann)
        assert problems(answer) == told


async def test_nobody_else_changes_a_session_or_learns_that_it_exists(hub: Hub) -> None:
    ann, bea = await hub.mediator(), await hub.mediator()
    directory, admin = await hub.person(Role.DIRECTORY), await hub.person(Role.ADMIN)
    (case,) = await put_cases(hub, ann, {})
    (one,) = await put_sessions(hub, case, {})
    before = await case_of(hub, ann, case)
    for mutation, values, field in (
        ("addCaseSession", {"heldOn": "2024-05-07", "minutes": 5}, "entryId"),
        ("updateCaseSession", {"version": 1, "minutes": 5}, "id"),
        ("deleteCaseSession", {}, "id"),
    ):
        own = case if field == "entryId" else one
        theirs = await hub.change(mutation, {**values, field: str(own)}, by=bea)
        unknown = await hub.change(mutation, {**values, field: str(uuid4())}, by=bea)
        assert problems(theirs) == [(field, "NOT_FOUND")]
        assert theirs.body == unknown.body
        for person in (directory, admin, None):
            answer = await hub.change(mutation, {**values, field: str(own)}, by=person)
            assert set(answer.codes) == {"GRAPHQL_VALIDATION_FAILED"}
    assert await case_of(hub, ann, case) == before


async def test_directories_read_months_and_administrators_days(hub: Hub) -> None:
    ann = await hub.mediator()
    directory, admin = await hub.person(Role.DIRECTORY), await hub.person(Role.ADMIN)
    both = await hub.person(Role.DIRECTORY, Role.MEDIATOR)
    (case,) = await put_cases(hub, ann, {"started_on": date(2024, 4, 1)})
    await put_sessions(hub, case, {"held_on": date(2024, 4, 30)}, {"held_on": date(2024, 5, 1), "kind": "TRAVEL"})
    document = "query($id: ID!) {{ mediator(id: $id) {{ logbook {{ nodes {{ sessions {{ {} }} }} }} }} }}"

    async def seen(by: Person | None, fields: str) -> Answer:
        return await hub.ask(document.format(fields), {"id": str(ann.id)}, by=by)

    months = [{"heldMonth": "2024-04", "kind": "MEDIATION"}, {"heldMonth": "2024-05", "kind": "TRAVEL"}]
    days = [{"heldOn": "2024-04-30"}, {"heldOn": "2024-05-01"}]
    for person in (directory, admin, both):
        found = (await seen(person, "heldMonth kind")).data["mediator"]["logbook"]["nodes"]
        assert found == [{"sessions": months}]
    assert (await seen(admin, "heldOn")).data["mediator"]["logbook"]["nodes"] == [{"sessions": days}]
    assert (await seen(both, "heldOn version")).data["mediator"]["logbook"]["nodes"] == [
        {"sessions": [{"heldOn": None, "version": None}] * 2}
    ]
    for person, fields in ((directory, "heldOn"), (admin, "version"), (await hub.person(Role.REVIEWER), "minutes")):
        assert set((await seen(person, fields)).codes) == {"GRAPHQL_VALIDATION_FAILED"}


async def test_the_order_of_sessions_tells_a_directory_nothing_of_their_days(hub: Hub) -> None:
    ann, directory = await hub.mediator(), await hub.person(Role.DIRECTORY)
    (case,) = await put_cases(hub, ann, {"started_on": date(2024, 5, 1), "ended_on": date(2024, 5, 31)})
    ids = await put_sessions(hub, case, *({"held_on": date(2024, 5, 31 - number)} for number in range(12)))
    document = "query($id: ID!) { mediator(id: $id) { logbook { nodes { sessions { id } } } } }"
    (found,) = (await hub.ask(document, {"id": str(ann.id)}, by=directory)).data["mediator"]["logbook"]["nodes"]
    assert [one["id"] for one in found["sessions"]] == sorted(map(str, ids))


async def test_the_sessions_of_a_whole_page_take_one_statement(hub: Hub) -> None:
    ann = await hub.mediator()
    cases = await put_cases(hub, ann, *({} for _ in range(25)))
    for case in cases:
        await put_sessions(hub, case, {}, {"kind": "PREPARATION"})
    document = "{{ me {{ mediator {{ logbook {{ nodes {{ id {} }} }} }} }} }}"
    async with statements(hub) as without:
        await hub.ask(document.format("minutes"), by=ann)
    async with statements(hub) as with_them:
        answer = await hub.ask(document.format("sessions { minutes }"), by=ann)
    nodes = answer.data["me"]["mediator"]["logbook"]["nodes"]
    assert [len(node["sessions"]) for node in nodes] == [2] * 25
    assert len(with_them) == len(without) + 1


async def test_a_deleted_case_takes_its_sessions_along(hub: Hub) -> None:
    ann = await hub.mediator()
    (case,) = await put_cases(hub, ann, {})
    await put_sessions(hub, case, {}, {})
    payload(await hub.change("deleteLogbookEntry", {"id": str(case)}, "deletedId userErrors { code }", by=ann))
    assert await hub.rows("SELECT FROM case_session") == []


_KINDS = st.sampled_from([kind.value for kind in SessionKind])
_SESSIONS = st.lists(st.tuples(st.integers(0, 800), st.integers(1, 600), _KINDS), min_size=1, max_size=6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # each example has its own mediator
@given(drawn=st.lists(st.tuples(st.booleans(), _SESSIONS), min_size=1, max_size=4))
async def test_the_years_add_up_to_the_whole_whatever_the_sessions_are(
    hub: Hub, drawn: list[tuple[bool, list[tuple[int, int, str]]]]
) -> None:
    ann = await hub.mediator()
    expected: dict[int, tuple[int, int, set[int]]] = {}
    for number, (has_sessions, its) in enumerate(drawn):
        whole = sum(minutes for _, minutes, _ in its)
        (case,) = await put_cases(hub, ann, {"minutes": whole})
        days = [(date(2022, 6, 1) + timedelta(days=after), minutes, kind) for after, minutes, kind in its]
        if has_sessions:
            sessions = [{"held_on": day, "minutes": minutes, "kind": kind} for day, minutes, kind in days]
            await put_sessions(hub, case, *sessions)
        for day, minutes, kind in days if has_sessions else [(date(2024, 5, 7), whole, "MEDIATION")]:
            so_far, contact, cases = expected.get(day.year, (0, 0, set[int]()))
            contact += minutes if kind == "MEDIATION" else 0
            expected[day.year] = (so_far + minutes, contact, cases | {number})
    assert await by_year(hub, ann) == {year: (*sums[:2], len(sums[2])) for year, sums in expected.items()}
    document = "{ me { mediator { experience { minutes contactMinutes cases } } } }"
    assert (await hub.ask(document, by=ann)).data["me"]["mediator"]["experience"] == {
        "minutes": sum(sums[0] for sums in expected.values()),
        "contactMinutes": sum(sums[1] for sums in expected.values()),
        "cases": len(drawn),
    }
