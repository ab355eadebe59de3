"""Reading other people's spreadsheets (encodings, separators, headings, days, durations), and our own exports."""

import csv
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.logbook import LOGBOOK_FIELDS
from resolvers.entry_import import MAX_ENTRIES
from tests.entry_values import values_of
from web import labels, logbook_import
from web.csv_reader import MAX_FILE, MAX_ROWS, CsvRow, NotCsv, pack, read_csv, unpack
from web.csv_writer import csv_rows, guarded, without_guard, write_csv
from web.entry_fields import CONTACT_HOURS
from web.logbook_import import ImportPlan, ReadRow
from web.logbook_import_words import FIELDS, accepted_headings, meanings
from web.pages.logbook import LOGBOOK_LISTING

PLAN_WORDS = {"role": "OBSERVER", "medium": "ONLINE", "outcome": "NOT_KNOWN"}


def read(text: str, **plan: Any) -> list[ReadRow]:
    """Read a file whose days, hours and choices can be read from the headings alone."""
    file = read_csv(text.encode())
    guessed = logbook_import.guess(file)
    return logbook_import.read_rows(file, replace(guessed, **({"defaults": PLAN_WORDS} | plan)))


def one(heading: str, cell: str, **plan: Any) -> Any:
    """What one cell under a heading is read as, or the reason why it can't be."""
    name = next(iter(logbook_import.guess(read_csv(f"{heading}\nx".encode())).columns))
    row = {"Last day": "2024-01-02", "Hours": "1"} | {"First day" if name == "startedOn" else heading: cell}
    if name in {"endedOn", "minutes"}:
        row.pop({"endedOn": "Last day", "minutes": "Hours"}[name])
        row[heading] = cell
    out = io.StringIO()
    csv.writer(out).writerows([row.keys(), row.values()])
    (reading,) = read(out.getvalue(), **plan)
    told = [problem["message"] for problem in reading.problems if problem["field"] == name]
    return told[0] if told else reading.values.get(name)


def test_a_file_may_have_as_many_rows_as_the_api_accepts() -> None:
    assert MAX_ROWS == MAX_ENTRIES


def test_the_docs_list_every_field_that_can_be_imported() -> None:
    table = Path("docs/import.md").read_text(encoding="utf-8").partition("| --- |")[2]
    listed = {title for row in table.splitlines() for title in row.strip("| ").partition(" |")[0].split(", ")}
    assert {str(field.title) for field in FIELDS} <= listed


def test_the_headings_of_our_exports_are_known() -> None:
    exported = [column for column in LOGBOOK_LISTING.exported if column is not CONTACT_HOURS]  # made of sessions
    titles = [str(column.title) for column in exported]
    found = logbook_import.guess(read_csv(write_csv([titles, titles])))
    assert found.columns == {column.field: place for place, column in enumerate(exported)}
    names = [column.field for column in exported]
    archive = logbook_import.guess(read_csv(write_csv([names, names])))
    assert archive.columns == found.columns
    assert (found.in_minutes, archive.in_minutes) == (False, True)


@pytest.mark.parametrize(
    ("heading", "field"),
    [
        ("DATE", "endedOn"),
        ("Start_Date", "startedOn"),
        ("Duration (hrs)", "minutes"),
        ("No. of parties", "partyCount"),
        ("  Type of\ndispute ", "disputeKind"),
        ("Comments", "notes"),
    ],
)
def test_usual_headings_are_known(heading: str, field: str) -> None:
    assert logbook_import.guess(read_csv(write_csv([["X", heading], ["1", "2"]]))).columns == {field: 1}


