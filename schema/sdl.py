"""Prints the schema: all of it, annotated with the standings that see each member, or one viewer's projection."""

from dataclasses import replace
from functools import cache
from typing import Any

from graphql import parse, print_ast, print_schema
from graphql.language import ConstArgumentNode, ConstDirectiveNode, ConstListValueNode, EnumValueNode, NameNode

from permissions.policy import rule
from permissions.viewer import EVERYBODY, Standing
from schema.build import projection, whole_schema


def sdl(standings: Standing | None = None) -> str:
    """Print the whole schema, annotated with `@visibleTo`, or the projection of some standings."""
    if standings is not None:
        return print_schema(projection(standings)) + "\n"
    definitions = [_marked(definition) for definition in parse(print_schema(whole_schema())).definitions]
    return "\n\n".join([_VISIBLE_TO, *map(print_ast, definitions)]) + "\n"


def _marked(definition: Any) -> Any:
    """Add `@visibleTo` to each field, input field and enum value of a type."""
    for part in ("fields", "values"):
        members = getattr(definition, part, None)
        if members:
            marked = (
                replace(one, directives=(_mark(rule(definition.name.value, one.name.value).standings),))
                for one in members
            )
            return replace(definition, **{part: tuple(marked)})
    return definition


_VISIBLE_TO = '''"""
Who can see this, by their standing towards the mediator concerned. For everyone else it doesn't exist.
"""
directive @visibleTo(standings: [VisibleTo!]!) on FIELD_DEFINITION | INPUT_FIELD_DEFINITION | ENUM_VALUE

"""PUBLIC is everyone, signed in or not."""
enum VisibleTo {
  SELF
  REVIEWER
  DIRECTORY
  ADMIN
  PUBLIC
}'''


@cache
def _mark(standings: Standing) -> ConstDirectiveNode:
    names = ["PUBLIC"] if standings == EVERYBODY else [str(standing.name) for standing in standings]
    values = tuple(EnumValueNode(value=name) for name in names)
    argument = ConstArgumentNode(name=NameNode(value="standings"), value=ConstListValueNode(values=values))
    return ConstDirectiveNode(name=NameNode(value="visibleTo"), arguments=(argument,))
