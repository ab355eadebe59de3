"""CSV for spreadsheets: UTF-8 with a byte order mark, a header row, and no text that could pass for a formula."""

import csv
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO, StringIO, TextIOWrapper
from itertools import pairwise
from typing import IO, Any

# Spreadsheets run text that begins like this, also in its wide and small forms; an apostrophe in front makes it plain
# text (OWASP, "CSV Injection").
_FORMULA = frozenset("=+-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b")
# A program may split at a different separator from ours, and then quotation marks are just text to it. So one of its
# cells may begin after each of these, even within one of ours.
_SPLIT = ",;|\t\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
# Blanks, quotation marks and invisible characters: some programs skip them.
_PASSED_OVER = (
    " '\"\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\xa0\xad\u061c\u1680\u180e"
    "\u2000-\u200f\u202a-\u202f\u205f-\u206f\u3000\ufeff"
)
# What can be between the end of one cell and the first letter of the next, or before the first. Each such run is looked
# at once, so no text takes long.
_BETWEEN = re.compile(
    rf"(?:\A|(?<![{_SPLIT}{_PASSED_OVER}])(?=[{_PASSED_OVER}]*+[{_SPLIT}]))[{_SPLIT}{_PASSED_OVER}]*+"
)
_PART = 64 * 1024  # bytes


@contextmanager
def csv_rows(file: IO[bytes], columns: Sequence[str]) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Write a header row, and give the function that adds a row; `file` stays open.

    A row has text, numbers, booleans or None by column; missing columns stay empty.
    """
    text = TextIOWrapper(file, "utf-8-sig", newline="")
    rows = csv.writer(text)
    rows.writerow([guarded(column) for column in columns])
    yield lambda row: rows.writerow([_cell(row.get(column)) for column in columns])
    text.detach()


async def stream(columns: Sequence[str], rows: AsyncIterator[Mapping[str, Any]]) -> AsyncIterator[bytes]:
    """Write a sheet in parts as its rows come in, so that memory never holds more than one part."""
    written = BytesIO()
    with csv_rows(written, columns) as add:
        async for row in rows:
            add(row)
            if written.tell() >= _PART:
                yield written.getvalue()
                written.seek(0)
                written.truncate()
    yield written.getvalue()


def write_csv(rows: Iterable[Sequence[str]]) -> bytes:
    """Write a file, headings first, that `csv_reader` and spreadsheet programs read."""
    text = StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8-sig")


def guarded(text: str) -> str:
    """Write a text so that no program takes any part of it for a formula, whichever separator it splits at.

    Text that already looks guarded is guarded as well, so that `unguarded` gives back exactly what there was.
    """

    def guard(between: re.Match[str]) -> str:
        return _at(_risky(between), between[0], lambda rest: f"'{rest}")

    return _BETWEEN.sub(guard, text)


def without_guard(cell: str) -> str:
    """Read what `guarded` wrote, and leave anything else as it is."""

    def unguard(between: re.Match[str]) -> str:
        return _at(_risky(between), between[0], lambda rest: rest.removeprefix("'"))

    text = _BETWEEN.sub(unguard, cell)
    return text if guarded(text) == cell else cell


def _risky(between: re.Match[str]) -> list[int]:
    """Find where cells may begin whose first character that counts could be a formula's, a tab or a carriage return."""
    run, behind = between[0], between.string[between.end() : between.end() + 1]
    last = len(run) if behind in _FORMULA else max(run.rfind("\t"), run.rfind("\r"))
    if last < 0:
        return []
    begins = [place + 1 for place, one in enumerate(run) if one in _SPLIT]
    return [place for place in ([0] if between.start() == 0 else []) + begins if place <= last]


def _at(places: list[int], run: str, change: Callable[[str], str]) -> str:
    """Cut a run at these places, and change each part except the one before the first place."""
    parts = [run[start:end] for start, end in pairwise([0, *places, len(run)])]
    return "".join([parts[0], *map(change, parts[1:])])


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return guarded(value) if isinstance(value, str) else value
