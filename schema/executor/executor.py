"""The compiled executor: completes without graphql-core what needs no resolver, by functions written once a document.

Nullable fields in a tree that need a resolver are left empty at first. When the whole tree is read, their resolvers are
called for all of its rows, inside all guards, and what they gave is awaited; then the same is done for the trees that
came of it. So what all rows of one depth ask for is loaded together.

A null in a non-null field, a value of another type, an exception or an awaitable where there should be none: then what
was read so far is dropped, and graphql-core's own method does that one field from its beginning. So errors, their paths
and where nulls spread to are its own. `README.md` says what is taken over and what isn't.

Functions are kept with the plans of the document that they were written for, and live as long as those.
"""

from asyncio import Future
from collections.abc import Awaitable
from typing import Any, cast

from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    Undefined,
    default_field_resolver,
    default_type_resolver,
)

from schema.executor.awaitables import HELPERS, Called, Tree, started
from schema.executor.call import Call, Site, call_of, can_be_called
from schema.executor.codegen import Calls, Read, Writer
from schema.executor.internals import (
    AwaitableOrValue,
    FieldDetailsList,
    GroupedFieldSet,
    Path,
    StockExecutor,
    get_argument_values,
)
from schema.executor.plan import Plan, Plans, holds_variable


def execute(
    plans: Plans, context_value: Any = None, variable_values: Any = None, operation_name: str | None = None
) -> AwaitableOrValue[ExecutionResult]:
    """Execute an operation of the document that the plans are of, which must be valid, as graphql-core's own would.

    Suggestions are hidden. What's wrong with a request is in the result; nothing is raised but what ends a task.
    """
    begun = CompiledExecutor.begun(plans, context_value, variable_values, operation_name)
    return ExecutionResult(None, begun) if isinstance(begun, list) else begun.execute_operation()


