"""What the answer to a wrong document says: each mistake once, and never more than was asked."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.account import Role
from permissions.viewer import EVERYBODY
from schema.build import projection
from schema.execution import MAX_DOCUMENT_LINES, MAX_ERRORS, MAX_MESSAGE, Documents
from tests.hub import Hub
from tests.volume import tries

DOCUMENTS = Documents(projection(EVERYBODY))


def mistakes(text: str) -> list[str]:
    prepared = DOCUMENTS.prepared(text)
    assert prepared.document is None
    return [error["message"] for error in prepared.errors]


def repeated(part: str, times: int = 10) -> str:
    return " ".join(part.replace("#", str(i)) for i in range(times))


# Mistakes made ten times over, and the message for each.
OVER_AND_OVER = {
    "{ __typename " + "@aa" * 10 + " }": "Unknown directive '@aa'.",
    "{ " + repeated("__typename @aa") + " }": "Unknown directive '@aa'.",
    "query @aa { ...f ...f @aa } fragment f on Query @aa { ... @aa { __typename @aa } }": "Unknown directive '@aa'.",
    "{ __typename " + repeated("@a#", 3) + " }": "Unknown directives '@a0', '@a1', '@a2'.",
    "{ me { " + repeated("nothing") + " } }": "Cannot query field 'nothing' on type 'OwnAccount'.",
    "{ me { " + repeated("a#: nothing") + " } }": "Cannot query field 'nothing' on type 'OwnAccount'.",
    "{ me { " + repeated("a#: id(x: 1)") + " } }": "Unknown argument 'x' on field 'OwnAccount.id'.",
    "{ me { id " + repeated("...nowhere") + " } }": "Unknown fragment 'nowhere'.",
    "{ me { " + repeated("... on Nobody { id }") + " } }": "Unknown type 'Nobody'.",
    "{ " + repeated("a#: mediators(first: $x) { totalCount }") + " }": "Variable '$x' is not defined.",
    "{ me { id } } " + repeated("fragment f on Query { ...f }"): "There can be only one fragment named 'f'.",
}


@pytest.mark.parametrize("text", OVER_AND_OVER)
def test_a_mistake_is_listed_once_however_often_it_was_made(text: str) -> None:
    assert mistakes(text).count(OVER_AND_OVER[text]) == 1
    assert len(mistakes(text)) <= 3  # the last one causes others too


def test_different_mistakes_are_all_listed_if_there_are_only_a_few() -> None:
    fields = [f"Cannot query field 'n{i}' on type 'OwnAccount'." for i in range(MAX_ERRORS)]
    assert mistakes("{ me { " + repeated("n#", MAX_ERRORS) + " } }") == fields
    *told, last = mistakes("{ me { " + repeated("n#", MAX_ERRORS + 1) + " } }")
    assert told == fields
    assert last == "At most 10 mistakes are listed; this request has more."


PARTS = [
    "id",
    "nothing",
    "n@x",
    "...f",
    "...g",
    "id(a: 1)",
    "id(a: $v)",
    "... on T { id }",
    "b: id",
    "b: name",
    "@skip",
]


@settings(max_examples=tries(60, 2000))
@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=60), st.text("xyz", max_size=3), st.integers(0, 50_000))
def test_the_list_of_mistakes_is_short_and_never_repeats_itself(parts: list[str], name: str, length: int) -> None:
    text = f"query($w: Int, ${'v' * length}x: Int) {{ me {{ {' '.join(parts)} wrong{name * length} }} }}"[:100_000]
    told = mistakes(text)
    assert len(told) == len({*told}) <= MAX_ERRORS + 1
    assert all(len(one) <= MAX_MESSAGE + 1 for one in told)
    assert len(orjson.dumps(DOCUMENTS.prepared(text).errors)) <= 20_000


def test_a_document_can_have_only_so_many_lines() -> None:
    assert DOCUMENTS.prepared("{ __typename" + "\n" * MAX_DOCUMENT_LINES + "}").document is not None
    for line_end in ("\n", "\r"):
        assert mistakes("{ __typename" + line_end * (MAX_DOCUMENT_LINES + 1) + "}") == [
            "A document may have at most 5,000 lines; this one has more."
        ]


async def test_a_mistake_in_variables_is_listed_once_too(hub: Hub) -> None:
    admin = await hub.person(Role.ADMIN)
    document = "query($ids: [Wrong!]) { me { id } }"
    assert (await hub.ask(document, by=admin)).status == 400
    document = "mutation($input: GiveFeedbackInput!) { giveFeedback(input: $input) { userErrors { code } } }"
    wrong = {"answers": [{"question": "x" * 1000, "rating": "much"} for _ in range(200)]}
    answer = await hub.ask(document, {"input": wrong}, by=admin)
    assert answer.status == 400
    messages = [error["message"] for error in answer.body["errors"]]
    assert len(messages) == len({*messages}) <= MAX_ERRORS + 1
    assert all(len(one) <= MAX_MESSAGE + 1 for one in messages)
