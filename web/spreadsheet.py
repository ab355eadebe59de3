"""CSV for spreadsheets: UTF-8 with a byte order mark, a header row, and no text that a program takes for a formula."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from typing import IO, Any

# Spreadsheets run what begins like this; an apostrophe in front makes it text (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


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


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
