"""What is known of a document's operations before they run, kept with the document."""

from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    GraphQLSchema,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    ValueNode,
    VariableNode,
    Visitor,
    visit,
)

from schema.executor.call import Call, Site
from schema.executor.codegen import MAX_CODE_LINES, Read
from schema.executor.internals import GroupedFieldSet, Subfields, VariableValues
from schema.executor.operation import only_operation

MAX_CHOICES = 16  # of what `@skip` and `@include` leave of an operation; more are left to graphql-core


@dataclass
class Plan:
    """What is known of an operation before it runs: what its selections come to, and the functions that read them.

    Selections are known by the identity of their lists, which `subfields` and `roots` keep alive.
    """

    roots: GroupedFieldSet | None = None
    sites: list[Site] | None = None  # a query's fields, if all of them can be called
    subfields: Subfields = field(default_factory=dict)
    fields: dict[int, Read | Call | None] = field(default_factory=dict)
    objects: dict[int, Read | None] = field(default_factory=dict)
    nodes: dict[int, list[FieldNode]] = field(default_factory=dict)
    arguments: dict[int, Any] = field(default_factory=dict)  # of fields whose arguments hold no variable
    room: int = MAX_CODE_LINES


class Plans:
    """The plans of one document: one for each of its operations, and for each choice of what they leave out."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self.schema, self.document = schema, document
        self.operation = only_operation(schema, document)
        found = _Conditions()
        visit(document, found)
        self._variables = sorted(found.variables)
        self._plans: dict[tuple[Any, ...], Plan] = {}

    @property
    def choices(self) -> int:
        """How many plans there can be: each may hold as much as the whole document."""
        return min(MAX_CHOICES, 2 ** min(len(self._variables), MAX_CHOICES))

    def of(self, operation: OperationDefinitionNode, values: VariableValues) -> Plan | None:
        """Give an operation's plan; None if the document has too many."""
        key = (id(operation), *(values.coerced.get(name) for name in self._variables))
        plan = self._plans.get(key)
        if plan is None and len(self._plans) < MAX_CHOICES:
            plan = self._plans[key] = Plan()
        return plan


def holds_variable(value: ValueNode) -> bool:
    """Whether there's a variable in an argument's value, however deep: then it's another at each request."""
    if isinstance(value, ObjectValueNode):
        return any(holds_variable(one.value) for one in value.fields)
    if isinstance(value, ListValueNode):
        return any(map(holds_variable, value.values))
    return isinstance(value, VariableNode)


class _Conditions(Visitor):
    """Collects the variables that decide what a document's directives leave out."""

    def __init__(self) -> None:
        super().__init__()
        self.variables: set[str] = set()

    def enter_directive(self, node: DirectiveNode, *_: object) -> None:
        """Note the variables of one directive."""
        values = (one.value for one in node.arguments or ())
        self.variables |= {value.name.value for value in values if isinstance(value, VariableNode)}
