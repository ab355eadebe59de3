# ruff: noqa: T201 - a program that reports
"""Mutation testing of `permissions/`: each mutant must turn a test red. Run as `python -m tests.privacy.mutants`.

A mutant is one change: a standing added to or removed from one row of the table, a row's tokens or unverified flipped,
one condition of a scope removed, one role's standing lost. Each runs a few quick tests in its own process, forked
before any of the project is imported; those of the table need no database. `--only scopes` runs only a part.
"""

import argparse
import ast
import importlib
import os
import pickle
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from settings import Settings

ROOT = Path(__file__).parents[2]

BROKEN = 70  # the run itself failed, which says nothing about the mutant

# Quick tests, those most likely to notice first; a mutant ends at the first failure.
OF_THE_TABLE = ["tests/permissions/test_policy.py", "-k", "not served and not taken_away"]
OF_THE_SCOPES = [
    "tests/permissions/test_scopes.py",
    "tests/permissions/test_feedback.py",
    "tests/privacy/test_inference.py",
    "tests/permissions/test_standings.py",
    "tests/resolvers/test_feedback_request.py",
    "tests/resolvers/test_feedback_giving.py",
    "tests/resolvers/test_feedback_receipt.py",
    "tests/resolvers/test_feedback_support.py",
    "tests/resolvers/test_mediator.py",
]


@dataclass(frozen=True)
class Mutant:
    """One change: its module, what it's called, and what it does, as a row's number and change or as changed source."""

    module: str
    what: str
    row: int = -1
    change: str = ""
    source: str = ""


def of_the_table() -> Iterator[Mutant]:
    """Each row with each standing added or removed, and with tokens and unverified flipped."""
    from permissions.policy import TABLE
    from permissions.viewer import Standing

    # Whether an address is verified is checked only where a request enters.
    entrances = {"Query", "Mutation", "OwnAccount"}
    for number, row in enumerate(TABLE):
        for change in [*(str(standing.name) for standing in Standing), "tokens", "unverified"]:
            if change != "unverified" or row.fields.keys() & entrances:
                yield Mutant("policy", f"{change} flipped in {row.what!r}", number, change)


class _One(ast.NodeTransformer):
    """Makes the change at one place; `places` counts how many there are."""

    def __init__(self, place: int) -> None:
        self.places = 0
        self.what = ""
        self._place = place

    def _here(self, node: ast.AST, what: str) -> bool:
        here = self.places == self._place
        self.places += 1
        if here:
            self.what = f"line {getattr(node, 'lineno', 0)}: {what}"
        return here

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        neutral = {"and_": "true()", "or_": "false()"}.get(getattr(node.func, "id", ""))
        for at, argument in enumerate(node.args):
            if ast.unparse(argument) == neutral:
                continue  # it would be the same program
            if neutral and self._here(argument, f"{ast.unparse(argument)} taken away"):
                node.args[at] = _expression(neutral)
            elif isinstance(argument, ast.Tuple) and self._here(argument, f"never {ast.unparse(argument.elts[0])}"):
                argument.elts[0] = _expression("false()")
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        self.generic_visit(node)
        if node.value is not None and self._selects and self._here(node, f"{ast.unparse(node.value)} for everything"):
            node.value = _expression("false()" if ast.unparse(node.value) == "true()" else "true()")
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self._selects = node.returns is not None and ast.unparse(node.returns) == "ColumnElement[bool]"
        return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST:
        self.generic_visit(node)
        for constant in (True, False):
            if self._here(node, f"{ast.unparse(node.test)} is {constant}"):
                node.test = ast.Constant(constant)
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        if self._here(node, f"{ast.unparse(node.test)} always"):
            node.test = ast.Constant(True)
        elif self._here(node, f"{ast.unparse(node.test)} never"):
            node.test = ast.Constant(False)
        return node

    def visit_Dict(self, node: ast.Dict) -> ast.AST:
        self.generic_visit(node)
        for at, value in enumerate(node.values):
            changed = "false()" if ast.unparse(value) == "true()" else "true()"
            if self._here(value, f"{ast.unparse(value)} is {changed}"):
                node.values[at] = _expression(changed)
        return node

    def visit_DictComp(self, node: ast.DictComp) -> ast.AST:
        self.generic_visit(node)
        for part in node.generators:
            if part.ifs and self._here(part.ifs[0], f"whether or not {ast.unparse(part.ifs[0])}"):
                part.ifs = []
        return node


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def of_the_scopes() -> Iterator[Mutant]:
    """Each scope with each of its conditions removed."""
    source = (ROOT / "permissions" / "scopes.py").read_text()
    counting = _One(-1)
    counting.visit(ast.parse(source))
    for place in range(counting.places):
        changing = _One(place)
        tree = ast.fix_missing_locations(changing.visit(ast.parse(source)))
        yield Mutant("scopes", changing.what, source=ast.unparse(tree))


