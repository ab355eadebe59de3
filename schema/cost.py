"""What a document may ask for at once: bounds on its depth, aliases, directives, and the number of things it can load.

Each fragment is measured once however often it is spread, so a document that doubles fragments over and over costs no
more to refuse than its own length.

The cost of a document is the number of objects that it can load: a field with a selection counts one, and what stands
inside a list counts once for each row that the list may have (`first` or `last`, else 25).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)

from resolvers.paging import DEFAULT, MOST

DEPTH_MOST = 20  # the introspection of GraphiQL has 15
ALIASES_MOST = 100
DIRECTIVES_MOST = 100
COST_MOST = 50_000


@dataclass(frozen=True)
class Measure:
    """What a selection comes to when every fragment in it is written out."""

    depth: int = 0
    aliases: int = 0
    directives: int = 0
    cost: int = 0


def too_much(schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]) -> str | None:
    """Tell, in a sentence with the limit in it, what the document has too much of; None if nothing.

    The document is valid for the schema, so fragments exist and have no cycles.
    """
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    reader = _Reader(schema, fragments, variables)
    for operation in document.definitions:
        if not isinstance(operation, OperationDefinitionNode):
            continue
        measure = reader.selections(operation.selection_set, schema.get_root_type(operation.operation))
        for name, found, most in (
            ("levels", measure.depth, DEPTH_MOST),
            ("aliases", measure.aliases, ALIASES_MOST),
            ("directives", measure.directives, DIRECTIVES_MOST),
            ("objects to load", measure.cost, COST_MOST),
        ):
            if found > most:
                return f"A document has at most {most:,} {name}; this one has {_shown(found)}."
    return None


def _shown(number: int) -> str:
    return f"{number:,}" if number < 10**9 else "more than a billion"


class _Reader:
    """Measures the selections of one document; fragments once each."""

    def __init__(
        self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode], variables: Mapping[str, Any]
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._variables = variables
        self._measured: dict[str, Measure] = {}

    def selections(self, node: SelectionSetNode, parent: GraphQLNamedType | None) -> Measure:
        """Measure a selection set."""
        depth = aliases = directives = cost = 0
        for selection in node.selections:
            one = self._selection(selection, parent)
            depth = max(depth, one.depth)
            aliases += one.aliases
            directives += one.directives + len(selection.directives or ())
            cost += one.cost
        return Measure(depth, aliases, directives, cost)

    def _selection(self, node: object, parent: GraphQLNamedType | None) -> Measure:
        if isinstance(node, FieldNode):
            return self._field(node, parent)
        if isinstance(node, FragmentSpreadNode):
            return self._fragment(node.name.value)
        if isinstance(node, InlineFragmentNode):
            condition = node.type_condition
            return self.selections(
                node.selection_set, self._schema.get_type(condition.name.value) if condition else parent
            )
        raise TypeError(node)

    def _fragment(self, name: str) -> Measure:
        found = self._measured.get(name)
        if found is None:
            fragment = self._fragments[name]
            parent = self._schema.get_type(fragment.type_condition.name.value)
            found = self._measured[name] = self.selections(fragment.selection_set, parent)
        return found

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> Measure:
        aliases = int(node.alias is not None)
        if node.selection_set is None:
            return Measure(depth=1, aliases=aliases)
        field = parent.fields.get(node.name.value) if isinstance(parent, GraphQLObjectType) else None
        inner = self.selections(node.selection_set, get_named_type(field.type) if field else None)
        rows = self._rows(node, field)
        return Measure(inner.depth + 1, inner.aliases + aliases, inner.directives, 1 + rows * inner.cost)

    def _rows(self, node: FieldNode, field: GraphQLField | None) -> int:
        """Tell how many rows a list may give; 1 for what is no list."""
        if field is None or "first" not in field.args:
            return 1
        sizes = [self._size(one.value) for one in node.arguments or () if one.name.value in {"first", "last"}]
        return max(sizes, default=DEFAULT)

    def _size(self, value: object) -> int:
        if isinstance(value, VariableNode):
            given = self._variables.get(value.name.value)
            return min(max(given, 0), MOST) if isinstance(given, int) else MOST
        return min(int(value.value), MOST) if isinstance(value, IntValueNode) else DEFAULT
