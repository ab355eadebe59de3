"""The executor is a library of its own, and only one of its files uses the internals of others."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1]
MODULES = sorted(FOLDER.glob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield node.module or ""


def is_own(name: str) -> bool:
    return name == "schema.executor" or name.startswith("schema.executor.")


@pytest.mark.parametrize("path", [*MODULES, *sorted(FOLDER.glob("tests/*.py"))], ids=lambda path: path.name)
def test_nothing_else_of_this_project_is_imported(path: Path) -> None:
    known = {*sys.stdlib_module_names, "graphql", "strawberry", *({"pytest", "orjson"} if path not in MODULES else ())}
    assert [name for name in imported(path) if not is_own(name) and name.partition(".")[0] not in known] == []


@pytest.mark.parametrize("path", [one for one in MODULES if one.name != "internals.py"], ids=lambda path: path.name)
def test_only_one_file_uses_the_internals_of_graphql_core_and_strawberry(path: Path) -> None:
    outside = [name for name in imported(path) if name.partition(".")[0] in {"graphql", "strawberry"}]
    assert [name for name in outside if name != "graphql"] == []
