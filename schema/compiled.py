"""The compiled executor: completes without graphql-core what needs no resolver, by functions written once a document.

What it takes over, while all is as the schema says: fields that are an attribute of their row, fields that a plain
function of the row gives, `__typename`, the second fence around them, and every sub-tree of nothing but these: objects
and lists of them at any depth, wherever they hang, on a resolver's row or in a mutation's payload. And the fields that
a selection comes to, which graphql-core collects anew for every request.

What it leaves to graphql-core: documents, variables and arguments; resolvers that take arguments or `info` or are
awaited; introspection; and whatever is not as expected. A null in a non-null field, a value of another type, an
exception or an awaitable is noticed, what was read so far is dropped, and the stock method does that one field from its
beginning. Reading has no effects, so errors, their paths and order, and where nulls spread to are graphql-core's own.

Functions are kept with the document that they were written for, so they live as long as the document's cache.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from math import isfinite
from types import NoneType
from typing import Any
from uuid import UUID

from asyncpg.pgproto import pgproto
from graphql import (
    DirectiveNode,
    DocumentNode,
    Executor,
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    OperationDefinitionNode,
    Undefined,
    VariableNode,
    Visitor,
    visit,
)
from graphql.execution.collect_fields import CollectedFields, FieldDetailsList, GroupedFieldSet
from graphql.execution.executor_throwing_on_incremental import ExecutorThrowingOnIncremental
from graphql.execution.values import VariableValues
from graphql.pyutils import AwaitableOrValue, Path
from strawberry.types.field import StrawberryField

from schema.build import Fenced

CHOICES_MOST = 16  # of what `@skip` and `@include` leave of an operation; more are left to graphql-core
LINES_MOST = 2_000  # of the functions written for one operation; the rest of it is done field by field

Read = Callable[[Any], Any]  # gives a row's field, completed; raises if anything is not as the schema says


class Unusual(Exception):
    """Something is not as the schema says: graphql-core's stock method is to do this field."""


@dataclass
class Plan:
    """What is known of an operation before it runs: what its selections come to, and the functions that read them.

    Selections are known by the identity of their lists, which `subfields` and `roots` keep alive.
    """

    roots: GroupedFieldSet | None = None
    subfields: dict[tuple[GraphQLObjectType, int], tuple[FieldDetailsList, CollectedFields]] = field(
        default_factory=dict
    )
    fields: dict[int, Read | None] = field(default_factory=dict)
    objects: dict[int, Read | None] = field(default_factory=dict)
    lines: int = 0


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


class CompiledExecutor(ExecutorThrowingOnIncremental):
    """graphql-core's executor, but for fields and objects that a plan has a function for."""

    def __init__(self, *arguments: Any, plans: Plans, **named: Any) -> None:
        super().__init__(*arguments, **named)
        plan = plans.of(self.operation, self.variable_values)
        self._plan = Plan() if plan is None else plan
        self._compiles = plan is not None
        self._relevant_sub_fields = self._plan.subfields

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
        """Read a field by its function, if it has one and all is as expected."""
        try:
            read = self._plan.fields[id(field_details_list)]
        except KeyError:
            read = self._written(self._plan.fields, field_details_list, "field", parent_type)
        if read is not None:
            try:
                return read(source)
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
            read = self._written(self._plan.objects, field_details_list, "object", return_type)
        if read is not None:
            try:
                return read(result)
            except Exception:  # noqa: BLE001, S110 - as above
                pass
        return super().complete_object_value(return_type, field_details_list, info, path, result, position_context)

    def _written(
        self, among: dict[int, Read | None], details: FieldDetailsList, kind: str, of: GraphQLObjectType
    ) -> Read | None:
        """Write the function of a field of a type, or of the objects in a field, and keep it."""
        read = None
        if self._compiles:
            writer = _Writer(self)
            name = writer.field(of, details) if kind == "field" else writer.object(of, details)
            read = writer.function(name) if name else None
        among[id(details)] = read
        return read


