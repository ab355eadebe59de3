"""The compiled executor: completes without graphql-core what needs no resolver, by functions written once a document.

What it takes over, while all is as the schema says: fields that are an attribute of their row, fields that a plain
function of the row gives, `__typename`, the second fence around them, and every sub-tree of nothing but these: objects
and lists of them at any depth, wherever they hang, on a resolver's row or in a mutation's payload. And the fields that
a selection comes to, which graphql-core collects anew for every request. Awaited resolvers it only calls, inside all
guards, with arguments that are read once and not once a row; what they give is graphql-core's to await and to complete.

What it leaves to graphql-core: documents and variables; resolvers with inputs for arguments; introspection; and
whatever is not as expected. A null in a non-null field, a value of another type, an exception or an awaitable is
noticed, what was read so far is dropped, and the stock method does that one field from its beginning. Reading has no
effects, so errors, their paths and order, and where nulls spread to are graphql-core's own.

Functions are kept with the document that they were written for, so they live as long as the document's cache.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLResolveInfoHelpers,
    GraphQLScalarType,
    OperationDefinitionNode,
    Undefined,
    VariableNode,
    Visitor,
    visit,
)
from graphql.execution.collect_fields import CollectedFields, FieldDetailsList, GroupedFieldSet
from graphql.execution.executor_throwing_on_incremental import ExecutorThrowingOnIncremental
from graphql.execution.values import VariableValues, get_argument_values
from graphql.pyutils import AwaitableOrValue, Path, gather_with_cancel
from strawberry import Info
from strawberry.types.field import StrawberryField

from resolvers.entries import camel
from schema.build import Admitted, Clean, Fenced
from schema.written import LINES_MOST, Read, Writer

CHOICES_MOST = 16  # of what `@skip` and `@include` leave of an operation; more are left to graphql-core


@dataclass(frozen=True)
class Call:
    """How an awaited resolver is called: with its guards, but without Strawberry's reading of arguments for each row.

    `names` are the parameters of GraphQL's arguments; the values of those in `inputs` need conversion, unless null.
    """

    field: GraphQLField
    resolve: Callable[..., Any]
    names: Mapping[str, str]
    inputs: frozenset[str]


@dataclass
class Plan:
    """What is known of an operation before it runs: what its selections come to, and the functions that read them.

    Selections are known by the identity of their lists, which `subfields` and `roots` keep alive.
    """

    roots: GroupedFieldSet | None = None
    subfields: dict[tuple[GraphQLObjectType, int], tuple[FieldDetailsList, CollectedFields]] = field(
        default_factory=dict
    )
    fields: dict[int, Read | Call | None] = field(default_factory=dict)
    objects: dict[int, Read | None] = field(default_factory=dict)
    arguments: dict[int, Any] = field(default_factory=dict)  # of fields whose arguments hold no variable
    room: int = LINES_MOST


class Plans:
    """The plans of one document: one for each of its operations, and for each choice of what they leave out."""

    def __init__(self, document: DocumentNode) -> None:
        found = _Conditions()
        visit(document, found)
        self._variables = sorted(found.variables)
        self._plans: dict[tuple[Any, ...], Plan] = {}

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


def _gather(values: Sequence[Awaitable[Any]]) -> Awaitable[list[Any]]:
    return gather_with_cancel(*values)


def _track(_values: Sequence[Any]) -> None:
    """No resolver of ours leaves work behind."""


# graphql-core's hold the executor, which holds them: only the garbage collector would part the two.
_HELPERS = GraphQLResolveInfoHelpers(gather=_gather, track=_track)


class CompiledExecutor(ExecutorThrowingOnIncremental):
    """graphql-core's executor, but for fields and objects that a plan has a function for."""

    def __init__(self, *arguments: Any, plans: Plans, **named: Any) -> None:
        super().__init__(*arguments, **named)
        plan = plans.of(self.operation, self.variable_values)
        self._plan = Plan(room=0) if plan is None else plan
        self._relevant_sub_fields = self._plan.subfields
        self.async_helpers = _HELPERS
        self._arguments: dict[int, dict[str, Any] | None] = {}  # a field's, the same for each row

    def execute_collected_root_fields(
        self,
        root_type: GraphQLObjectType,
        root_value: Any,
        grouped_field_set: GroupedFieldSet,
        serially: bool,
        new_defer_usages: Any,
    ) -> AwaitableOrValue[dict[str, Any]]:
        """Put the plan's own lists in the place of those collected for this request, so that it knows them."""
        if self._plan.roots is None:
            self._plan.roots = grouped_field_set
        return super().execute_collected_root_fields(
            root_type, root_value, self._plan.roots, serially, new_defer_usages
        )

    def execute_field(
        self,
        parent_type: GraphQLObjectType,
        source: Any,
        field_details_list: FieldDetailsList,
        path: Path,
        position_context: None,
    ) -> Any:
        """Read or call a field, if it has a function or a call and all is as expected."""
        try:
            known = self._plan.fields[id(field_details_list)]
        except KeyError:
            known = self._known(parent_type, field_details_list)
        if isinstance(known, Call):
            called = self._call(known, parent_type, source, field_details_list, path)
            if called is not Undefined:
                return called
        elif known is not None:
            try:
                return known(source)
            except Exception:  # noqa: BLE001, S110 - whatever it is, graphql-core meets it again and reports it
                pass
        return super().execute_field(parent_type, source, field_details_list, path, position_context)

    def complete_object_value(
        self,
        return_type: GraphQLObjectType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: None,
    ) -> Any:
        """Complete what a resolver gave by its object's function, if it has one and all is as expected."""
        try:
            read = self._plan.objects[id(field_details_list)]
        except KeyError:
            read = self._plan.objects[id(field_details_list)] = self._written("object", return_type, field_details_list)
        if read is not None:
            try:
                return read(result)
            except Exception:  # noqa: BLE001, S110 - as above
                pass
        return super().complete_object_value(return_type, field_details_list, info, path, result, position_context)

    def _known(self, parent: GraphQLObjectType, details: FieldDetailsList) -> Read | Call | None:
        known: Read | Call | None = self._written("field", parent, details)
        if known is None and self._plan.room > 0:
            known = _call_of(parent.fields.get(details[0].node.name.value))
        self._plan.fields[id(details)] = known
        return known

    def _written(self, what: str, of: GraphQLObjectType, details: FieldDetailsList) -> Read | None:
        """Write the function of a field of a type, or of the objects that a field has."""
        if self._plan.room <= 0:
            return None
        writer = Writer(self.collect_subfields, self._plan.room)
        name = writer.field(of, details) if what == "field" else writer.object(of, details)
        self._plan.room = writer.room
        return writer.function(name) if name else None

    def _call(
        self, call: Call, parent_type: GraphQLObjectType, source: Any, details: FieldDetailsList, path: Path
    ) -> Any:
        """Call a resolver, and complete what it gives; Undefined if graphql-core is to do that."""
        try:
            given = self._arguments[id(details)]
        except KeyError:
            given = self._plan.arguments.get(id(details), Undefined)
            given = self._arguments[id(details)] = self._given(call, details) if given is Undefined else given
        if given is None:
            return Undefined
        info = self.build_resolve_info(call.field, [one.node for one in details], parent_type, path)
        try:
            result = call.resolve(source, info, **given)
        except Exception:  # noqa: BLE001 - a guard's; what it guards has not begun
            return Undefined
        if result is None:
            return None  # a field behind the second fence can be null
        return self.complete_awaitable_value(call.field.type, details, info, path, result, None)

    def _given(self, call: Call, details: FieldDetailsList) -> dict[str, Any] | None:
        """Read the arguments of a field; None if graphql-core and Strawberry are to do that, and to refuse them."""
        node, _, of_fragment = details[0]
        try:
            read = get_argument_values(call.field, node, self.variable_values, of_fragment, self.hide_suggestions)
            if any(read.get(name) is not None for name in call.inputs):
                return None
            given = {call.names[name]: value for name, value in read.items()}
        except Exception:  # noqa: BLE001 - as above
            return None
        if not any(isinstance(one.value, VariableNode) for one in node.arguments or ()):
            self._plan.arguments[id(details)] = given
        return given


