"""How the compiled executor calls a resolver: inside all its guards, with arguments that are read once a request."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from graphql import GraphQLEnumType, GraphQLField, GraphQLNonNull, GraphQLObjectType, GraphQLScalarType
from graphql.execution.collect_fields import FieldDetailsList
from strawberry import Info
from strawberry.types.field import StrawberryField

from models.fields import camel
from schema.build import Admitted, Clean, Fenced


@dataclass(frozen=True)
class Call:
    """How a resolver is called that takes more than its row.

    `names` are the parameters of GraphQL's arguments; the values of those in `inputs` need conversion, unless null.
    """

    field: GraphQLField
    resolve: Callable[..., Any]
    names: Mapping[str, str]
    inputs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Site:
    """Where an object that is read by a written function has a field that is called."""

    parent: GraphQLObjectType
    name: str  # in the response
    details: FieldDetailsList


def call_of(of: GraphQLField | None) -> Call | None:
    """Describe how a field's resolver is called; None if it reads its row alone, or if only Strawberry can call it."""
    if of is None or of.resolve is None:
        return None
    inner = _unguarded(of.resolve)
    if not hasattr(inner, "_is_default"):  # Strawberry's own bear this mark; any other is graphql-core's to call
        return Call(of, of.resolve, {one.out_name or name: one.out_name or name for name, one in of.args.items()})
    definition: Any = of.extensions.get("strawberry-definition")
    if not isinstance(definition, StrawberryField) or definition.extensions or definition.is_basic_field:
        return None
    resolver: Any = definition.base_resolver
    if resolver is None or not resolver.self_parameter:
        return None
    if not (definition.is_async or resolver.arguments or resolver.info_parameter):
        return None
    inner_types = {
        name: one.type.of_type if isinstance(one.type, GraphQLNonNull) else one.type for name, one in of.args.items()
    }
    inputs = {n for n, type_ in inner_types.items() if not isinstance(type_, GraphQLScalarType | GraphQLEnumType)}
    names = {camel(one.python_name): one.python_name for one in resolver.arguments}
    return Call(of, _direct(of.resolve, definition), names, frozenset(inputs))


def can_be_called(site: Site) -> bool:
    """Whether a field may be called for when all around it is read: nothing else is lost with it if it fails."""
    of = site.parent.fields.get(site.details[0].node.name.value)
    return of is not None and not isinstance(of.type, GraphQLNonNull) and call_of(of) is not None


def _unguarded(resolve: Any) -> Any:
    while isinstance(resolve, Fenced | Clean | Admitted):
        resolve = resolve.resolve
    return resolve


def _direct(resolve: Any, definition: StrawberryField) -> Callable[..., Any]:
    """Put a call of the resolver itself in the place of Strawberry's, inside all guards."""
    if isinstance(resolve, Fenced | Clean | Admitted):
        return replace(resolve, resolve=_direct(resolve.resolve, definition))
    resolver: Any = definition.base_resolver
    rows = [one.name for one in (resolver.parent_parameter, resolver.root_parameter) if one]
    takes_info = resolver.info_parameter and resolver.info_parameter.name

    def call(source: Any, info: Any, **given: Any) -> Any:
        for name in rows:
            given[name] = source
        if takes_info:
            given[takes_info] = Info(_raw_info=info, _field=definition)
        return resolver.wrapped_func(source, **given)

    return call