def of_the_viewer() -> Iterator[Mutant]:
    """Each role without its standing, and each with another's."""
    source = (ROOT / "permissions" / "viewer.py").read_text()
    for role in ("MEDIATOR", "REVIEWER", "DIRECTORY", "ADMIN"):
        for standing in ("PUBLIC", "ADMIN" if role != "ADMIN" else "SELF"):
            given = f"Role.{role}: Standing."
            line = next(line for line in source.splitlines() if given in line)
            changed = source.replace(line, f"    {given}{standing},")
            yield Mutant("viewer", f"the role {role} gives {standing}", source=changed)


def _apply(mutant: Mutant) -> None:
    """Make the change in this process, before any of the project that uses it is loaded."""
    sys.path.insert(0, str(ROOT))
    name = f"permissions.{mutant.module}"
    if mutant.source:
        module = ModuleType(name)
        module.__file__ = str(ROOT / "permissions" / f"{mutant.module}.py")
        sys.modules[name] = module
        package = importlib.import_module("permissions")
        setattr(package, mutant.module, module)
        exec(compile(mutant.source, module.__file__, "exec"), module.__dict__)
        return
    from permissions import policy
    from permissions.viewer import Standing

    row = policy.TABLE[mutant.row]
    if mutant.change == "tokens":
        changed = replace(row, tokens=not row.tokens)
    elif mutant.change == "unverified":
        changed = replace(row, unverified=not row.unverified)
    else:
        changed = replace(row, standings=row.standings ^ Standing[mutant.change])
    policy.TABLE = (*policy.TABLE[: mutant.row], changed, *policy.TABLE[mutant.row + 1 :])
    policy._INDEX = policy._index()
    policy.rule.cache_clear()


def _without_the_wall() -> None:
    """Connect as somebody above the database's own rules, which would hide what a scope without a condition shows."""
    from demo.embedded import Services
    from tests import hub

    settings_for = hub.settings_for

    def settings_above(services: Services, **overrides: Any) -> "Settings":
        # The first database is only migrated, with the roles that are there.
        above = (
            {} if services.admin_url.partition("?")[0].endswith("/postgres") else {"database_url": services.admin_url}
        )
        return settings_for(services, **above | overrides)

    hub.settings_for = settings_above


def _tested(mutant: Mutant | None, tests: list[str], log: Path) -> int:
    """Run the tests on a mutant in a process forked from this one, and return pytest's status."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    status = BROKEN
    try:
        import pytest

        if mutant:
            _apply(mutant)
        if tests is OF_THE_SCOPES:
            _without_the_wall()
        temporary = f"--basetemp={log.parent / 'pytest'}"
        status = int(
            pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--assert=plain", "-n", "0", temporary, *tests])
        )
    except BaseException:  # noqa: BLE001 - whatever it is, it's reported and counts as broken
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _preload() -> None:
    """Import what isn't the project's own, so that the mutants don't have to."""
    sys.path.insert(0, str(ROOT))
    for name in (
        "pytest",
        "_pytest.assertion.rewrite",
        "strawberry",
        "graphql",
        "sqlmodel",
        "asyncpg",
        "httpx",
        "starlette",
    ):
        importlib.import_module(name)


def _mutants(only: str) -> list[Mutant]:
    """Every mutant, listed by a process that then ends, so that none of the project is loaded in this one."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        sys.path.insert(0, str(ROOT))
        found = [*of_the_scopes(), *of_the_viewer(), *of_the_table()]
        with os.fdopen(writing, "wb") as out:
            pickle.dump([one for one in found if one.module.startswith(only)], out)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as given:
        mutants: list[Mutant] = pickle.load(given)
    os.waitpid(child, 0)
    return mutants


def main() -> int:
    """Run every mutant and report the score; 1 if one survives."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", default="", help="policy, scopes or viewer")
    arguments.add_argument("--from", type=int, default=0, dest="first", help="leave out the mutants before this one")
    chosen = arguments.parse_args()
    began, score, survivors = time.monotonic(), Counter[str](), list[str]()
    _preload()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        log = Path(folder) / "log"
        for tests in (OF_THE_TABLE, OF_THE_SCOPES):
            if _tested(None, tests, log):
                print(log.read_text())
                return 1
        for number, mutant in enumerate(_mutants(chosen.only)):
            if number < chosen.first:
                continue
            if mutant.module == "policy":  # these come last: a row is changed after everything has been imported
                importlib.import_module("tests.hub")
            tests = OF_THE_SCOPES if mutant.module == "scopes" else OF_THE_TABLE
            status = _tested(mutant, tests, log)
            verdict = {0: "survived", 1: "killed"}.get(status, "no start")
            if status == BROKEN:
                print(log.read_text())
                return 1
            score[verdict] += 1
            if verdict == "survived":
                survivors.append(f"{mutant.module}: {mutant.what}")
            print(f"{number:4} {verdict:8} {mutant.module}: {mutant.what}", flush=True)
    total = sum(score.values())
    took = f"{time.monotonic() - began:.0f} s"
    killed = total - score["survived"]
    print(f"{killed} of {total} mutants killed, {killed / total:.1%}, in {took}: {dict(score)}")
    print("\n".join(survivors))
    return bool(survivors)


if __name__ == "__main__":
    sys.exit(main())
