"""What's in PostgreSQL's own files, byte for byte."""

import asyncio
from pathlib import Path

import asyncpg
from asyncpg.pool import PoolConnectionProxy


async def stored_bytes(connection: "asyncpg.Connection | PoolConnectionProxy[asyncpg.Record]") -> dict[str, bytes]:
    """Read the files of a superuser's database, and the write-ahead log, after everything has been written to them."""
    await connection.execute("CHECKPOINT")
    [(folder, oid)] = await connection.fetch(
        "SELECT current_setting('data_directory'), oid FROM pg_database WHERE datname = current_database()"
    )
    places = {"files": Path(folder, "base", str(oid)), "log": Path(folder, "pg_wal")}
    return {place: await asyncio.to_thread(_whole, inside) for place, inside in places.items()}


def _whole(folder: Path) -> bytes:
    return b"".join([path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()])
