"""How much random input the tests try: a little in `make test`, a lot in `make test-long`, which sets LONG=1."""

import os

from hypothesis import HealthCheck, settings

LONG = os.environ.get("LONG") == "1"

# How long an example takes depends on what else the machine does, so no test judges it.
settings.register_profile("little", deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("a lot", settings.get_profile("little"), max_examples=1000)
settings.load_profile("a lot" if LONG else "little")


def tries(little: int, a_lot: int) -> int:
    """How many times to try."""
    return a_lot if LONG else little
