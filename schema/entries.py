"""The GraphQL types of entries, made from the fields that their models declare."""

from collections.abc import Callable
from decimal import Decimal
from types import GenericAlias
from typing import Any

import strawberry

from models.fields import EntryField, FieldKind, camel
from permissions.policy import rule
from resolvers.credits import credits_of
from resolvers.entries import OwnedList
from resolvers.entry_inputs import Class, graphql_type, with_fields


@strawberry.type(description="What one body counts an activity as.")
class CpdCredit:
    """What one body counts an activity as."""

    body: str
    activity: str | None = strawberry.field(description="The body's own words for this kind of activity.")
    points: Decimal | None = strawberry.field(description="Null if the body counts hours.")


# Kinds whose values aren't shown as they're stored: what gives them, and their type.
_RESOLVED: dict[FieldKind, tuple[Callable[..., Any], Any]] = {FieldKind.CREDITS: (credits_of, list[CpdCredit])}


def _shown_as(field: EntryField) -> Any:
    return _RESOLVED[field.kind][1] if field.kind in _RESOLVED else graphql_type(field)


def entry_type(of: OwnedList, description: str) -> Callable[[Class], Class]:
    """Make the type of an entry from its declared fields."""

    def make(cls: Class) -> Class:
        fields = [
            (field, _null_to_some(of.type_name, field.graphql_name, _shown_as(field), empty=not field.required), ...)
            for field in of.fields
        ]
        shown = with_fields(cls, fields)
        for field in of.fields:
            if field.kind in _RESOLVED:
                resolver, _ = _RESOLVED[field.kind]
                type_ = cls.__annotations__.pop(field.name)
                made = strawberry.field(resolver=resolver, graphql_type=type_, description=field.description)
                setattr(shown, field.name, made)
        return strawberry.type(shown, description=description)

    return make


def facets_type(of: OwnedList, description: str) -> Callable[[Class], Class]:
    """Make the type that has the values in a list of entries, to filter by."""

    def make(cls: Class) -> Class:
        type_name = f"{of.noun}Facets"
        found: dict[str, tuple[Any, str]] = {"years": (list[int], "Years of the last days, newest first.")}
        for field in of.fields:
            if field.facet:
                found[field.facet] = (GenericAlias(list, (field.words or str,)), "In alphabetical order.")
        for name, (type_, says) in found.items():
            cls.__annotations__[name] = _null_to_some(type_name, camel(name), type_, empty=False)
            setattr(cls, name, strawberry.field(description=says))
        return strawberry.type(cls, description=description)

    return make


def _null_to_some(type_name: str, name: str, type_: Any, *, empty: bool) -> Any:
    """Make a field's type: nullable if it can be empty, or if some who read the row may not read the field."""
    first = "id" if type_name.endswith("Entry") else "years"  # everyone who has the type has this field
    everybody_reads = rule(type_name, name).standings == rule(type_name, first).standings
    return type_ if everybody_reads and not empty else type_ | None
