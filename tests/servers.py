"""Servers for just one test, which it can stop and start again, and the environment of processes that use them."""

import contextlib
import os
import pwd
import secrets
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
from pydantic import SecretStr

from demo.embedded import Services, _start_valkey
from demo.postgres import start_postgres
from demo.processes import Processes
from settings import Settings

_given: set[int] = set()


PRISTINE = "pristine"
"""The name of the migrated database that nothing has used: otherwise, its copies would look restored."""


async def keep_pristine(services: Services) -> None:
    """Set aside a copy of the newly migrated database, as a template for others."""
    superuser = await asyncpg.connect(services.admin_url)
    try:
        await superuser.execute(f"CREATE DATABASE {PRISTINE} TEMPLATE logbook STRATEGY file_copy OWNER logbook_owner")
    finally:
        await superuser.close()


def free_port() -> int:
    """Return a port of the loopback where nobody listens, and which this process hasn't been given before.

    It's below those that the machine gives to connections, so that it's still free when a server takes it.
    """
    while True:
        port = 10_000 + secrets.randbelow(20_000)  # at random, because tests run side by side
        if port in _given:
            continue
        _given.add(port)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@dataclass
class Server:
    """A server that can be away for a while."""

    url: str
    processes: Processes
    start: Callable[[], None]

    def stop(self) -> None:
        """Stop it and wait until it's gone."""
        _, process, _ = self.processes._running.pop()
        process.send_signal(signal.SIGINT)
        process.wait()


@contextmanager
def postgres() -> Iterator[Server]:
    """Run PostgreSQL with the roles and the empty database `logbook`; the URL is that of the application."""
    with _folder() as (folder, processes, user), (folder / "lock").open("w") as lock:
        start = partial(start_postgres, processes, folder, folder, user, lock.fileno(), durable=False)
        start()
        yield Server(f"postgresql://logbook_app@/logbook?host={folder}&port=5432", processes, start)


@contextmanager
def valkey() -> Iterator[Server]:
    """Prepare Valkey, without starting it."""
    with _folder() as (folder, processes, user):
        yield Server(f"unix://{folder}/valkey.sock", processes, partial(_start_valkey, processes, folder, folder, user))


@contextmanager
def _folder() -> Iterator[tuple[Path, Processes, pwd.struct_passwd | None]]:
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="logbook-", dir="/tmp"))  # the path of a socket has to be short
    if user:
        os.chown(folder, user.pw_uid, user.pw_gid)
    with Processes(folder) as processes:
        yield folder, processes, user


def environment(settings: Settings) -> dict[str, str]:
    """Write settings as the environment of a process, with everything else that this process has."""
    given = {name.upper(): _written(value) for name, value in settings if value is not None}
    return os.environ | given


def _written(value: Any) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
