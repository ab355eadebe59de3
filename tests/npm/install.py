"""Owns tests/npm/node_modules: the npm packages that the tests use, as pinned in package-lock.json.

`python -m tests.npm.install` is a step of `make test`. It needs the network once. A machine without one goes on, and
the tests that miss something say so.
"""

import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from tools.graphiql_assets import QUIET, SOON_OFFLINE, _npm_from_wheel, _npm_of_this_machine, _reason, _run

FOLDER = Path(__file__).parent
MODULES = FOLDER / "node_modules"
PINNED = ("package.json", "package-lock.json", ".npmrc")


def main() -> None:
    """Install the packages; if that fails, the existing ones stay."""
    try:
        with TemporaryDirectory() as folder:
            _put_in_place(_install(Path(folder)))
    except (OSError, subprocess.SubprocessError) as error:
        typer.echo(f"The tests' npm packages are missing. `make test` tries again: {_reason(error)}", err=True)


def _install(folder: Path) -> Path:
    npm = _npm_of_this_machine() or _npm_from_wheel(folder / "node")
    own = folder / "own"
    own.mkdir()
    for name in PINNED:
        shutil.copy(FOLDER / name, own)
    _run(npm, "ci", "--ignore-scripts", *QUIET, *SOON_OFFLINE, folder=own)
    return own / "node_modules"


def _put_in_place(installed: Path) -> None:
    shutil.rmtree(MODULES, ignore_errors=True)
    shutil.copytree(installed, MODULES, symlinks=True)
    (MODULES / "installed").touch()  # last: for `make`, it's the sign that everything is there


if __name__ == "__main__":
    main()
