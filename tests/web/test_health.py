from uuid import uuid4

import asyncpg
import pytest

from demo.embedded import Services
from jobs import mail
from jobs.outbox import enqueue
from models.migrate import Schema, _revisions, schema_at
from tests.hub import Hub, opened
from tests.servers import postgres


async def test_a_ready_server_says_whether_the_queue_moves_and_never_what_is_in_it(hub: Hub) -> None:
    async def said(of: Hub) -> dict[str, object]:
        response = await of.client.get("/readyz")
        assert response.status_code == 200
        read: dict[str, object] = response.json()
        return read

    moving = {"ready": True, "database": "reachable", "migrations": "at head", "queue": "moving"}
    assert await said(hub) == moving
    async with hub.database.transaction() as transaction:
        for number in range(3):
            await enqueue(transaction, mail.EMAIL_CHANGED, uuid4(), recipient=f"canary{number}@demo.example")
    await hub.rows("UPDATE outbox SET state = 'DEAD' WHERE recipient LIKE 'canary0%'")
    assert await said(hub) == moving
    async with hub.later(hours=1) as later:  # and no worker has come by
        assert await said(later) == moving | {"queue": "stuck"}
        await hub.rows("UPDATE outbox SET next_at = next_at + interval '2 hours'")  # like one that was put off
        assert await said(later) == moving


@pytest.mark.parametrize(("revision", "status", "said"), [("0001", 503, "behind"), ("9999", 200, "ahead")])
async def test_a_server_on_an_older_schema_is_alive_but_not_ready_and_on_a_newer_one_ready(
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
            "CREATE TABLE outbox (id uuid, state text, next_at timestamptz, leased_until timestamptz);"
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
