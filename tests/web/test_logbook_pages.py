"""The logbook's pages: tables whose address holds filters, order and page, exports, and the forms for entries."""

import csv
import io
import re
from datetime import date
from html import unescape
from uuid import UUID, uuid4

import httpx
import pytest

from models.account import Role
from tests.hub import BASE_URL, Hub, Person
from tests.hub import opened as opened_hub
from tests.web.reading import (
    FOREIGN,
    HOSTILE,
    cells,
    cookie,
    everything,
    followed,
    is_a_page,
    led_to,
    opened,
    post,
    problems,
    sheet,
)
from tests.web.test_feedback_pages import ASKED
from tests.world import put_cases, put_cpd, statements
from web.pages.logbook import LOGBOOK_LISTING

CASE = {
    "role": "CO_MEDIATOR",
    "medium": "ONLINE",
    "startedOn": "2024-05-06",
    "endedOn": "2024-05-07",
    "minutes": "7:30",
    "outcome": "SETTLED",
    "disputeKind": "NEIGHBOURS",
    "country": "Belgium",
    "partyCount": "3",
    "reference": "Fence",
    "parties": "Two households",
    "didWell": "Took time",
    "foundChallenging": "The hedge",
    "notes": "Ask again",
}
COURSE = {
    "kind": "CONFERENCE",
    "title": "Days of mediation",
    "provider": "Demo Circle",
    "startedOn": "2024-05-06",
    "endedOn": "2024-05-07",
    "minutes": "12",
    "format": "ONLINE",
    "tags.ETHICS": "yes",
    "tags.LAW": "yes",
    "credits.0.body": "SIMI",
    "credits.0.activity": "Training",
    "credits.0.points": "5,50",
    "credits.1.body": "",
    "credits.1.activity": "",
    "credits.1.points": "",
    "credits.2.body": "Ordre",
    "credits.2.activity": "",
    "credits.2.points": "",
    "evidenceUrl": "https://demo.example/evidence",
    "takeaways": "Listen",
}
FORMS = {"logbook": CASE, "cpd": COURSE}


