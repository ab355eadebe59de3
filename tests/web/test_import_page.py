"""Importing a spreadsheet: choosing a file, previewing how it's read, importing it, and correcting what failed."""

import csv
import io
import re
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.account import Role
from resolvers import limits
from tests.hub import Hub, Person
from tests.web.reading import FOREIGN, HOSTILE, cookie, everything, exhausted, is_a_page, problems
from tests.world import put_cases
from web.csv_reader import MAX_FILE, MAX_ROWS, pack
from web.pages.logbook_import import MAX_LISTED, REASON

PATH, FAILED = "/logbook/import", "/logbook/import/failed.csv"
SAMPLE = (Path(__file__).parents[2] / "web" / "static" / "sample-logbook.csv").read_bytes()
HEADINGS = "Last day,Role,Medium,Hours,Outcome,Reference"
GOOD = "2025-01-15,Lead mediator,Online,1:30,Settled,"


def csv_of(*rows: str, headings: str = HEADINGS) -> bytes:
    return "\n".join([headings, *rows]).encode()


async def chosen(hub: Hub, ann: Person, data: bytes) -> httpx.Response:
    """Choose a file."""
    return await hub.client.post(PATH, files={"file": ("cases.csv", data, "text/csv")}, headers=cookie(ann))


def form_of(response: httpx.Response) -> dict[str, str]:
    """What a page's own form would send, unchanged."""
    text = response.text
    form = dict(re.findall(r'<input type="hidden" name="(.*?)" value="(.*?)"', text))
    for name, options in re.findall(r'<select id="\w+" name="(\w+)".*?>(.*?)</select>', text, re.DOTALL):
        selected = re.search(r'value="([^"]*)" selected', options)
        form[name] = selected.group(1) if selected else ""
    form |= dict(re.findall(r'type="radio" name="(\w+)" value="(\w+)"[^>]*checked', text))
    return form


async def sent(hub: Hub, ann: Person, shown: httpx.Response, **changes: str) -> httpx.Response:
    """Send a preview's form, with changes."""
    form = form_of(shown) | {"then": "import"} | changes
    return await hub.client.post(PATH, data=form, headers=cookie(ann))


def figures(response: httpx.Response) -> list[int]:
    """How many were imported, skipped, and failed."""
    return [int(number.replace(",", "")) for number in re.findall(r"<p><strong>([\d,]+)</strong> ", response.text)]


async def cases(hub: Hub) -> int:
    (row,) = await hub.rows("SELECT count(*) FROM logbook_entry")
    return int(row["count"])


async def test_the_sample_is_imported_as_it_is(hub: Hub) -> None:
    ann = await hub.mediator()
    start = await hub.client.get(PATH, headers=cookie(ann))
    assert is_a_page(start)
    link = re.search(r'href="(/static/[^"]*csv)"', start.text)
    assert link
    assert (await hub.client.get(link.group(1))).content == SAMPLE
    before = await everything(hub)
    shown = await chosen(hub, ann, SAMPLE)
    assert is_a_page(shown)
    assert (figures(shown), problems(shown)) == ([5, 0, 0], [])
    assert "How dates such as" not in shown.text
    assert await everything(hub) == before
    done = await sent(hub, ann, shown)
    assert is_a_page(done)
    assert figures(done) == [5, 0, 0]
    (first, *_, last) = await hub.rows(
        "SELECT * FROM logbook_entry e JOIN logbook_private p USING (id) ORDER BY e.ended_on"
    )
    assert (first["minutes"], first["role"], first["party_count"], first["country"], first["did_well"]) == (
        450,
        "LEAD_MEDIATOR",
        2,
        "Atlantis",
        "Both spoke before noon.",
    )
    assert [str(last[name]) for name in ("started_on", "ended_on", "outcome")] == [
        "2025-05-08",
        "2025-05-10",
        "NOT_SETTLED",
    ]
    assert figures(await chosen(hub, ann, SAMPLE)) == [0, 5, 0]


