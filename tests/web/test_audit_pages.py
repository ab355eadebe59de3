"""The audit log as CSV: the same entries and filters as the API's, for administrators only."""

import csv
from datetime import datetime
from io import StringIO

import pytest

from models.account import Role
from tests.hub import Hub, Person
from tests.web.reading import cookie
from tests.world import put_entries, put_feedback

HEADINGS = [
    *("Time", "Action", "Done by", "Their email", "Their id"),
    *("Account concerned", "Its email", "Its id", "Done to", "Reason", "How often"),
]


async def sheet(hub: Hub, by: Person, address: str = "/audit.csv") -> list[list[str]]:
    """The lines of the CSV."""
    response = await hub.client.get(address, headers=cookie(by))
    assert response.status_code == 200
    assert response.headers["content-disposition"] == 'attachment; filename="audit.csv"'
    return list(csv.reader(StringIO(response.content.decode("utf-8-sig"))))


async def test_the_sheet_has_every_fact_with_times_in_utc_and_no_formulas(hub: Hub) -> None:
    ada, ann = await hub.person(Role.ADMIN, name="=1+1"), await hub.mediator(name="Ann")
    piece = await put_feedback(hub, ann)
    at = datetime.fromisoformat("2026-01-02T13:00:00+01:00")
    whole = {"action": "ORIGIN_READ", "actor_id": ada.id, "subject_id": piece, "account_id": ann.id}
    await put_entries(hub, whole | {"at": at, "reason": "@SUM(A1)"}, {"action": "WRONG_CODE", "count": 3})
    headings, *lines = await sheet(hub, ada)
    assert headings == HEADINGS
    counted, looked_up = lines
    assert counted[1:] == ["WRONG_CODE", *[""] * 8, "3"]
    assert looked_up == [
        *("2026-01-02T12:00:00+00:00", "ORIGIN_READ", "'=1+1", ada.email, str(ada.id)),
        *("Ann", ann.email, str(ann.id), str(piece), "'@SUM(A1)", ""),
    ]


async def test_a_log_of_several_pages_is_exported_whole_and_in_order(hub: Hub) -> None:
    admin = await hub.person(Role.ADMIN)
    await put_entries(hub, *({"action": "SIGNED_OUT", "count": number} for number in range(205)))
    lines = (await sheet(hub, admin))[1:]
    assert {int(line[-1]) for line in lines} == set(range(205))
    assert len(lines) == 205


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("action=SIGNED_OUT", ["2", "1"]),
        ("actorId={admin}", ["3", "1"]),
        ("subjectId={admin}", ["2"]),
        ("from=2026-01-02T00:00:00Z&to=2026-01-03T00:00:00Z", ["2"]),
    ],
)
async def test_it_has_the_filters_of_the_api(hub: Hub, query: str, found: list[str]) -> None:
    admin, other = await hub.person(Role.ADMIN), await hub.person(Role.ADMIN)
    facts = (("SIGNED_OUT", admin, other), ("SIGNED_OUT", other, admin), ("ROLE_ADDED", admin, other))
    for day, (action, actor, subject) in enumerate(facts, 1):
        at = datetime.fromisoformat(f"2026-01-0{day}T12:00:00Z")
        entry = {"at": at, "action": action, "actor_id": actor.id, "subject_id": subject.id, "count": day}
        await put_entries(hub, entry)
    lines = (await sheet(hub, admin, f"/audit.csv?{query.format(admin=admin.id)}"))[1:]
    assert [line[-1] for line in lines] == found


@pytest.mark.parametrize("query", ["action=NONSENSE", "from=yesterday", "to=2026-01-01T00:00:00"])
async def test_a_filter_that_cannot_be_read_is_refused_and_not_left_out(hub: Hub, query: str) -> None:
    admin = await hub.person(Role.ADMIN)
    await put_entries(hub, {"action": "SIGNED_OUT", "actor_id": admin.id})
    response = await hub.client.get(f"/audit.csv?{query}", headers=cookie(admin))
    assert response.status_code == 400
    assert str(admin.id) not in response.text


async def test_a_mediator_who_is_an_administrator_finds_nothing_on_feedback_about_themselves(hub: Hub) -> None:
    ann, admin = await hub.person(Role.MEDIATOR, Role.ADMIN), await hub.person(Role.ADMIN)
    piece = await put_feedback(hub, ann, shared=False)
    facts = {"action": "ANSWERS_READ", "actor_id": admin.id, "subject_id": piece, "account_id": ann.id}
    await put_entries(hub, facts)
    assert await sheet(hub, ann) == [HEADINGS]
    assert len(await sheet(hub, admin)) == 2
