"""Builds the projection of the one schema that a viewer gets, from the policy table.

What no standing of the viewer has a row for is taken out: fields, arguments, input fields, enum values, and whatever
nothing leads to any more. So it costs nothing at run time, and nobody can ask for it, guess it or read of it.

Guards stand in what is left. Somebody with several roles has a wider projection than any one row allows them, so
where a field's row is narrower than the projection, the standing that its row was loaded with is checked too. And
the entrances are closed to accounts that have not verified their address, and to administrators without a second
factor where a setting asks for it, but for those that say otherwise.
"""

from dataclasses import replace
from functools import cache
from typing import Any

import strawberry
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    get_named_type,
    parse,
    print_ast,
    print_schema,
    specified_directives,
)
from graphql.language import ConstArgumentNode, ConstDirectiveNode, ConstListValueNode, EnumValueNode, NameNode
from graphql.type import is_introspection_type
from graphql.type.introspection import TypeFields, introspection_types
from strawberry.schema.config import StrawberryConfig

from permissions.policy import PolicyError, has_all, rows_used, rule
from permissions.viewer import EVERYBODY, Standing
from schema.access import AccessMutations
from schema.account import AccountMutations, AccountQueries
from schema.cpd import CpdMutations
from schema.directory import DirectoryMutations, DirectoryQueries
from schema.executor import Resolve
from schema.feedback import FeedbackMutations, FeedbackQueries
from schema.guards import EntryGuard, RowGuard, TextGuard
from schema.lists import SCALARS
from schema.logbook import LogbookMutations
from schema.mediator import MediatorMutations, MediatorQueries
from schema.reviewer import ReviewerMutations, ReviewerQueries
from schema.second_factor import SecondFactorMutations
from schema.support import SupportMutations, SupportQueries


@strawberry.type
class Query(AccountQueries, MediatorQueries, DirectoryQueries, ReviewerQueries, FeedbackQueries, SupportQueries):
    """Everything that can be asked."""


@strawberry.type
class Mutation(
    AccountMutations,
    AccessMutations,
    SecondFactorMutations,
    MediatorMutations,
    LogbookMutations,
    CpdMutations,
    FeedbackMutations,
    ReviewerMutations,
    DirectoryMutations,
    SupportMutations,
):
    """Everything that can be changed."""


def whole_schema() -> GraphQLSchema:
    """Build the schema with everything in it; PolicyError if the table and the schema do not fit together."""
    built = strawberry.Schema(Query, Mutation, config=StrawberryConfig(scalar_map=SCALARS))._schema  # noqa: SLF001 - no public name
    check_policy(built)
    # Strawberry's own fails for lists and for what cannot be null.
    introspection_types["__Type"].fields["isOneOf"].resolve = TypeFields.is_one_of  # type: ignore[attr-defined]
    return built


def check_policy(schema: GraphQLSchema) -> None:
    """Raise PolicyError for an element without a row, a row without an element, or what no guard could keep."""
    elements: set[tuple[str, str]] = set()
    for type_ in _own_types(schema):
        if not isinstance(type_, GraphQLObjectType | GraphQLInputObjectType | GraphQLEnumType | GraphQLScalarType):
            raise PolicyError(f"{type_.name}: the table knows no interfaces and unions")
        elements |= {(type_.name, name) for name in _members(type_)}
        if not isinstance(type_, GraphQLEnumType) and has_all(type_.name):
            raise PolicyError(f"{type_.name}: name its fields, for only the values of an enumeration go together")
    for type_name, name in elements:
        rule(type_name, name)
    rows_used(elements)
    for type_ in _own_types(schema):
        _check_nullability(type_)


def _own_types(schema: GraphQLSchema) -> list[GraphQLNamedType]:
    return [type_ for type_ in schema.type_map.values() if not is_introspection_type(type_)]


def _members(type_: GraphQLNamedType) -> dict[str, Any]:
    """Give the fields, input fields or values of a type; nothing for a scalar."""
    if isinstance(type_, GraphQLObjectType | GraphQLInputObjectType):
        return type_.fields
    return type_.values if isinstance(type_, GraphQLEnumType) else {}


