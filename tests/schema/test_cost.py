"""What a document may ask for at once."""

from itertools import pairwise
from typing import Any

import pytest
from graphql import (
    GraphQLObjectType,
    get_introspection_query,
    get_named_type,
    get_nullable_type,
    is_list_type,
    parse,
)

from models.account import Role
from permissions.viewer import EVERYBODY, Standing
from schema.build import projection, whole_schema
from schema.cost import WHOLE_LISTS, Measure, measured
from schema.execution import MAX_COMPARISONS, MAX_DOCUMENT_TOKENS, Documents
from tests.hub import Hub

WIDE = """{ mediators(first: $n) { nodes {
    logbook(first: $n) { nodes { id } edges { node { id } } }
    cpd(first: $n) { nodes { id } edges { node { id } } }
} } }"""


def measure(text: str, **variables: object) -> Measure:
    return measured(projection(EVERYBODY), parse(text), variables)


def refusal(text: str, **variables: object) -> str | None:
    return measure(text, **variables).too_much()


def first_error(text: str) -> dict[str, Any]:
    """The error that a signed-in viewer's document is refused with."""
    prepared = Documents(projection(EVERYBODY)).prepared(text)
    assert prepared.document is None
    return prepared.errors[0]


def bomb(fragments: int) -> str:
    """Fragments that each spread the next one twice: with n of them, a field appears 2 to the power of n times."""
    names = [f"f{number}" for number in range(fragments + 1)]
    doubled = [f"fragment {one} on OwnAccount {{ ...{two} ...{two} }}" for one, two in pairwise(names)]
    last = f"fragment {names[-1]} on OwnAccount {{ a: id mediator {{ id }} }}"
    return " ".join(["{ me { ...f0 } }", *doubled, last])


def test_ordinary_documents_and_introspection_are_allowed() -> None:
    assert refusal(get_introspection_query(input_value_deprecation=True, specified_by_url=True)) is None
    assert refusal("{ mediators(first: 100) { nodes { id logbook(first: 100) { nodes { id } } } } }") is None


def test_measuring_a_fragment_bomb_takes_time_in_proportion_to_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    found = refusal(bomb(200))
    assert found is not None
    assert "at most 100 aliases" in found
    assert "more than a billion" in found
    looked_at = 0
    beside = Measure.beside

    def counted(one: Measure, other: Measure) -> Measure:
        nonlocal looked_at
        looked_at += 1
        return beside(one, other)

    monkeypatch.setattr(Measure, "beside", counted)
    work = []
    for fragments in (50, 100, 200):
        looked_at = 0
        measure(bomb(fragments))
        work.append(looked_at / fragments)
    assert max(work) < 2 * min(work)


def test_a_fragment_bomb_is_refused_before_its_fields_are_compared() -> None:
    for text in (bomb(20), bomb(190), "{ me { " + " ".join(f"a{i}: id" for i in range(101)) + " } }"):
        assert "at most 100 aliases" in first_error(text)["message"]


def level(depth: int) -> str:
    return "{ me " + "{ mediator " * depth + "{ id }" + " }" * (depth + 1)


REFUSED = {
    "{ " + " ".join(f"a{i}: me {{ id }}" for i in range(101)) + " }": "at most 100 aliases; this one has 101",
    "{ me { id " + "@skip(if: true) " * 101 + "} }": "at most 100 directives; this one has 101",
    "query " + "@skip(if: true) " * 101 + "{ me { id } }": "at most 100 directives; this one has 101",
    "{ me { id ...f ...f } } fragment f on OwnAccount { id " + "@skip(if: true) " * 51 + " }": "100 directives",
    level(20): "at most 20 levels; this one has 22",
    level(600): "at most 20 levels",
    "{" + " me" * MAX_DOCUMENT_TOKENS + "}": f"more than {MAX_DOCUMENT_TOKENS} tokens",
    "{" + " me { mediator { id name } }" * 300 + "}": f"at most {MAX_COMPARISONS:,} comparisons",
    "{ me {" + " id" * 3000 + "} }": f"at most {MAX_COMPARISONS:,} comparisons",
}


@pytest.mark.parametrize(("text", "limit"), REFUSED.items(), ids=map(str, range(len(REFUSED))))
async def test_each_limit_has_its_own_error_that_names_it(hub: Hub, text: str, limit: str) -> None:
    ann = await hub.mediator()
    answer = await hub.ask(text, by=ann)
    assert answer.status == 400
    assert answer.codes in (["GRAPHQL_VALIDATION_FAILED"], ["GRAPHQL_PARSE_FAILED"])
    assert "data" not in answer.body
    assert limit in answer.body["errors"][0]["message"]


async def test_the_number_of_objects_has_a_limit_with_its_own_error(hub: Hub) -> None:
    admin = await hub.person(Role.ADMIN)
    answer = await hub.ask(WIDE.replace("$n", "100"), by=admin)
    assert (answer.status, answer.codes) == (400, ["GRAPHQL_VALIDATION_FAILED"])
    assert "at most 50,000 objects to load; this one has 60,301" in answer.body["errors"][0]["message"]


