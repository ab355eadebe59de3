"""Limits on one document: its depth, aliases and directives, and the number of things it can load.

They're checked together, before the specification's own rules. Those compare fields with each other, which a malicious
document can make very slow. Each fragment is measured once, however often it's used, so refusing a document that
doubles fragments over and over costs no more than its length.

The cost of a document is the number of objects it can load. A field with a selection counts as one, and everything
inside a list counts once for each row that the list may have (`first` or `last`, otherwise 25; or as many as a list
without pages can ever have). Introspection is
counted separately, in values of the schema (`schema/introspection.py`). So is who gave feedback: an administrator looks
that up for a reason, and not for everybody at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass

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
    StringValueNode,
    VariableNode,
    get_named_type,
)

from resolvers.case_session_changes import MAX_SESSIONS
from resolvers.evidence_changes import MAX_FILES
from resolvers.opening_balance import MAX_BALANCES
from resolvers.paging import MAX_PAGE_SIZE, PAGE_SIZE
from resolvers.validation import MAX_CREDITS
from schema.introspection import ENTRANCES, Introspection, Variables, values_most

MAX_DEPTH = 20  # GraphiQL's introspection has 15
MAX_ALIASES = 100
MAX_DIRECTIVES = 100
MAX_COST = 50_000
MAX_ORIGINS = 10
_ORIGIN = "Feedback", "origin"
# Lists without pages that people fill, and how many rows they can have.
WHOLE_LISTS = {
    ("LogbookEntry", "sessions"): MAX_SESSIONS,
    ("CpdEntry", "files"): MAX_FILES,
    ("CpdEntry", "credits"): MAX_CREDITS,
    ("Mediator", "openingBalances"): MAX_BALANCES,
}


@dataclass(frozen=True)
class Measure:
    """The measures of a selection with every fragment in it expanded."""

    depth: int = 0
    aliases: int = 0
    directives: int = 0
    cost: int = 0
    origins: int = 0
    schema_values: int = 0
    schema_values_most: int = 0

    def too_much(self) -> str | None:
        """Say what there's too much of, in a sentence with the limit; None if nothing."""
        if self.schema_values > self.schema_values_most:  # counting stopped there
            most = f"{self.schema_values_most:,}"
            return f"A document may ask for at most {most} values of the schema; this one asks for more."
        return self.badly_formed() or _above(self.cost, MAX_COST, "objects to load") or self.too_many_origins()

    def too_many_origins(self) -> str | None:
        """Say so if it may look up who gave too many pieces of feedback."""
        if self.origins <= MAX_ORIGINS:
            return None
        return (
            f"A document may look up at most {MAX_ORIGINS} origins; this one may look up {self.origins:,}. "
            f"Use `feedbackPiece`, or `first: {MAX_ORIGINS}`."
        )

    def badly_formed(self) -> str | None:
        """Say what there's too much of, whatever the variables are."""
        return (
            _above(self.depth, MAX_DEPTH, "levels")
            or _above(self.aliases, MAX_ALIASES, "aliases")
            or _above(self.directives, MAX_DIRECTIVES, "directives")
        )

    def beside(self, other: "Measure") -> "Measure":
        """Combine two selections in the same place."""
        return Measure(
            max(self.depth, other.depth),
            self.aliases + other.aliases,
            self.directives + other.directives,
            self.cost + other.cost,
            self.origins + other.origins,
            self.schema_values + other.schema_values,
        )


def _above(found: int, most: int, name: str) -> str | None:
    if found <= most:
        return None
    shown = f"{found:,}" if found < 10**9 else "more than a billion"
    return f"A document may have at most {most:,} {name}; this one has {shown}."


def measured(schema: GraphQLSchema, document: DocumentNode, variables: Variables | None) -> Measure:
    """Measure the largest of each in a document's operations. The document needn't be valid.

    A page size in a variable that `variables` lacks counts as the largest possible. None: they aren't known yet.
    """
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    reader = _Reader(schema, fragments, variables, _defaults(operations))
    found = [
        reader.selections(one.selection_set, schema.get_root_type(one.operation)).beside(
            Measure(directives=len(one.directives or ()))
        )
        for one in operations
    ]
    return Measure(
        max((one.depth for one in found), default=0),
        max((one.aliases for one in found), default=0),
        max((one.directives for one in found), default=0),
        max((one.cost for one in found), default=0),
        max((one.origins for one in found), default=0),
        max((one.schema_values for one in found), default=0),
        values_most(schema),
    )


def _defaults(operations: list[OperationDefinitionNode]) -> Variables:
    """Give the text defaults of a document's variables; nothing if its operations could differ."""
    if len(operations) != 1:
        return {}
    given = {one.variable.name.value: one.default_value for one in operations[0].variable_definitions or ()}
    return {name: value.value if isinstance(value, StringValueNode) else "" for name, value in given.items()}


class _Reader:
    """Measures the selections of one document, and each fragment once."""

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: Variables | None,
        defaults: Variables,
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._variables = variables or {}
        known = None if variables is None else {**defaults, **variables}
        self._introspection = Introspection(schema, fragments, known, values_most(schema))
        self._measured: dict[str, Measure] = {}

    def selections(self, node: SelectionSetNode, parent: GraphQLNamedType | None) -> Measure:
        """Measure a selection set."""
        found = Measure()
        for selection in node.selections:
            directives = Measure(directives=len(selection.directives or ()))
            found = found.beside(self._selection(selection, parent)).beside(directives)
        return found

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
        if name not in self._measured and name in self._fragments:
            self._measured[name] = Measure()  # what it counts as inside itself, which validation refuses
            fragment = self._fragments[name]
            parent = self._schema.get_type(fragment.type_condition.name.value)
            self._measured[name] = self.selections(fragment.selection_set, parent)
        return self._measured.get(name, Measure())

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> Measure:
        aliases = int(node.alias is not None)
        if node.selection_set is None:
            return Measure(depth=1, aliases=aliases)
        if node.name.value in ENTRANCES and parent is self._schema.query_type:
            inner, values = self.selections(node.selection_set, None), self._introspection.values(node)
            return Measure(inner.depth + 1, inner.aliases + aliases, inner.directives, 1, schema_values=values)
        field = parent.fields.get(node.name.value) if isinstance(parent, GraphQLObjectType) else None
        inner = self.selections(node.selection_set, get_named_type(field.type) if field else None)
        place = (str(parent), node.name.value)
        origins = int(field is not None and place == _ORIGIN)
        rows = self._rows(node, field)
        if place in WHOLE_LISTS:  # its rows are below it without a field of their own
            rows, inner = WHOLE_LISTS[place], inner.beside(Measure(cost=1))
        return Measure(
            inner.depth + 1,
            inner.aliases + aliases,
            inner.directives,
            1 + rows * inner.cost,
            origins + rows * inner.origins,
            inner.schema_values,
        )

    def _rows(self, node: FieldNode, field: GraphQLField | None) -> int:
        """Give the number of rows that a list may give; 1 for a field that has no pages."""
        if field is None or "first" not in field.args:
            return 1
        sizes = [self._size(one.value) for one in node.arguments or () if one.name.value in {"first", "last"}]
        return max(sizes, default=PAGE_SIZE)

    def _size(self, value: object) -> int:
        if isinstance(value, VariableNode):
            given = self._variables.get(value.name.value)
            return min(max(given, 0), MAX_PAGE_SIZE) if isinstance(given, int) else MAX_PAGE_SIZE
        if isinstance(value, IntValueNode):
            return min(max(int(value.value[:10]), 0), MAX_PAGE_SIZE)  # longer is out of range; validation says so
        return PAGE_SIZE
