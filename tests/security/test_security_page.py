"""docs/security.md is true: its limits are those in the source, and the tests it names exist."""

import re
from pathlib import Path

from resolvers import limits
from resolvers.limits import Limit
from schema import cost, execution
from web.graphql import MAX_BODY

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()


def rows(title: str) -> list[list[str]]:
    """The cells of the table under a heading, without its own header."""
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_limits_on_a_document_are_those_in_the_source() -> None:
    bounds = (
        *(MAX_BODY, execution.MAX_DOCUMENT_TOKENS, execution.MAX_DOCUMENT_LINES, cost.MAX_DEPTH, cost.MAX_ALIASES),
        *(cost.MAX_DIRECTIVES, cost.MAX_COST, execution.MAX_COMPARISONS, cost.MAX_ORIGINS),
    )
    assert [most for _, most in rows("What a document may ask for")] == [f"{bound:,}" for bound in bounds]


def test_every_limit_is_listed_with_its_rate() -> None:
    listed = sorted(
        re.sub(r" in an? ?", "/", rate).replace(" in ", "/") for _, rate, _ in rows("How often things may be tried")
    )
    assert listed == sorted(one.rate for one in vars(limits).values() if isinstance(one, Limit))


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)
    assert len(named) > 50
    for file, name in named:
        assert re.search(rf"def test_{name}\(", (ROOT / "tests" / file).read_text()), (file, name)


def test_each_item_says_whether_it_is_met() -> None:
    for item, _, met, tests in rows("OWASP ASVS 5.0"):
        if not item.startswith("**"):
            assert re.match(r"(yes|no|in part|none here)\b", met), item
            assert met != "no" or not tests
