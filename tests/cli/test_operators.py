import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import pytest
from typer.testing import CliRunner, Result

from cli import main
from demo.embedded import Services
from demo.mailcatcher import catching, caught, machine_time
from demo.processes import PATIENCE
from demo.run import HOST, _is_healthy, _values
from models.account import Role
from permissions.sealing import seal_factor
from settings import Settings
from tests.hub import Hub
from tests.servers import free_port

ADMIN = ["--email", "first@demo.example", "--name", "Demo First", "--password", "demo-password"]
COMMANDS = {"serve": [], "worker": [], "migrate": [], "create-admin": ADMIN}
NOWHERE = "127.0.0.1:1"  # a port where nothing listens

WRONG = {
    "DATABASE_URL": "mysql://db.demo.example/logbook",
    "DATABASE_OWNER_URL": "logbook",
    "DATABASE_WORKER_URL": "worker@db.demo.example",
    "DATABASE_POOL_SIZE": "many",
    "DATABASE_POOLER": "session",
    "REDIS_URL": "http://redis.demo.example",
    "SMTP_URL": "smtp.demo.example:25",
    "SMTP_TIMEOUT": "600",
    "MAIL_FROM": "Demo Logbook",
    "BASE_URL": "logbook.demo.example",
    "SECRET_KEY": "short",
    "SECRET_KEYS_BEFORE": "short",
    "ORGANISATION_NAME": "",
    "INSTITUTE_NAME": "",
    "DIGEST_URL": "digest",
    "SUPPORT_EMAIL": "support",
    "PRIVACY_POLICY_URL": "privacy",
    "PAID_ACCESS": "perhaps",
    "REVIEWER_APPROVAL": "perhaps",
    "ADMIN_SECOND_FACTOR": "perhaps",
    "RELEASE_LEAST": "1",
    "RELEASE_AFTER": "0",
    "ORIGIN_KEPT": "0",
    "SHARED_RELEASE": "daily",
    "FEEDBACK_NOTICE": "loud",
    "SESSION_IDLE_DAYS": "1.5",
    "SESSION_DAYS": "0",
    "TRUSTED_PROXIES": "loadbalancer",
    "COMPILED_EXECUTION": "perhaps",
    "DELETIONS_LEDGER": "deletions",
    "METRICS_PORT": "0",
    "METRICS_HOST": "localhost:9000",
    "FILES_S3_ENDPOINT": "storage",
    "FILES_S3_REGION": "a region",
    "FILES_S3_ACCESS_KEY": "two words",
    "FILES_S3_SECRET_KEY": "short",
    "FILES_STORE": "files",
    "FILES_KEYS": "short",
    "DEMO_CLOCK_OFFSET_HOURS": "1",  # valid, but only in a demo
}


def environment(services: Services, **changed: str | None) -> dict[str, str | None]:
    """Settings with which everything runs, apart from what is changed (None removes a setting)."""
    none: dict[str, str | None] = {name.upper(): None for name in Settings.model_fields}
    return {**none, **_values(8000, services, "k" * 32, {}), "MAILBOX": None, "RELEASE_LEAST": None, **changed}


def ends(command: str, values: dict[str, str | None], *more: str) -> tuple[int, str]:
    """Run a command that ends by itself, in this process; return its status and what it wrote to stderr."""
    result = CliRunner().invoke(main, [command, *COMMANDS[command], *more], env=values)
    assert isinstance(result.exception, SystemExit | None), result.exception
    return result.exit_code, result.stderr


