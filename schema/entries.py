"""The GraphQL types of entries, made from the fields that their models declare."""

from collections.abc import Callable
from typing import Any

import strawberry

from models.fields import camel
from permissions.policy import rule
from resolvers.entries import OwnedList
from resolvers.entry_inputs import Class, graphql_type, with_fields


def entry_type(of: OwnedList, description: str) -> Callable[[Class], Class]:
    """Make the type of an entry from its declared fields."""

    def make(cls: Class) -> Class:
        fields = [
            (field, _null_to_some(of.type_name, field.graphql_name, graphql_type(field), empty=not field.required), ...)
            for field in of.fields
        ]
        return strawberry.type(with_fields(cls, fields), description=description)

    return make


def facets_type(of: OwnedList, description: str) -> Callable[[Class], Class]:
    """Make the type that has the values in a list of entries, to filter by."""

    def make(cls: Class) -> Class:
        type_name = f"{of.noun}Facets"
        found: dict[str, tuple[Any, str]] = {"years": (list[int], "Years of the last days, newest first.")}
        found |= {field.facet: (list[str], "In alphabetical order.") for field in of.fields if field.facet}
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
