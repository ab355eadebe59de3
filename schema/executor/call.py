"""How a resolver that takes more than its row is called: inside all its guards, its arguments read once a request."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLEnumType, GraphQLField, GraphQLNonNull, GraphQLObjectType, GraphQLScalarType

from schema.executor.guard import replaced, unguarded
from schema.executor.internals import (
    FieldDetailsList,
    Resolver,
    argument_names,
    has_extensions,
    info_of,
    is_strawberry_resolver,
    resolver_of,
)


@dataclass(frozen=True)
class Call:
    """How a field is called.

    `names` are the parameters of GraphQL's arguments; the values of those in `inputs` need conversion, unless null.
    """

    field: GraphQLField
    resolve: Callable[..., Any]
    names: Mapping[str, str]
    inputs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Site:
    """A field that is still to be called, in an object that a written function has read."""

    parent: GraphQLObjectType
    name: str  # in the response
    details: FieldDetailsList


def call_of(of: GraphQLField | None) -> Call | None:
    """Describe how a field is called; None if there's nothing to call, or if a function of the row alone gives it."""
    if of is None or of.resolve is None:
        return None
    as_it_is = Call(of, of.resolve, {name: name for name in _keys(of)})
    if not is_strawberry_resolver(unguarded(of.resolve)) or has_extensions(of):
        return as_it_is
    resolver = resolver_of(of)
    if resolver is None or resolver.needs_row_alone:
        return None
    if not resolver.direct:
        return as_it_is
    inputs = {name for name, one in _keys(of).items() if not isinstance(one, GraphQLScalarType | GraphQLEnumType)}
    return Call(of, replaced(of.resolve, _direct(resolver)), argument_names(of), frozenset(inputs))


def can_be_called(site: Site) -> bool:
    """Whether a field may be called once all around it is read: nothing else is lost with it if it fails."""
    of = site.parent.fields.get(site.details[0].node.name.value)
    return of is not None and not isinstance(of.type, GraphQLNonNull) and call_of(of) is not None


def _keys(of: GraphQLField) -> dict[str, Any]:
    """Give the types of a field's arguments, without "non-null", by the names under which they're read."""
    return {
        one.out_name or name: one.type.of_type if isinstance(one.type, GraphQLNonNull) else one.type
        for name, one in of.args.items()
    }


def _direct(resolver: Resolver) -> Callable[..., Any]:
    """Write the call of a resolver that Strawberry would make, without what it looks up each time."""
    function, rows, info_name, field = resolver.function, resolver.rows, resolver.info, resolver.field

    def call(source: Any, info: Any, **given: Any) -> Any:
        for name in rows:
            given[name] = source
        if info_name:
            given[info_name] = info_of(info, field)
        return function(source, **given)

    def call_without_self(source: Any, info: Any, **given: Any) -> Any:
        for name in rows:
            given[name] = source
        if info_name:
            given[info_name] = info_of(info, field)
        return function(**given)

    return call if resolver.takes_self else call_without_self
