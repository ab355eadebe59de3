"""The drills in short: fewer of everything, and nothing asserted about time. `make drills` runs them in full."""

import re
from functools import partial

import pytest

from demo.embedded import Services
from tests.faults import backup, clock, full_disk, keys, postgres, valkey, workers, writes
from tests.faults.__main__ import GROUPS, PAGE, Drill
from tests.faults.line import Line
from tests.faults.machine import Machine

SHORT: dict[str, Drill] = {
    "killed": partial(workers.killed, mails=14, kills=2, wait=False),
    "stopped": partial(workers.stopped, mails=3, wait=False),
    "told_to_stop": partial(workers.told_to_stop, rounds=1),
    "two_of_each": partial(workers.two_of_each, mails=30),
    "valkey_away": partial(valkey.away_at_start, changes=6),
    "valkey_flushed": partial(valkey.flushed, changes=10, times=1),
    "valkey_restarted": partial(valkey.restarted, changes=10, times=1),
    "postgres_crashed": partial(postgres.crashed, people=3, times=1, seconds=1),
    "day": partial(clock.away_for_a_day, mails=4),
    "edits": partial(writes.edits, people=20),
    "repeats": partial(writes.repeats, times=10),
    "poison": partial(writes.poison, mails=5),
    "erased": partial(writes.erased, each=1),
    "restored": partial(backup.restored, people=4, deleted=2, changes=10),
    "rekeyed": partial(keys.rekeyed, each=1),
    "killed_while_mixing": partial(keys.killed_while_mixing, pieces=4),
    "full_disk": partial(full_disk.full_disk, small_disk=False),
}


@pytest.mark.drill
@pytest.mark.parametrize("name", SHORT)
async def test_a_drill_breaks_no_promise(services: Services, name: str) -> None:
    line = await SHORT[name](Machine(services, services.mailbox.parent))
    assert line.troubles == [], str(line)
    assert line.count > 0


def test_a_line_shows_a_loss_or_a_broken_promise() -> None:
    line = Line("done", "mails", 3)
    assert "BROKEN" not in str(line)
    line.took("slowest", 2, 1)
    assert (line.troubles, line.late) == ([], ["slowest took 2.0 s, not 1 s at most"])
    line.lost = 1
    line.promise(True, "kept")
    line.promise(False, "a mail was doubled")
    assert line.troubles == ["1 of 3 mails lost", "a mail was doubled"]
    assert str(line).startswith("BROKEN done: 3 mails, 1 lost, 0 doubled")


def test_the_page_has_a_row_for_each_drill() -> None:
    (table,) = re.findall(
        r"<!-- reliability -->\n(.*)<!-- /reliability -->", PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
    assert len(table.strip().splitlines()) == 2 + sum(map(len, GROUPS))