def test_each_usual_word_means_one_thing() -> None:
    choices = [list(meanings(field).values()) for field in LOGBOOK_FIELDS]
    for said in ([accepted_headings(field) for field in LOGBOOK_FIELDS], *choices):
        every = [word for words in said for word in {logbook_import.key(one) for one in words}]
        assert "" not in every
        assert len(every) == len(set(every))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_separators_and_line_ends_of_spreadsheet_programs_are_read(
    encoding: str, separator: str, end: str
) -> None:
    text = end.join(
        [separator.join(["Date", '"Notes, long; or\tnot"']), "", f'2024-01-02{separator}"é, ""x""{end}; €"', ""]
    )
    file = read_csv(text.encode(encoding))
    assert file.headings == ["Date", "Notes, long; or not"]
    assert file.rows == [CsvRow(3, ["2024-01-02", f'é, "x"{end}; €'])]


def test_a_line_that_names_the_separator_is_not_a_row() -> None:
    assert read_csv(b"sep=;\r\na,b;c\r\n1;2\r\n").rows == [CsvRow(2, ["1", "2"])]


def test_blank_lines_and_cells_are_left_out_and_rows_keep_their_numbers() -> None:
    file = read_csv(b"\n ,\na,b,,\n,,,\n1\n\n2,3, ,\n")
    assert (file.headings, file.rows) == (["a", "b"], [CsvRow(5, ["1"]), CsvRow(7, ["2", "3"])])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b" \n ", "empty"),
        (b"\xd0\xcf\x11\xe0rest", "older spreadsheet"),
        (b"<!DOCTYPE html><table>", "web page"),
        (b'<?xml version="1.0"?>', "web page or XML"),
        (b"a\x81b\n1", "read the characters of this file"),
        (b"\xff\xfea", "read the characters of this file"),
        ("a\nb".encode("utf-16-le"), "NUL"),
        (b'a\n"1"2"\n', "After row 1"),
        (b"a\n" + b"x" * 200_000, "a cell is too long"),
        (b"a\n" + b"1," * 101, "Row 2 has more than 100 columns"),
    ],
)
def test_a_file_that_is_not_csv_is_answered_with_what_to_do(data: bytes, says: str) -> None:
    with pytest.raises(NotCsv, match=says):
        read_csv(data)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_with_a_reason(data: bytes) -> None:
    try:
        file = read_csv(data)
    except NotCsv:
        return
    readings = logbook_import.read_rows(file, logbook_import.guess(file))
    assert [reading.row for reading in readings] == file.rows


@given(st.binary(max_size=300))
def test_a_packed_file_is_unpacked_unchanged(data: bytes) -> None:
    assert unpack(pack(data)) == data


def test_only_a_complete_packed_file_is_unpacked() -> None:
    whole = bytes(MAX_FILE)
    assert unpack(pack(whole)) == whole
    for wrong in ("", "????", pack(b"abc")[:-4], pack(bytes(MAX_FILE + 1))):
        with pytest.raises(NotCsv):
            unpack(wrong)


@pytest.mark.parametrize(
    ("heading", "cell", "value"),
    [
        ("Last day", "31.5.2024", "2024-05-31"),
        ("Last day", "5/31/2024", "2024-05-31"),
        ("Last day", "2024-05-31 00:00:00", "2024-05-31"),
        ("Last day", "31/02/2024", "Please write the date as 2026-03-31 or 31 Mar 2026."),
        ("Hours", "7:30", 450),
        ("Hours", "7:30:00", 450),
        ("Hours", "7,5", 450),
        ("Hours", "long", "Please write the duration in hours, such as 7:30 or 7.5."),
        ("Minutes", "90", 90),
        ("Minutes", "1:30", 90),
        ("Duration (min)", "45 min", 45),
        ("Role", " co mediator ", "CO_MEDIATOR"),
        ("Role", "CO_MEDIATOR", "CO_MEDIATOR"),
        ("Role", "", "OBSERVER"),
        ("Role", "-", "Please write one of: " + ", ".join(map(str, labels.ROLES.values())) + "."),
        ("Medium", "face-to-face", "IN_PERSON"),
        ("Outcome", "N/A", "NOT_KNOWN"),
        ("Simulated", "x", True),
        ("Simulated", "No", False),
        ("Simulated", "", None),
        ("Simulated", "perhaps", "Please write Yes or No."),
        ("Number of parties", "3", 3),
        ("Number of parties", "three", "Please write a whole number."),
        ("Notes", "'=1", "=1"),
        ("Notes", "'tis", "'tis"),
    ],
)
def test_cells_are_read_as_people_write_them(heading: str, cell: str, value: object) -> None:
    assert one(heading, cell) == value