async def test_an_export_is_recognised_as_duplicates_whatever_its_texts_look_like(hub: Hub) -> None:
    ann = await hub.mediator()
    texts = ["=1+1", "'=1+1", "'quoted", "a\r\nb\nc", 'say "yes"; or, no', HOSTILE, "ünïcode ☂", "-", "12"]
    for text in texts:
        entry: dict[str, Any] = {
            "role": "OBSERVER",
            "medium": "HYBRID",
            "startedOn": "2024-01-02",
            "endedOn": "2024-02-01",
        }
        entry |= {"minutes": 61, "reference": text, "notes": text, "parties": text, "subject": "A=B"}
        answer = await hub.change("addLogbookEntry", entry, by=ann)
        assert not answer.data["addLogbookEntry"]["userErrors"]
    await put_cases(hub, ann, {"simulated": True}, {"simulated": True}, {"party_count": 3, "minutes": 60})
    exported = await hub.client.get("/logbook.csv", headers=cookie(ann))
    shown = await chosen(hub, ann, exported.content)
    assert figures(shown) == [0, len(texts) + 3, 0]
    assert "There's nothing to import" in shown.text
    # A third copy of a case that's in the logbook twice is new.
    third = exported.content + next(line for line in exported.content.splitlines(True) if b",Yes," in line)
    assert figures(await chosen(hub, ann, third)) == [1, len(texts) + 3, 0]


async def test_columns_of_any_name_are_assigned_and_the_format_of_days_and_durations_chosen(hub: Hub) -> None:
    ann = await hub.mediator()
    shown = await chosen(hub, ann, b"Wann;Wie lang;Was;Status\n5/6/2024;90;<i>Erbe;agreement\n")
    assert is_a_page(shown)
    assert [field for field, _ in problems(shown)] == ["endedOn", "minutes", "roleElse", "mediumElse"]
    assert figures(shown) == []
    choices = {"endedOn": "0", "minutes": "1", "disputeKind": "2", "unit": "minutes", "roleElse": "OBSERVER"}
    unready = await sent(hub, ann, shown, **choices)
    assert is_a_page(unready, 422)
    assert [field for field, _ in problems(unready)] == ["mediumElse"]
    assert form_of(unready)["disputeKind"] == "2"
    shown = await sent(hub, ann, unready, mediumElse="ONLINE", then="preview")
    assert is_a_page(shown)
    assert figures(shown) == [1, 0, 0]
    assert "5 Jun 2024" in shown.text
    assert "&lt;i&gt;Erbe" in shown.text
    changed = await sent(hub, ann, shown, days="month")
    assert is_a_page(changed, 422)
    assert "Please check the new preview" in changed.text
    assert "6 May 2024" in changed.text
    assert await cases(hub) == 0
    assert figures(await sent(hub, ann, changed)) == [1, 0, 0]
    (row,) = await hub.rows("SELECT * FROM logbook_entry")
    assert [str(row["started_on"]), str(row["ended_on"])] == ["2024-05-06"] * 2
    assert (row["minutes"], row["role"], row["medium"], row["outcome"]) == (90, "OBSERVER", "ONLINE", "SETTLED")


BAD = (
    "2025-13-01,Judge,Online,1:30,Settled,bad day and role",
    "2025-01-15,Lead mediator,Online,0,Settled,no time at all",
    "2025-01-15,Lead mediator,Online,1:30,Settled,too,many",
)


async def test_rows_that_cannot_be_read_are_reported_and_the_others_imported(hub: Hub) -> None:
    ann = await hub.mediator()
    shown = await chosen(hub, ann, csv_of(BAD[0], "", GOOD, *BAD[1:]))
    assert figures(shown) == [1, 0, 3]
    told = unescape(re.sub(r"<[^>]*>|\s+", " ", shown.text))
    assert "Row 2 A: Last day 2025-13-01 Please write the date as" in " ".join(told.split())
    assert "Row 2 B: Role Judge Please write one of: Lead mediator," in " ".join(told.split())
    assert "Row 5 D: Hours 0 Please give a duration from 1 minute" in " ".join(told.split())
    assert "Row 6 The whole row There are more cells than headings." in " ".join(told.split())
    done = await sent(hub, ann, shown)
    assert is_a_page(done)
    assert (figures(done), await cases(hub)) == ([1, 0, 3], 1)
    mended = await hub.client.post(FAILED, data=form_of(done), headers=cookie(ann))
    assert mended.headers["content-type"] == "text/csv; charset=utf-8"
    assert mended.headers["content-disposition"].startswith("attachment")
    rows = list(csv.reader(io.StringIO(mended.content.decode("utf-8-sig"))))
    assert rows[0] == [str(REASON), *HEADINGS.split(",")]
    assert [row[1:] for row in rows[1:]] == [row.split(",") for row in BAD]
    assert rows[1][0].startswith("Last day: Please write the date as")
    assert " Role: Please write one of" in rows[1][0]
    again = await chosen(hub, ann, mended.content.replace(b"2025-13-01,Judge", b"2025-12-01,Observer"))
    assert figures(again) == [1, 0, 2]
    rest = await hub.client.post(FAILED, data=form_of(again), headers=cookie(ann))
    assert rest.text.count(str(REASON)) == 1


