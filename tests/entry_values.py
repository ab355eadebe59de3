"""Values that a field of an entry can hold, by its kind, as the API accepts them."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

from models.fields import EntryField, FieldKind
from resolvers.validation import LANGUAGES, cleaned

_CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
_TEXT = st.text(_CHARACTERS, max_size=40).map(cleaned)
_DAYS = st.integers(0, 27_000).map(lambda days: (date(1950, 1, 1) + timedelta(days)).isoformat())
_CODES = st.sampled_from(sorted(LANGUAGES))
_POINTS = st.integers(1, 999_999).map(lambda points: f"{points / 100:.2f}")
_CREDITS = st.fixed_dictionaries(
    {
        "body": st.sampled_from(["SIMI", "Ordre"]),
        "activity": st.none() | st.just("Formation"),
        "points": st.none() | _POINTS,
    }
)


def values_of(field: EntryField) -> st.SearchStrategy[Any]:
    """Generate values of a field; None is one of them if it may be empty."""
    kinds: dict[FieldKind, st.SearchStrategy[Any]] = {
        FieldKind.CHOICE: st.sampled_from([word.value for word in field.words or ()]),
        FieldKind.DAY: _DAYS,
        FieldKind.COUNT: st.integers(*field.bounds),
        FieldKind.DURATION: st.integers(1, 600_000),
        FieldKind.FLAG: st.booleans(),
        FieldKind.LANGUAGES: st.lists(_CODES, max_size=10, unique=True),
        FieldKind.WORDS: st.lists(
            st.sampled_from([word.value for word in field.words or ()]), max_size=10, unique=True
        ),
        FieldKind.CREDITS: st.lists(_CREDITS, max_size=10),
        FieldKind.CASE: st.none(),
    }
    values = kinds.get(field.kind, _TEXT)
    return values if field.required else st.none() | values


# Two values of each kind, and either can replace the other.
_EXAMPLES: dict[FieldKind, tuple[Any, Any]] = {
    FieldKind.LINK: ("https://demo.example", "https://another.example"),
    FieldKind.DAY: ("2024-01-02", "2024-01-01"),
    FieldKind.COUNT: (2, 3),
    FieldKind.DURATION: (60, 61),
    FieldKind.FLAG: (True, False),
    FieldKind.LANGUAGES: (["en", "fr"], ["fr"]),
    FieldKind.CREDITS: ([{"body": "SIMI", "activity": "Training", "points": "5.25"}], []),
    FieldKind.CASE: (None, None),  # which has to exist
}


def examples(field: EntryField) -> tuple[Any, Any]:
    """Return two values of a field."""
    if field.words:
        one, another, *_ = field.words
        return ([one.value], [another.value]) if field.kind is FieldKind.WORDS else (one.value, another.value)
    return _EXAMPLES.get(field.kind, (f"Some {field.name}", "Another"))


def filled_in(fields: Iterable[EntryField]) -> dict[str, Any]:
    """Fill in every field of an entry of two days, as the API accepts it."""
    return {field.graphql_name: examples(field)[0] for field in fields} | {"startedOn": "2024-01-01"}


def filled_in_otherwise(fields: Iterable[EntryField]) -> dict[str, Any]:
    """Return another value for each field of `filled_in`; each fits the other fields there."""
    return {field.graphql_name: examples(field)[1] for field in fields} | {"startedOn": "2024-01-02"}
