"""CSV for spreadsheets: UTF-8 with a byte order mark, a header row, and no text that a program takes for a formula."""

import csv
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO, TextIOWrapper
from typing import IO, Any

# Spreadsheets run what begins like this; an apostrophe in front makes it text (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_PART = 64 * 1024  # bytes


@contextmanager
def sheet(file: IO[bytes], columns: Sequence[str]) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Write a header row, and give the function that adds a row; `file` stays open.

    A row has text, numbers, booleans or None by column; a column that it lacks stays empty.
    """
    text = TextIOWrapper(file, "utf-8-sig", newline="")
    rows = csv.writer(text)
    rows.writerow(columns)
    yield lambda row: rows.writerow([_cell(row.get(column)) for column in columns])
    text.detach()


async def stream(columns: Sequence[str], rows: AsyncIterator[Mapping[str, Any]]) -> AsyncIterator[bytes]:
    """Write a sheet in parts as its rows come, so that memory holds no more than one part."""
    written = BytesIO()
    with sheet(written, columns) as add:
        async for row in rows:
            add(row)
            if written.tell() >= _PART:
                yield written.getvalue()
                written.seek(0)
                written.truncate()
    yield written.getvalue()


def guarded(text: str) -> str:
    """Write a text so that no program takes it for a formula; one that looks guarded is guarded too."""
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA) else text


def unguarded(cell: str) -> str:
    """Read what `guarded` wrote."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA) else cell


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return guarded(value) if isinstance(value, str) else value
