"""The migration that seals what was stored in the clear, on a database from before it."""

import asyncio
from datetime import UTC, datetime
from functools import partial
from uuid import UUID, uuid4

import asyncpg
import pytest
from alembic import command
from typer.testing import CliRunner

from cli import main
from demo.embedded import Services
from models import migrate
from models.outbox import NOTHING
from permissions.sealing import mailbox_hashes, open_details, open_factor, open_origin
from permissions.secrets import Opens, hash_secret, keyed, link_secret, seal, spent_marks, stop_marks
from settings import Settings
from tests.models.test_migrations import empty_database, in_thread, owner_url, to
from tests.servers import environment
from tests.stored import stored_bytes

BEFORE = "0017"
NOW = datetime.now(UTC)
ID = UUID(int=1)  # of the mediator
REQUESTS = {"OPEN": UUID(int=2), "SPENT": UUID(int=3), "WITHDRAWN": UUID(int=4)}
PIECE = UUID(int=5)


async def fill(connection: "asyncpg.Connection[asyncpg.Record]", settings: Settings) -> None:
    """Add a mediator with requests, an answer, a second factor, and an address that stopped requests."""
    await connection.execute(
        "INSERT INTO account (id, name, name_key, email, email_key, roles)"
        " VALUES ($1, 'A', 'a', 'a', 'a', '{MEDIATOR}')",
        ID,
    )
    await connection.execute("INSERT INTO mediator (id, feedback_link_hash) VALUES ($1, '\\x00')", ID)
    for state, request in REQUESTS.items():
        hashed = hash_secret(link_secret(settings, Opens.FEEDBACK_REQUEST, request))
        await connection.execute(
            "INSERT INTO feedback_request (id, mediator_id, mediation_ended_on, secret_hash, state, made_at)"
            " VALUES ($1, $2, '2024-03-02', $3, $4, $5)",
            *(request, ID, hashed, state, NOW),
        )
        await connection.execute(
            "INSERT INTO feedback_request_details (id, mediator_id, made_at, party_name, party_email, reference)"
            " VALUES ($1, $2, $3, 'Wilhelmina', 'wilhelmina@demo.example', NULL)",
            *(request, ID, NOW),
        )
    await connection.execute(
        "INSERT INTO feedback (id, mediator_id, capacity, acted_as, shared, by_invitation)"
        " VALUES ($1, $2, 'PARTY', 'MEDIATOR', true, true)",
        *(PIECE, ID),
    )
    await connection.execute(
        "INSERT INTO feedback_answer VALUES ($1, 'impressed', $2, false, NULL, $3)", PIECE, ID, "long " * 9000
    )
    await connection.execute(
        "INSERT INTO feedback_origin (id, name, email, email_key, received_at)"
        " VALUES ($1, 'Wilhelmina', 'Wilhelmina+x@demo.example', 'wilhelmina+x@demo.example', $2)",
        *(PIECE, NOW),
    )
    sealed = seal(settings, "second factor", "SECRET", ID)
    await connection.execute("INSERT INTO second_factor (account_id, sealed_secret) VALUES ($1, $2)", ID, sealed)
    stopped = keyed(settings.secret_keys[0], "address", b"stopped@demo.example")
    await connection.execute("INSERT INTO stopped_address VALUES ($1)", stopped)
    for kind, state in (("feedback_received", "DONE"), ("verify_email", "QUEUED")):
        await connection.execute(
            "INSERT INTO outbox (kind, subject_id, dedupe_key, state) VALUES ($1, $2, $3, $4)",
            *(kind, PIECE, kind, state),
        )


async def in_the_files(connection: "asyncpg.Connection[asyncpg.Record]", text: bytes) -> bool:
    """Whether a text stands in the database's files."""
    return text in (await stored_bytes(connection))["files"]


async def test_everything_that_stood_in_the_clear_is_sealed_and_nothing_of_it_is_left(services: Services) -> None:
    async with empty_database(services) as settings:
        await in_thread(to(command.upgrade, settings, BEFORE))
        database = owner_url(settings).partition("?")[0].rpartition("/")[2]
        connection = await asyncpg.connect(services.admin_url, database=database)
        try:
            await fill(connection, settings)
            assert await in_the_files(connection, b"Wilhelmina")
            done = await asyncio.to_thread(CliRunner().invoke, main, ["migrate"], env=environment(settings))
            assert done.exit_code == 0, done.output
            assert not await in_the_files(connection, b"Wilhelmina")
            assert not await in_the_files(connection, b"wilhelmina")
            await check(connection, settings)
        finally:
            await connection.close()


async def check(connection: "asyncpg.Connection[asyncpg.Record]", settings: Settings) -> None:
    ((day, key),) = await connection.fetch("SELECT day, sealed FROM details_key")
    for request, sealed in await connection.fetch("SELECT id, sealed FROM feedback_request_details"):
        party = open_details(settings, day, key, request, sealed)
        assert (party.name, party.email, party.reference) == ("Wilhelmina", "wilhelmina@demo.example", None)
    ((sealed, found_by),) = await connection.fetch("SELECT sealed, mailbox_hash FROM feedback_origin")
    origin = open_origin(settings, PIECE, sealed)
    assert (origin.name, origin.email, origin.received_at) == ("Wilhelmina", "Wilhelmina+x@demo.example", NOW)
    assert [found_by] == mailbox_hashes(settings, "wilhelmina@demo.example")
    states = {row["id"]: row["state"] for row in await connection.fetch("SELECT id, state FROM feedback_request")}
    assert states == {
        REQUESTS["OPEN"]: "OPEN",
        REQUESTS["SPENT"]: "OPEN",
        REQUESTS["WITHDRAWN"]: "WITHDRAWN",
    }
    used = hash_secret(link_secret(settings, Opens.FEEDBACK_REQUEST, REQUESTS["SPENT"]))
    assert [row["mark"] for row in await connection.fetch("SELECT mark FROM spent_link")] == spent_marks(settings, used)
    assert open_factor(settings, ID, await connection.fetchval("SELECT sealed FROM second_factor")) == "SECRET"
    stopped = await connection.fetchval("SELECT address_hash FROM stopped_address")
    assert [stopped] == stop_marks(settings, "stopped@demo.example")
    assert {row["subject_id"] for row in await connection.fetch("SELECT subject_id FROM outbox")} == {NOTHING, PIECE}
    writers = "SELECT DISTINCT xmin::text FROM {}"
    assert len(await connection.fetch(writers.format("feedback_request"))) == 1
    assert await connection.fetch("SELECT FROM chore WHERE name LIKE 'rewrite%'") == []


async def test_without_the_key_it_does_not_begin(services: Services) -> None:
    async with empty_database(services) as settings:
        await in_thread(to(command.upgrade, settings, BEFORE))
        connection = await asyncpg.connect(owner_url(settings))
        try:
            await connection.execute("INSERT INTO stopped_address VALUES ($1)", uuid4().bytes)
            with pytest.raises(RuntimeError, match="SECRET_KEY"):
                await in_thread(partial(command.upgrade, migrate.config(owner_url(settings)), migrate.CONTRACTED))
            assert await connection.fetchval("SELECT version_num FROM alembic_version") == BEFORE
        finally:
            await connection.close()
