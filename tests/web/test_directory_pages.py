"""A directory's pages: finding mediators and verifying their experience and CPD, without anything or anyone private."""

import re
from datetime import date
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import update

from models.account import Role
from models.logbook import LOGBOOK_FIELDS
from models.mediator import Visibility, mediators
from permissions.policy import allows
from permissions.viewer import Standing
from tests.hub import Hub, Person
from tests.web.reading import HOSTILE, cells, cookie, everything, is_a_page, listed, opened, plain, sheet
from tests.world import put_cases, put_cpd, put_feedback, statements

ADDRESS = "https://demo.example/profiles/ann?a=1&b=2"
EVIDENCE = "https://demo.example/certificates/1?a=1&b=2"
CASE: dict[str, Any] = {
    "role": "CO_MEDIATOR",
    "medium": "HYBRID",
    "started_on": date(2023, 4, 3),
    "ended_on": date(2023, 4, 17),
    "minutes": 450,
    "dispute_kind": "PROPERTY",
}
HIDDEN_OF_CASE: dict[str, Any] = {
    "country": "Norway",
    "party_count": 477,
    "outcome": "PARTLY_SETTLED",
    "reference": "Private reference",
    "parties": "Private parties",
    "did_well": "Private success",
    "found_challenging": "Private challenge",
    "notes": "Private notes",
}
COURSE: dict[str, Any] = {
    "kind": "CONFERENCE",
    "title": "+Peace",
    "provider": "A school",
    "started_on": date(2023, 9, 1),
    "ended_on": date(2023, 9, 2),
    "minutes": 615,
    "format": "ON_DEMAND",
    "tags": ["LAW", "TRAUMA"],
    "credits": [
        {"body": "=SIMI", "activity": "Talk", "points": "5"},
        {"body": "CMC", "activity": None, "points": None},
    ],
    "evidence_url": EVIDENCE,
    "takeaways": "Private takeaway",
}
HIDDEN = ("Norway", "477", "settled", "Private", "3 Apr", "17 Apr", "2023-04-17", "2023-04-03")


async def test_a_search_finds_mediators_who_are_not_private(hub: Hub) -> None:
    ann = await hub.mediator(name=HOSTILE)
    await hub.mediator(name="Ann Bo")
    await hub.mediator(name="Ann Hidden", visibility=Visibility.PRIVATE)
    await hub.mediator(name="Ann Unverified", verified=False)
    async with hub.database.transaction() as transaction:
        await transaction.run(update(mediators).where(mediators.c.id == ann.id).values(profile_url=ADDRESS))
    directory = await hub.person(Role.DIRECTORY)
    everybody = await opened(hub, directory, "/mediators")
    assert listed(everybody) == [HOSTILE, "Ann Bo"]
    assert f'href="/mediators/{ann.id}"' in everybody.text
    assert 'href="https://demo.example/profiles/ann?a=1&amp;b=2"' in everybody.text
    found = await opened(hub, directory, "/mediators?search=bo+ann")
    assert listed(found) == ["Ann Bo"]
    assert 'value="bo ann"' in found.text
    nobody = await opened(hub, directory, "/mediators?search=hidden")
    assert listed(nobody) == []
    assert "No mediator you can see has that name" in nobody.text


async def test_each_person_finds_what_the_role_that_gives_them_the_page_may_see(hub: Hub) -> None:
    await hub.mediator(name="Ann")
    bea = await hub.mediator(name="Bea", visibility=Visibility.PRIVATE)
    me = await hub.person(Role.DIRECTORY, Role.ADMIN, Role.MEDIATOR, Role.REVIEWER, name="Me")
    await hub.appointed(bea, me)
    assert listed(await opened(hub, me, "/mediators")) == ["Ann"]
    assert listed(await opened(hub, await hub.person(Role.ADMIN), "/mediators")) == ["Ann", "Bea", "Me"]
    assert listed(await opened(hub, await hub.person(Role.ADMIN, Role.MEDIATOR, name="Zoe"), "/mediators")) == [
        "Ann",
        "Bea",
        "Me",
    ]


async def test_a_search_is_paged_by_cursors_that_contain_no_name(hub: Hub) -> None:
    directory = await hub.person(Role.DIRECTORY)
    names = [f"Ann Mediator {number:02}" for number in range(23)]
    for name in names:
        await hub.mediator(name=name)
    page = await opened(hub, directory, "/mediators?search=ann&size=10")
    found = listed(page)
    while following := re.search(r'rel="next" href="(.*?)"', page.text):
        address = unescape(following.group(1))
        assert "search=ann" in address
        assert "Mediator" not in address
        page = await opened(hub, directory, address)
        found += listed(page)
    assert found == names