def _call_of(of: GraphQLField | None) -> Call | None:
    """Describe how a field's resolver is called; None if it is not awaited, or guarded by what is not known here."""
    definition: Any = of.extensions.get("strawberry-definition") if of is not None else None
    if of is None or not isinstance(definition, StrawberryField) or not definition.is_async or definition.extensions:
        return None
    resolver: Any = definition.base_resolver
    if resolver is None or not resolver.self_parameter:
        return None
    resolve = _direct(of.resolve, definition)
    inner = {
        name: one.type.of_type if isinstance(one.type, GraphQLNonNull) else one.type for name, one in of.args.items()
    }
    inputs = {name for name, type_ in inner.items() if not isinstance(type_, GraphQLScalarType | GraphQLEnumType)}
    names = {camel(one.python_name): one.python_name for one in resolver.arguments}
    return Call(of, resolve, names, frozenset(inputs)) if resolve is not None else None


def _direct(resolve: Any, definition: StrawberryField) -> Callable[..., Any] | None:
    """Put a call of the resolver itself in the place of Strawberry's, inside all guards."""
    if isinstance(resolve, Fenced | Clean | Admitted):
        inner = _direct(resolve.resolve, definition)
        return replace(resolve, resolve=inner) if inner is not None else None
    if not hasattr(resolve, "_is_default"):  # Strawberry's own bear this mark
        return None
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