def test_whether_the_month_comes_first_is_guessed_from_the_days() -> None:
    for days, is_first, is_ambiguous in (
        (["5/6/2024"], False, True),
        (["5/6/2024", "5/31/2024"], True, True),
        (["5/31/2024", "31/5/2024"], False, False),
        (["2024-05-06", "5/5/2024"], False, False),
    ):
        file = read_csv("\n".join(["Date", *days]).encode())
        plan = logbook_import.guess(file)
        assert (plan.month_first, logbook_import.is_ambiguous(file, plan)) == (is_first, is_ambiguous), days
    assert one("Last day", "5/6/2024") == "2024-06-05"
    assert one("Last day", "5/6/2024", month_first=True) == "2024-05-06"


def test_one_day_counts_as_first_and_last_and_its_problem_is_reported_once() -> None:
    good, bad = read("Start,Hours\n2024-05-06,1\nsoon,1\n")
    assert (good.values["startedOn"], good.values["endedOn"]) == ("2024-05-06", "2024-05-06")
    file = read_csv(b"Start,Hours\nsoon,1\n")
    (result,) = logbook_import.results(logbook_import.guess(file), [bad], [])
    assert [name for name, _ in result.problems] == ["startedOn"]
    assert result.reason() == "First day: Please write the date as 2026-03-31 or 31 Mar 2026."


def test_the_page_asks_for_what_is_missing() -> None:
    plan = logbook_import.guess(read_csv(b"a\n1\n"))
    assert [problem["field"] for problem in plan.problems()] == ["endedOn", "minutes", "roleElse", "mediumElse"]


def test_a_plan_is_read_back_from_its_form_unchanged() -> None:
    file = read_csv(b"Date,Mins,Role,What\n5/31/2024,90,lead,x\n")
    plan = logbook_import.guess(file)
    assert logbook_import.plan_of(file, plan.typed()) == plan
    wrong = logbook_import.plan_of(
        file, {"endedOn": "4", "minutes": "-1", "role": "0.0", "roleElse": "JUDGE", "days": "week"}
    )
    assert wrong == ImportPlan({}, month_first=False, in_minutes=False, defaults={})


def test_row_numbers_are_abbreviated_to_ranges() -> None:
    assert logbook_import.ranges([]) == []
    assert logbook_import.ranges([2, 4, 5, 6, 8, 9, 1200]) == ["2", "4-6", "8-9", "1,200"]


ENTRIES = st.fixed_dictionaries({field.graphql_name: values_of(field) for field in LOGBOOK_FIELDS})


@given(st.lists(ENTRIES, min_size=1, max_size=5))
def test_our_own_export_is_read_back_unchanged(entries: list[dict[str, Any]]) -> None:
    out = io.BytesIO()
    with csv_rows(out, [str(column.title) for column in LOGBOOK_LISTING.exported]) as add:
        for entry in entries:
            shown = entry | {"contactMinutes": entry["minutes"]}
            add({str(column.title): column.kind.cell(shown[column.field]) for column in LOGBOOK_LISTING.exported})
    file = read_csv(out.getvalue())
    readings = logbook_import.read_rows(file, logbook_import.guess(file))
    assert [reading.problems for reading in readings] == [[]] * len(entries)
    expected = [{name: value for name, value in entry.items() if value not in (None, [])} for entry in entries]
    assert [reading.values for reading in readings] == expected


WIDE = "\uff1d\uff0b\uff0d\uff20"
_PIECES = st.sampled_from(
    [*"=+-@,;|\t\r\n'\" a", *WIDE, *"\u2028\x1d\xa0\ufeff\u200b", "\r\n", "b;=1", '"=', 'x","', "'="]
)
CELLS = st.lists(_PIECES, max_size=8).map("".join) | st.text(max_size=10)


