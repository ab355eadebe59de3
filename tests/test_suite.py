"""The outcome of the suite only depends on the product: not on the order of mails, the clock, or other test runs."""

import re
from pathlib import Path

from demo.embedded import Services

TESTS = Path(__file__).parent
SOURCES = [path for path in TESTS.rglob("*.py") if "node_modules" not in path.parts and path != Path(__file__)]


def found(pattern: str, *, but: tuple[str, ...] = ()) -> list[str]:
    """Where a pattern occurs in the tests, apart from the folders in `but`."""
    return [
        f"{path.relative_to(TESTS)}: {match[0]}"
        for path in SOURCES
        if path.relative_to(TESTS).parts[0] not in but
        for match in re.finditer(pattern, path.read_text())
    ]


def test_no_test_picks_one_of_several_mails_by_its_position() -> None:
    assert found(r"mails\([^()]*\)\[.*") == []
    assert found(r"next\(.*mails\(.*") == []


def test_no_test_measures_time() -> None:
    assert found(r"(perf_counter|process_time)\(\).*", but=("bench", "faults")) == [
        'privacy/test_canaries.py: process_time():.0f} s of a core"'
    ]


def test_no_other_run_of_pytest_can_block_access_to_our_data(services: Services) -> None:
    assert not [part for part in services.mailbox.parts if part.startswith("pytest-of-")]