class CompiledExecutor(StockExecutor):
    """graphql-core's executor, but for fields and objects that a plan has a function for."""

    def __init__(self, *arguments: Any, plans: Plans, **named: Any) -> None:
        super().__init__(*arguments, **named)
        plan = plans.of(self.operation, self.variable_values)
        self._plan = Plan(room=0) if plan is None else plan
        self.keep_subfields(self._plan.subfields)
        self.async_helpers = HELPERS
        self._arguments: dict[int, dict[str, Any] | None] = {}  # a field's, the same for each row

    @classmethod
    def begun(
        cls, plans: Plans, context: Any, variables: Any, name: str | None
    ) -> "list[GraphQLError] | CompiledExecutor":
        """Build the executor of a request, or give what is wrong with it."""
        operation, schema = plans.operation, plans.schema
        if operation is not None and (name is None or (operation.node.name and operation.node.name.value == name)):
            values = operation.variables(variables or {})
            if values is not None:
                resolvers = (default_field_resolver, default_type_resolver, default_field_resolver)
                known = (schema, operation.fragment_definitions, operation.fragments, None, context, operation.node)
                return cls(*known, values, *resolvers, hide_suggestions=True, plans=plans)
        request = (schema, plans.document, None, context, variables, name)
        built = cls.build(*request, hide_suggestions=True, plans=plans)
        return cast("list[GraphQLError] | CompiledExecutor", built)

    def execute_operation(self, serially: bool | None = None) -> AwaitableOrValue[ExecutionResult]:
        """Call what a query asks for first, where the plan knows it; all else is graphql-core's to begin."""
        if self._plan.sites is None:
            return cast("AwaitableOrValue[ExecutionResult]", super().execute_operation(serially))
        data: dict[str, Any] = dict.fromkeys(site.name for site in self._plan.sites)
        tree = self._called(data, [(data, self.root_value, None, site) for site in self._plan.sites])
        return (
            self._answered(tree) if type(tree) is Tree else ExecutionResult(data, self.collected_errors.errors or None)
        )

    async def _answered(self, tree: "Tree") -> ExecutionResult:
        data = await self.whole(tree)
        return ExecutionResult(data, self.collected_errors.errors or None)

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
            sites = [Site(root_type, name, details) for name, details in grouped_field_set.items()]
            if not serially and all(map(can_be_called, sites)):
                self._plan.sites = sites
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
            calls: Calls = []
            try:
                read = known(source, path, calls)
            except Exception:  # noqa: BLE001, S110 - whatever it is, graphql-core meets it again and reports it
                pass
            else:
                return self._called(read, calls) if calls else read
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
        tree = self._object(return_type, field_details_list, path, result)
        if tree is not Undefined:
            return tree
        return super().complete_object_value(return_type, field_details_list, info, path, result, position_context)

    def _object(self, of: GraphQLObjectType, details: FieldDetailsList, path: Path, row: Any) -> Any:
        """Complete an object by its function; Undefined if it has none, or if anything is not as expected."""
        try:
            read = self._plan.objects[id(details)]
        except KeyError:
            read = self._plan.objects[id(details)] = self._written("object", of, details)
        if read is None:
            return Undefined
        calls: Calls = []
        try:
            tree = read(row, path, calls)
        except Exception:  # noqa: BLE001 - as above
            return Undefined
        return self._called(tree, calls) if calls else tree

    def _known(self, parent: GraphQLObjectType, details: FieldDetailsList) -> Read | Call | None:
        known: Read | Call | None = None
        if parent is not self.schema.mutation_type:  # a change must not be made twice
            known = self._written("field", parent, details)
        if known is None and self._plan.room > 0:
            known = call_of(parent.fields.get(details[0].node.name.value))
        self._plan.fields[id(details)] = known
        self._plan.nodes[id(details)] = [one.node for one in details]
        return known

    def _written(self, what: str, of: GraphQLObjectType, details: FieldDetailsList) -> Read | None:
        """Write the function of a field of a type, or of the objects that a field has."""
        if self._plan.room <= 0:
            return None
        writer = Writer(self.collect_subfields, self._plan.room)
        name = writer.field(of, details) if what == "field" else writer.whole(of, details)
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
        info = self.build_resolve_info(call.field, self._plan.nodes[id(details)], parent_type, path)
        try:
            result = call.resolve(source, info, **given)
            if isinstance(result, Future) or self.is_awaitable(result):
                return Called(self, call.field.type, details, info, path, result)
            completed = self.complete_value(call.field.type, details, info, path, result, None)
        except Exception as error:  # noqa: BLE001 - it is reported
            self.handle_field_error(error, call.field.type, details, path)
            return None
        if type(completed) is Tree or not self.is_awaitable(completed):
            return completed
        return self._reported(completed, call.field.type, details, path)

    async def _reported(
        self, completed: Awaitable[Any], of: GraphQLOutputType, details: FieldDetailsList, path: Path
    ) -> Any:
        """Await what a resolver gave at once, in which something is awaited."""
        try:
            return await completed
        except Exception as error:  # noqa: BLE001 - it is reported
            self.handle_field_error(error, of, details, path)

    def _called(self, read: Any, calls: Calls) -> Any:
        """Call the resolvers of a tree that was read; give the tree, or one that is to be awaited."""
        waiting = []
        for found, row, path, site in calls:
            given = self.execute_field(site.parent, row, site.details, Path(path, site.name, site.parent.name), None)
            if type(given) is Called or self.is_awaitable(given):
                waiting.append((found, site.name, given))
            else:
                found[site.name] = given
        return Tree(self, read, waiting) if waiting else read

    async def whole(self, tree: Tree) -> Any:
        """Await what a tree waits for, depth after depth; give what was read."""
        waiting = tree.waiting
        while waiting:
            # What is a future is under way; anything else is begun before the first is awaited, unless it is alone.
            begun = waiting if len(waiting) == 1 else [(found, name, started(one)) for found, name, one in waiting]
            waiting = []
            try:
                for found, name, one in begun:
                    if type(one) is Called:
                        completed = await self._completed(one)
                    else:
                        completed = await one
                    if type(completed) is Tree:
                        waiting += completed.waiting
                        completed = completed.read
                    found[name] = completed
            except BaseException:
                for _, _, one in begun:
                    if isinstance(one, Future):
                        one.cancel()
                raise
        return tree.read

    async def _completed(self, called: Called) -> Any:
        """Complete what a resolver gave, but leave a tree as it is."""
        try:
            given = await called.given
            completed: Any = Undefined
            if isinstance(called.type, GraphQLObjectType):
                completed = self._object(called.type, called.details, called.path, given)
            if completed is Undefined:
                completed = self.complete_value(called.type, called.details, called.info, called.path, given, None)
            if type(completed) is not Tree and self.is_awaitable(completed):
                completed = await completed
        except Exception as error:  # noqa: BLE001 - it is reported
            self.handle_field_error(error, called.type, called.details, called.path)
            completed = None
        return completed

    async def complete_awaitable_value(
        self,
        return_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: None,  # noqa: ARG002 - the stock method's
    ) -> Any:
        """Await and complete what a resolver gave; as the stock method does, without a signal that could abort it."""
        completed = await self._completed(Called(self, return_type, field_details_list, info, path, result))
        return await self.whole(completed) if type(completed) is Tree else completed

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
        if not any(holds_variable(one.value) for one in node.arguments or ()):
            self._plan.arguments[id(details)] = given
        return given