@contextmanager
def running(values: dict[str, str | None], *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a command as its own process, which is killed at the end if it's still running.

    If the test fails, any output that the test didn't read is shown.
    """
    root = str(Path(__file__).parents[2])
    kept = {name: value for name, value in (os.environ | values | {"PYTHONPATH": root}).items() if value is not None}
    command = [sys.executable, "-m", "cli", *arguments]
    process = subprocess.Popen(command, env=kept, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        print(*process.communicate())  # noqa: T201 - pytest shows it


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without anybody's `.env`."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
async def unmigrated(services: Services, request: pytest.FixtureRequest) -> str:
    """The name of another, empty database."""
    name = f"unmigrated_{abs(hash(request.node.name))}"
    admin = await asyncpg.connect(services.admin_url)
    await admin.execute(f"CREATE DATABASE {name} OWNER logbook_owner")
    await admin.close()
    return name


def at(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def test_every_setting_has_a_wrong_value_here() -> None:
    assert {*WRONG, "MAILBOX"} == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_setting_is_named_in_one_line_by_every_command(command: str, services: Services) -> None:
    for name, value in WRONG.items():
        status, said = ends(command, environment(services, **{name: value}))
        assert (status, said.count("\n")) == (1, 1)
        assert said.startswith(f"{name} is wrong: ")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_setting_is_named_in_one_line_by_every_command(command: str, services: Services) -> None:
    for name, field in Settings.model_fields.items():
        if field.is_required():
            status, said = ends(command, environment(services, **{name.upper(): None}))
            assert (status, said.count("\n")) == (1, 1)
            assert said.startswith(f"{name.upper()} is not set: ")


def test_migrate_needs_the_owner(services: Services) -> None:
    status, said = ends("migrate", environment(services, DATABASE_OWNER_URL=None))
    assert (status, said.count("\n")) == (1, 1)
    assert said.startswith("DATABASE_OWNER_URL is not set: ")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("url", "said_of_it"),
    [
        (f"postgresql://logbook_app:hunter2@{NOWHERE}/logbook", "Connect call failed"),
        ("postgresql://logbook_app:hunter2@/logbook?host=/nowhere&port=5432", "No such file or directory"),
        ("postgresql://logbook_app@/logbook?host=/nowhere&port=hunter", "hunter"),
        ("{nothing}", 'database "nothing" does not exist'),
    ],
)
def test_a_database_that_cannot_be_used_is_reported_in_one_line(
    command: str, url: str, said_of_it: str, services: Services
) -> None:
    name = "DATABASE_OWNER_URL" if command == "migrate" else "DATABASE_URL"
    url = url.replace("{nothing}", at(services.database_url, "nothing"))
    status, said = ends(command, environment(services, **{name: url}))
    assert (status, said.count("\n")) == (1, 1)
    assert said.startswith(f"{name} doesn't lead to a usable database: ")
    assert said_of_it in said
    assert "hunter2" not in said


@pytest.mark.parametrize("command", ["serve", "worker", "create-admin"])
def test_a_database_without_tables_is_reported_in_one_line(command: str, services: Services, unmigrated: str) -> None:
    url = at(services.database_url, unmigrated)
    status, said = ends(command, environment(services, DATABASE_URL=url))
    assert (status, said) == (
        1,
        "DATABASE_URL leads to a database without tables: run `logbook migrate` first\n",
    )


def test_migrating_with_a_role_that_owns_nothing_is_reported_in_one_line(services: Services, unmigrated: str) -> None:
    url = at(services.database_url, unmigrated)
    status, said = ends("migrate", environment(services, DATABASE_URL=url, DATABASE_OWNER_URL=url))
    assert (status, said.count("\n")) == (1, 1)
    assert "permission denied" in said


@pytest.mark.parametrize("command", ["serve", "worker", "create-admin"])
@pytest.mark.parametrize("past_it", ["database_owner_url", "superuser"])
def test_a_role_that_bypasses_row_level_security_is_refused(command: str, past_it: str, services: Services) -> None:
    superuser = at(services.admin_url, "logbook")
    url = superuser if past_it == "superuser" else services.database_owner_url
    status, said = ends(command, environment(services, DATABASE_URL=url))
    assert (status, said.count("\n")) == (1, 1)
    assert said.startswith("DATABASE_URL is wrong: its role bypasses row-level security")


def test_a_worker_that_would_find_no_work_is_refused(services: Services) -> None:
    """The worker has a role of its own in the database: with another, it would erase nothing and say nothing."""
    status, said = ends("worker", environment(services, DATABASE_WORKER_URL=None))
    assert (status, said) == (
        1,
        "DATABASE_URL has a role that isn't the worker's: set DATABASE_WORKER_URL, then migrate\n",
    )


def test_caught_mail_is_never_served_to_other_machines(hub: Hub, tmp_path: Path) -> None:
    status, said = ends("serve", environment(hub.services, MAILBOX=str(tmp_path)), "--host", "0.0.0.0")
    assert (status, said) == (1, "MAILBOX is wrong: caught mail is only ever served on the loopback\n")


def test_a_port_that_is_taken_is_reported_in_one_line(hub: Hub) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = str(taken.getsockname()[1])
        status, said = ends("serve", environment(hub.services), "--port", port)
    assert (status, said.count("\n")) == (1, 1)
    assert said.startswith(f"--host {HOST} --port {port} cannot be used: Address already in use")


def test_a_process_that_fails_ends_with_status_1_and_one_line(services: Services) -> None:
    away = f"postgresql://logbook_app@{NOWHERE}/logbook"
    with running(environment(services, DATABASE_URL=away), "serve") as process:
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("DATABASE_URL doesn't lead to a usable database: ")


async def test_server_and_worker_serve_without_redis(hub: Hub, port: int, tmp_path: Path) -> None:
    somebody = await hub.mediator()
    mailbox, wait_for = tmp_path / "mailbox", hub.services.processes.wait_for
    with catching(mailbox) as smtp_url:
        values = environment(hub.services, REDIS_URL=f"redis://{NOWHERE}/0", SMTP_URL=smtp_url)
        with running(values, "serve", "--port", str(port)) as server, running(values, "worker") as worker:
            await asyncio.to_thread(wait_for, "the web server", lambda: _is_healthy(port))
            asked = f'requestPasswordReset(input: {{email: "{somebody.email}"}}) {{ userErrors {{ code }} }}'
            async with httpx.AsyncClient(base_url=f"http://{HOST}:{port}") as client:
                answer = await client.post("/graphql", json={"query": f"mutation {{ {asked} }}"})
            assert answer.json() == {"data": {"requestPasswordReset": {"userErrors": []}}}
            await asyncio.to_thread(wait_for, "the mail", lambda: bool(caught(mailbox, machine_time())))
            for process in (server, worker):
                process.send_signal(signal.SIGINT)
                _, said = await asyncio.to_thread(process.communicate, timeout=PATIENCE)
                assert (process.returncode, said) == (
                    0,
                    "REDIS_URL doesn't lead to a Redis that answers: going on without it\n",
                )
    assert [mail["to"] for mail in caught(mailbox, machine_time())] == [somebody.email]


async def test_migrate_creates_the_tables_once_when_two_start_together(services: Services, unmigrated: str) -> None:
    owner, app = at(services.database_owner_url, unmigrated), at(services.database_url, unmigrated)
    values = environment(services, DATABASE_URL=app, DATABASE_OWNER_URL=owner)
    with running(values, "migrate") as one, running(values, "migrate") as other:
        for process in (one, other):
            assert await asyncio.to_thread(process.communicate, timeout=PATIENCE) == ("", "")
            assert process.returncode == 0
    connection = await asyncpg.connect(app)
    assert await connection.fetchval("SELECT count(*) FROM account") == 0
    await connection.close()


def make_migration(owner_url: str | None) -> Result:
    return CliRunner().invoke(main, ["make-migration", "Nothing"], env={"DATABASE_OWNER_URL": owner_url})


async def test_no_migration_is_made_if_nothing_has_changed(services: Services, unmigrated: str) -> None:
    url = at(services.database_owner_url, unmigrated)
    for _ in range(2):  # the database is left unchanged
        made = await asyncio.to_thread(make_migration, url)
        assert (made.exit_code, made.stderr) == (0, "")
        assert made.stdout.endswith("nothing was written.\n")


def test_making_a_migration_does_not_need_a_database() -> None:
    made = make_migration(None)
    assert (made.exit_code, made.stdout.count("\n"), made.stderr) == (0, 1, "")


def test_no_migration_is_made_with_a_database_in_use(hub: Hub) -> None:
    made = make_migration(hub.services.database_owner_url)
    assert (made.exit_code, made.stdout) == (1, "")
    assert made.stderr == "DATABASE_OWNER_URL leads to a database with tables: make-migration needs an empty one\n"


async def test_an_administrator_is_created_once_and_can_sign_in(hub: Hub) -> None:
    for _ in range(2):
        status, said = await asyncio.to_thread(ends, "create-admin", environment(hub.services))
        assert (status, said) == (0, "")
    made = await hub.rows("SELECT name, roles, email_verified_at FROM account")
    assert [(row["name"], row["roles"]) for row in made] == [("Demo First", ["ADMIN"])]
    answer = await hub.change("signIn", {"email": "first@demo.example", "password": "demo-password"})
    assert answer.data == {"signIn": {"userErrors": []}}


async def test_an_existing_account_becomes_an_administrator_and_keeps_everything_else(hub: Hub) -> None:
    await hub.person(Role.REVIEWER, email="First@demo.example", name="Somebody")
    [before] = await hub.rows("SELECT * FROM account")
    await asyncio.to_thread(ends, "create-admin", environment(hub.services))
    [after] = await hub.rows("SELECT * FROM account")
    assert after["roles"] == ["REVIEWER", "ADMIN"]
    assert {**before, "roles": None} == {**after, "roles": None}


async def test_problems_that_a_person_can_fix_are_reported_by_field(hub: Hub) -> None:
    wrong = ["--email", "nobody", "--name", "", "--password", "short"]
    result = await asyncio.to_thread(CliRunner().invoke, main, ["create-admin", *wrong], env=environment(hub.services))
    assert result.exit_code == 1
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == ["email", "name", "password"]
    assert await hub.rows("SELECT FROM account") == []


async def test_somebody_who_lost_their_second_factor_can_sign_in_with_the_password_again(hub: Hub) -> None:
    person, other = await hub.mediator(), await hub.mediator()
    for one in (person, other):
        sealed = seal_factor(hub.settings, one.id, "A" * 32)
        row = "INSERT INTO second_factor (account_id, sealed, confirmed_at) VALUES ($1, $2, clock())"
        await hub.rows(row, one.id, sealed)
    env = environment(hub.services)
    command = ["remove-second-factor", "--email"]
    removed = await asyncio.to_thread(CliRunner().invoke, main, [*command, f" {person.email.upper()}"], env=env)
    assert (removed.exit_code, removed.stderr) == (0, "")
    assert [row["account_id"] for row in await hub.rows("SELECT * FROM second_factor")] == [other.id]
    assert (await hub.ask("{ me { id } }", by=person)).status == 401
    assert (await hub.ask("{ me { id } }", by=other)).status == 200
    await hub.sign_in(person.email)
    await hub.work()
    assert ["no longer asks for a code" in mail["subject"] for mail in hub.mails()] == [True]
    for email in (person.email, "nobody@demo.example"):
        nothing = await asyncio.to_thread(CliRunner().invoke, main, [*command, email], env=env)
        assert nothing.exit_code == 1
        assert nothing.stderr == "There is no account with that address and a second factor.\n"
