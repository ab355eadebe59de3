"""Rows of entries: their declared fields, which are null to anyone who may not read them."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import TypeVar
from uuid import UUID

from models.fields import EntryField, FieldKind, camel
from models.statement import Row
from permissions.policy import rule
from resolvers.paging import ListedRow

# The type of a column, by the kind of its field; text for others.
HELD: dict[FieldKind, type] = {
    FieldKind.DAY: date,
    FieldKind.COUNT: int,
    FieldKind.DURATION: int,
    FieldKind.FLAG: bool,
    FieldKind.LANGUAGES: list[str],
    FieldKind.WORDS: list[str],
    FieldKind.CREDITS: list[dict[str, str | None]],
    FieldKind.CASE: UUID,
}


class EntryRow(ListedRow):
    """What every row of an entry list has: the standing that it was loaded with."""

    standing: int


class OwnedRow(EntryRow):
    """An entry that its mediator wrote. Its version is null to anyone who may not read it."""

    version: int | None


class FacetsRow(Row):
    """The values to filter a mediator's entries by."""

    parent: UUID
    standing: int
    years: list[int]


RowType = TypeVar("RowType", bound=type[Row])


def with_columns(cls: RowType, type_name: str, columns: Mapping[str, type], always: str = "id") -> RowType:
    """Add columns to a type of rows. A column may be null if some who read `always` may not read it."""
    everybody = rule(type_name, always).standings
    for name, type_ in columns.items():
        is_read = rule(type_name, camel(name)).standings == everybody
        cls.__annotations__[name] = type_ if is_read else type_ | None
    return cls


def entry_row(type_name: str, fields: Iterable[EntryField]) -> Callable[[RowType], RowType]:
    """Add the columns of an entry's declared fields to a type of rows."""

    def make(cls: RowType) -> RowType:
        for one in fields:
            held = HELD.get(one.kind, str)
            with_columns(cls, type_name, {one.name: held})
            if not one.required:
                cls.__annotations__[one.name] = held | None
        return cls

    return make
