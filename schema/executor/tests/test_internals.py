"""The internals of graphql-core and Strawberry that `internals.py` uses are still as it says there.

After a new release of either, these tests fail first. Each says what the executor relies on, so that you can fix
`internals.py`.
"""

import inspect
from typing import Any

import pytest
import strawberry
from graphql import (
    Executor,
    GraphQLEnumType,
    GraphQLID,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLString,
    Undefined,
    execute,
    execute_sync,
    parse,
)
from graphql.execution import collect_fields, values
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.type import GraphQLResolveInfoHelpers
from strawberry.types.field import StrawberryField

from schema.executor import CompiledExecutor, Plans, internals
from schema.executor.tests.library import SCALARS, Author, Genre, Mutation, Query, Shelf, make_schema, object_type

SCHEMA = internals.core_schema(Query, Mutation, SCALARS)


def parameters(of: Any) -> list[str]:
    return [name for name in inspect.signature(of).parameters if name not in {"self", "cls"}]


FIELD = ["return_type", "field_details_list", "info", "path", "result", "position_context"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("execute_operation", ["serially"]),
        (
            "execute_collected_root_fields",
            ["root_type", "root_value", "grouped_field_set", "serially", "new_defer_usages"],
        ),
        ("execute_field", ["parent_type", "source", "field_details_list", "path", "position_context"]),
        ("complete_value", FIELD),
        ("complete_object_value", FIELD),
        ("complete_awaitable_value", FIELD),
        ("collect_subfields", ["return_type", "field_details_list"]),
        ("build_resolve_info", ["field_def", "field_nodes", "parent_type", "path"]),
        ("handle_field_error", ["raw_error", "return_type", "field_details_list", "path"]),
    ],
)
def test_the_methods_of_the_graphql_core_executor_take_the_same_parameters(name: str, expected: list[str]) -> None:
    method = getattr(internals.StockExecutor, name, None)
    assert method, f"graphql-core's executor has no method {name} any more"
    assert parameters(method) == expected, f"graphql-core's {name} takes other parameters: look at its new source"


def test_the_graphql_core_executor_is_constructed_in_the_same_way() -> None:
    """`CompiledExecutor.begun` passes the first ten by position."""
    assert parameters(Executor)[:10] == [
        "schema",
        "fragment_definitions",
        "fragments",
        "root_value",
        "context_value",
        "operation",
        "variable_values",
        "field_resolver",
        "type_resolver",
        "subscribe_field_resolver",
    ]
    assert "hide_suggestions" in parameters(Executor)


def test_graphql_core_has_no_methods_that_the_executor_does_not_know() -> None:
    """The compiled functions might leave out a new step between those they replace."""
    steps = {name for name in vars(Executor) if name.startswith(("execute_", "complete_", "collect_"))}
    assert steps == {
        "collect_and_execute_subfields",
        "collect_subfields",
        "complete_abstract_value",
        "complete_async_iterator_value",
        "complete_awaitable_list_item_value",
        "complete_awaitable_value",
        "complete_iterable_value",
        "complete_leaf_value",
        "complete_list_item_value",
        "complete_list_value",
        "complete_object_value",
        "complete_value",
        "execute_collected_root_fields",
        "execute_collected_subfields",
        "execute_field",
        "execute_fields",
        "execute_fields_serially",
        "execute_operation",
        "execute_root_grouped_field_set",
    }


def executor_of(text: str) -> CompiledExecutor:
    schema = make_schema()
    built = CompiledExecutor.begun(Plans(schema, parse(text)), Shelf(), {}, None)
    assert not isinstance(built, list)
    return built


def test_selections_are_looked_up_where_the_executor_keeps_them() -> None:
    """By their type and the identity of their list, next to the list and its result."""
    executor = executor_of("{ authors { name id } }")
    known: internals.Subfields = {}
    executor.keep_subfields(known)
    of = executor.schema.query_type
    assert of is not None
    root = collect_fields.collect_fields(
        executor.schema, executor.fragments, executor.variable_values, of, executor.operation, True
    )
    details = root.grouped_field_set["authors"]
    author = object_type(executor.schema, "Author")
    found = executor.collect_subfields(author, details)
    assert known == {(author, id(details)): (details, found)}, "graphql-core keeps selections in another way"
    assert executor.collect_subfields(author, details) is found
    grouped, deferred, _ = found
    assert [*grouped] == ["name", "id"]
    assert not deferred


def test_the_fields_of_a_selection_are_unchanged() -> None:
    assert collect_fields.FieldDetails._fields[0] == "node"
    assert collect_fields.FieldDetails._fields[2] == "fragment_variable_values"
    assert len(collect_fields.FieldDetails._fields) == 3
    assert collect_fields.CollectedFields._fields[:2] == ("grouped_field_set", "new_defer_usages")
    assert parameters(collect_fields.FragmentDetails)[0] == "definition"


def test_variables_are_unchanged() -> None:
    assert parameters(values.VariableValues) == ["sources", "coerced"]
    assert parameters(values.VariableValueSource) == ["signature", "value"]
    assert {"name", "type", "default"} <= set(parameters(GraphQLVariableSignature))
    assert parameters(get_variable_signature) == ["schema", "var_def_node"]
    assert parameters(values.get_argument_values)[:5] == [
        "type_def",
        "node",
        "variable_values",
        "fragment_variable_values",
        "hide_suggestions",
    ]


def test_errors_are_collected_and_helpers_passed_in_the_same_way() -> None:
    executor = executor_of("{ authors { name } }")
    assert executor.collected_errors.errors == []
    assert GraphQLResolveInfoHelpers._fields == ("gather", "track")
    assert executor.async_helpers is not None


