"""The size of an introspection: the number of values of the schema that a document asks for.

The document is walked as if it were answered, with graphql-core's own resolvers, because the length of a list can vary
a hundredfold between types. The walk stops at the limit, so counting is bounded as well.
"""

import sys
from collections.abc import Mapping
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    InlineFragmentNode,
    OperationDefinitionNode,
    SchemaMetaFieldDef,
    SelectionSetNode,
    StringValueNode,
    TypeMetaFieldDef,
    VariableNode,
    get_introspection_query,
    get_named_type,
    parse,
)

CHARACTERS_PER_VALUE = 10  # characters that count as one more value
_DEFAULT_VALUE = 10  # it's formatted each time, which costs as much as this many other values

# The fields that introspection begins with.
ENTRANCES = {"__schema": SchemaMetaFieldDef, "__type": TypeMetaFieldDef}

Variables = Mapping[str, Any]  # of a document, as JSON holds them

_WHOLE = get_introspection_query(
    specified_by_url=True,
    directive_is_repeatable=True,
    schema_description=True,
    input_value_deprecation=True,
    experimental_directive_deprecation=True,
    one_of=True,
)


@lru_cache(maxsize=100)
def values_most(schema: GraphQLSchema) -> int:
    """Give how many values of a schema a document may ask for: 1.5 times as many as the full introspection query."""
    fragments, asked = {}, None
    for one in parse(_WHOLE).definitions:
        if isinstance(one, FragmentDefinitionNode):
            fragments[one.name.value] = one
        elif isinstance(one, OperationDefinitionNode):
            (asked,) = one.selection_set.selections
    if not isinstance(asked, FieldNode):
        raise TypeError(asked)
    return Introspection(schema, fragments, None, most=sys.maxsize).values(asked) * 3 // 2


class _TooMuch(Exception):
    """The document asks for more than it may."""


class Introspection:
    """Counts the values of one document's introspection, all together."""

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: Variables | None,
        most: int,
    ) -> None:
        """`variables` are those that were sent; None: they aren't known yet."""
        self._most = most
        self._info: Any = SimpleNamespace(schema=schema)  # all that the resolvers use
        self._fragments = fragments
        self._variables = variables
        self._left = most
        self._open: set[str] = set()  # fragments being walked; validation refuses one inside itself

    def values(self, node: FieldNode) -> int:
        """Count the values that one introspection field gives, and itself; one more than allowed if it's too many.

        It's also too many if a type's name is in a variable that isn't known.
        """
        before = self._left
        try:
            self._spend(1)
            self._field(ENTRANCES[node.name.value], None, node)
        except _TooMuch:
            self._left = -1  # for whatever comes later in the document too
            return self._most + 1
        return before - self._left

    def _spend(self, values: int) -> None:
        self._left -= values
        if self._left < 0:
            raise _TooMuch

    def _selections(self, node: SelectionSetNode, parent: GraphQLObjectType, source: Any) -> None:
        for selection in node.selections:
            self._spend(1)  # a fragment isn't a value, but it takes work
            if isinstance(selection, FieldNode):
                field = parent.fields.get(selection.name.value)
                if field is None:
                    self._spend(len(parent.name) // CHARACTERS_PER_VALUE)  # `__typename`, or what validation refuses
                else:
                    self._field(field, source, selection)
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                if condition is None or condition.name.value == parent.name:
                    self._selections(selection.selection_set, parent, source)
            elif isinstance(selection, FragmentSpreadNode):
                self._fragment(selection.name.value, parent, source)

    def _fragment(self, name: str, parent: GraphQLObjectType, source: Any) -> None:
        fragment = self._fragments.get(name)
        if fragment is None or name in self._open or fragment.type_condition.name.value != parent.name:
            return
        self._open.add(name)
        try:
            self._selections(fragment.selection_set, parent, source)
        finally:
            self._open.remove(name)

    def _field(self, field: GraphQLField, source: Any, node: FieldNode) -> None:
        self._spend(len((node.alias or node.name).value) // CHARACTERS_PER_VALUE)
        if node.name.value == "defaultValue":
            self._spend(_DEFAULT_VALUE)
        named = get_named_type(field.type)
        of = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
        if isinstance(of, GraphQLList) or named is GraphQLString or isinstance(named, GraphQLObjectType):
            found = field.resolve(source, self._info, **self._arguments(field, node)) if field.resolve else None
            for one in (found or ()) if isinstance(of, GraphQLList) else (found,):
                self._found(one, named, node)

    def _found(self, one: Any, of: GraphQLNamedType, node: FieldNode) -> None:
        if isinstance(of, GraphQLEnumType):
            self._spend(1)  # a location of a directive
        elif not isinstance(of, GraphQLObjectType):
            self._spend(len(one or "") // CHARACTERS_PER_VALUE)
        elif one is not None and node.selection_set is not None:
            self._spend(1)
            self._selections(node.selection_set, of, one)

    def _arguments(self, field: GraphQLField, node: FieldNode) -> dict[str, Any]:
        """Give a field's arguments: include everything, deprecated or not; for `__type`, its name."""
        if field is not TypeMetaFieldDef:
            return dict.fromkeys(field.args, True)
        given = next((one.value for one in node.arguments or () if one.name.value == "name"), None)
        if isinstance(given, StringValueNode):
            return {"name": given.value}
        if isinstance(given, VariableNode):
            if self._variables is None or given.name.value not in self._variables:
                raise _TooMuch  # it may have a default
            return {"name": str(self._variables[given.name.value])}
        return {"name": ""}
