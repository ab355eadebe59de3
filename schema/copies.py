"""Copies of a schema's types with only some of their members, to build projections from.

A copy keeps what Strawberry added to its type, so that resolvers and enumerations work as in the whole schema. Scalars
have no members, and are the same in every schema.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
)
from strawberry.schema.schema_converter import CustomGraphQLEnumType

from schema.executor import Resolve

# The names of each type's fields, input fields or values, by the name of the type.
Members = Mapping[str, frozenset[str]]
# The resolver of each field, by the names of its type and the field.
Resolvers = Mapping[tuple[str, str], Resolve | None]


def is_empty(of: GraphQLField | GraphQLArgument | GraphQLInputField, members: Members) -> bool:
    """Whether a field or argument has a type with no members left."""
    named = get_named_type(of.type)
    can_be_empty = isinstance(named, GraphQLObjectType | GraphQLInputObjectType | GraphQLEnumType)
    return can_be_empty and not members[named.name]


class Copies:
    """Copies types with only the named members, and with other resolvers."""

    def __init__(self, members: Members, resolvers: Resolvers) -> None:
        self._members, self._resolvers = members, resolvers
        self._types: dict[str, Any] = {}

    def of(self, types: Iterable[GraphQLNamedType]) -> dict[str, Any]:
        """Copy types that refer only to each other. Gives the copies by name."""
        self._types |= {type_.name: self._copy(type_) for type_ in types}
        return self._types

    def _copy(self, type_: GraphQLNamedType) -> GraphQLNamedType:
        given: dict[str, Any] = {**type_.to_kwargs()}
        if isinstance(type_, GraphQLObjectType):
            return GraphQLObjectType(**given | {"fields": lambda: self._fields(type_)})
        if isinstance(type_, GraphQLInputObjectType):
            return GraphQLInputObjectType(**given | {"fields": lambda: self._input_fields(type_)})
        if isinstance(type_, CustomGraphQLEnumType):
            given["values"] = self._kept(type_.name, type_.values)
            return CustomGraphQLEnumType(enum=type_.extensions["strawberry-definition"], **given)
        return type_

    def _kept(self, type_name: str, members: Mapping[str, Any]) -> dict[str, Any]:
        return {name: one for name, one in members.items() if name in self._members[type_name]}

    def _fields(self, type_: GraphQLObjectType) -> dict[str, GraphQLField]:
        fields = {}
        for name, field in self._kept(type_.name, type_.fields).items():
            args = {
                key: GraphQLArgument(**one.to_kwargs() | {"type_": self._type(one.type)})
                for key, one in field.args.items()
                if not is_empty(one, self._members)
            }
            changed = {"type_": self._type(field.type), "args": args, "resolve": self._resolvers[type_.name, name]}
            fields[name] = GraphQLField(**field.to_kwargs() | changed)
        return fields

    def _input_fields(self, type_: GraphQLInputObjectType) -> dict[str, GraphQLInputField]:
        return {
            name: GraphQLInputField(**one.to_kwargs() | {"type_": self._type(one.type)})
            for name, one in self._kept(type_.name, type_.fields).items()
        }

    def _type(self, of: Any) -> Any:
        return (
            type(of)(self._type(of.of_type)) if isinstance(of, GraphQLNonNull | GraphQLList) else self._types[of.name]
        )
