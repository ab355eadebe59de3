"""Runs the suite over and over, each time in another order: `python -m tests.repeat RUNS BUSY [pytest's arguments]`.

A line for each run says its seed, its outcome, how long it took and what it cost. The last BUSY runs share the machine
with a process for each core that never rests. A run that failed shows its output, and makes the exit status 1.
"""

import os
import resource
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _busy() -> Iterator[None]:
    """Keep each core busy with something else."""
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for one in spinning:
            one.kill()
            one.wait()


def _cpu() -> float:
    """The CPU seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _run(number: int, how: str, arguments: list[str]) -> bool:
    seed = secrets.randbelow(2**32)
    began, cpu = time.monotonic(), _cpu()
    command = [sys.executable, "-m", "pytest", f"--randomly-seed={seed}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    took, cost = time.monotonic() - began, _cpu() - cpu
    outcome = done.stdout.strip().rpartition("\n")[2]
    print(f"{number} ({how}), seed {seed}: {outcome}; {took:.0f} s, {cost:.0f} s of CPU", flush=True)  # noqa: T201 - for who started it
    if done.returncode:
        print(done.stdout, done.stderr, flush=True)  # noqa: T201 - for who started it
    return done.returncode == 0


def main(runs: int, busy: int, arguments: list[str]) -> int:
    """Run the suite that often; return how many runs failed."""
    failed = sum(not _run(number, "alone", arguments) for number in range(1, runs - busy + 1))
    with _busy():
        failed += sum(not _run(number, "busy machine", arguments) for number in range(runs - busy + 1, runs + 1))
    print(f"{runs} runs, {failed} failed")  # noqa: T201 - for who started it
    return failed


if __name__ == "__main__":
    sys.exit(min(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]), 1))