async def test_a_directory_reads_what_verifies_experience_and_nothing_private(hub: Hub) -> None:
    ann = await hub.mediator(name=HOSTILE)
    await put_cases(hub, ann, CASE | HIDDEN_OF_CASE, {"minutes": 90}, {"minutes": 6000, "simulated": True})
    await put_cpd(hub, ann, COURSE)
    await put_feedback(hub, ann, {"impressed": "Private praise"})
    directory = await hub.person(Role.DIRECTORY)
    page = await opened(hub, directory, f"/mediators/{ann.id}")
    said = plain(page.text)
    assert "9:00 hours 9:00 contact hours 2 cases Plus 100:00 simulated hours, not counted." in said
    assert "Year Hours Cases 2024 1:30 1 2023 7:30 1" in said
    assert cells(page, "Month") == ["May 2024", "May 2024", "Apr 2023"]
    assert cells(page, "Kind of dispute")[-1] == "Property and tenancy"
    assert sorted(cells(page, "Simulated")) == ["", "", "Yes"]
    assert (cells(page, "Title"), cells(page, "Last day"), cells(page, "First day")) == (
        ["+Peace"],
        ["2 Sep 2023"],
        ["1 Sep 2023"],
    )
    assert f'href="{EVIDENCE.replace("&", "&amp;")}" rel="noopener noreferrer"' in page.text
    for part in (*HIDDEN, ann.email):
        assert part not in said, part


async def test_an_administrator_sees_the_same_on_these_pages_as_a_directory(hub: Hub) -> None:
    ann = await hub.mediator(name="Ann")
    await put_cases(hub, ann, CASE | HIDDEN_OF_CASE)
    await put_cpd(hub, ann, COURSE)
    directory = await hub.person(Role.DIRECTORY)
    bodies = []
    for by in (directory, await hub.person(Role.ADMIN)):
        page = await opened(hub, by, f"/mediators/{ann.id}")
        bodies.append(page.text.partition("<main")[2])
        sheets = [
            await hub.client.get(f"/mediators/{ann.id}/{name}.csv", headers=cookie(by)) for name in ("logbook", "cpd")
        ]
        bodies[-1] += "".join(sheet.text for sheet in sheets)
    assert bodies[0] == bodies[1]
    for part in HIDDEN:
        assert part not in plain(bodies[0]), part


async def test_totals_chart_and_cases_follow_the_chosen_role(hub: Hub) -> None:
    ann = await hub.mediator()
    await put_cases(hub, ann, CASE, {"minutes": 90}, {"minutes": 30, "ended_on": date(2025, 1, 1)})
    directory = await hub.person(Role.DIRECTORY)
    page = await opened(hub, directory, f"/mediators/{ann.id}?role=LEAD_MEDIATOR&cpd-year=2024")
    said = plain(page.text)
    assert "Experience as lead mediator" in said
    assert "2:00 hours 2:00 contact hours 2 cases" in said
    assert "Year Hours Cases 2025 0:30 1 2024 1:30 1" in said
    assert cells(page, "Role") == ["Lead mediator", "Lead mediator"]
    links = dict(re.findall(r'<a class="button small[^"]*" href="([^"]*)"[^>]*>(.*?)</a>', page.text))
    assert links[f"/mediators/{ann.id}?cpd-year=2024"] == "As mediator"
    assert links[f"/mediators/{ann.id}?cpd-year=2024&amp;role=OBSERVER"] == "Observer"
    none = await opened(hub, directory, f"/mediators/{ann.id}?role=OBSERVER")
    assert "There are no cases in this role." in plain(none.text)
    whole = plain((await opened(hub, directory, f"/mediators/{ann.id}?role=nobody")).text)
    assert "9:30 hours 9:30 contact hours 3 cases" in whole


async def test_both_tables_are_filtered_sorted_and_paged_by_the_address(hub: Hub) -> None:
    ann = await hub.mediator()
    await put_cases(hub, ann, CASE, *({"minutes": minutes} for minutes in range(1, 13)))
    await put_cpd(hub, ann, COURSE, *({"title": f"Course {number:02}"} for number in range(1, 13)))
    directory = await hub.person(Role.DIRECTORY)
    path = f"/mediators/{ann.id}"
    for one in ("medium=HYBRID", "year=2023", "disputeKind=PROPERTY"):
        assert cells(await opened(hub, directory, f"{path}?{one}"), "Medium") == ["Hybrid"], one
    for one in ("cpd-kind=CONFERENCE", "cpd-year=2023", "cpd-text=school"):
        page = await opened(hub, directory, f"{path}?{one}")
        assert cells(page, "Title") == ["+Peace"], one
        assert len(cells(page, "Medium")) == 13, one
    page = await opened(hub, directory, f"{path}?sort=minutes&dir=desc&size=10&cpd-sort=title&cpd-size=10")
    assert cells(page, "Role")[0] == "Co-mediator"
    assert cells(page, "Title") == ["+Peace", *(f"Course {number:02}" for number in range(1, 10))]
    later = re.findall(r'rel="next" href="(.*?)"', page.text)
    assert len(later) == 2
    cases = await opened(hub, directory, unescape(later[0]))
    assert len(cells(cases, "Month")) == 3
    assert cells(cases, "Title") == cells(page, "Title")
    courses = await opened(hub, directory, unescape(later[1]))
    assert cells(courses, "Title") == ["Course 10", "Course 11", "Course 12"]
    assert cells(courses, "Month") == cells(page, "Month")


