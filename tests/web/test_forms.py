"""Reading what people type: days, durations, numbers, choices."""

from contextlib import suppress
from datetime import date, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from web import labels
from web.forms import (
    Reader,
    Unreadable,
    read_choice,
    read_day,
    read_fields,
    read_minutes,
    read_text,
    read_whole_number,
    read_yes,
)

DAYS = st.dates(min_value=date(1950, 1, 1), max_value=date(2050, 1, 1))


@given(DAYS)
def test_a_day_is_read_however_it_is_written(written: date) -> None:
    iso = written.isoformat()
    assert read_day(iso) == iso
    assert read_day(f" {written:%d.%m.%Y} ") == iso
    assert read_day(f"{written.day}/{written.month}/{written.year}") == iso
    assert read_day(f"{written.month}/{written.day}/{written.year}", month_first=True) == iso
    assert read_day(labels.day(iso)) == iso
    assert read_day(f"{written:%d %B %Y}") == iso
    assert read_day(f"{written:%B} {written.day}, {written.year}") == iso


def test_a_number_that_cannot_be_a_month_is_the_day() -> None:
    assert read_day("5/31/2026") == "2026-05-31"
    assert read_day("31/5/2026", month_first=True) == "2026-05-31"
    assert read_day("5/6/2026") == "2026-06-05"
    assert read_day("5/6/2026", month_first=True) == "2026-05-06"


@pytest.mark.parametrize(
    "typed", ["", "soon", "31.2.2024", "2024-13-01", "5.5.24", "1 Foo 2024", "1/2/2024 x", "99/99/9999"]
)
def test_text_that_is_not_a_day_is_answered_with_how_to_write_one(typed: str) -> None:
    with pytest.raises(Unreadable, match="Please write the date as"):
        read_day(typed)


@given(st.integers(min_value=0, max_value=600_000))
def test_every_duration_is_read_back_as_it_was_shown_or_exported(number: int) -> None:
    assert read_minutes(labels.hours(number).replace(",", "")) == number
    assert read_minutes(str(labels.decimal_hours(number))) == number
    assert read_minutes(f"{number} min") == number


@pytest.mark.parametrize(
    ("typed", "number"),
    [("7:30", 450), ("7.5", 450), ("7,5", 450), ("7h30", 450), ("7 h", 420), (".5", 30), ("2 hours", 120)],
)
def test_a_duration_is_read_as_hours(typed: str, number: int) -> None:
    assert read_minutes(typed) == number


@pytest.mark.parametrize("typed", ["", "soon", "7:60", "7:5:3", "-1", "1e3", "7..5", ".", "9999999999", "7 days"])
def test_text_that_is_not_a_duration_is_answered_with_how_to_write_one(typed: str) -> None:
    with pytest.raises(Unreadable, match="Please write the duration"):
        read_minutes(typed)


@example("0\x1f")
@given(st.text(max_size=30))
def test_no_text_breaks_a_reader(typed: str) -> None:
    for reader in (read_day, read_minutes, read_whole_number, read_choice(labels.ROLES)):
        with suppress(Unreadable):
            reader(typed)


@given(st.text(max_size=30))
def test_no_reader_repeats_what_was_typed(typed: str) -> None:
    for reader in (read_day, read_minutes, read_whole_number, read_choice(labels.ROLES)):
        with pytest.raises(Unreadable) as unreadable:
            reader(f"{typed} qxzqx")
        assert "qxzqx" not in str(unreadable.value)


@pytest.mark.parametrize("typed", ["1.5", "x", "1234567890", "٣"])
def test_a_whole_number_has_only_digits(typed: str) -> None:
    assert read_whole_number(" 12 ") == 12
    with pytest.raises(Unreadable):
        read_whole_number(typed)


def test_a_choice_is_read_from_its_word_or_its_label() -> None:
    roles = read_choice(labels.ROLES)
    assert roles("LEAD_MEDIATOR") == roles("lead  mediator ") == "LEAD_MEDIATOR"
    with pytest.raises(Unreadable):
        roles("King")


def test_a_form_is_read_as_a_whole() -> None:
    typed = {"name": "Ann", "on": "soon", "agreed": "yes"}
    readers: dict[str, Reader] = {
        "name": read_text,
        "on": read_day,
        "agreed": read_yes,
        "number": read_whole_number,
        "needed": read_text,
        "ticked": read_yes,
    }
    values, problems = read_fields(typed, readers, {"needed"})
    assert values == {"name": "Ann", "on": None, "agreed": True, "number": None, "needed": None, "ticked": False}
    assert [(one["field"], one["code"]) for one in problems] == [("on", "INVALID"), ("needed", "REQUIRED")]


def test_days_of_all_months_are_written_and_read() -> None:
    for number in range(366):
        iso = (date(2024, 1, 1) + timedelta(days=number)).isoformat()
        assert read_day(labels.day(iso)) == iso
