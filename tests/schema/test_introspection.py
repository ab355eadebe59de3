"""How much of the schema may be asked for: everything tools ask for, once. And its cost matches what comes back."""

from typing import Any

import orjson
import pytest
from graphql import (
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    execute_sync,
    get_introspection_query,
    get_named_type,
    parse,
    validate,
)
from graphql.type.introspection import introspection_types
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from models.account import Role
from permissions.viewer import EVERYBODY, SIGNED_IN, Standing
from schema.build import projection
from schema.cost import Measure, measured
from schema.execution import Documents
from schema.introspection import values_most
from tests.hub import Hub
from tests.volume import tries

WHOLE = get_introspection_query(input_value_deprecation=True, specified_by_url=True, one_of=True)
VIEWERS = [Standing.PUBLIC | standing for standing in (*SIGNED_IN, SIGNED_IN)]


def of(text: str, variables: dict[str, Any] | None = None, who: Standing = EVERYBODY) -> Measure:
    return measured(projection(who), parse(text), variables)


def is_refused(text: str, variables: dict[str, Any] | None = None, who: Standing = EVERYBODY) -> bool:
    reason = of(text, variables, who).too_much()
    assert reason is None or "values of the schema" in reason
    return reason is not None


@pytest.mark.parametrize("who", VIEWERS, ids=str)
def test_everything_that_tools_ask_for_is_answered(who: Standing) -> None:
    documents = Documents(projection(who))
    flags = [[place == chosen for place in range(7)] for chosen in range(8)]
    for options in (*flags, [not flag for flag in flags[7]]):
        text = get_introspection_query(*options)
        assert documents.prepared(text).errors == []


@pytest.mark.parametrize("who", VIEWERS, ids=str)
def test_the_whole_schema_is_given_only_once(who: Standing) -> None:
    asked, fragments = WHOLE[WHOLE.index("{") + 1 :].split("fragment FullType", 1)
    once = asked.rstrip().removesuffix("}")
    fragments = f"fragment FullType{fragments}"
    again = once.replace("__schema", "again: __schema")
    assert not is_refused(f"{{ {once} }} {fragments}", who=who)
    assert is_refused(f"{{ {once} {again} }} {fragments}", who=who)
    assert is_refused(f"{{ ...all }} fragment all on Query {{ {once} ... {{ {again} }} }} {fragments}", who=who)
    # Another operation in the document could be run instead.
    assert is_refused(f"query a {{ __typename }} query b {{ {once} {again} }} {fragments}", who=who)


def lists(*names: str) -> str:
    return " { ".join(names) + " { name" + " }" * len(names)


ROUND = ("types", "fields", "type", "ofType", "fields", "args", "type", "ofType")


@pytest.mark.parametrize(
    "text",
    [
        "{ __schema {" + " ".join(f"a{i}: {lists(*ROUND)}" for i in range(20)) + "} }",
        "{" + " ".join(f"a{i}: __schema {{ {lists(*ROUND)} }}" for i in range(20)) + "}",
        "{ __schema { types { fields {" + " ".join(f"a{i}: description" for i in range(90)) + "} } } }",
        "{ __schema { types { fields { " + "a" * 1000 + ": name } } } }",
        "{"
        + " ".join(
            f'a{i}: __type(name: "Mutation") {{ fields {{ name args {{ name type {{ name }} }} }} }}' for i in range(99)
        )
        + "}",
        (
            "{ __schema { types { ...a ...a } } } fragment a on __Type { ...b ...b } fragment b on __Type { ...c ...c }"
            " fragment c on __Type { ...d ...d } fragment d on __Type { ...e ...e }"
            " fragment e on __Type { name ...f ...f }"
            " fragment f on __Type { ...g ...g } fragment g on __Type { kind ... { kind ... { kind } } }"
        ),
    ],
)
def test_a_short_document_that_asks_for_a_lot_is_refused(text: str) -> None:
    assert is_refused(text)


NAMED = "__type(name: $name) { fields { args { type { ofType { inputFields { type { ofType { name } } } } } } } }"


def test_a_type_named_in_a_variable_counts_as_that_type() -> None:
    text = "query($name: String!) {" + " ".join(f"a{i}: {NAMED}" for i in range(40)) + "}"
    assert is_refused(text)  # nothing is known about it yet
    assert is_refused(text, {"name": "Mutation"})
    assert not is_refused(text, {"name": "String"})
    assert not is_refused(text, {"name": 5})  # bad input, so it loads nothing
    assert not is_refused(text, {})
    given = text.replace("String!", 'String! = "Mutation"')
    assert is_refused(given, {})
    assert not is_refused(given, {"name": "Nothing"})