def hidden(response: httpx.Response, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', response.text)
    assert found, name
    return unescape(found.group(1))


def address(response: httpx.Response, rel: str) -> str:
    found = re.search(rf'<a rel="{rel}" href="([^"]*)"', response.text)
    assert found, rel
    return unescape(found.group(1))


async def test_an_empty_logbook_explains_itself_and_offers_the_first_step(hub: Hub) -> None:
    page = await opened(hub, await hub.mediator(), "/logbook")
    for path in ("/logbook/new", "/logbook/import", "/cpd/new"):
        assert f'href="{path}"' in page.text
    assert "<table" not in page.text


@pytest.mark.parametrize("name", FORMS)
async def test_an_entry_is_added_shown_edited_and_deleted(hub: Hub, name: str) -> None:
    ann, form = await hub.mediator(), FORMS[name]
    blank = await opened(hub, ann, f"/{name}/new")
    today = hub.database.now().date().isoformat()
    assert f'name="endedOn" type="date" autocomplete="off" maxlength="30" value="{today}"' in blank.text
    made = await post(hub, ann, f"/{name}/new", **(form | {"requestKey": hidden(blank, "requestKey")}))
    assert led_to(made) == "/logbook?done=added"
    table = await followed(hub, made, ann)
    assert "The entry has been added." in table.text
    (entry,) = set(re.findall(rf"/{name}/([0-9a-f-]{{36}})\?", table.text))
    whole = await opened(hub, ann, f"/{name}/{entry}")
    for value in ("Took time", "The hedge", "7:30") if name == "logbook" else ("Listen", "12:00", "Demo Circle"):
        assert value in whole.text
    edit = await opened(hub, ann, f"/{name}/{entry}/edit", back="/logbook?size=10")
    changed = form | {"minutes": "1,5", "version": hidden(edit, "version"), "back": hidden(edit, "back")}
    saved = await post(hub, ann, f"/{name}/{entry}/edit", **changed)
    assert led_to(saved) == "/logbook?size=10&done=saved"
    assert cells(await opened(hub, ann, "/logbook"), "Hours") == ["1:30"]
    gone = await post(hub, ann, f"/{name}/{entry}/delete")
    assert led_to(gone) == "/logbook?done=deleted"
    assert not await hub.rows("SELECT 1 FROM logbook_entry UNION ALL SELECT 1 FROM cpd_entry")
    assert is_a_page(await hub.client.get(f"/{name}/{entry}", headers=cookie(ann)), 404)


async def test_the_form_starts_with_values_from_the_last_case(hub: Hub) -> None:
    ann = await hub.mediator()
    await put_cases(hub, ann, {"medium": "HYBRID", "country": "Ireland"})
    page = await opened(hub, ann, "/logbook/new")
    assert '<option value="HYBRID" selected>' in page.text
    assert 'value="Ireland"' in page.text


@pytest.mark.parametrize("name", FORMS)
async def test_a_form_submitted_twice_adds_one_entry(hub: Hub, name: str) -> None:
    ann = await hub.mediator()
    form = FORMS[name] | {"requestKey": str(uuid4())}
    for _ in range(2):
        assert (await post(hub, ann, f"/{name}/new", **form)).status_code == 303
    assert len(await hub.rows("SELECT 1 FROM logbook_entry UNION ALL SELECT 1 FROM cpd_entry")) == 1


async def test_another_entry_can_be_added_straight_away(hub: Hub) -> None:
    response = await post(hub, await hub.mediator(), "/logbook/new", **(CASE | {"then": "another"}))
    assert led_to(response) == "/logbook/new?done=added"


@pytest.mark.parametrize(
    ("wrong", "field", "message"),
    [
        ({"minutes": "soon"}, "minutes", "Please write the duration in hours, such as 7:30 or 7.5."),
        ({"minutes": ""}, "minutes", "Please fill this in."),
        ({"minutes": "0"}, "minutes", "Please give a duration from 1 minute to 10,000 hours."),
        ({"endedOn": "31.31.2024"}, "endedOn", "Please write the date as 2026-03-31 or 31 Mar 2026."),
        ({"endedOn": "1949-01-01"}, "endedOn", "Please give a day from 1 Jan 1950 to today."),
        ({"endedOn": "2024-05-05"}, "endedOn", "The last day can't be before the first."),
        ({"role": "KING"}, "role", "Please choose one."),
        ({"partyCount": "many"}, "partyCount", "Please write a whole number."),
        ({"partyCount": "0"}, "partyCount", "Please give 1 to 10,000 parties."),
        ({"notes": "x" * 10_001}, "notes", "Please shorten this to 10,000 characters. It has 10,001."),
    ],
)
async def test_a_problem_is_shown_at_its_field_and_what_was_typed_comes_back(
    hub: Hub, wrong: dict[str, str], field: str, message: str
) -> None:
    ann = await hub.mediator()
    before = await everything(hub)
    response = await post(hub, ann, "/logbook/new", **(CASE | {"reference": HOSTILE} | wrong))
    assert is_a_page(response, 422)
    assert [text for name, text in problems(response) if name == field and text.endswith(message)]
    assert f'id="{field}-problem"' in response.text
    assert "Took time" in response.text
    assert "<script>alert" not in response.text
    assert unescape(response.text).count(HOSTILE)
    if field == "endedOn":
        assert wrong["endedOn"] in response.text
    assert await everything(hub) == before


@pytest.mark.parametrize("typed", ["2024-05-07", "7.5.2024", "7/5/2024", "7 May 2024", "May 7, 2024"])
async def test_days_are_read_as_people_write_them(hub: Hub, typed: str) -> None:
    ann = await hub.mediator()
    assert (await post(hub, ann, "/logbook/new", **(CASE | {"endedOn": typed}))).status_code == 303
    ((day,),) = await hub.rows("SELECT ended_on::text FROM logbook_entry")
    assert day == "2024-05-07"


@pytest.mark.parametrize("typed", ["7:30", "7.5", "7,5", "7h30", "450 min", "7.5 h", "07:30"])
async def test_durations_are_read_as_people_write_them(hub: Hub, typed: str) -> None:
    ann = await hub.mediator()
    assert (await post(hub, ann, "/logbook/new", **(CASE | {"minutes": typed}))).status_code == 303
    ((minutes,),) = await hub.rows("SELECT minutes FROM logbook_entry")
    assert minutes == 450


@pytest.mark.parametrize("name", FORMS)
async def test_the_second_of_two_editors_sees_both_versions_and_overwrites_nothing_by_accident(
    hub: Hub, name: str
) -> None:
    ann, form = await hub.mediator(), FORMS[name]
    text = "notes" if name == "logbook" else "takeaways"
    await post(hub, ann, f"/{name}/new", **form)
    ((entry,),) = await hub.rows(f"SELECT id::text FROM {'logbook' if name == 'logbook' else 'cpd'}_entry")
    version = hidden(await opened(hub, ann, f"/{name}/{entry}/edit"), "version")
    path = f"/{name}/{entry}/edit"
    assert (await post(hub, ann, path, **(form | {text: "first", "version": version}))).status_code == 303
    second = await post(hub, ann, path, **(form | {text: "second", "version": version}))
    assert is_a_page(second, 422)
    assert "This has changed in the meantime" in second.text
    assert cells(second, "You typed") == ["second"]
    assert cells(second, "Saved now") == ["first"]
    ((stored,),) = await hub.rows(f"SELECT {text} FROM {'logbook' if name == 'logbook' else 'cpd'}_private")
    assert stored == "first"
    again = await post(hub, ann, path, **(form | {text: "second", "version": hidden(second, "version")}))
    assert again.status_code == 303
    ((stored,),) = await hub.rows(f"SELECT {text} FROM {'logbook' if name == 'logbook' else 'cpd'}_private")
    assert stored == "second"


@pytest.mark.parametrize("name", FORMS)
async def test_nobody_opens_or_changes_somebody_elses_entry(hub: Hub, name: str) -> None:
    ann, bob, rob = await hub.mediator(), await hub.mediator(), await hub.person(Role.REVIEWER)
    admin = await hub.person(Role.ADMIN)
    await hub.appointed(ann, rob)
    put = put_cases if name == "logbook" else put_cpd
    (entry,) = await put(hub, ann, {})
    before = await everything(hub)
    for who in (bob, rob, admin):
        for asked in (entry, UUID(int=0)):
            for path in (f"/{name}/{asked}", f"/{name}/{asked}/edit"):
                assert is_a_page(await hub.client.get(path, headers=cookie(who)), 404)
            deleted = await post(hub, who, f"/{name}/{asked}/delete")
            assert is_a_page(deleted, 404)
        changed = await post(hub, who, f"/{name}/{entry}/edit", **(FORMS[name] | {"version": "1"}))
        assert changed.status_code in {404, 422}
        assert "Saved now" not in changed.text
    for path in (f"/{name}/{entry}", f"/{name}/{entry}/edit", "/logbook?year=2024", f"/{name}.csv"):
        signed_out = await hub.client.get(path)
        assert signed_out.status_code == 303
        assert signed_out.headers["location"].startswith("/signin?next=/")
    lost = await hub.client.post(f"/{name}/{entry}/edit", data=FORMS[name])
    assert is_a_page(lost, 401)
    assert await everything(hub) == before


async def test_forms_from_other_sites_change_nothing(hub: Hub) -> None:
    ann = await hub.mediator()
    (entry,) = await put_cases(hub, ann, {})
    before = await everything(hub)
    for path in ("/logbook/new", f"/logbook/{entry}/edit", f"/logbook/{entry}/delete", "/cpd/new"):
        for headers in FOREIGN:
            response = await hub.client.post(path, data=CASE, headers=headers | cookie(ann))
            assert is_a_page(response, 403)
    assert await everything(hub) == before


async def filled(hub: Hub) -> Person:
    ann = await hub.mediator()
    await put_cases(
        hub,
        ann,
        *(
            {
                "role": "OBSERVER" if number % 2 else "LEAD_MEDIATOR",
                "minutes": 60 * number + 60,
                "reference": f"ref {number:02}",
                "dispute_kind": "EDUCATION" if number < 3 else "PROPERTY",
            }
            for number in range(30)
        ),
    )
    return ann


async def test_the_address_holds_filters_order_and_size(hub: Hub) -> None:
    ann = await filled(hub)
    page = await opened(hub, ann, "/logbook", disputeKind="EDUCATION", sort="minutes", dir="desc")
    assert cells(page, "Hours") == ["3:00", "2:00", "1:00"]
    assert "3 cases with this filter" in page.text
    assert (
        '<th scope="col" aria-sort="descending"><a href="/logbook?disputeKind=EDUCATION&amp;sort=minutes&amp;dir=asc">'
        in (page.text)
    )
    assert '<option value="EDUCATION" selected>' in page.text
    assert len(cells(await opened(hub, ann, "/logbook", size="10"), "Hours")) == 10
    assert len(cells(await opened(hub, ann, "/logbook"), "Hours")) == 25
    observed = await opened(hub, ann, "/logbook", role="OBSERVER", size="50")
    assert set(cells(observed, "Role")) == {"Observer"}
    assert cells(await opened(hub, ann, "/logbook", text="ref 07"), "Reference") == ["ref 07"]


async def test_pages_lead_forward_and_back_and_their_addresses_contain_nothing_of_a_row(hub: Hub) -> None:
    ann = await filled(hub)
    first = await opened(hub, ann, "/logbook", sort="reference", size="10")
    following = address(first, "next")
    assert "ref" not in following.replace("sort=reference", "")
    second = await opened(hub, ann, following)
    assert cells(second, "Reference") == [f"ref {number:02}" for number in range(10, 20)]
    back = await opened(hub, ann, address(second, "prev"))
    assert cells(back, "Reference") == cells(first, "Reference")
    last = await opened(hub, ann, address(second, "next"))
    assert 'rel="next"' not in last.text
    bob = await filled(hub)
    assert cells(await opened(hub, bob, following), "Reference") == cells(
        first, "Reference"
    )  # a place in somebody else's table is ignored


async def test_unreadable_parts_of_an_address_are_ignored(hub: Hub) -> None:
    ann = await filled(hub)
    plain = cells(await opened(hub, ann, "/logbook"), "Reference")
    for query in ("role=KING", "year=soon", "size=7", "sort=notes", "after=%00", "before=x", "year=99999999999", "a=b"):
        assert cells(await opened(hub, ann, f"/logbook?{query}"), "Reference") == plain, query


async def test_two_tables_on_one_page_do_not_affect_each_other(hub: Hub) -> None:
    ann = await filled(hub)
    await put_cpd(hub, ann, {"title": "One", "kind": "CONFERENCE"}, {"title": "Two"})
    page = await opened(hub, ann, "/logbook?role=OBSERVER&cpd-kind=CONFERENCE")
    assert cells(page, "Title") == ["One"]
    assert set(cells(page, "Role")) == {"Observer"}
    assert '<input type="hidden" name="cpd-kind" value="CONFERENCE">' in page.text
    assert '<input type="hidden" name="role" value="OBSERVER">' in page.text
    assert await sheet(hub, ann, "/cpd.csv?role=OBSERVER&cpd-kind=CONFERENCE") != []


async def test_an_export_has_every_row_and_field_of_the_view_in_its_order(hub: Hub) -> None:
    ann = await filled(hub)
    rows = await sheet(hub, ann, "/logbook.csv?sort=minutes&dir=asc&size=10")
    assert [float(row["Hours"]) for row in rows] == [float(number) for number in range(1, 31)]
    assert list(rows[0]) == [str(column.title) for column in LOGBOOK_LISTING.exported]
    few = await sheet(hub, ann, "/logbook.csv?disputeKind=EDUCATION")
    assert {row["Reference"] for row in few} == {"ref 00", "ref 01", "ref 02"}
    assert await sheet(hub, await hub.mediator(), "/logbook.csv") == []


async def test_an_export_contains_nothing_that_a_spreadsheet_would_run(hub: Hub) -> None:
    ann = await hub.mediator()
    texts = ["=1+1", "+1", "-1", "@x", "\tx", "fine"]
    await put_cases(hub, ann, *({"notes": text, "subject": text, "reference": text} for text in texts))
    for row in await sheet(hub, ann, "/logbook.csv"):
        for heading in ("Notes", "Subject", "Reference"):
            assert not row[heading].startswith(("=", "+", "-", "@", "\t")), row


async def test_a_long_logbook_is_exported_in_parts(hub: Hub) -> None:
    ann = await hub.mediator()
    await put_cases(hub, ann, *({"notes": "x" * 2000} for _ in range(250)))
    async with hub.client.stream("GET", f"{BASE_URL}/logbook.csv", headers=cookie(ann)) as response:
        assert "content-length" not in response.headers
        await response.aread()
    assert len(list(csv.DictReader(io.StringIO(response.text)))) == 250


async def test_the_page_takes_as_many_statements_for_50_rows_as_for_one(hub: Hub) -> None:
    counts = set()
    for number in (1, 50):
        ann = await hub.mediator()
        await put_cases(hub, ann, *({"notes": "n"} for _ in range(number)))
        await put_cpd(hub, ann, *({} for _ in range(number)))
        async with statements(hub) as run:
            await opened(hub, ann, "/logbook", size="50")
        counts.add(len([sql for sql in run if "typeinfo" not in sql and "'jit'" not in sql]))
    assert len(counts) == 1


async def test_hours_are_shown_in_a_chart_and_in_numbers(hub: Hub) -> None:
    ann = await hub.mediator()
    await put_cases(hub, ann, {"minutes": 90}, {"minutes": 45, "role": "OBSERVER"}, {"minutes": 600, "simulated": True})
    page = await opened(hub, ann, "/logbook")
    assert '<rect class="bar" x="0" y="22" width="50.0%"' in page.text
    assert "<td>1:30</td><td>1</td>" in page.text
    assert "Plus 10:00 simulated hours, not counted." in page.text


async def test_learnings_from_cases_and_cpd_are_listed_together_and_lead_to_their_entries(hub: Hub) -> None:
    ann = await hub.mediator()
    (case,) = await put_cases(hub, ann, {"did_well": "Took time", "found_challenging": HOSTILE})
    (course,) = await put_cpd(hub, ann, {"takeaways": "Listen"})
    page = await opened(hub, ann, "/learnings")
    assert set(cells(page, "What you wrote")) == {"Took time", "Listen", HOSTILE}
    assert f"/logbook/{case}?back=/learnings" in page.text
    assert f"/cpd/{course}?back=/learnings" in page.text
    only = await opened(hub, ann, "/learnings", kind="TAKEAWAY")
    assert cells(only, "What you wrote") == ["Listen"]
    rows = await sheet(hub, ann, "/learnings.csv?source=CPD")
    assert [row["What you wrote"] for row in rows] == ["Listen"]
    assert "<table" not in (await opened(hub, await hub.mediator(), "/learnings")).text


async def test_without_paid_access_people_read_edit_delete_and_export_but_cannot_add_or_request(hub: Hub) -> None:
    async with opened_hub(hub.services, paid_access=True) as paid:
        ann = await paid.mediator()
        (entry,) = await put_cases(paid, ann, {"notes": "mine"})
        before = await everything(paid)
        for path, form in {"/logbook/new": CASE, "/cpd/new": COURSE, "/request": ASKED}.items():
            response = await paid.client.post(path, data=form, headers=cookie(ann))
            assert is_a_page(response, 403)
            assert [text[:26] for _, text in problems(response)] == ["Your paid access has ended"]
        assert await everything(paid) == before
        assert (await sheet(paid, ann, "/logbook.csv"))[0]["Notes"] == "mine"
        version = hidden(await opened(paid, ann, f"/logbook/{entry}/edit"), "version")
        edited = await post(paid, ann, f"/logbook/{entry}/edit", **(CASE | {"version": version}))
        assert led_to(edited) == "/logbook?done=saved"
        assert (await post(paid, ann, f"/logbook/{entry}/delete")).status_code == 303


def checked(page: httpx.Response) -> list[str]:
    return re.findall(r'<input type="checkbox" name="tags\.(\w+)" value="yes"(?: id="tags")? checked>', page.text)


def credits_in(page: httpx.Response) -> list[str]:
    return re.findall(r'name="credits\.\d\.\w+"[^>]* value="([^"]*)"', page.text)


async def test_tags_and_credits_are_shown_as_they_were_typed_and_empty_rows_do_not_count(hub: Hub) -> None:
    ann = await hub.mediator()
    made = await post(hub, ann, "/cpd/new", **COURSE)
    (entry,) = await hub.rows("SELECT id, tags, credits::text FROM cpd_entry")
    assert sorted(entry["tags"]) == ["ETHICS", "LAW"]
    assert entry["credits"].count("body") == 2
    assert led_to(made) == "/logbook?done=added"
    whole = await opened(hub, ann, f"/cpd/{entry['id']}")
    assert "SIMI: Training, 5.5 points; Ordre" in whole.text
    assert "Ethics and standards of practice, Law" in whole.text
    edit = await opened(hub, ann, f"/cpd/{entry['id']}/edit")
    assert checked(edit) == ["ETHICS", "LAW"]
    assert credits_in(edit) == ["SIMI", "Training", "5.5", "Ordre", *[""] * 8]
    assert [row["Credits"] for row in await sheet(hub, ann, "/cpd.csv")] == ["SIMI: Training, 5.5 points; Ordre"]
    assert cells(await opened(hub, ann, "/logbook?cpd-tags=LAW"), "Title") == ["Days of mediation"]
    assert "No entries match." not in (await opened(hub, ann, "/logbook?cpd-tags=NOTHING")).text


async def test_what_is_wrong_with_a_credit_is_told_beside_its_field(hub: Hub) -> None:
    ann = await hub.mediator()
    typed = COURSE | {"credits.0.points": "many", "credits.2.body": "", "credits.2.points": "3", "tags.LAW": "yes"}
    page = await post(hub, ann, "/cpd/new", **typed)
    assert page.status_code == 422
    assert [field for field, _ in problems(page)] == ["credits.0.points", "credits.1.body"]
    assert checked(page) == ["ETHICS", "LAW"]
    assert credits_in(page)[:6] == ["SIMI", "Training", "many", "", "", "3"]
    page = await post(hub, ann, "/cpd/new", **(COURSE | {"credits.0.points": "0.001"}))
    assert [field for field, _ in problems(page)] == ["credits.0.points"]
    assert await hub.rows("SELECT 1 FROM cpd_entry") == []


async def test_a_supervised_case_is_chosen_from_the_latest_and_shown_as_a_link(hub: Hub) -> None:
    ann, bea = await hub.mediator(), await hub.mediator()
    (own, old), (foreign,) = (
        await put_cases(hub, ann, {"reference": "<Fence>"}, {"ended_on": date(1999, 1, 1), "reference": "Old"}),
        await put_cases(hub, bea, {}),
    )
    await put_cases(hub, ann, *({"reference": f"Case {number}"} for number in range(49)))
    blank = await opened(hub, ann, "/cpd/new")
    assert f'<option value="{own}">7 May 2024, Lead mediator, &lt;Fence&gt;</option>' in blank.text
    assert str(old) not in blank.text
    assert str(foreign) not in blank.text
    refused = await post(hub, ann, "/cpd/new", **(COURSE | {"supervisedCaseId": str(foreign)}))
    assert [field for field, _ in problems(refused)] == ["supervisedCaseId"]
    await post(hub, ann, "/cpd/new", **(COURSE | {"supervisedCaseId": str(old)}))
    (entry,) = await hub.rows("SELECT id FROM cpd_entry")
    edit = await opened(hub, ann, f"/cpd/{entry['id']}/edit")
    assert f'<option value="{old}" selected>1 Jan 1999, Lead mediator, Old</option>' in edit.text
    whole = await opened(hub, ann, f"/cpd/{entry['id']}")
    assert f'<a href="/logbook/{old}">1 Jan 1999, Lead mediator, Old</a>' in whole.text
    await post(hub, ann, f"/logbook/{old}/delete")
    assert "Supervised case" not in (await opened(hub, ann, f"/cpd/{entry['id']}")).text


async def test_two_tabs_that_changed_the_tags_and_credits_of_one_entry_see_both(hub: Hub) -> None:
    ann = await hub.mediator()
    await post(hub, ann, "/cpd/new", **COURSE)
    (entry,) = await hub.rows("SELECT id FROM cpd_entry")
    path = f"/cpd/{entry['id']}/edit"
    changed = COURSE | {"version": "1", "tags.TRAUMA": "yes"}
    assert (await post(hub, ann, path, **changed)).status_code == 303
    second = await post(hub, ann, path, **(COURSE | {"version": "1", "credits.0.points": "7"}))
    assert "Ethics and standards of practice, Trauma, Law" in second.text
    assert "SIMI: Training, 7 points; Ordre" in second.text
    assert "SIMI: Training, 5.5 points; Ordre" in second.text