async def test_the_rows_to_correct_contain_no_formula_and_are_read_as_before(hub: Hub) -> None:
    ann = await hub.mediator()
    data = csv_of('2025-01-15,Judge,Online,1:30,Settled,"=HYPERLINK(1)"', "2025-01-15,Judge,Online,1:30,Settled,'+1")
    shown = await chosen(hub, ann, data)
    rest = await hub.client.post(FAILED, data=form_of(shown), headers=cookie(ann))
    rows = list(csv.reader(io.StringIO(rest.content.decode("utf-8-sig"))))
    assert [row[6] for row in rows[1:]] == ["'=HYPERLINK(1)", "'+1"]
    shown = await chosen(hub, ann, rest.content.replace(b"Judge", b"Observer"))
    await sent(hub, ann, shown)
    assert {row["reference"] for row in await hub.rows("SELECT reference FROM logbook_private")} == {
        "=HYPERLINK(1)",
        "+1",
    }


@pytest.mark.parametrize("bad", BAD)
async def test_all_or_nothing_imports_nothing_if_any_row_fails(hub: Hub, bad: str) -> None:
    ann = await hub.mediator()
    shown = await chosen(hub, ann, csv_of(GOOD, bad))
    before = await everything(hub)
    refused = await sent(hub, ann, shown, mode="all")
    assert is_a_page(refused, 422)
    assert figures(refused) == [1, 0, 1]
    assert problems(refused)[0][1].startswith("Nothing was imported")
    assert form_of(refused)["mode"] == "all"
    assert await everything(hub) == before
    assert figures(await sent(hub, ann, refused, mode="readable")) == [1, 0, 1]
    assert await cases(hub) == 1


async def test_a_form_sent_twice_imports_once_and_shows_the_same_result(hub: Hub) -> None:
    ann = await hub.mediator()
    shown = await chosen(hub, ann, csv_of(GOOD, GOOD))
    form = form_of(shown) | {"then": "import"}
    first = await hub.client.post(PATH, data=form, headers=cookie(ann))
    second = await hub.client.post(PATH, data=form, headers=cookie(ann))
    assert figures(first) == [2, 0, 0]
    assert first.text == second.text
    assert await cases(hub) == 2


async def test_hostile_cells_and_headings_are_shown_as_text(hub: Hub) -> None:
    ann = await hub.mediator()
    data = io.StringIO()
    csv.writer(data).writerows(
        [["Date", "Role", "Medium", "Hours", HOSTILE, "Ref"], ["1 May 2025", HOSTILE, "Online", "1", "x", HOSTILE]]
    )
    for response in (
        shown := await chosen(hub, ann, data.getvalue().encode()),
        await sent(hub, ann, shown),
    ):
        assert is_a_page(response)
        assert unescape(HOSTILE) in unescape(response.text)
    assert figures(shown) == [0, 0, 1]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "there was none, or it was empty"),
        (b"PK\x03\x04rest", "own file, such as .xlsx"),
        (b"%PDF-1.7", "This is a PDF"),
        (csv_of(), "has no rows"),
        (csv_of("a\0b"), "NUL"),
        (csv_of(*[GOOD] * (MAX_ROWS + 1)), "more than 5,000 rows"),
        (b",".join([b"a"] * 101), "more than 100 columns"),
        (csv_of('"never closed', GOOD), "After row 1, quotation marks"),
        (b"x" * (MAX_FILE + 1), "2 MB"),
        (b"x" * (MAX_FILE * 2), "2 MB"),
    ],
)
async def test_a_file_that_cannot_be_read_says_what_to_do(hub: Hub, data: bytes, says: str) -> None:
    ann = await hub.mediator()
    response = await chosen(hub, ann, data)
    assert is_a_page(response, 422)
    ((field, text),) = problems(response)
    assert field == "file"
    assert says in text


