from uuid import uuid4

import asyncpg
import pytest

from jobs.outbox import Kind, enqueue
from models.migrate import Schema, _revisions, schema_at
from tests.hub import Hub, opened
from tests.servers import postgres
from web.embedded import Services


async def test_a_server_is_ready_and_tells_how_much_waits_without_saying_whose(hub: Hub) -> None:
    empty = await hub.client.get("/readyz")
    assert empty.status_code == 200
    assert empty.json() == {
        "ready": True,
        "database": "reachable",
        "migrations": "at head",
        "queue": {"waiting": 0, "oldest_seconds": 0, "dead": 0},
    }
    async with hub.database.transaction() as transaction:
        for number in range(3):
            await enqueue(transaction, Kind.EMAIL_CHANGED, uuid4(), recipient=f"canary{number}@demo.example")
    await hub.rows("UPDATE outbox SET state = 'DEAD' WHERE recipient LIKE 'canary0%'")
    async with hub.later(hours=2) as later:
        filled = await later.client.get("/readyz")
    assert filled.json()["queue"]["waiting"] == 2
    assert filled.json()["queue"]["dead"] == 1
    assert 7200 <= filled.json()["queue"]["oldest_seconds"] < 7300
    assert "canary" not in filled.text


@pytest.mark.parametrize(("revision", "status", "said"), [("0001", 503, "behind"), ("9999", 200, "ahead")])
async def test_a_server_on_an_older_schema_is_alive_but_not_ready_and_on_a_newer_one_it_serves(
    hub: Hub, revision: str, status: int, said: str
) -> None:
    ((head,),) = await hub.rows("SELECT version_num FROM alembic_version")
    await hub.rows("UPDATE alembic_version SET version_num = $1", revision)
    try:
        ready, alive = await hub.client.get("/readyz"), await hub.client.get("/healthz")
        page = await hub.client.get("/signin")
    finally:
        await hub.rows("UPDATE alembic_version SET version_num = $1", head)
    assert (ready.status_code, ready.json()["migrations"]) == (status, said)
    assert (alive.status_code, page.status_code) == (200, 200)


def test_every_revision_but_the_newest_is_behind() -> None:
    head, *older = _revisions()
    assert schema_at(head) is Schema.AT_HEAD
    assert {schema_at(revision) for revision in [*older, None]} == {Schema.BEHIND}
    assert schema_at("9999") is Schema.AHEAD


async def test_a_server_without_its_database_is_alive_but_not_ready_until_it_is_back(services: Services) -> None:
    with postgres() as own:
        owner = await asyncpg.connect(own.url.replace("logbook_app", "postgres"))
        await owner.execute(
            "CREATE TABLE alembic_version AS SELECT $$9999$$ AS version_num;"
            "CREATE FUNCTION clock() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT now()';"
            "CREATE TABLE outbox (kind text, state text, created_at timestamptz);"
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO logbook_app"
        )
        await owner.close()
        async with opened(services, database_url=own.url) as hub:
            assert (await hub.client.get("/readyz")).status_code == 200
            own.stop()
            away, alive = await hub.client.get("/readyz"), await hub.client.get("/healthz")
            assert (away.status_code, away.json()) == (503, {"ready": False, "database": "away"})
            assert alive.status_code == 200
            own.start()
            assert (await hub.client.get("/readyz")).status_code == 200
