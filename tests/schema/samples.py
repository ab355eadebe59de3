"""Documents made from a schema: each field at its root, with suitable arguments."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_required_argument,
)

from schema.executor.tests.values import value_of


@dataclass(frozen=True)
class Sample:
    """One field at the root: its document, and variables for all its arguments or only for the required ones."""

    operation: str
    name: str
    document: str
    variables: dict[str, Any]
    arguments: dict[str, GraphQLArgument]


def _sample(operation: str, name: str, field: GraphQLField, *, every: bool) -> Sample:
    chosen = {name: one for name, one in field.args.items() if every or is_required_argument(one)}
    declared = ", ".join(f"${name}: {one.type}" for name, one in chosen.items())
    passed = ", ".join(f"{name}: ${name}" for name in chosen)
    selection = "{ __typename }" if isinstance(get_named_type(field.type), GraphQLObjectType) else ""
    document = (
        f"{operation}{f'({declared})' if declared else ''} {{ {name}{f'({passed})' if passed else ''} {selection} }}"
    )
    variables = {name: value_of(one.type, every=every) for name, one in chosen.items()}
    return Sample(operation, name, document, variables, chosen)


def samples(schema: GraphQLSchema, *, every: bool = False) -> Iterator[Sample]:
    """Make a document for each field at the root of a schema."""
    for operation, root in (("query", schema.query_type), ("mutation", schema.mutation_type)):
        for name, field in root.fields.items() if root else ():
            yield _sample(operation, name, field, every=every)


def places(type_: GraphQLInputType, value: Any) -> Iterator[tuple[list[Any], GraphQLInputType]]:
    """Every place inside a value where something else could be, as the keys that lead to it, and its type."""
    if isinstance(type_, GraphQLNonNull):
        yield from places(type_.of_type, value)
        return
    yield [], type_
    if isinstance(type_, GraphQLList):
        yield from (([0, *path], inner) for path, inner in places(type_.of_type, value[0]))
    if isinstance(type_, GraphQLInputObjectType):
        fields: dict[str, GraphQLInputField] = type_.fields
        for name, one in fields.items():
            if name in value:
                yield from (([name, *path], inner) for path, inner in places(one.type, value[name]))


def everything(type_: GraphQLObjectType) -> str:
    """Select every field of a type and of the types below it; from a schema's root, that's everything it can tell."""
    parts = []
    for name, field in type_.fields.items():
        if any(is_required_argument(argument) for argument in field.args.values()):
            continue
        named = get_named_type(field.type)
        parts.append(f"{name} {everything(named)}" if isinstance(named, GraphQLObjectType) else name)
    return f"{{ {' '.join(parts)} }}"