def test_arguments_that_graphql_core_does_not_know_reach_the_executor_class() -> None:
    schema = make_schema()
    document = parse("{ authors { name } }")
    result = execute(schema, document, executor_class=CompiledExecutor, plans=Plans(schema, document))
    assert getattr(result, "errors", Undefined) is None


def test_a_path_consists_of_the_same_parts() -> None:
    assert internals.Path._fields == ("prev", "key", "typename")


def test_strawberry_marks_its_own_resolvers_and_no_others() -> None:
    for type_ in (object_type(SCHEMA, "Author"), object_type(SCHEMA, "Query"), object_type(SCHEMA, "Mutation")):
        for name, one in type_.fields.items():
            assert internals.is_strawberry_resolver(one.resolve), f"{type_}.{name} has no mark of Strawberry's"
            assert isinstance(one.extensions["strawberry-definition"], StrawberryField)
    assert not internals.is_strawberry_resolver(lambda *_: None)


def field_of(type_name: str, name: str) -> Any:
    return object_type(SCHEMA, type_name).fields[name]


def test_plain_fields_in_strawberry_are_attributes_of_the_row() -> None:
    assert internals.attribute_of(field_of("Book", "addedAt")) == "added_at"
    assert internals.attribute_of(field_of("Author", "initials")) is None
    assert internals.attribute_of(field_of("Author", "motto")) is None


@pytest.mark.parametrize(
    ("type_name", "name", "expected"),
    [
        # takes self, rows, info, arguments, direct, needs only the row
        ("Author", "initials", (True, (), None, False, True, True)),
        ("Author", "backwards", (False, ("root",), None, False, True, True)),
        ("Author", "rivals", (False, ("parent",), "info", True, True, False)),
        ("Author", "books", (True, (), "info", True, True, False)),
        ("Query", "search", (True, (), None, True, False, False)),
        ("Query", "author", (True, (), "info", True, True, False)),
    ],
)
def test_strawberry_says_what_arguments_a_resolver_takes(type_name: str, name: str, expected: tuple[Any, ...]) -> None:
    found = internals.resolver_of(field_of(type_name, name))
    assert found is not None
    alone = found.needs_row_alone
    assert (found.takes_self, found.rows, found.info, found.arguments, found.direct, alone) == expected


def test_extensions_in_strawberry_are_noticed() -> None:
    assert internals.has_extensions(field_of("Author", "motto"))
    assert internals.resolver_of(field_of("Author", "motto")) is None
    assert not internals.has_extensions(field_of("Author", "books"))
    assert internals.resolver_of(field_of("Book", "title")) is None


def test_strawberry_keeps_the_python_names_of_arguments() -> None:
    @strawberry.type
    class Asked:
        @strawberry.field
        def one(self, of_two: str, three: int = 3) -> str:
            return f"{of_two} {three}"

    field = internals.core_schema(Asked).query_type
    assert field is not None
    assert internals.argument_names(field.fields["one"]) == {"ofTwo": "of_two", "three": "three"}


def test_the_resolver_of_introspection_in_strawberry_is_replaced() -> None:
    @strawberry.type
    class Asked:
        @strawberry.field
        def all(self) -> list[str]:
            return []

    document = parse('{ __type(name: "Asked") { fields { type { isOneOf ofType { isOneOf } } } } }')
    strawberry.Schema(Asked)
    assert execute_sync(internals.core_schema(Asked), document).errors is None
    broken = strawberry.Schema(Asked)._schema
    assert execute_sync(broken, document).errors, "Strawberry's own works now"
    internals.core_schema(Asked)


def test_info_in_strawberry_is_made_from_that_of_graphql_core_and_the_field() -> None:
    made: list[strawberry.Info] = []

    @strawberry.type
    class Asked:
        @strawberry.field
        def one(self, info: strawberry.Info) -> str:
            made.append(info)
            return "one"

    schema = internals.core_schema(Asked)
    assert execute(schema, parse("{ one }"), context_value="the context") == ({"one": "one"}, None)
    (stock,) = made
    assert vars(internals.info_of(stock._raw_info, stock._field)) == vars(stock)
    assert internals.info_of(stock._raw_info, stock._field).context == "the context"


def test_strawberry_keeps_the_class_of_an_enumeration() -> None:
    of = SCHEMA.type_map["Genre"]
    assert isinstance(of, GraphQLEnumType)
    assert [*internals.enum_members(of)] == [*Genre]
    assert [of.coerce_output_value(one) for one in (*Genre, "novel")] == ["NOVEL", "POETRY", "NOVEL"]


def test_scalars_in_strawberry_are_recognised_by_what_they_do_to_values() -> None:
    pages, price = SCHEMA.type_map["Pages"], SCHEMA.type_map["Price"]
    assert isinstance(pages, GraphQLScalarType)
    assert isinstance(price, GraphQLScalarType)
    assert internals.gives_as_is(pages), "Strawberry wraps what writes a scalar: it would be called for each value"
    assert not internals.gives_as_is(price)
    assert price.coerce_output_value(1250) == "12.50"
    dates = [SCHEMA.type_map["Date"], SCHEMA.type_map["DateTime"]]
    assert all(isinstance(one, GraphQLScalarType) and internals.gives_isoformat(one) for one in dates)


def test_text_and_ids_in_strawberry_are_those_of_graphql_core() -> None:
    author = object_type(SCHEMA, "Author")
    assert isinstance(author, GraphQLObjectType)
    assert getattr(author.fields["name"].type, "of_type", None) is GraphQLString
    assert getattr(author.fields["id"].type, "of_type", None) is GraphQLID
    assert author.extensions["strawberry-definition"].origin is Author
