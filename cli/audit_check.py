"""What `logbook audit-check` does: check the audit log, and say what's wrong with it."""

import re
from pathlib import Path

import typer

from jobs.audit_anchor import Anchor, read_anchors
from jobs.audit_check import GIVEN_BY_HAND, Checked, check
from jobs.ledger import heads_beside
from models.database import connect
from settings import Settings, SettingsError

NOT_WHOLE = 3  # the status, so that it isn't taken for a setting that's wrong (1) or an option (2)
_TOLD = 20


def read_heads(settings: Settings, files: list[Path], heads: list[str]) -> list[Anchor]:
    """Give the heads that were recorded: in these files, or else beside the ledger, and those given by hand.

    Raises:
        SettingsError: a file or a head can't be read.
    """
    if not files and settings.deletions_ledger is not None:
        files = [heads_beside(settings.deletions_ledger)]
    try:
        anchors = [anchor for path in files for anchor in read_anchors(path)]
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"--heads cannot be read: {getattr(error, 'strerror', None) or 'not text'}") from None
    return anchors + [_read_head(head) for head in heads]


def _read_head(text: str) -> Anchor:
    if not re.fullmatch("[0-9]{1,18}:[0-9a-f]{64}", text):
        raise SettingsError("--head is wrong: give the length and the MAC, such as 120:5e2f...")
    length, _, mac = text.partition(":")
    return Anchor(GIVEN_BY_HAND, int(length), bytes.fromhex(mac))


async def run(settings: Settings, anchors: list[Anchor]) -> int:
    """Check the log, print what was found, and give the command's status."""
    async with connect(settings) as database, database.reading() as reading:
        found = await check(reading, settings, anchors)
    _tell(found, anchors)
    return NOT_WHOLE if found.wrong else 0


def _tell(found: Checked, anchors: list[Anchor]) -> None:
    for sentence in found.wrong[:_TOLD]:
        typer.echo(sentence, err=True)
    if len(found.wrong) > _TOLD:
        typer.echo(f"That's not all: there are {len(found.wrong) - _TOLD} more problems.", err=True)
    for sentence in found.remarks:
        typer.echo(sentence)
    if not anchors:
        typer.echo("No head was recorded, so nobody can tell whether the log's end was cut off.")
    state = "isn't whole" if found.wrong else "is whole"
    typer.echo(f"The audit log {state}. Its head is {found.length}:{found.mac.hex()}")
