"""All that the executor takes from inside graphql-core and Strawberry: private names, and what no release promises.

Every other module of the package uses their public names or this one. `tests/test_internals.py` holds each thing in
here to what the libraries do, and says what changed; with a new release, begin there.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import strawberry
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
)
from graphql.execution.collect_fields import CollectedFields, FieldDetailsList, FragmentDetails, GroupedFieldSet
from graphql.execution.executor_throwing_on_incremental import ExecutorThrowingOnIncremental
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource, get_argument_values
from graphql.pyutils import AwaitableOrValue, Path, gather_with_cancel
from graphql.type.introspection import TypeFields, introspection_types
from strawberry import Info
from strawberry.relay import GlobalID
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.types.base_scalars import isoformat
from strawberry.types.field import StrawberryField
from strawberry.types.scalar import ScalarDefinition, identity

__all__ = [
    "AwaitableOrValue",
    "CollectedFields",
    "FieldDetailsList",
    "FragmentDetails",
    "GraphQLVariableSignature",
    "GroupedFieldSet",
    "Path",
    "Resolver",
    "StockExecutor",
    "Subfields",
    "VariableValueSource",
    "VariableValues",
    "argument_names",
    "attribute_of",
    "core_schema",
    "enum_members",
    "gather_with_cancel",
    "get_argument_values",
    "get_variable_signature",
    "gives_as_is",
    "gives_isoformat",
    "has_extensions",
    "info_of",
    "is_strawberry_resolver",
    "resolver_of",
]

# What a selection comes to, by its object's type and the identity of its list; the list is kept so that its id stays.
Subfields = dict[tuple[GraphQLObjectType, int], tuple[FieldDetailsList, CollectedFields]]

_STRAWBERRY = "strawberry-definition"  # where a GraphQL field, argument or type has Strawberry's own


def core_schema(
    query: type, mutation: type | None = None, scalars: Mapping[object, ScalarDefinition] | None = None
) -> GraphQLSchema:
    """Build a schema with Strawberry, and give graphql-core's.

    Strawberry replaces a resolver of introspection, for all schemas of the process, by one that fails for lists and for
    non-null types; this brings graphql-core's back.
    """
    config = StrawberryConfig(scalar_map=dict(scalars or {}))
    built = strawberry.Schema(query, mutation, config=config)._schema  # noqa: SLF001 - no public name
    introspection_types["__Type"].fields["isOneOf"].resolve = TypeFields.is_one_of  # type: ignore[attr-defined]
    return built


class StockExecutor(ExecutorThrowingOnIncremental):
    """graphql-core's executor of operations without `@defer` and `@stream`, whose methods are marked as private."""

    def keep_subfields(self, known: Subfields) -> None:
        """Let `collect_subfields` look for selections here, and keep them here."""
        self._relevant_sub_fields = known


@dataclass(frozen=True)
class Resolver:
    """The function behind a Strawberry field, and what it's called with.

    `takes_self`: the row is its first argument. `rows`: the parameters that are given the row by name, `info`: the one
    that is given the info. `arguments`: whether it takes any of GraphQL's. `direct`: whether those need no more than
    graphql-core's coercion, but for inputs.
    """

    field: StrawberryField
    function: Callable[..., Any]
    takes_self: bool
    rows: tuple[str, ...]
    info: str | None
    arguments: bool
    direct: bool

    @property
    def needs_row_alone(self) -> bool:
        """Whether it's a plain function of the row."""
        return not (self.field.is_async or self.arguments or self.info)


def is_strawberry_resolver(resolve: object) -> bool:
    """Whether Strawberry made a resolver: it marks its own. One that something else was put around isn't marked."""
    return hasattr(resolve, "_is_default")


def _field(of: GraphQLField) -> StrawberryField | None:
    field: object = of.extensions.get(_STRAWBERRY)
    return field if isinstance(field, StrawberryField) else None


def has_extensions(of: GraphQLField) -> bool:
    """Whether Strawberry's field extensions (permission classes among them) stand around a field."""
    field = _field(of)
    return field is None or bool(field.extensions)


def attribute_of(of: GraphQLField) -> str | None:
    """Name the attribute of the row that a field is; None if it's more than that."""
    field = _field(of)
    return field.python_name if field and field.is_basic_field and field.default_resolver is getattr else None


def resolver_of(of: GraphQLField) -> Resolver | None:
    """Describe the function behind a field; None if there is none, or if something stands around it."""
    field = _field(of)
    if field is None or field.extensions or field.base_resolver is None:
        return None
    base: Any = field.base_resolver
    return Resolver(
        field,
        base.wrapped_func,
        base.self_parameter is not None,
        tuple(one.name for one in (base.parent_parameter, base.root_parameter) if one),
        base.info_parameter.name if base.info_parameter else None,
        bool(base.arguments),
        not any(one.is_maybe or _bare(one.type) is GlobalID for one in base.arguments),
    )


def _bare(of: Any) -> Any:
    """Give a Strawberry type without what makes it nullable or a list."""
    while hasattr(of, "of_type"):
        of = of.of_type
    return of


def argument_names(of: GraphQLField) -> Mapping[str, str]:
    """Give the Python names of a Strawberry field's arguments, by those that GraphQL has."""
    return {one.out_name or name: one.extensions[_STRAWBERRY].python_name for name, one in of.args.items()}


def info_of(info: GraphQLResolveInfo[Any], field: StrawberryField) -> Info[Any, Any]:
    """Make the info that Strawberry gives resolvers."""
    return Info(_raw_info=info, _field=field)


def enum_members(of: GraphQLEnumType) -> Iterable[Any]:
    """Give the members of the Python enumeration behind a type; none if there is no such class."""
    return getattr(of, "wrapped_cls", ())


def gives_as_is(of: GraphQLScalarType) -> bool:
    """Whether a scalar's values go out as they are."""
    return of.coerce_output_value is identity


def gives_isoformat(of: GraphQLScalarType) -> bool:
    """Whether a scalar's values go out as their `isoformat()`: Strawberry's dates and times."""
    return of.coerce_output_value is isoformat
