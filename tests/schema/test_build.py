"""Deny by default: the schema is built only if the table of who may read what has a row for all of it."""

import re

import pytest
from graphql import build_schema, print_schema

from permissions.policy import PolicyError, allows, rule
from permissions.viewer import EVERYBODY
from schema.build import check_policy, whole_schema

WHOLE = print_schema(whole_schema())


def test_the_current_schema_fits_the_table() -> None:
    check_policy(build_schema(WHOLE))


@pytest.mark.parametrize(
    ("type_name", "added", "named"),
    [
        ("CpdEntry", "mood: String", "CpdEntry.mood"),
        ("Experience", "shoeSize: Int", "Experience.shoeSize"),
        ("FeedbackRequest", "answered: Boolean", "FeedbackRequest.answered"),
        ("Mutation", "readMinds: Int", "Mutation.readMinds"),
        ("Query", "minds: Int", "Query.minds"),
        ("FeedbackFilter", "mood: String", "FeedbackFilter.mood"),
        ("LogbookOrderField", "NOTES", "LogbookOrderField.NOTES"),
        ("Standing", "FRIEND", "Standing.FRIEND"),
    ],
)
def test_a_field_or_an_enum_value_without_a_row_does_not_build(type_name: str, added: str, named: str) -> None:
    opening = re.compile(rf"^(type|input|enum) {type_name} {{$", re.MULTILINE)
    with pytest.raises(PolicyError, match=f"^no row for {named}$"):
        check_policy(build_schema(opening.sub(rf"\g<0>\n  {added}", WHOLE, count=1)))


@pytest.mark.parametrize(
    "kind", ["type Mind { thought: String }", "enum Mind { CALM }", "scalar Other type Mind { thought: Other }"]
)
def test_a_type_without_a_row_does_not_build(kind: str) -> None:
    with pytest.raises(PolicyError, match=r"^no row for Mind\.(thought|CALM)$"):
        check_policy(build_schema(WHOLE + kind))


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("type ReadMindsPayload { thought: String }", "Mutation.readMinds"),
        ("input ReadMindsInput { whose: ID }", "Mutation.readMinds"),
        ("type MindConnection { nodes: [String] }", "MindConnection.nodes"),
        ("type MindEdge { cursor: String }", "MindEdge.cursor"),
        ("type Connection { nodes: [String] }", "Connection.nodes"),
        ("type Payload { thought: String }", "Payload.thought"),
    ],
)
def test_a_name_like_that_of_a_connection_or_payload_still_needs_a_row(kind: str, named: str) -> None:
    with pytest.raises(PolicyError, match=f"^no row for {named}$"):
        check_policy(build_schema(WHOLE + kind))


@pytest.mark.parametrize("kind", ["union Either = Feedback | Reviewer", "interface Either { id: ID! }"])
def test_interfaces_and_unions_do_not_build(kind: str) -> None:
    with pytest.raises(PolicyError, match="interfaces and unions"):
        check_policy(build_schema(WHOLE + kind))


@pytest.mark.parametrize(
    ("type_name", "line", "named"),
    [
        ("LogbookEntry", "  reference: String", "LogbookEntry.reference"),
        ("Query", "  survey: Survey", "Query.survey"),
        ("LogbookOrderField", "  COUNTRY", "LogbookOrderField.COUNTRY"),
        ("LogbookFilter", "  country: String = null", "LogbookFilter.country"),
    ],
)
def test_a_row_for_a_field_that_is_gone_does_not_build(type_name: str, line: str, named: str) -> None:
    whole_type = re.compile(rf"(^(?:type|enum|input) {type_name} {{$.*?)^{line}$\n", re.MULTILINE | re.DOTALL)
    text, found = whole_type.subn(r"\1", WHOLE, count=1)
    assert found == 1
    with pytest.raises(PolicyError, match=f"^a row for {named}, which the schema lacks$"):
        check_policy(build_schema(text))


@pytest.mark.parametrize(
    ("type_name", "field", "result"),
    [("LogbookEntry", "country", "String"), ("Mediator", "feedbackLink", "String"), ("Feedback", "year", "Int")],
)
def test_a_field_that_some_readers_of_a_row_may_not_read_must_be_nullable(
    type_name: str, field: str, result: str
) -> None:
    whole_type = re.compile(rf"(^type {type_name} {{$.*?^  {field}: {result})$", re.MULTILINE | re.DOTALL)
    text, found = whole_type.subn(r"\1!", WHOLE, count=1)
    assert found == 1
    with pytest.raises(PolicyError, match=f"^{type_name}.{field} must be nullable"):
        check_policy(build_schema(text))


def test_a_name_that_is_not_in_the_table_is_allowed_to_nobody() -> None:
    with pytest.raises(PolicyError):
        allows(EVERYBODY, "LogbookEntry", "secret")
    with pytest.raises(PolicyError):
        rule("Secret", "id")