def _reach(type_: GraphQLNamedType) -> Standing:
    """Give every standing by which a row of this type can be loaded."""
    reach = Standing(0)
    for name in _members(type_):
        reach |= rule(type_.name, name).standings
    return reach


def _is_entrance(type_: GraphQLNamedType) -> bool:
    """Whether a type's fields are the viewer's own whatever their standing: no row is there to compare it with."""
    return type_.name in {"Query", "Mutation", "OwnAccount"}


def _check_nullability(type_: GraphQLNamedType) -> None:
    """Raise PolicyError for a field that some readers of its row may not read, but that cannot be null."""
    if not isinstance(type_, GraphQLObjectType) or _is_entrance(type_):
        return
    for name, field in type_.fields.items():
        if rule(type_.name, name).standings != _reach(type_) and isinstance(field.type, GraphQLNonNull):
            raise PolicyError(f"{type_.name}.{name} must be nullable: not all who read its row may read it")


@cache
def projection(standings: Standing, *, by_token: bool = False) -> GraphQLSchema:
    """Build the schema of viewers with these standings (PUBLIC among them), asking with an API token or not."""
    schema = whole_schema()
    types = _own_types(schema)
    reaches = {type_.name: _reach(type_) for type_ in types}
    for type_ in types:
        members = _members(type_)
        for name in list(members):
            row = rule(type_.name, name)
            if not row.standings & standings or (by_token and not row.tokens):
                del members[name]
    while any(_drop_dangling(type_) for type_ in types):
        pass
    for type_ in types:
        if isinstance(type_, GraphQLObjectType):
            for name, field in type_.fields.items():
                field.resolve = _guarded(type_, name, field, standings & reaches[type_.name])
    mutation = schema.mutation_type
    return GraphQLSchema(
        query=schema.query_type,
        mutation=mutation if mutation and mutation.fields else None,
        directives=specified_directives,
    )


def _is_empty(of: GraphQLField | GraphQLArgument | GraphQLInputField) -> bool:
    named = get_named_type(of.type)
    can_be_empty = isinstance(named, GraphQLObjectType | GraphQLInputObjectType | GraphQLEnumType)
    return can_be_empty and not _members(named)


def _drop_dangling(type_: GraphQLNamedType) -> bool:
    """Take out of a type what leads to a type that has nothing left in it; tell whether there was any."""
    if not isinstance(type_, GraphQLObjectType | GraphQLInputObjectType):
        return False
    dangling = [name for name, member in type_.fields.items() if _is_empty(member)]
    for name in dangling:
        del type_.fields[name]
    for field in type_.fields.values():
        if isinstance(field, GraphQLField):
            for name in [name for name, argument in field.args.items() if _is_empty(argument)]:
                del field.args[name]
                dangling.append(name)
    return bool(dangling)


def _guarded(type_: GraphQLObjectType, name: str, field: GraphQLField, viewer_could: Standing) -> Resolve | None:
    """Put the guards that a field needs around its resolver; most need none."""
    row = rule(type_.name, name)
    resolve = field.resolve
    if resolve is None:
        return None
    if field.args:
        resolve = TextGuard(resolve)
    if _is_entrance(type_):
        return resolve if row.unverified else EntryGuard(resolve, row.without_factor)
    if viewer_could & ~row.standings:
        return RowGuard(resolve, row.standings)
    return resolve


def sdl(standings: Standing | None = None) -> str:
    """Print the schema: the whole, with who sees what (`@visibleTo`), or the projection of some standings."""
    if standings is not None:
        return print_schema(projection(standings)) + "\n"
    definitions = [_marked(definition) for definition in parse(print_schema(whole_schema())).definitions]
    return "\n\n".join([_VISIBLE_TO, *map(print_ast, definitions)]) + "\n"


def _marked(definition: Any) -> Any:
    """Write `@visibleTo` behind each field, input field and enum value of a type."""
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
Who has this, by standing towards the mediator whose data it is. For everybody else it does not exist.
"""
directive @visibleTo(standings: [VisibleTo!]!) on FIELD_DEFINITION | INPUT_FIELD_DEFINITION | ENUM_VALUE

"""PUBLIC is everybody, signed in or not."""
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
