"""Where the bytes of files are: a folder, or a bucket of an S3-compatible service.

What's stored is already encrypted, under a name that is the file's id. A file is there as a whole or not at all: nobody
ever finds one that's half written.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, ParamSpec, Protocol, TypeVar
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from settings import Settings

P = ParamSpec("P")
T = TypeVar("T")

_PATIENCE = timedelta(seconds=20)  # for a bucket to take or give one file, with what's tried again
_UNFINISHED = ".part"


class StoreAway(Exception):
    """The store can't be reached, or has no room."""


class Stored(NamedTuple):
    """One thing in the store: its name, and when it was written."""

    name: str
    written_at: datetime


class FileStore(Protocol):
    """A place for bytes, each by the id of its file. Every method raises StoreAway."""

    async def put(self, file_id: UUID, data: bytes) -> None:
        """Keep bytes; when this returns, they're there for good."""

    async def get(self, file_id: UUID) -> bytes | None:
        """Give them; None if there are none."""

    async def remove(self, name: str) -> None:
        """Remove what has this name, which is a file's id as hexadecimal digits; nothing may have it."""

    def everything(self) -> AsyncIterator[Stored]:
        """Give all there is, what's half written included."""

    async def probe(self) -> None:
        """Find out whether it can be used."""


async def _in_thread(run: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return await asyncio.to_thread(run, *args, **kwargs)
    except OSError as error:
        raise StoreAway(error.strerror or type(error).__name__) from None


class Folder:
    """A folder. It's made when the first file comes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def put(self, file_id: UUID, data: bytes) -> None:
        """Keep bytes; when this returns, they're on the disk."""
        await _in_thread(self._write, file_id.hex, data)

    def _write(self, name: str, data: bytes) -> None:
        self._path.mkdir(mode=0o700, exist_ok=True)
        waiting = self._path / f"{uuid4().hex}{_UNFINISHED}"
        try:
            descriptor = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            waiting.replace(self._path / name)
        except BaseException:
            waiting.unlink(missing_ok=True)
            raise
        folder = os.open(self._path, os.O_RDONLY)
        try:
            os.fsync(folder)  # and its name is, too
        finally:
            os.close(folder)

    async def get(self, file_id: UUID) -> bytes | None:
        """Give them; None if there are none."""
        try:
            return await asyncio.to_thread((self._path / file_id.hex).read_bytes)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreAway(error.strerror or type(error).__name__) from None

    async def remove(self, name: str) -> None:
        """Remove what has this name, if anything has it."""
        await _in_thread((self._path / name).unlink, missing_ok=True)

    async def probe(self) -> None:
        """Find out whether it can be written to."""
        nothing = UUID(int=0)
        await self.put(nothing, b"")
        await self.remove(nothing.hex)

    async def everything(self) -> AsyncIterator[Stored]:
        """Give all there is, what's half written included."""
        for one in await _in_thread(self._listed):
            yield one

    def _listed(self) -> list[Stored]:
        if not self._path.exists():
            return []
        found = []
        with os.scandir(self._path) as entries:
            for entry in entries:
                if not entry.is_file(follow_symlinks=False):  # such as lost+found, where a disk begins
                    continue
                try:
                    written_at = datetime.fromtimestamp(entry.stat(follow_symlinks=False).st_mtime, UTC)
                except FileNotFoundError:  # it has just been removed
                    continue
                found.append(Stored(entry.name, written_at))
        return found


class Bucket:
    """A bucket of an S3-compatible service, or the part of one below a prefix. A file arrives there in one request."""

    def __init__(self, store: S3Store) -> None:
        self._store = store

    async def put(self, file_id: UUID, data: bytes) -> None:
        """Keep bytes; when this returns, the service has them."""
        try:
            await obstore.put_async(self._store, file_id.hex, data, use_multipart=False)
        except (BaseError, OSError) as error:
            raise StoreAway(type(error).__name__) from None

    async def get(self, file_id: UUID) -> bytes | None:
        """Give them; None if there are none."""
        try:
            found = await obstore.get_async(self._store, file_id.hex)
            return bytes(await found.bytes_async())
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise StoreAway(type(error).__name__) from None

    async def remove(self, name: str) -> None:
        """Remove what has this name, if anything has it."""
        try:
            await obstore.delete_async(self._store, name)
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise StoreAway(type(error).__name__) from None

    async def probe(self) -> None:
        """Find out whether it answers."""
        await self.get(UUID(int=0))

    async def everything(self) -> AsyncIterator[Stored]:
        """Give all there is."""
        try:
            async for part in obstore.list(self._store):
                for one in part:
                    yield Stored(one["path"], one["last_modified"])
        except (BaseError, OSError) as error:
            raise StoreAway(type(error).__name__) from None


@lru_cache(maxsize=10)
def _bucket(address: str, endpoint: str | None, region: str, access_key: str, secret_key: str) -> Bucket:
    """Make a bucket once, because it keeps its connections."""
    parts = urlsplit(address)
    is_plain = endpoint is not None and endpoint.startswith("http://")
    return Bucket(
        S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            endpoint=endpoint,
            region=region,
            access_key_id=access_key,
            secret_access_key=secret_key,
            virtual_hosted_style_request=False,
            client_options={"connect_timeout": "5s", "timeout": "15s", "allow_http": is_plain},
            retry_config={"max_retries": 2, "retry_timeout": _PATIENCE},
        )
    )


def open_store(settings: Settings) -> FileStore | None:
    """Give the store that the settings name, if they name one."""
    where = settings.files_store
    if where is None:
        return None
    if where.startswith("/"):
        return Folder(Path(where))
    secret = settings.files_s3_secret_key
    return _bucket(
        where,
        settings.files_s3_endpoint,
        settings.files_s3_region,
        settings.files_s3_access_key or "",
        secret.get_secret_value() if secret else "",
    )