async def test_nothing_is_searched_or_sorted_by_what_only_the_mediator_may_read(hub: Hub) -> None:
    ann = await hub.mediator()
    await put_cases(hub, ann, CASE | HIDDEN_OF_CASE, {})
    await put_cpd(hub, ann, COURSE)
    directory = await hub.person(Role.DIRECTORY)
    path = f"/mediators/{ann.id}"
    for words in ("private", "norway", "settled"):
        page = await opened(hub, directory, f"{path}?text={words}&cpd-text={words}")
        assert (cells(page, "Month"), cells(page, "Title")) == ([], []), words
        assert "No cases match." in page.text
    usual = cells(await opened(hub, directory, path), "Month")
    for address in ("sort=reference", "sort=ended_on", "sort=country", "outcome=SETTLED", "country=Norway"):
        assert cells(await opened(hub, directory, f"{path}?{address}"), "Month") == usual, address
    assert "ountry" not in (await opened(hub, directory, path)).text


async def test_the_exports_hold_what_a_directory_may_read_and_guard_formulas(hub: Hub) -> None:
    ann = await hub.mediator()
    await put_cases(hub, ann, CASE | HIDDEN_OF_CASE, {"minutes": 60, "simulated": True})
    await put_cpd(hub, ann, COURSE, {})
    directory = await hub.person(Role.DIRECTORY)
    path = f"/mediators/{ann.id}"
    cases = await sheet(hub, directory, f"{path}/logbook.csv")
    headings = ["Month", "Role", "Medium", "Kind of dispute", "Hours", "Simulated"]
    assert [[one[heading] for heading in headings] for one in cases] == [
        ["2024-05", "Lead mediator", "Online", "", "1.0", "Yes"],
        ["2023-04", "Co-mediator", "Hybrid", "Property and tenancy", "7.5", "No"],
    ]
    readable = [one for one in LOGBOOK_FIELDS if allows(Standing.DIRECTORY, "LogbookEntry", one.graphql_name)]
    assert set(cases[0]) == {"Month", "Contact hours", *(str(one.title) for one in readable)}
    assert await sheet(hub, directory, f"{path}/logbook.csv?role=CO_MEDIATOR&cpd-year=2024") == [cases[1]]
    assert await sheet(hub, directory, f"{path}/logbook.csv?sort=minutes&dir=desc") == [cases[1], cases[0]]
    courses = await sheet(hub, directory, f"{path}/cpd.csv?cpd-kind=CONFERENCE")
    assert courses == [
        {
            "Last day": "2023-09-02",
            "Kind": "Conference",
            "Title": "'+Peace",
            "Provider": "A school",
            "Hours": "10.25",
            "First day": "2023-09-01",
            "Format": "On demand, recorded",
            "About": "Law, Trauma",
            "Credits": "'=SIMI: Talk, 5 points; CMC",
            "Evidence": EVIDENCE,
            "Certificate": "No",
        }
    ]
    assert len(await sheet(hub, directory, f"{path}/cpd.csv")) == 2


async def hidden_from(hub: Hub, by: Person, whose: object) -> None:
    """A mediator's pages aren't there: every answer is the same as for an id that never existed."""
    before = await everything(hub)
    for page in ("", "?role=OBSERVER", "/logbook.csv", "/cpd.csv"):
        hidden = await hub.client.get(f"/mediators/{whose}{page}", headers=cookie(by))
        unknown = await hub.client.get(f"/mediators/{uuid4()}{page}", headers=cookie(by))
        assert is_a_page(hidden, 404), page
        assert hidden.text == unknown.text
    assert await everything(hub) == before


