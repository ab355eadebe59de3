"""The inputs for adding, changing, filtering and sorting entries, made from the fields that their models declare.

A class declares any other fields that its input has. One of these decorators adds the entry's own.
"""

from collections.abc import Callable, Iterable
from enum import Enum
from types import GenericAlias
from typing import Any, TypeVar

import strawberry
from strawberry import UNSET

from models.fields import EntryField, FieldKind
from resolvers.credits import CpdCreditInput
from resolvers.entries import EntryList, EntryOrder, OrderDirection, OwnedList
from resolvers.entry_rows import HELD

Class = TypeVar("Class", bound=type)


# The type in inputs of a kind whose column has another.
_GIVEN: dict[FieldKind, Any] = {FieldKind.CREDITS: list[CpdCreditInput], FieldKind.CASE: strawberry.ID}


def graphql_type(field: EntryField) -> Any:
    """Give the type that a field has in the API's inputs."""
    if field.words is not None:
        return GenericAlias(list, (field.words,)) if field.kind is FieldKind.WORDS else field.words
    return _GIVEN.get(field.kind) or HELD.get(field.kind, str)


def with_fields(cls: Class, fields: Iterable[tuple[EntryField, Any, Any]]) -> Class:
    """Put fields before a class's own, each with its type and its default (... for none)."""
    annotations = {}
    for field, type_, default in fields:
        annotations[field.name] = type_
        given = {} if default is ... else {"default": default}
        setattr(cls, field.name, strawberry.field(description=field.description, **given))
    cls.__annotations__ = annotations | cls.__annotations__
    return cls


def new_entry(of: OwnedList, *, description: str) -> Callable[[Class], Class]:
    """Make the input of a new entry: its required fields, and the others with their defaults."""

    def make(cls: Class) -> Class:
        for field in of.fields:
            if field.words:
                strawberry.enum(field.words)
        fields = [
            (field, graphql_type(field) | None, None)
            if field.is_optional
            else (field, graphql_type(field), ... if field.default is None else field.default)
            for field in of.fields
        ]
        return strawberry.input(with_fields(cls, fields), description=description)

    return make


def changed_entry(of: OwnedList) -> Callable[[Class], Class]:
    """Make the input of changes to an entry."""

    def make(cls: Class) -> Class:
        fields = [(field, graphql_type(field) | None, UNSET) for field in of.fields]
        return strawberry.input(
            with_fields(cls, fields), description="Changes to an entry. Fields you leave out stay as they are."
        )

    return make


def _put(cls: type, name: str, type_: type, *, description: str) -> None:
    """Add an optional field after those of a class."""
    cls.__annotations__[name] = type_ | None
    setattr(cls, name, strawberry.field(default=None, description=description))


def entry_filter(of: OwnedList) -> Callable[[Class], Class]:
    """Make the filter of a list of entries: every declared field that it can be filtered by, the year, and any text."""

    def make(cls: Class) -> Class:
        _put(cls, "year", int, description="The year of the last day.")
        _put(cls, "text", str, description="Words to look for in every text that you may read.")
        fields = [(field, graphql_type(field) | None, None) for field in of.fields if field.filtered]
        return strawberry.input(
            with_fields(cls, fields), description="What to show: the rows that match every field you give."
        )

    return make


def entry_order(of: EntryList, *, description: str) -> Callable[[type[EntryOrder]], type[EntryOrder]]:
    """Make the `orderBy` of a list of entries, with everything that it can be sorted by."""

    def make(cls: type[EntryOrder]) -> type[EntryOrder]:
        texts = {field.name for field in getattr(of, "fields", ()) if field.kind is FieldKind.TEXT}
        members = {
            name.upper(): strawberry.enum_value(
                name, description="By the first 100 characters." if name in texts else None
            )
            for name in of.sorts
        }
        enumeration: Any = Enum
        field = strawberry.enum(enumeration(f"{of.noun}OrderField", members), description=description)
        cls.__annotations__ = {"field": field, "direction": OrderDirection}
        cls.direction = OrderDirection.ASC
        return strawberry.input(cls)

    return make
