"""Values that fit input types."""

from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    is_required_input_field,
)

SCALARS: dict[str, object] = {
    "ID": "00000000-0000-4000-8000-000000000000",
    "String": "some words",
    "Int": 5,
    "Boolean": True,
    "Decimal": "2.5",
    "Date": "2024-01-02",
    "DateTime": "2035-01-02T03:04:05Z",
    "Base64": "c29tZSBieXRlcw==",
}


def value_of(type_: GraphQLInputType, *, every: bool) -> Any:
    """Make a value of a type, with `every` field or only the required ones."""
    if isinstance(type_, GraphQLNonNull):
        return value_of(type_.of_type, every=every)
    if isinstance(type_, GraphQLList):
        return [value_of(type_.of_type, every=every)]
    if isinstance(type_, GraphQLEnumType):
        return next(iter(type_.values))
    if isinstance(type_, GraphQLInputObjectType):
        chosen = {name: one for name, one in type_.fields.items() if every or is_required_input_field(one)}
        return {name: value_of(one.type, every=every) for name, one in chosen.items()}
    return SCALARS[type_.name]