async def test_asking_for_too_much_of_the_schema_has_its_own_error_even_by_a_variable(hub: Hub) -> None:
    admin = await hub.person(Role.ADMIN)
    text = "query($name: String!) {" + " ".join(f"a{i}: {NAMED}" for i in range(60)) + "}"
    assert (await hub.ask(text, {"name": "Survey"}, by=admin)).status == 200
    answer = await hub.ask(text, {"name": "Mutation"}, by=admin)
    assert (answer.status, answer.codes) == (400, ["GRAPHQL_VALIDATION_FAILED"])
    most = values_most(projection(Standing.ADMIN | Standing.PUBLIC))
    (error,) = answer.body["errors"]
    assert error["message"] == f"A document may ask for at most {most:,} values of the schema; this one asks for more."


@st.composite
def introspection(draw: st.DrawFn) -> str:
    """Documents that ask for the schema in all kinds of ways; nearly all of them are valid."""
    fragments: dict[str, str] = {}

    def selections(of: GraphQLObjectType, depth: int) -> str:
        names = draw(st.lists(st.sampled_from(["__typename", *of.fields]), min_size=1, max_size=4))
        return " ".join(selection(of, name, depth) for name in names)

    def selection(of: GraphQLObjectType, name: str, depth: int) -> str:
        field = of.fields.get(name)
        alias = draw(st.sampled_from(["", "", f"{name}2: ", f"a_name_of_some_length_for_{name}: "]))
        text = alias + name
        if field is not None:
            if field.args and draw(st.booleans()):
                text += f"(includeDeprecated: {draw(st.sampled_from(['true', 'false']))})"
            inner = get_named_type(field.type)
            if isinstance(inner, GraphQLObjectType):
                if depth == 0:
                    return "__typename"
                text += f" {{ {selections(inner, depth - 1)} }}"
        match draw(st.integers(0, 5)):
            case 0:
                return f"... on {of.name} {{ {text} }}"
            case 1:
                fragment = f"f{len(fragments)}"
                fragments[fragment] = f"fragment {fragment} on {of.name} {{ {text} }}"
                return f"...{fragment} ...{draw(st.sampled_from(sorted(fragments)))}"
        return text

    entrances = []
    for place in range(draw(st.integers(1, 3))):
        of: Any = introspection_types[draw(st.sampled_from(["__Schema", "__Type"]))]
        name = draw(st.sampled_from(["Query", "Mutation", "LogbookEntry", "UserErrorCode", "SignInInput", "Nothing"]))
        entrance = "__schema" if of.name == "__Schema" else f'__type(name: "{name}")'
        entrances.append(f"a{place}: {entrance} {{ {selections(of, 6)} }}")
    return f"{{ {' '.join(entrances)} }} {' '.join(fragments.values())}"


def values_in(answer: Any) -> int:
    """Count objects and leaves alike."""
    if isinstance(answer, dict):
        return 1 + sum(map(values_in, answer.values()))
    return sum(map(values_in, answer)) if isinstance(answer, list) else 1


@settings(max_examples=tries(40, 1000))
@given(introspection(), st.sampled_from(VIEWERS))
@example("{ __schema { directives { locations } } }", Standing.PUBLIC)
def test_no_answer_is_larger_than_its_document_was_counted_for(text: str, who: Standing) -> None:
    document = parse(text)
    measure = measured(projection(who), document, {})
    if measure.too_much():
        assert Documents(projection(who)).prepared(text).document is None
        return
    assume(not validate(projection(who), document, max_errors=1))
    data, errors = execute_sync(projection(who), document)
    assert errors is None
    assert data is not None
    assert values_in(data) - 1 <= measure.schema_values
    assert len(orjson.dumps(data)) <= 30 * measure.schema_values


def test_introspection_consists_only_of_its_own_types_strings_and_booleans() -> None:
    """The walk knows only objects and leaves, and no type that depends on the object; there are no others."""
    for type_ in introspection_types.values():
        for field in getattr(type_, "fields", {}).values():
            of = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
            inner = of.of_type if isinstance(of, GraphQLList) else of
            assert get_named_type(inner) in introspection_types.values() or str(get_named_type(inner)) in {
                "String",
                "Boolean",
            }
