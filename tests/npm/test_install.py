import json
import re
import shutil
from pathlib import Path

import pytest

from tests.npm import install


def test_packages_are_pinned_by_version_and_hash_and_name_no_registry() -> None:
    wanted = json.loads((install.FOLDER / "package.json").read_text())["dependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    lock = json.loads((install.FOLDER / "package-lock.json").read_text())["packages"]
    root = lock.pop("")
    assert root["dependencies"] == wanted
    assert all(package["integrity"].startswith("sha512-") for package in lock.values())
    assert not any("resolved" in package for package in lock.values())


@pytest.fixture
def without_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Packages from an earlier install, on a machine whose npm has no network."""
    folder = tmp_path / "npm"
    (folder / "node_modules").mkdir(parents=True)
    (folder / "node_modules" / "installed").touch()
    for name in install.PINNED:
        shutil.copy(install.FOLDER / name, folder)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, body in {"node": "echo v20.0.0", "npm": "echo npm error code EAI_AGAIN >&2; exit 1"}.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setattr(install, "FOLDER", folder)
    monkeypatch.setattr(install, "MODULES", folder / "node_modules")
    return folder


def test_without_a_network_the_existing_packages_stay_and_one_line_says_so(
    without_network: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    install.main()
    assert (without_network / "node_modules" / "installed").exists()
    out, err = capfd.readouterr()
    assert not out
    assert err.splitlines() == [
        "The tests' npm packages are missing. `make test` tries again: npm error code EAI_AGAIN"
    ]
