"""Setting up puts GraphiQL's bundle in place; if it can't be built, everything else goes on."""

import json
import re
from pathlib import Path

import pytest

from tools import graphiql_assets
from web import graphiql


@pytest.fixture
def assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "graphiql"
    monkeypatch.setattr(graphiql, "ASSETS", folder)
    return folder


@pytest.fixture
def built(assets: Path) -> Path:
    assets.mkdir()
    (assets / "installed").write_text("5eed")
    return assets


def programs(folder: Path, **bodies: str) -> str:
    """Put shell scripts of these names into a folder; return a PATH that finds them before all others."""
    folder.mkdir()
    for name, body in bodies.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


# Instead of npm, which needs the network. As there, `ci` checks what it was given and `run build` writes the bundle.
NPM = """
case "$1" in
ci) test -s package.json && test -s package-lock.json && echo "$@" > flags ;;
run)
  mkdir built
  cp flags built/page.js
  cp graphiql.css built/page.css ;;
esac
"""


def test_setup_replaces_an_older_bundle(
    tmp_path: Path, built: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (built / "left-over.js").write_text("")
    monkeypatch.setenv("PATH", programs(tmp_path / "bin", node="echo v20.0.0", npm=NPM))
    graphiql_assets.main()
    assert {file.name for file in built.iterdir()} == {"page.js", "page.css", "installed"}
    assert "--ignore-scripts" in (built / "page.js").read_text()
    assert re.fullmatch("[0-9a-f]{16}", graphiql.installed_version() or "")
    assert capfd.readouterr() == ("", "")


def test_setup_that_fails_keeps_the_existing_bundle_and_says_so_in_one_line(
    tmp_path: Path, built: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    npm = "echo npm error code EAI_AGAIN >&2; echo more >&2; exit 1"
    monkeypatch.setenv("PATH", programs(tmp_path / "bin", node="echo v24.1.0", npm=npm))
    graphiql_assets.main()
    assert graphiql.installed_version() == "5eed"
    out, err = capfd.readouterr()
    assert not out
    assert err.splitlines() == [
        "GraphiQL couldn't be built; the rest is set up. `make setup` tries again: npm error code EAI_AGAIN"
    ]


@pytest.mark.parametrize("node", ["echo v18.20.8", "exit 1"], ids=["old", "broken"])
def test_setup_goes_on_without_a_usable_node_and_without_network(
    node: str, tmp_path: Path, assets: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", programs(tmp_path / "bin", node=node, npm="exit 1"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    graphiql_assets.main()
    assert graphiql.installed_version() is None
    assert len(capfd.readouterr().err.splitlines()) == 1


def test_npm_packages_are_pinned_by_version_and_hash_and_name_no_registry() -> None:
    wanted = json.loads((graphiql_assets.SOURCES / "package.json").read_text())["dependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    lock = json.loads((graphiql_assets.SOURCES / "package-lock.json").read_text())["packages"]
    root = lock.pop("")
    assert root["dependencies"] == wanted
    assert all(package["integrity"].startswith("sha512-") for package in lock.values())
    assert not any("resolved" in package for package in lock.values())
