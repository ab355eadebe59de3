"""What a document may ask for at once."""

from itertools import pairwise

import pytest
from graphql import get_introspection_query, parse

from permissions.viewer import EVERYBODY
from schema.build import projection
from schema.cost import too_much
from tests.hub import Hub

WIDE = """{ mediators(first: $n) { nodes {
    logbook(first: $n) { nodes { id } edges { node { id } } }
    cpd(first: $n) { nodes { id } edges { node { id } } }
} } }"""


def refusal(text: str, **variables: object) -> str | None:
    return too_much(projection(EVERYBODY), parse(text), variables)


def bomb(fragments: int) -> str:
    """Fragments that each spread the next one twice: doubled so often, a field stands 2 to that power times."""
    names = [f"f{number}" for number in range(fragments + 1)]
    doubled = [f"fragment {one} on OwnAccount {{ ...{two} ...{two} }}" for one, two in pairwise(names)]
    last = f"fragment {names[-1]} on OwnAccount {{ a: id mediator {{ id }} }}"
    return " ".join(["{ me { ...f0 } }", *doubled, last])


def test_ordinary_documents_and_introspection_are_let_through() -> None:
    assert refusal(get_introspection_query(input_value_deprecation=True, specified_by_url=True)) is None
    assert refusal("{ mediators(first: 100) { nodes { id logbook(first: 100) { nodes { id } } } } }") is None


def test_a_fragment_bomb_is_measured_in_the_length_of_its_text() -> None:
    found = refusal(bomb(200))
    assert found is not None
    assert "at most 100 aliases" in found
    assert "more than a billion" in found


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("{ me " + "{ mediator { reviewer { id } } }" * 1 + " }", None),
        ("{ " + " ".join(f"a{i}: me {{ id }}" for i in range(101)) + " }", "100 aliases"),
        ("{ me { id " + "@skip(if: true) " * 101 + "} }", "100 directives"),
        (WIDE.replace("$n", "100"), "50,000 objects"),
    ],
)
def test_each_bound_has_its_own_answer_with_the_limit_in_it(text: str, limit: str | None) -> None:
    found = refusal(text)
    if limit is None:
        assert found is None
    else:
        assert found is not None
        assert limit in found


def test_depth_is_bounded() -> None:
    inner = "type { name }"
    for _ in range(20):
        inner = f"fields {{ type {{ {inner} }} }}" if "fields" not in inner else f"ofType {{ {inner} }}"
    found = refusal(f'{{ __type(name: "Query") {{ {inner.replace("type { fields", "fields", 1)} }} }}')
    assert found is not None
    assert "20 levels" in found


def test_a_page_size_in_a_variable_counts_as_what_was_sent() -> None:
    text = f"query($n: Int) {WIDE}"
    assert refusal(text, n=10) is None
    assert refusal(text, n=100) is not None
    assert refusal(text) is not None  # nothing tells that it is small


async def test_too_much_is_refused_before_anything_runs(hub: Hub) -> None:
    ann = await hub.mediator()
    answer = await hub.ask("{ " + " ".join(f"a{i}: me {{ id }}" for i in range(101)) + " }", by=ann)
    assert answer.status == 400
    assert answer.codes == ["GRAPHQL_VALIDATION_FAILED"]
    assert "data" not in answer.body
    assert "100 aliases" in answer.body["errors"][0]["message"]
