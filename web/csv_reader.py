"""CSV files as people have them: from any spreadsheet program, in its encoding and with its separator.

A whole file is read from memory, and it isn't stored anywhere. Between the steps of an import, its bytes travel in the
page, packed.
"""

import csv
import io
import re
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass

import i18n
from i18n import gettext as _
from i18n import lazy_gettext

MAX_FILE = 2 * 1024 * 1024  # bytes
MAX_ROWS = 5_000
MAX_COLUMNS = 100
# A file that can't be compressed grows by a third.
MAX_PACKED = MAX_FILE * 4 // 3 + 1024

_HOW = lazy_gettext("Open it in your spreadsheet program, save it as CSV, and choose that file.")
_OTHERS = (
    (b"PK\x03\x04", lazy_gettext("This is a spreadsheet program's own file, such as .xlsx or .ods, not CSV. %(how)s")),
    (b"\xd0\xcf\x11\xe0", lazy_gettext("This is an older spreadsheet or document, such as .xls, not CSV. %(how)s")),
    (
        b"%PDF",
        lazy_gettext("This is a PDF, not CSV. Look for the spreadsheet it was made from, and save that as CSV."),
    ),
)
_MARKUP = re.compile(r"\s*<(!doctype|html|\?xml|table)", re.IGNORECASE)
_SEPARATOR = re.compile(r"sep=([,;\t])\r?\n?", re.IGNORECASE)  # a line that Excel writes to say which separator it uses


class NotCsv(ValueError):
    """A file that can't be read; the text says what to do."""


@dataclass(frozen=True)
class CsvRow:
    """A row as it is in the file; `number` is the one that a spreadsheet program shows next to it."""

    number: int
    cells: list[str]


@dataclass(frozen=True)
class CsvFile:
    """The headings, and the rows below them that aren't empty."""

    headings: list[str]
    rows: list[CsvRow]

    def title(self, column: int) -> str:
        """Say which column, as a spreadsheet program does: B: Last day."""
        letters, left = "", column + 1
        while left:
            left, letter = divmod(left - 1, 26)
            letters = chr(ord("A") + letter) + letters
        return f"{letters}: {self.headings[column]}" if self.headings[column] else letters


def read_csv(data: bytes) -> CsvFile:
    """Read a file; raise NotCsv if it isn't CSV, is damaged, or is too large."""
    text = _text(data)
    separator = ""
    if named := _SEPARATOR.match(text):
        separator, text = named.group(1), text[named.end() :]
    records = _records(text, separator or _separator(text))
    headings: list[str] = []
    rows: list[CsvRow] = []
    for number, cells in records:
        if len(cells) > MAX_COLUMNS:
            raise NotCsv(
                _(
                    "Row %(row)s has more than %(most)s columns. Please leave out what isn't needed.",
                    row=i18n.number(number),
                    most=MAX_COLUMNS,
                )
            )
        if not headings:
            headings = [" ".join(cell.split()) for cell in cells]
        elif len(rows) == MAX_ROWS:
            raise NotCsv(
                _(
                    "The file has more than %(most)s rows. Please split it, and import one part at a time.",
                    most=i18n.number(MAX_ROWS),
                )
            )
        else:
            rows.append(CsvRow(number, cells))
    if not rows:
        raise NotCsv(_("The file has no rows. The first row is read as headings, and each row below it as a case."))
    return CsvFile(headings, rows)


def _text(data: bytes) -> str:
    for opening, reason in _OTHERS:
        if data.startswith(opening):
            raise NotCsv(reason % {"how": str(_HOW)})
    if not data.strip():
        raise NotCsv(_("Please choose a file: there was none, or it was empty."))
    try:
        text = _decoded(data)
    except UnicodeDecodeError:
        raise NotCsv(_("We can't read the characters of this file. Please save it as CSV in UTF-8.")) from None
    if "\0" in text:
        raise NotCsv(_("The file contains NUL bytes, which no text has. Please save it as CSV in UTF-8."))
    if _MARKUP.match(text):
        raise NotCsv(_("This is a web page or XML, not CSV. %(how)s", how=str(_HOW)))
    return text


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252")


def _separator(text: str) -> str:
    """Choose the separator that occurs most often, outside quotation marks, in the first line that has any."""
    lines = re.sub(r'"[^"]*"', "", text).splitlines()
    first = next((line for line in lines if any(separator in line for separator in ",;\t")), "")
    return max(",;\t", key=first.count)


def _records(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Give the number and cells of each row that isn't blank, without blank cells at its end."""
    number = 0
    try:
        # Otherwise, a quotation mark that's never closed would swallow all the rows after it.
        for number, cells in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True), 1):
            while cells and not cells[-1].strip():
                cells.pop()
            if cells:
                yield number, cells
    except csv.Error:
        raise NotCsv(
            _(
                "After row %(row)s, quotation marks don't match, or a cell is too long. In CSV, a text that contains "
                'quotation marks is put in quotation marks, and each of its own is doubled: "say ""yes""".',
                row=i18n.number(number),
            )
        ) from None


def pack(data: bytes) -> str:
    """Write a file's bytes as a text for a hidden field."""
    return urlsafe_b64encode(zlib.compress(data, 1)).decode()


def _lost() -> NotCsv:
    return NotCsv(_("The file was lost on the way. Please choose it again."))


def unpack(packed: str) -> bytes:
    """Read what `pack` wrote; raise NotCsv for anything else."""
    unpacking = zlib.decompressobj()
    try:
        data = unpacking.decompress(urlsafe_b64decode(packed.encode()), MAX_FILE + 1)
    except (ValueError, zlib.error):
        raise _lost() from None
    if not unpacking.eof or len(data) > MAX_FILE:
        raise _lost()
    return data
