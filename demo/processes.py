"""Child processes that don't outlive this one: started in order, stopped in reverse order.

Each has a session of its own, so that Ctrl-C in a terminal reaches only this process, which then decides. If this
process is killed without a chance to stop them, a small shell at the other end of a pipe notices and ends them.
"""

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

Command = Sequence[str | Path]

PATIENCE = 60.0
"""Seconds that a child may take to become ready."""

# Reads the children's process ids, one a line, until the process that writes them is gone. `$0` is their folder.
_LEASH = """
while read -r pid; do pids="$pids $pid"; done
kill -INT $pids; sleep 10; kill -KILL $pids; rm -rf -- "$0"
"""


class StartError(Exception):
    """Something can't start, or has ended; the text is one line that says what and, if known, why."""


class Processes:
    """The running child processes. A context manager: leaving it stops them, newest first, and removes `folder`."""

    def __init__(self, folder: Path) -> None:
        """`folder` is for the processes' own files, such as their sockets."""
        self._folder = folder
        self._running: list[tuple[str, subprocess.Popen[bytes], Path]] = []

    def __enter__(self) -> Self:
        held, self._pipe = os.pipe()
        self._leash = subprocess.Popen(  # noqa: S603 (fixed text)
            ["/bin/sh", "-c", _LEASH, self._folder],
            stdin=held,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
        os.close(held)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._running:
            _stop(self._running[-1][1])
            self._running.pop()
        # If that's cut short, the leash does the rest when this process ends.
        self._leash.kill()
        self._leash.wait()
        os.close(self._pipe)
        shutil.rmtree(self._folder)

    def start(
        self,
        name: str,
        command: Command,
        log: Path,
        *,
        env: Mapping[str, str],
        user: pwd.struct_passwd | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        """Start a process whose output replaces the contents of `log`; with `user`, as that account of the machine."""
        log.unlink(missing_ok=True)
        log.touch(mode=0o600)
        with log.open("wb") as output:
            try:
                process = subprocess.Popen(  # noqa: S603 (our own commands)
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=env,
                    pass_fds=pass_fds,
                    start_new_session=True,
                    umask=0o077,
                    user=user and user.pw_uid,
                    group=user and user.pw_gid,
                    extra_groups=[] if user else None,
                )
            except OSError as error:
                raise StartError(f"{name} cannot be started: {error}") from None
        self._running.append((name, process, log))
        os.write(self._pipe, b"%d\n" % process.pid)

    def wait_for(self, name: str, ready: Callable[[], bool]) -> None:
        """Return as soon as `ready()`; raise StartError if a child ends first, or after `PATIENCE` seconds."""
        deadline = time.monotonic() + PATIENCE
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise StartError(f"{name} was not ready within {PATIENCE:.0f} seconds")
            time.sleep(0.02)

    def check(self) -> None:
        """Raise StartError if one has ended."""
        for name, process, log in self._running:
            if process.poll() is not None:
                lines = log.read_text(errors="replace").split("\n")
                last = next((line.strip() for line in reversed(lines) if line.strip()), "nothing")
                raise StartError(f"{name} ended with {process.returncode}; {log} ends with: {last}")


def installed(package: str, pattern: str) -> Path:
    """Find a program from an installed package, without importing the package."""
    spec = find_spec(package)
    found = list(Path(spec.origin).parent.glob(pattern)) if spec and spec.origin else []
    if not found:
        raise StartError(f"{package} with its {pattern} is not installed: run `make setup`")
    return found[0]


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)  # PostgreSQL doesn't wait for its clients then, as it does on SIGTERM
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