async def test_a_file_of_the_largest_size_is_imported_in_full(hub: Hub) -> None:
    ann = await hub.mediator()
    rows = [f"2025-01-15,Lead mediator,Online,1:30,Settled,{number}" for number in range(MAX_ROWS - 1)]
    shown = await chosen(hub, ann, csv_of(*rows, "2025-01-15,Judge,Online,1:30,Settled,last"))
    done = await sent(hub, ann, shown)
    assert (figures(done), await cases(hub)) == ([4_999, 0, 1], 4_999)
    again = await chosen(hub, ann, csv_of(*rows))
    assert figures(again) == [0, 4_999, 0]
    assert "2-5,000" in again.text


async def test_a_long_report_lists_the_first_rows_and_counts_the_rest(hub: Hub) -> None:
    ann = await hub.mediator()
    shown = await chosen(hub, ann, csv_of(*["no day,Observer,Online,1,Settled,"] * (MAX_LISTED + 7)))
    assert figures(shown) == [0, 0, MAX_LISTED + 7]
    assert shown.text.count("Please write the date as 2026-03-31") == MAX_LISTED + 10  # and those in the preview
    assert "And 7 more rows" in shown.text


async def test_a_form_that_no_page_of_ours_sends_is_refused_without_a_fault(hub: Hub) -> None:
    ann = await hub.mediator()
    ours = form_of(await chosen(hub, ann, csv_of(GOOD)))
    for sheet in ("", "ü", "abc", pack(b"x" * MAX_FILE)[:-8], pack(b"x" * (MAX_FILE + 1))):
        response = await hub.client.post(PATH, data=ours | {"sheet": sheet}, headers=cookie(ann))
        assert is_a_page(response, 422)
        assert "choose it again" in problems(response)[0][1]
        assert is_a_page(await hub.client.post(FAILED, data={"sheet": sheet}, headers=cookie(ann)), 400)
    odd = ours | dict.fromkeys(ours, "\0-7") | {"sheet": ours["sheet"]}
    assert is_a_page(await hub.client.post(PATH, data=odd, headers=cookie(ann)), 422)
    for body in (b"", b"--x\r\nno part"):
        headers = cookie(ann) | {"content-type": "multipart/form-data; boundary=x"}
        assert (await hub.client.post(PATH, content=body, headers=headers)).status_code in {400, 422}
    assert is_a_page(await hub.client.post(PATH, data=ours | {"x": "x" * 4 * MAX_FILE}, headers=cookie(ann)), 413)
    assert await cases(hub) == 0


async def test_imports_are_only_for_mediators(hub: Hub) -> None:
    ann = await hub.mediator()
    form = form_of(await chosen(hub, ann, csv_of(GOOD))) | {"then": "import"}
    others = [await hub.person(role) for role in (Role.REVIEWER, Role.DIRECTORY, Role.ADMIN)]
    before = await everything(hub)
    nothing = set()
    for person in others:
        answers = [await hub.client.get(PATH, headers=cookie(person))]
        answers += [await hub.client.post(path, data=form, headers=cookie(person)) for path in (PATH, FAILED)]
        for response in answers:
            assert is_a_page(response, 404)
            nothing.add(response.text.partition("<main")[2])
    assert len(nothing) == 1
    assert (await hub.client.get(PATH)).headers["location"].startswith("/signin")
    for path in (PATH, FAILED):
        assert is_a_page(await hub.client.post(path, data=form), 401)
        for headers in FOREIGN:
            assert is_a_page(await hub.client.post(path, data=form, headers=headers | cookie(ann)), 403)
    assert await everything(hub) == before


async def test_an_import_goes_into_the_importers_own_logbook(hub: Hub) -> None:
    ann, bob = await hub.mediator(), await hub.mediator()
    shown = await chosen(hub, ann, csv_of(GOOD))
    assert figures(await sent(hub, ann, shown)) == [1, 0, 0]
    assert figures(await sent(hub, bob, shown)) == [1, 0, 0]
    assert {row["mediator_id"] for row in await hub.rows("SELECT mediator_id FROM logbook_entry")} == {ann.id, bob.id}


async def test_after_too_many_imports_the_page_says_when_to_try_again_and_keeps_the_file(hub: Hub) -> None:
    ann = await hub.mediator()
    await exhausted(hub, limits.IMPORTS, 60, ann.id)
    response = await chosen(hub, ann, csv_of(GOOD))
    assert is_a_page(response, 429)
    assert int(response.headers["retry-after"]) > 0
    assert form_of(response)["sheet"] == pack(csv_of(GOOD))
    refused = await hub.client.post(FAILED, data=form_of(response), headers=cookie(ann))
    assert is_a_page(refused, 429)