class _Writer:
    """Writes the functions for one selection, as Python text that names nothing but what `_names` holds."""

    def __init__(self, executor: Executor[Any]) -> None:
        self._executor = executor
        self._lines: list[str] = []
        self._names: dict[str, Any] = {
            "Unusual": Unusual, "RowUUID": pgproto.UUID, "UUID": UUID, "date": date, "datetime": datetime,
            "isfinite": isfinite, "checked": _checked,
        }  # fmt: skip

    def function(self, name: str) -> Read:
        """Give one of the functions that were written."""
        exec("\n".join(self._lines), self._names)  # noqa: S102 - the text is ours; what a client chose is a literal in it
        read: Read = self._names[name]
        return read

    def _kept(self, value: object) -> str:
        name = f"kept{len(self._names)}"
        self._names[name] = value
        return name

    def _define(self, parameter: str, body: list[str], result: str) -> str | None:
        """Write a function; None if there is too much of it."""
        plan = self._executor._plan  # type: ignore[attr-defined]  # noqa: SLF001
        plan.lines += len(body)
        if plan.lines > LINES_MOST:
            return None
        name = f"read{len(self._names)}"
        self._names[name] = None
        self._lines += [f"def {name}({parameter}):", *(f"    {line}" for line in body), f"    return {result}"]
        return name

    def field(self, parent: GraphQLObjectType, details: FieldDetailsList) -> str | None:
        """Write the function that gives a field of a row; None if the field is not plain."""
        body = self._read(parent, details, "value")
        return self._define("row", body, "value") if body else None

    def object(self, of: GraphQLObjectType, details: FieldDetailsList) -> str | None:
        """Write the function that completes an object; None if anything in it is not plain."""
        if of.is_type_of is not None:
            return None
        grouped, deferred, _ = self._executor.collect_subfields(of, details)
        # Rows of a list are of one class: it is looked at once.
        last = self._kept([None])
        body, members = [f"if type(row) is not {last}[0]: {last}[0] = checked(type(row))"], []
        for place, (response_name, member) in enumerate(grouped.items()):
            lines = None if deferred else self._read(of, member, f"v{place}")
            if lines is None:
                return None
            body += lines
            members.append(f"{response_name!r}: v{place}")
        return self._define("row", body, f"{{{', '.join(members)}}}")

    def _read(self, parent: GraphQLObjectType, details: FieldDetailsList, into: str) -> list[str] | None:
        """Write lines that put a field of `row`, completed, into a variable."""
        name = details[0].node.name.value
        if name == "__typename":
            return [f"{into} = {parent.name!r}"]
        of = parent.fields.get(name)
        if of is None or of.args:
            return None
        resolve, fence = of.resolve, ""
        if isinstance(resolve, Fenced):
            fence = f" if row.standing & {int(resolve.allowed)} else None"
            resolve = resolve.resolve
        # Strawberry's own resolvers bear this mark; one that something else was put around does not.
        if not hasattr(resolve, "_is_default"):
            return None
        taken = self._taken(of.extensions.get("strawberry-definition"))
        lines = self._completed(of.type, details, into) if taken else None
        return None if lines is None else [f"{into} = {taken}{fence}", *lines]

    def _taken(self, of: Any) -> str | None:
        """Write how a field is taken from its row; None if that takes more than the row."""
        if not isinstance(of, StrawberryField) or of.is_async:
            return None
        if of.is_basic_field:
            return f"row.{of.python_name}" if of.default_resolver is getattr else None
        resolver = of.base_resolver
        if resolver is None or of.extensions or resolver.arguments or resolver.info_parameter:
            return None
        given = ["row"] if resolver.self_parameter else []
        given += [f"{one.name}=row" for one in (resolver.parent_parameter, resolver.root_parameter) if one]
        return f"{self._kept(resolver.wrapped_func)}({', '.join(given)})"

    def _completed(self, of: GraphQLOutputType, details: FieldDetailsList, v: str) -> list[str] | None:
        """Write lines that complete the value in a variable; None if something in it is not plain."""
        nullable = not isinstance(of, GraphQLNonNull)
        inner: Any = of.of_type if isinstance(of, GraphQLNonNull) else of
        lines: list[str] | None
        if isinstance(inner, GraphQLList):
            lines = self._list(inner.of_type, details, v)
        elif isinstance(inner, GraphQLObjectType):
            name = self.object(inner, details)
            lines = [f"{v} = {name}({v})"] if name else None
        else:
            lines = self._leaf(inner, v)
        if lines is not None and nullable:
            return [f"if {v} is not None:", *(f"    {line}" for line in lines)]
        return lines

    def _list(self, item: GraphQLOutputType, details: FieldDetailsList, v: str) -> list[str] | None:
        named = item.of_type if isinstance(item, GraphQLNonNull) else None
        if isinstance(named, GraphQLObjectType):
            each = self.object(named, details)
        else:
            body = self._completed(item, details, "row")
            each = self._define("row", body, "row") if body else None
        return [_unless(f"type({v}) is list"), f"{v} = [{each}(one) for one in {v}]"] if each else None

    def _leaf(self, of: Any, v: str) -> list[str] | None:
        """Write lines that complete a leaf as its type's `coerce_output_value` does, for values of the usual type."""
        if isinstance(of, GraphQLEnumType):
            names = _names_of(of)
            return [f"{v} = {self._kept(names)}[{v}]"] if names else None
        return _SCALARS[of.name](v) if isinstance(of, GraphQLScalarType) and of.name in _SCALARS else None


def _unless(condition: str) -> str:
    return f"if not ({condition}): raise Unusual"


_SCALARS: dict[str, Callable[[str], list[str]]] = {
    "String": lambda v: [_unless(f"type({v}) is str")],
    "Boolean": lambda v: [_unless(f"type({v}) is bool")],
    "Int": lambda v: [_unless(f"type({v}) is int and -2147483648 <= {v} <= 2147483647")],
    "Float": lambda v: [_unless(f"type({v}) is float and isfinite({v})")],
    "Minutes": lambda v: [_unless(f"type({v}) is int")],
    "Date": lambda v: [_unless(f"type({v}) is date"), f"{v} = {v}.isoformat()"],
    "DateTime": lambda v: [_unless(f"type({v}) is datetime"), f"{v} = {v}.isoformat()"],
    "ID": lambda v: [
        f"if type({v}) is RowUUID or type({v}) is UUID: {v} = str({v})",
        f"el{_unless(f'type({v}) is str')}",
    ],
}


def _names_of(of: GraphQLEnumType) -> dict[Any, str] | None:
    """Give an enumeration's names by what a row or a resolver has in their place; None if that is not text."""
    raw = [value.value for value in of.values.values()]
    if not all(isinstance(value, str) for value in raw):
        return None
    members = [member for member in getattr(of, "wrapped_cls", ()) if member.value in raw]
    return {value: of.coerce_output_value(value) for value in (*raw, *members)}


def _checked(kind: type) -> type:
    """Raise Unusual for what stands for no object of ours, though it may have every attribute that is asked for."""
    if hasattr(kind, "__await__") or issubclass(kind, BaseException | NoneType | type(Undefined)):
        raise Unusual
    return kind
