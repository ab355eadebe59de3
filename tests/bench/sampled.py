"""Runs the `logbook` command and samples its processor time: `python -m tests.bench.sampled <file> serve ...`.

As often as the system can, every few milliseconds of processor time (not of the clock), the stack is noted. At the end,
the stacks are written as lines `outermost;...;innermost count`, which programs for flame graphs read. SIGUSR1 discards
what was noted.
"""

import os
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

from cli import main

EVERY = 0.001  # seconds of processor time
ROOT = f"{Path(__file__).parents[2]}{os.sep}"

_stacks: Counter[tuple[str, ...]] = Counter()


def _note(_signal: int, frame: FrameType | None) -> None:
    stack = []
    while frame is not None:
        code = frame.f_code
        place = code.co_filename.rpartition("site-packages/")[2].removeprefix(ROOT)
        stack.append(f"{place}:{code.co_qualname}")
        frame = frame.f_back
    _stacks[tuple(reversed(stack))] += 1


if __name__ == "__main__":
    target = Path(sys.argv.pop(1))
    signal.signal(signal.SIGPROF, _note)
    signal.signal(signal.SIGUSR1, lambda *_: _stacks.clear())
    signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)
    try:
        main()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        target.write_text("".join(f"{';'.join(stack)} {count}\n" for stack, count in _stacks.items()))
