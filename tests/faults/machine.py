"""The machine that drills run on: PostgreSQL and Valkey, which can be stopped, and a database for each drill."""

import asyncio
import os
import pwd
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields, replace
from itertools import count
from pathlib import Path
from subprocess import Popen
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from demo.embedded import Services, _start_valkey
from demo.postgres import start_postgres
from tests.servers import PRISTINE

POSTGRES, VALKEY = "PostgreSQL", "Valkey"

_numbers = count(1)


@dataclass
class Machine:
    """The running services, with their data in the folder `data` and their database `logbook` migrated and empty."""

    services: Services
    data: Path

    @property
    def running(self) -> set[str]:
        """The names of the running services."""
        return {name for name, _, _ in self.services.processes._running}

    def _child(self, name: str) -> "tuple[str, Popen[bytes], Path]":
        return next(child for child in self.services.processes._running if child[0] == name)

    async def stop(self, name: str, sign: signal.Signals = signal.SIGINT) -> None:
        """Stop a service with a signal and wait until it's gone; on SIGQUIT, PostgreSQL crashes ("immediate")."""
        child = self._child(name)
        child[1].send_signal(sign)
        await asyncio.to_thread(child[1].wait)
        self.services.processes._running.remove(child)

    def pause(self, name: str, sign: signal.Signals = signal.SIGSTOP) -> None:
        """Make a service hang until SIGCONT."""
        self._child(name)[1].send_signal(sign)

    async def revive(self) -> bool:
        """Start PostgreSQL after it has gone down; False if it's serving.

        If it hangs halfway, it's stopped first: version 18 may do that if there's no room for the recovery either.
        """
        child = self._child(POSTGRES)
        if child[1].poll() is None:
            try:
                await self.run("SELECT")
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self.stop(POSTGRES, signal.SIGQUIT)
            else:
                return False
        else:
            self.services.processes._running.remove(child)
        await self.start(POSTGRES)
        return True

    async def start(self, name: str) -> None:
        """Start a service that was stopped, and wait until it answers."""
        processes = self.services.processes
        folder = processes._folder
        user = _owner(folder)
        if name == VALKEY:
            await asyncio.to_thread(_start_valkey, processes, self.data, folder, user)
            return
        with (self.data / "drill.lock").open("w") as lock:
            how = (processes, self.data, folder, user, lock.fileno())
            await asyncio.to_thread(start_postgres, *how, durable=False)

    @asynccontextmanager
    async def database(self, place: str = "") -> AsyncIterator[Services]:
        """Create a database for a drill; `place` is the end of CREATE DATABASE, such as its tablespace.

        What is committed in it survives a crash of PostgreSQL, but not of the machine.
        """
        name = f"drill_{next(_numbers)}"
        await self.run(f"CREATE DATABASE {name} TEMPLATE {PRISTINE} STRATEGY file_copy OWNER logbook_owner {place}")
        try:
            await self.run(f"ALTER DATABASE {name} SET synchronous_commit = on")
            urls = {field.name: getattr(self.services, field.name) for field in fields(self.services)}
            databases: dict[str, Any] = {
                key: _named(url, name) for key, url in urls.items() if str(url).startswith("postgresql://")
            }
            yield replace(self.services, **databases)
        finally:
            await self.run(f"DROP DATABASE {name} WITH (FORCE)")

    async def run(self, sql: str) -> None:
        """Run it as the superuser over a new connection: an earlier one may have died with PostgreSQL."""
        admin = await asyncpg.connect(self.services.admin_url)
        try:
            await admin.execute(sql)
        finally:
            await admin.close()


def _owner(folder: Path) -> pwd.struct_passwd | None:
    return pwd.getpwuid(folder.stat().st_uid) if os.geteuid() == 0 else None


def _named(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))