@pytest.mark.parametrize(
    "roles",
    [
        (Role.DIRECTORY,),
        (Role.DIRECTORY, Role.REVIEWER),
        (Role.DIRECTORY, Role.ADMIN),
        (Role.DIRECTORY, Role.MEDIATOR),
        (Role.REVIEWER,),
        (Role.MEDIATOR,),
    ],
)
async def test_a_private_mediator_is_not_found_by_anyone_who_reads_as_a_directory(
    hub: Hub, roles: tuple[Role, ...]
) -> None:
    me, ann = await hub.person(*roles), await hub.mediator(visibility=Visibility.PRIVATE)
    if Role.REVIEWER in roles:
        await hub.appointed(ann, me)
    await put_cases(hub, ann, {})
    await hidden_from(hub, me, ann.id)
    await hidden_from(hub, me, "no-id")


async def test_a_mediator_who_becomes_private_is_hidden_at_once(hub: Hub) -> None:
    ann, directory = await hub.mediator(name="Ann"), await hub.person(Role.DIRECTORY)
    await opened(hub, directory, f"/mediators/{ann.id}")
    async with hub.database.transaction() as transaction:
        await transaction.run(update(mediators).where(mediators.c.id == ann.id).values(visibility=Visibility.PRIVATE))
    await hidden_from(hub, directory, ann.id)
    assert listed(await opened(hub, directory, "/mediators")) == []


@pytest.mark.parametrize("more", [(Role.DIRECTORY,), (Role.ADMIN,), (Role.DIRECTORY, Role.ADMIN)])
async def test_nobody_finds_themselves(hub: Hub, more: tuple[Role, ...]) -> None:
    me = await hub.person(Role.MEDIATOR, *more)
    await put_cases(hub, me, {})
    await hidden_from(hub, me, me.id)


async def test_an_administrator_finds_private_mediators_too(hub: Hub) -> None:
    ann, admin = await hub.mediator(visibility=Visibility.PRIVATE), await hub.person(Role.ADMIN)
    await put_cases(hub, ann, CASE)
    assert cells(await opened(hub, admin, f"/mediators/{ann.id}"), "Month") == ["Apr 2023"]


async def test_a_directory_that_also_reviews_reads_each_part_on_its_own_pages(hub: Hub) -> None:
    ann, me = await hub.mediator(), await hub.person(Role.DIRECTORY, Role.REVIEWER)
    await hub.appointed(ann, me)
    await put_cases(hub, ann, CASE | HIDDEN_OF_CASE)
    await put_feedback(hub, ann, {"impressed": "Patience"}, shared=False)
    verified = await opened(hub, me, f"/mediators/{ann.id}")
    assert cells(verified, "Month") == ["Apr 2023"]
    for part in (*HIDDEN, "Patience"):
        assert part not in plain(verified.text), part
    assert "Patience" in (await opened(hub, me, f"/review/{ann.id}")).text
    for part in ("/review", "/mediators"):
        assert f'<a href="{part}"' in verified.text


async def test_anyone_signed_out_is_asked_to_sign_in(hub: Hub) -> None:
    ann = await hub.mediator()
    for path in ("/mediators", *(f"/mediators/{ann.id}{page}" for page in ("", "/logbook.csv", "/cpd.csv"))):
        response = await hub.client.get(path)
        assert (response.status_code, response.headers["location"]) == (303, f"/signin?next={path}")


async def test_the_pages_of_a_mediator_with_no_entries_say_so(hub: Hub) -> None:
    ann, directory = await hub.mediator(name="Ann"), await hub.person(Role.DIRECTORY)
    said = plain((await opened(hub, directory, f"/mediators/{ann.id}")).text)
    for part in (
        "There are no cases as lead mediator or co-mediator.",
        "Ann doesn't have any cases in their logbook yet.",
        "Ann hasn't added any CPD yet.",
    ):
        assert part in said
    assert await sheet(hub, directory, f"/mediators/{ann.id}/logbook.csv") == []


async def test_the_pages_run_the_same_number_of_statements_however_much_there_is(hub: Hub) -> None:
    ann, directory = await hub.mediator(), await hub.person(Role.DIRECTORY)
    counts: set[tuple[int, ...]] = set()
    for more in (1, 4, 20):
        await put_cases(
            hub, ann, *({"minutes": 60, "ended_on": date(2000 + one, 5, 6)} for one in range(24, 24 + more))
        )
        await put_cpd(hub, ann, *({} for _ in range(more)))
        for _ in range(more):
            await hub.mediator()
        counted = []
        path = f"/mediators/{ann.id}"
        for address in ("/mediators", f"{path}?size=100&cpd-size=100", f"{path}/logbook.csv", f"{path}/cpd.csv"):
            async with statements(hub) as run:
                assert (await hub.client.get(address, headers=cookie(directory))).status_code == 200
            counted.append(len(run))
        counts.add(tuple(counted))
    # Who asks, and the mediator; two tables with how long each is, what there is to filter by; the experience, and what
    # was before.
    assert counts == {(2, 8, 3, 3)}
