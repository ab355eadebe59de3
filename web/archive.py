"""The ZIP of an export, written part by part: memory holds only one page of a list, and the archive itself."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import IO, Any, Self, cast
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import orjson

from web.csv_writer import csv_rows
from web.labels import Format


class Archive:
    """A ZIP that is being written; `now` is the time its files bear."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._bytes = BytesIO()
        self._zip = ZipFile(self._bytes, "w", ZIP_DEFLATED)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the ZIP. One that was given up would be closed when nothing is left to write it to."""
        self._zip.close()

    def finish(self) -> bytes:
        """Give the whole archive. Nothing can be added after this."""
        self._zip.close()
        return self._bytes.getvalue()

    def _open(self, name: str) -> IO[bytes]:
        entry = ZipInfo(name, self._now.timetuple()[:6])
        entry.compress_type = ZIP_DEFLATED
        return self._zip.open(entry, "w", force_zip64=True)

    def add_text(self, name: str, text: str) -> None:
        """Add a file of text."""
        with self._open(name) as file:
            file.write(text.encode())

    def add_object(self, name: str, found: dict[str, Any]) -> None:
        """Add an object as JSON."""
        with self._open(f"{name}.json") as file:
            file.write(orjson.dumps(found, default=str, option=orjson.OPT_INDENT_2))

    async def add_list(
        self,
        name: str,
        columns: Sequence[str],
        rows: AsyncIterator[dict[str, Any]],
        written: Mapping[str, Format],
    ) -> None:
        """Add a list as JSON, one row a line, and as CSV with these columns; `written` says how some go in a cell."""
        # A ZIP takes one file at a time. Meanwhile the JSON waits in a file without a name, which goes when this
        # process ends.
        with TemporaryFile() as waiting:
            between = b"[\n"
            with self._open(f"{name}.csv") as file, csv_rows(file, columns) as add:
                async for row in rows:
                    waiting.write(between + orjson.dumps(row, default=str))
                    between = b",\n"
                    for flat in _spread(row | {field: of.cell(row[field]) for field, of in written.items()}):
                        add(flat)
            waiting.write(b"\n]\n" if waiting.tell() else b"[]\n")
            waiting.seek(0)
            with self._open(f"{name}.json") as file:
                copyfileobj(waiting, file)


class _Sink:
    """What a ZIP is written to, in parts that are taken as they come."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: what's written waits to be taken."""

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


@dataclass(frozen=True)
class ArchivedFile:
    """A file for an archive: its path there, the moment it bears, and its content."""

    path: str
    moment: datetime
    data: bytes


async def with_files(made: bytes, files: AsyncIterator[ArchivedFile]) -> AsyncIterator[bytes]:
    """Write an archive once more, with files added to it. Memory holds the archive and one file at a time."""
    sink = _Sink()
    with ZipFile(cast("IO[bytes]", sink), "w") as archive:
        await asyncio.to_thread(_copy, made, archive)
        yield sink.take()
        async for file in files:
            entry = ZipInfo(file.path, file.moment.timetuple()[:6])
            # Hardly any gets smaller. But deflated, an entry says itself where it ends, so all programs read it.
            await asyncio.to_thread(archive.writestr, entry, file.data, ZIP_DEFLATED, 0)
            yield sink.take()
    yield sink.take()


def _copy(made: bytes, into: ZipFile) -> None:
    with ZipFile(BytesIO(made)) as archive:
        for info in archive.infolist():
            entry = ZipInfo(info.filename, info.date_time)
            into.writestr(entry, archive.read(info), ZIP_DEFLATED)


def _spread(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Write a row that holds a list as a row for each of its items, or as a single row if there are no items."""
    held = next((value for value in row.values() if isinstance(value, list) and all(map(_is_row, value))), [])
    plain = {name: ", ".join(value) if _is_words(value) else value for name, value in row.items()}
    for item in held or [{}]:
        yield plain | item


def _is_row(value: object) -> bool:
    return isinstance(value, dict)


def _is_words(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
