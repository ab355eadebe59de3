"""Builds each viewer's projection of the one schema from the policy table.

A projection leaves out everything that none of the viewer's standings has a row for: fields, arguments, input fields,
enum values, and types that nothing leads to any more. So this costs nothing at run time, and nobody can ask for it,
guess it or read about it.

Five functions do this. Each works on the results of those before it and changes nothing it's given: `whole_schema`,
`allowed_members`, `members_that_lead_on`, `guarded_resolvers`, `narrowed`.

What's left has guards. A viewer with several roles has a wider projection than any single row allows, so if a field's
policy is narrower than the projection, the standing that its row was loaded with is checked too. Fields of Query,
Mutation and OwnAccount are closed to accounts that haven't verified their address, and to administrators without a
second factor if a setting asks for one, unless the policy says otherwise.
"""

from functools import cache
from typing import Any

import strawberry
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    specified_directives,
)
from graphql.type import is_introspection_type

from permissions.policy import PolicyError, has_all, rows_used, rule
from permissions.viewer import Standing
from schema.access import AccessMutations
from schema.account import AccountMutations, AccountQueries
from schema.case_session import CaseSessionMutations
from schema.connections import SCALARS
from schema.copies import Copies, Members, Resolvers, is_empty
from schema.cpd import CpdMutations
from schema.directory import DirectoryMutations, DirectoryQueries
from schema.evidence import BASE64, EvidenceMutations
from schema.executor import Resolve, core_schema
from schema.feedback import FeedbackMutations, FeedbackQueries
from schema.feedback_receipt import FeedbackReceiptMutations, FeedbackReceiptQueries
from schema.feedback_support import FeedbackSupportMutations, FeedbackSupportQueries
from schema.guards import EntryGuard, RowGuard, TextGuard
from schema.logbook import LogbookMutations
from schema.mediator import MediatorMutations, MediatorQueries
from schema.opening_balance import OpeningBalanceMutations
from schema.reviewer import ReviewerMutations, ReviewerQueries
from schema.second_factor import SecondFactorMutations
from schema.sign_in import SignInMutations
from schema.support import SupportMutations, SupportQueries


@strawberry.type
class Query(
    AccountQueries,
    MediatorQueries,
    DirectoryQueries,
    ReviewerQueries,
    FeedbackQueries,
    FeedbackReceiptQueries,
    FeedbackSupportQueries,
    SupportQueries,
):
    """All queries."""


@strawberry.type
class Mutation(
    SignInMutations,
    AccountMutations,
    AccessMutations,
    SecondFactorMutations,
    MediatorMutations,
    LogbookMutations,
    CaseSessionMutations,
    CpdMutations,
    OpeningBalanceMutations,
    EvidenceMutations,
    FeedbackMutations,
    FeedbackReceiptMutations,
    FeedbackSupportMutations,
    ReviewerMutations,
    DirectoryMutations,
    SupportMutations,
):
    """All changes."""


@cache
def projection(standings: Standing, *, by_token: bool = False) -> GraphQLSchema:
    """Build the schema for viewers with these standings (PUBLIC among them), asking with an API token or not."""
    whole = whole_schema()
    members = members_that_lead_on(whole, allowed_members(whole, standings, by_token=by_token))
    return narrowed(whole, members, guarded_resolvers(whole, members, standings))


@cache
def whole_schema() -> GraphQLSchema:
    """Build the schema with everything in it, only once.

    Raises:
        PolicyError: the table and the schema don't fit together.
    """
    built = core_schema(Query, Mutation, SCALARS | BASE64)
    check_policy(built)
    return built


def allowed_members(schema: GraphQLSchema, standings: Standing, *, by_token: bool) -> Members:
    """Name the members that the policy gives to any of these standings."""
    rules = {type_.name: {name: rule(type_.name, name) for name in _members(type_)} for type_ in _own_types(schema)}
    return {
        type_name: frozenset(
            name for name, row in of_type.items() if row.standings & standings and (row.tokens or not by_token)
        )
        for type_name, of_type in rules.items()
    }


def members_that_lead_on(schema: GraphQLSchema, members: Members) -> Members:
    """Leave out fields whose type has no members left, and then those that lead only to such types."""
    kept = {
        type_.name: frozenset(
            name
            for name in members[type_.name]
            if isinstance(type_, GraphQLEnumType) or not is_empty(_members(type_)[name], members)
        )
        for type_ in _own_types(schema)
    }
    return kept if kept == members else members_that_lead_on(schema, kept)


def guarded_resolvers(schema: GraphQLSchema, members: Members, standings: Standing) -> Resolvers:
    """Put guards around the resolvers that need them. Most don't."""
    return {
        (type_.name, name): _guarded(type_, name, members, standings & _reach(type_))
        for type_ in _own_types(schema)
        if isinstance(type_, GraphQLObjectType)
        for name in members[type_.name]
    }


def narrowed(schema: GraphQLSchema, members: Members, resolvers: Resolvers) -> GraphQLSchema:
    """Build a schema with some of another's members and these resolvers, from copies of its types."""
    types = Copies(members, resolvers).of(_own_types(schema))
    return GraphQLSchema(
        query=types["Query"],
        mutation=types["Mutation"] if members["Mutation"] else None,
        directives=specified_directives,
    )


def check_policy(schema: GraphQLSchema) -> None:
    """Check that every element has a row, every row has an element, and guards can enforce all rows.

    Raises:
        PolicyError: that isn't so.
    """
    elements: set[tuple[str, str]] = set()
    for type_ in _own_types(schema):
        if not isinstance(type_, GraphQLObjectType | GraphQLInputObjectType | GraphQLEnumType | GraphQLScalarType):
            raise PolicyError(f"{type_.name}: the table can't have interfaces and unions")
        elements |= {(type_.name, name) for name in _members(type_)}
        if not isinstance(type_, GraphQLEnumType) and has_all(type_.name):
            raise PolicyError(f"{type_.name}: name its fields; `*` is only for the values of an enumeration")
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
    """Give every standing that a row of this type can be loaded with."""
    reach = Standing(0)
    for name in _members(type_):
        reach |= rule(type_.name, name).standings
    return reach


def _is_entrance(type_: GraphQLNamedType) -> bool:
    """Whether a type's fields are the viewer's own in any standing, because there's no row to compare it with."""
    return type_.name in {"Query", "Mutation", "OwnAccount"}


def _check_nullability(type_: GraphQLNamedType) -> None:
    """Check that a field can be null if some who read its row may not read the field.

    Raises:
        PolicyError: it can't.
    """
    if not isinstance(type_, GraphQLObjectType) or _is_entrance(type_):
        return
    for name, field in type_.fields.items():
        if rule(type_.name, name).standings != _reach(type_) and isinstance(field.type, GraphQLNonNull):
            raise PolicyError(f"{type_.name}.{name} must be nullable: some who read its row may not read it")


def _guarded(type_: GraphQLObjectType, name: str, members: Members, viewer_could: Standing) -> Resolve | None:
    """Put the guards that a field needs around its resolver."""
    row, field = rule(type_.name, name), type_.fields[name]
    resolve: Resolve | None = field.resolve
    if resolve is None:
        return None
    if not all(is_empty(one, members) for one in field.args.values()):
        resolve = TextGuard(resolve)
    if _is_entrance(type_):
        return resolve if row.unverified else EntryGuard(resolve, row.without_factor)
    return RowGuard(resolve, row.standings) if viewer_could & ~row.standings else resolve
