"""What is known of a document's operations before they run, kept with the document."""

from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    VariableNode,
    Visitor,
    visit,
)
from graphql.execution.collect_fields import CollectedFields, FieldDetailsList, GroupedFieldSet
from graphql.execution.values import VariableValues

from schema.calling import Call, Site
from schema.operations import only_operation
from schema.written import LINES_MOST, Read

CHOICES_MOST = 16  # of what `@skip` and `@include` leave of an operation; more are left to graphql-core


@dataclass
class Plan:
    """What is known of an operation before it runs: what its selections come to, and the functions that read them.

    Selections are known by the identity of their lists, which `subfields` and `roots` keep alive.
    """

    roots: GroupedFieldSet | None = None
    sites: list[Site] | None = None  # a query's fields, if all of them can be called
    subfields: dict[tuple[GraphQLObjectType, int], tuple[FieldDetailsList, CollectedFields]] = field(
        default_factory=dict
    )
    fields: dict[int, Read | Call | None] = field(default_factory=dict)
    objects: dict[int, Read | None] = field(default_factory=dict)
    nodes: dict[int, list[FieldNode]] = field(default_factory=dict)
    arguments: dict[int, Any] = field(default_factory=dict)  # of fields whose arguments hold no variable
    room: int = LINES_MOST


class Plans:
    """The plans of one document: one for each of its operations, and for each choice of what they leave out."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self.operation = only_operation(schema, document)
        found = _Conditions()
        visit(document, found)
        self._variables = sorted(found.variables)
        self._plans: dict[tuple[Any, ...], Plan] = {}

    @property
    def choices(self) -> int:
        """How many times over the plans can come to hold the whole document."""
        return min(CHOICES_MOST, 2 ** min(len(self._variables), CHOICES_MOST))

    def of(self, operation: OperationDefinitionNode, values: VariableValues) -> Plan | None:
        """Give an operation's plan, None if the document has too many."""
        key = (id(operation), *(values.coerced.get(name) for name in self._variables))
        plan = self._plans.get(key)
        if plan is None and len(self._plans) < CHOICES_MOST:
            plan = self._plans[key] = Plan()
        return plan


class _Conditions(Visitor):
    """Collects the variables that decide what a document's directives leave out."""

    def __init__(self) -> None:
        super().__init__()
        self.variables: set[str] = set()

    def enter_directive(self, node: DirectiveNode, *_: object) -> None:
        """Look at one directive; none takes anything but a variable or a literal."""
        values = (one.value for one in node.arguments or ())
        self.variables |= {value.name.value for value in values if isinstance(value, VariableNode)}
