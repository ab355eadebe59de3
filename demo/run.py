"""`make demo`: the embedded services, the database and its demo data, a worker and a web server, under one roof.

Everything listens on the loopback or on private Unix sockets. Ctrl-C or SIGTERM stops the web server, the worker and
the services, in this order. If this process is killed outright, they all end within seconds, in any order, and the next
start finds the data as it was.
"""

import asyncio
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import FrameType

import typer

from demo import seed
from demo.embedded import Services, embedded, erase
from demo.mailcatcher import machine_time
from demo.processes import StartError
from models import migrate, refold
from settings import Settings, SettingsError, load

HOST = "127.0.0.1"


def run(port: int, data: Path, reset: bool) -> int:
    """Run the demo on `port` of the loopback until it's stopped; returns the exit status.

    `data` is the folder for the demo's data; `reset` first deletes what's in it.
    """
    try:
        with _stopped_by_signals():
            _check_port(port)
            if reset:
                erase(data)
            _serve(port, data)
    except KeyboardInterrupt:
        typer.echo(f"The demo has stopped. Its data is kept in {data}.")
        return 0
    except (StartError, SettingsError, OSError) as error:
        typer.echo(f"The demo cannot run: {error}", err=True)
    return 1


def _serve(port: int, data: Path) -> None:
    """Run the demo until a signal (KeyboardInterrupt), or until one of its processes ends (StartError)."""
    offset = timedelta()
    with embedded(data, clock=lambda: machine_time() + offset) as services:
        values = _values(port, services, _key(data, "secret_key"), os.environ)
        values = _file_values(data, os.environ) | values
        settings = load(**{name.lower(): value for name, value in values.items()})
        offset = settings.clock_offset  # before the first mail can arrive
        migrate.upgrade(settings)
        asyncio.run(refold.as_owner(settings, refold.refold_if_changed))
        asyncio.run(seed.fill(settings))
        _start(port, data, services, values)
        typer.echo(_welcome(settings, data, asyncio.run(seed.links(settings))))
        while True:
            services.processes.check()
            time.sleep(0.5)


def _values(port: int, services: Services, secret_key: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Set what the demo needs. The environment comes first, except for the services' own settings."""
    address = f"http://{HOST}:{port}"
    ours = {
        "BASE_URL": address,
        "SECRET_KEY": secret_key,
        "MAIL_FROM": "Demo Logbook <logbook@demo.example>",
        "SUPPORT_EMAIL": "support@demo.example",
        "DIGEST_URL": "https://demo.example/feedback-digest",
        "PRIVACY_POLICY_URL": "https://demo.example/privacy",
        "ORGANISATION_NAME": "Demo Logbook",
        "RELEASE_LEAST": "0",
    }
    theirs = {name: environment[name] for name in ours if name in environment}
    return (
        ours
        | theirs
        | {
            "DATABASE_URL": services.database_url,
            "DATABASE_OWNER_URL": services.database_owner_url,
            "DATABASE_WORKER_URL": services.database_worker_url,
            "REDIS_URL": services.redis_url,
            "SMTP_URL": services.smtp_url,
            "MAILBOX": str(services.mailbox),
        }
    )


def _file_values(data: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Set where files are kept and what they're encrypted with, unless the environment does."""
    if "FILES_STORE" in environment:
        return {}
    return {"FILES_STORE": str(data.resolve() / "files"), "FILES_KEYS": _key(data, "files_key")}


def _start(port: int, data: Path, services: Services, values: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", "cli"]
    env = os.environ | values | {"PYTHONUNBUFFERED": "1"}
    services.processes.start("the worker", [*command, "worker"], data / "worker.log", env=env)
    serve = [*command, "serve", "--host", HOST, "--port", str(port)]
    services.processes.start("the web server", serve, data / "web.log", env=env)
    services.processes.wait_for("the web server", lambda: _is_healthy(port))


def _welcome(settings: Settings, data: Path, links: list[tuple[str, str]]) -> str:
    places = [
        ("Sign in", f"{settings.base_url}/signin"),
        ("Give feedback to a mediator of your choice", f"{settings.base_url}/give"),
        *links,
        ("GraphiQL, for the endpoint /graphql", f"{settings.base_url}/graphiql"),
        ("The mail that was sent", f"{settings.base_url}/mailbox"),
    ]
    return f"""
The demo is ready.

{_columns(places)}

Sign in with the password {seed.DEMO_PASSWORD} as

{_columns(seed.ACCOUNTS)}

Logs and data are in {data}. Ctrl-C stops the demo.
"""


def _columns(rows: list[tuple[str, str]]) -> str:
    width = max(len(first) for first, _ in rows)
    return "\n".join(f"  {first:{width}}  {second}" for first, second in rows)


def _is_healthy(port: int) -> bool:
    connection = HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise StartError(f"port {port}: {error.strerror}; try `make demo PORT={port + 1}`") from None


def _key(data: Path, name: str) -> str:
    path = data / name
    path.touch(mode=0o600)
    if not path.read_text():
        path.write_text(secrets.token_urlsafe(48))
    return path.read_text()


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM into a KeyboardInterrupt; later ones don't interrupt the shutdown."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