@given(CELLS)
def test_a_guard_against_formulas_is_removed_again_and_nothing_else(text: str) -> None:
    assert without_guard(guarded(text)) == text
    assert guarded(without_guard(text)) in {text, guarded(text)}


@pytest.mark.parametrize("separator", ",;\t|")
@given(
    st.lists(
        st.lists(CELLS.map(str.strip) | st.integers(min_value=0) | st.none(), min_size=3, max_size=3),
        min_size=1,
        max_size=4,
    )
)
def test_no_cell_starts_a_formula_whichever_separator_a_program_splits_at(
    separator: str, rows: list[list[Any]]
) -> None:
    out = io.BytesIO()
    with csv_rows(out, ["A", "B", "C"]) as add:
        for row in rows:
            add(dict(zip("ABC", row, strict=True)))
    text = out.getvalue().decode("utf-8-sig")
    for lines in (io.StringIO(text, newline=""), text.splitlines(), text.splitlines(keepends=True)):
        for found in csv.reader(lines, delimiter=separator):
            for cell in found:
                # Split at another separator, a stray quotation mark can make a cell start with its own line's end.
                assert separator != "," or not cell.startswith(("\t", "\r")), cell
                assert not re.match(rf"[\s\"\ufeff\u200b]*[=+\-@{WIDE}]", cell), cell


@pytest.mark.parametrize("text", ["a;b, c", "calm - kind", "'tis", "x = 1", "me@demo.example", '"a"; b', "a\tb\nc"])
def test_a_guard_leaves_text_that_no_program_would_run_unchanged(text: str) -> None:
    assert guarded(text) == without_guard(text) == text


@pytest.mark.parametrize("part", ["'", ";", ";'", "\n", "\t", " ", ";-", "a, b; c ", "=", "\t'"])
def test_the_time_to_guard_a_text_only_grows_with_its_length(part: str) -> None:
    text = part * 100_000  # would take hours if each letter looked at everything after it
    assert without_guard(guarded(text)) == text


@pytest.mark.parametrize(
    ("typed", "subject", "kind", "read"),
    [
        ("Family and separation", "", "FAMILY", None),
        ("divorce", "", "FAMILY", "divorce"),
        ("probate", "The house", "INHERITANCE", "The house; probate"),
        ("Ann v Bob", "", "OTHER", "Ann v Bob"),
        ("Ann v Bob", "The house", "OTHER", "The house; Ann v Bob"),
        ("Other", "", "OTHER", None),
        ("", "The house", None, "The house"),
    ],
)
def test_a_kind_of_dispute_that_is_not_in_the_list_becomes_the_private_subject(
    typed: str, subject: str, kind: str | None, read: str | None
) -> None:
    headings = ["Date", "Hours", "Role", "Medium", "Kind of dispute", "Subject"]
    file = read_csv(write_csv([headings, ["2024-01-02", "1:00", "Lead", "Zoom", typed, subject]]))
    [row] = logbook_import.read_rows(file, logbook_import.guess(file))
    assert row.problems == []
    assert (row.values.get("disputeKind"), row.values.get("subject")) == (kind, read)


def test_without_a_column_for_the_subject_a_kind_in_our_own_words_is_kept_too() -> None:
    file = read_csv(
        write_csv([["Date", "Hours", "Role", "Medium", "Kind"], ["2024-01-02", "1", "Lead", "Zoom", "Neighbours"]])
    )
    [row] = logbook_import.read_rows(file, logbook_import.guess(file))
    assert (row.values["disputeKind"], row.values["subject"]) == ("NEIGHBOURS", "Neighbours")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30))
@example("0\x1f")
def test_no_text_breaks_the_reading_of_minutes(typed: str) -> None:
    headings = ["Date", "Minutes", "Role", "Medium"]
    file = read_csv(write_csv([headings, ["2024-01-02", guarded(typed), "Lead", "Zoom"]]))
    assert len(logbook_import.read_rows(file, logbook_import.guess(file))) == 1
