import asyncio
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from arq.connections import RedisSettings, create_pool
from limits import parse
from limits.aio.storage import RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from redis import Redis, RedisError

from demo.embedded import Services, embedded, erase
from demo.processes import Processes, StartError, installed
from settings import load

KILLED = """
import sys, time
from functools import partial
from pathlib import Path
from demo.embedded import embedded
with embedded(Path(sys.argv[1]), durable=False) as services:
    print(services.database_owner_url, services.redis_url, flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    # Longer than the path of a socket may be, and with characters that a shell would split at.
    data = tmp_path_factory.mktemp("data") / ("a long name, " * 12)
    with embedded(data, durable=False) as services:
        yield services


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the tests that start the services again and again; the first one creates the cluster."""
    return tmp_path_factory.mktemp("restarted")


async def fetch(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def is_ready(log: Path) -> bool:
    return "ready" in log.read_text()


def is_refused(redis_url: str) -> bool:
    try:
        with Redis.from_url(redis_url) as client:
            return not client.ping()
    except RedisError:
        return True


def test_the_urls_are_valid_settings(services: Services) -> None:
    settings = load(
        database_url=services.database_url,
        database_owner_url=services.database_owner_url,
        redis_url=services.redis_url,
        smtp_url=services.smtp_url,
        mailbox=services.mailbox,
        mail_from="logbook@demo.example",
        base_url="http://127.0.0.1:8000",
        secret_key="x" * 32,
        digest_url="https://demo.example/digest",
        support_email="support@demo.example",
        privacy_policy_url="https://demo.example/privacy",
    )
    assert settings.database_url.get_secret_value() == services.database_url


async def test_the_urls_lead_to_their_roles_whatever_the_environment_says(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "9")
    who = "SELECT current_user || ' ' || current_database()"
    assert await fetch(services.database_url, who) == "logbook_app logbook"
    assert await fetch(services.database_owner_url, who) == "logbook_owner logbook"
    assert await fetch(services.database_worker_url, who) == "logbook_worker logbook"
    assert await fetch(services.admin_url, who) == "postgres postgres"


@pytest.mark.parametrize("role", ["logbook_app", "logbook_worker", "logbook_owner"])
async def test_no_role_bypasses_row_level_security(services: Services, role: str) -> None:
    rights = f"SELECT rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = '{role}'"
    assert await fetch(services.admin_url, rights) is False


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE public.mine (id int)",
        "CREATE TEMPORARY TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "SET ROLE logbook_owner",
    ],
)
async def test_the_role_of_the_app_cannot_create_anything(services: Services, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await fetch(services.database_url, statement)
    owned = "SELECT count(*) FROM pg_shdepend WHERE refobjid = 'logbook_app'::regrole AND deptype = 'o'"
    assert await fetch(services.database_owner_url, owned) == 0


async def test_letters_are_lowercased_the_same_way_on_every_machine(services: Services) -> None:
    assert await fetch(services.database_url, "SELECT lower('ÉÖŻ')") == "éöż"


async def test_the_pools_of_several_processes_have_room(services: Services) -> None:
    assert int(str(await fetch(services.database_url, "SHOW max_connections"))) >= 100


async def test_jobs_and_rate_limits_find_valkey(services: Services) -> None:
    pool = await create_pool(RedisSettings.from_dsn(services.redis_url))
    try:
        assert await pool.enqueue_job("anything") is not None
        storage = RedisStorage(
            "async+redis://",
            implementation="redispy",
            connection_pool=pool.connection_pool,  # type: ignore[arg-type]  # documented, though not annotated
        )
        limiter = FixedWindowRateLimiter(storage)
        assert [await limiter.hit(parse("2/day"), "someone") for _ in range(3)] == [True, True, False]
    finally:
        await pool.aclose()


def test_nobody_else_can_read_data_and_sockets(services: Services) -> None:
    data = services.mailbox.parent
    sockets = Path(services.redis_url.removeprefix("unix://")).parent
    for private in (data / "mailbox", data / "postgres", sockets):
        assert private.stat().st_mode & 0o077 == 0
    assert data.stat().st_mode & 0o066 == 0
    assert (data / "postgres.log").stat().st_mode & 0o077 == 0


async def test_text_that_people_wrote_stays_out_of_the_log(services: Services) -> None:
    await fetch(services.database_owner_url, "CREATE TABLE person (email text PRIMARY KEY)")
    adding = "INSERT INTO person VALUES ('someone@demo.example')"
    await fetch(services.database_owner_url, adding)
    with pytest.raises(asyncpg.UniqueViolationError):
        await fetch(services.database_owner_url, adding)
    log = (services.mailbox.parent / "postgres.log").read_text()
    assert "duplicate key" in log
    assert "someone" not in log


def test_a_folder_in_use_is_refused_at_once(services: Services) -> None:
    data = services.mailbox.parent
    with pytest.raises(StartError, match="in use by another process"), embedded(data):
        pass
    with pytest.raises(StartError, match="in use by another process"):
        erase(data)
    assert (data / "postgres" / "PG_VERSION").exists()


def test_data_survive_a_restart(data: Path) -> None:
    with embedded(data, durable=False) as services:
        processes = [process for _, process, _ in services.processes._running]
        asyncio.run(fetch(services.database_owner_url, "CREATE TABLE kept (id int)"))
        sockets = Path(services.redis_url.removeprefix("unix://")).parent
    assert [process.returncode for process in processes] == [0, 0]
    assert not sockets.exists()
    with embedded(data) as services:
        assert asyncio.run(fetch(services.database_url, "SELECT to_regclass('kept') IS NOT NULL")) is True


def test_services_end_with_their_killed_process_and_can_be_started_again(data: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED, str(data)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url, redis_url = process.stdout.readline().split()
        asyncio.run(fetch(url, "CREATE TABLE committed (id int)"))
        process.kill()
    with embedded(data, durable=False) as services:  # only once the last process of the old PostgreSQL is gone
        assert asyncio.run(fetch(services.database_url, "SELECT to_regclass('committed') IS NOT NULL")) is True
    assert is_refused(redis_url)


def test_a_crashed_postgres_is_reported_and_starts_again(data: Path) -> None:
    with embedded(data, durable=False) as services:
        services.processes.check()
        _, postgres, _ = services.processes._running[0]
        postgres.kill()
        postgres.wait()
        with pytest.raises(StartError, match="PostgreSQL ended with -9"):
            services.processes.check()
    with embedded(data, durable=False) as services:
        assert asyncio.run(fetch(services.database_url, "SELECT 1")) == 1


def test_a_start_that_fails_half_way_leaves_nothing_running(tmp_path: Path) -> None:
    (tmp_path / "valkey.log").mkdir()
    with pytest.raises(IsADirectoryError), embedded(tmp_path, durable=False):
        pass
    assert "shut down" in (tmp_path / "postgres.log").read_text()
    erase(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "postgres.lock", "postgres.log", "valkey.log"]


def test_a_start_that_fails_says_why_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    with (
        pytest.raises(StartError, match=r"^PostgreSQL ended with \d; .*postgres\.log ends with: .+$"),
        embedded(tmp_path),
    ):
        pass


def test_the_services_stop_by_themselves_even_if_sigint_is_ignored(tmp_path: Path) -> None:
    run = f"from pathlib import Path; from demo.embedded import embedded\nwith embedded(Path({str(tmp_path)!r})): pass"
    ignoring = ["/bin/sh", "-c", 'trap "" INT HUP; exec "$@"', "sh", sys.executable, "-c", run]
    subprocess.run(ignoring, check=True)
    assert "received fast shutdown request" in (tmp_path / "postgres.log").read_text()
    assert "User requested shutdown" in (tmp_path / "valkey.log").read_text()


# It sets the signal's handler itself, as PostgreSQL and Valkey do: if SIGINT is ignored, as in a background job,
# a shell couldn't.
ENDS_BY_SIGINT = """
import signal, sys, time
def end(*_):
    open(sys.argv[1], "a").write(sys.argv[2] + "\\n")
    sys.exit()
signal.signal(signal.SIGINT, end)
print("ready", flush=True)
while True:
    time.sleep(60)
"""


def test_children_stop_in_reverse_order(tmp_path: Path) -> None:
    sockets = tmp_path / "sockets"
    sockets.mkdir()
    ended = tmp_path / "ended"
    with Processes(sockets) as processes:
        for name in ("first", "second", "third"):
            log = tmp_path / name
            processes.start(name, [sys.executable, "-c", ENDS_BY_SIGINT, ended, name], log, env={})
            processes.wait_for(name, partial(is_ready, log))
    assert ended.read_text().split() == ["third", "second", "first"]
    assert not sockets.exists()


def test_a_process_that_cannot_start_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sockets = tmp_path / "sockets"
    sockets.mkdir()
    with pytest.raises(StartError, match="run `make setup`"):
        installed("no_such_package", "program")
    with Processes(sockets) as processes:
        with pytest.raises(StartError, match=r"the absent one cannot be started: .*No such file"):
            processes.start("the absent one", [tmp_path / "absent"], tmp_path / "log", env={})
        processes.start("the slow one", ["/bin/sleep", "60"], tmp_path / "log", env={})
        monkeypatch.setattr("demo.processes.PATIENCE", 0)
        with pytest.raises(StartError, match="the slow one was not ready within 0 seconds"):
            processes.wait_for("the slow one", lambda: False)