@pytest.mark.parametrize(
    "text",
    [
        "{ me { ...a } } fragment a on OwnAccount { ...b } fragment b on OwnAccount { ...a mediator { ...a } }",
        "{ me { ...nowhere } }",
        "{ mediators(first: " + "9" * 3000 + ") { nodes { id } } }",
        "{ mediators(first: -5) { nodes { id } } nothing { of { the { kind } } } }",
        "subscription { me { id } }",
        "fragment a on OwnAccount { id }",
        "fragment a on Nobody { id } { ...a }",
    ],
)
def test_an_invalid_document_is_measured_without_crashing_and_refused(text: str) -> None:
    assert first_error(text)["extensions"]["code"] in {"GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT"}


def test_not_all_mistakes_are_listed_for_a_document_full_of_them() -> None:
    prepared = Documents(projection(EVERYBODY)).prepared("{" + " ".join(f"n{i}" for i in range(500)) + "}")
    assert len(prepared.errors) == 11


def test_introspection_cannot_go_round_in_circles() -> None:
    text = "{ __schema { types { " + "fields { type { " * 4 + "name" + " } }" * 4 + " } } }"
    assert first_error(text)["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


def test_a_page_size_in_a_variable_counts_with_the_value_that_was_sent() -> None:
    text = f"query($n: Int) {WIDE}"
    assert refusal(text, n=10) is None
    assert refusal(text, n=100) is not None
    assert refusal(text) is not None  # nothing says that it's small


INTROSPECTION = [
    "{ __schema { types { name } } }",
    '{ __type(name: "Query") { name } }',
    'query { shape: __type(name: "Survey") { fields { name } } survey { leastMinutes } }',
    "{ ...f } fragment f on Query { ... { __schema { queryType { name } } } }",
    get_introspection_query(),
]


@pytest.mark.parametrize("text", INTROSPECTION)
async def test_only_people_who_are_signed_in_can_read_the_schema(hub: Hub, text: str) -> None:
    refused = await hub.ask(text)
    assert (refused.status, refused.codes) == (400, ["GRAPHQL_VALIDATION_FAILED"])
    name = "__type" if "__type(" in text else "__schema"
    missing = await hub.ask("{ missing { name } }")
    (error,) = refused.body["errors"]
    assert error["message"] == missing.body["errors"][0]["message"].replace("missing", name)
    answer = await hub.ask(text, by=await hub.mediator())
    assert not answer.codes


async def test_everybody_may_ask_for_an_objects_type(hub: Hub) -> None:
    assert (await hub.ask("{ __typename survey { __typename } }")).data == {
        "__typename": "Query",
        "survey": {"__typename": "Survey"},
    }


def test_the_public_projection_itself_does_not_bar_introspection() -> None:
    assert Documents(projection(Standing.PUBLIC)).prepared("{ __schema { description } }").document is not None


# Lists without pages that can't grow: as long as an enumeration, the survey, or what one change is about.
SHORT = {
    *("Experience.byRole", "Experience.byYear", "Experience.byRoleAndYear", "FeedbackSummary.years"),
    *("FeedbackYear.questions", "Feedback.answers", "FeedbackReceipt.answers", "GivenFeedback.answers"),
    *("Survey.scale", "Survey.questions"),
}


def test_a_list_without_pages_counts_all_the_rows_that_it_can_have() -> None:
    found = set()
    for type_ in whole_schema().type_map.values():
        if not isinstance(type_, GraphQLObjectType) or type_.name.startswith("__"):
            continue
        for name, field in type_.fields.items():
            is_list = is_list_type(get_nullable_type(field.type))
            if is_list and isinstance(get_named_type(field.type), GraphQLObjectType) and "first" not in field.args:
                found.add((type_.name, name))
    framed = {(of, name) for of, name in found if of.endswith(("Connection", "Payload")) or of == "ImportOutcome"}
    listed = {(of, name) for of, name in found - framed if f"{of}.{name}" not in SHORT}
    of_an_account = {(of, name) for of, name in listed if of in {"OwnAccount", "Query"}}
    assert listed - of_an_account == set(WHOLE_LISTS)


@pytest.mark.parametrize(
    ("cases", "times", "accepted"), [(100, 1, True), (100, 3, False), (80, 3, True), (25, 9, True), (25, 11, False)]
)
async def test_sessions_of_many_cases_cost_what_they_can_be(hub: Hub, cases: int, times: int, accepted: bool) -> None:
    sessions = " ".join(f"x{number}: sessions {{ id }}" for number in range(times))
    document = f"{{ me {{ mediator {{ logbook(first: {cases}) {{ nodes {{ {sessions} }} }} }} }} }}"
    answer = await hub.ask(document, by=await hub.mediator())
    assert answer.codes == ([] if accepted else ["GRAPHQL_VALIDATION_FAILED"])
