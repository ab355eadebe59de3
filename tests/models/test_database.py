import asyncio
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, cast

import asyncpg
import pytest
from sqlalchemy import bindparam, column, func, insert, literal, select, text
from sqlalchemy.types import Integer

from demo.embedded import Services
from models import pool as models_pool
from models.account import accounts, request_keys
from models.cpd import cpd_entries
from models.database import Database, connect
from models.outbox import chores
from models.pool import Unavailable
from models.statement import Row, Statement
from settings import Pooler
from tests.hub import Hub, settings_for
from tests.servers import postgres
from tests.waiting import until

FIRST, SECOND = bindparam("first", type_=Integer()), bindparam("second", 2, Integer())


class SumRow(Row):
    sum: int
    n: int


class NameRow(Row):
    name: str


SUM = Statement(select((FIRST + SECOND).label("sum"), literal(1).label("n")), SumRow)
SLEEP = select(func.pg_sleep(60))
ASLEEP = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"


async def test_a_statement_is_given_its_values_by_name(hub: Hub) -> None:
    async with hub.app.state.database.reading() as reading:
        assert await reading.value(SUM, int, second=3, first=4) == 7
        assert await reading.value(SUM, int, first=4) == 6
        with pytest.raises(KeyError, match="third"):
            await reading.value(SUM, int, first=4, third=1)


async def test_a_row_has_its_columns_as_attributes_and_nothing_else(hub: Hub) -> None:
    async with hub.app.state.database.reading() as reading:
        row = await reading.first(SUM, first=1)
        assert row is not None
        assert (row.sum, row.n) == (3, 1)
        for absent in ("nothing", "__await__", "__aiter__"):
            assert not hasattr(row, absent)


async def test_first_and_value_return_none_when_there_is_no_row(hub: Hub) -> None:
    nobody = Statement(select(accounts.c.name).where(accounts.c.name == "nobody"), NameRow)
    async with hub.app.state.database.reading() as reading:
        assert await reading.first(nobody) is None
        assert await reading.value(nobody, str) is None
        assert await reading.all(nobody) == []


async def test_rows_are_inserted_as_given_with_binary_values_and_others_are_refused(hub: Hub) -> None:
    moment, person = datetime(2024, 2, 29, 1, 2, 3, 456789, tzinfo=UTC), await hub.mediator()
    rows = [{"name": name, "ran_at": moment} for name in ("plain", 'it\'s \\ "odd"\n', "\N{GRINNING FACE}")]
    entry = {"kind": "OTHER", "title": "T", "started_on": date(2024, 2, 29), "ended_on": date(2024, 2, 29)}
    async with hub.database.transaction() as transaction:
        await transaction.insert(chores, rows)
        await transaction.insert(cpd_entries, [entry | {"mediator_id": person.id, "minutes": n} for n in range(1, 4)])
        assert [
            dict(row) for row in await transaction.all(Statement(select(chores).order_by(chores.c.name), NameRow))
        ] == sorted(rows, key=lambda row: str(row["name"]))
        assert await transaction.value(select(func.sum(cpd_entries.c.minutes)), int) == 6
        await transaction.insert(request_keys, [{"key_hash": b"\0\\x ff"}])
        assert await transaction.value(select(request_keys.c.key_hash), bytes) == b"\0\\x ff"
    with pytest.raises(asyncpg.DataError, match="not JSON serializable"):
        async with hub.database.transaction() as transaction:
            await transaction.insert(request_keys, [{"key_hash": object()}])


async def chore_names(database: Database) -> list[str]:
    async with database.reading() as reading:
        return [row.name for row in await reading.all(Statement(select(chores.c.name), NameRow))]


async def test_a_transaction_is_kept_as_a_whole_or_not_at_all(hub: Hub) -> None:
    async with hub.app.state.database.transaction() as transaction:
        assert await transaction.run(insert(chores).values([{"name": "kept"}, {"name": "too"}])) == 2

    async def fail() -> None:
        async with hub.app.state.database.transaction() as transaction:
            await transaction.run(insert(chores).values(name="lost"))
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await chore_names(hub.app.state.database) == ["kept", "too"]


async def test_a_cancelled_request_leaves_no_transaction_open(hub: Hub) -> None:
    async def slow(number: int) -> None:
        async with hub.app.state.database.transaction() as transaction:
            await transaction.run(insert(chores).values(name=f"lost {number}"))
            await transaction.run(SLEEP)

    tasks = [asyncio.create_task(slow(number)) for number in range(5)]  # as many as there are in the pool

    async def all_asleep() -> bool:
        return bool((await hub.rows(ASLEEP))[0][0] == 5)

    await until(all_asleep)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert await chore_names(hub.app.state.database) == []
    in_transaction = """
        SELECT count(*) FROM pg_stat_activity
         WHERE usename = 'logbook_app' AND datname = current_database() AND state <> 'idle'"""
    assert (await hub.rows(in_transaction))[0][0] == 0


async def test_a_request_that_finds_every_connection_in_use_is_told_in_time(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect(hub.settings.model_copy(update={"database_pool_size": 2})) as database:
        async with database.reading(), database.transaction():
            monkeypatch.setattr(models_pool, "ACQUIRE_TIMEOUT", 0.05)
            with pytest.raises(Unavailable):
                async with database.reading():
                    pass
            with pytest.raises(Unavailable):
                async with database.transaction():
                    pass
        async with database.reading(), database.transaction():
            pass  # both are free again


def test_nobody_waits_long_for_a_connection() -> None:
    assert models_pool.ACQUIRE_TIMEOUT <= 10


async def test_the_clock_is_moved_only_for_the_services_own_connections(hub: Hub) -> None:
    moved = select((func.clock() - func.now()).label("moved"))
    async with hub.later(days=-3) as earlier, earlier.app.state.database.reading() as reading:
        assert await reading.value(moved, timedelta) == timedelta(days=-3)
        moved_too = earlier.app.state.database.now() + timedelta(days=3)
        assert timedelta(0) <= moved_too - datetime.now(UTC) <= timedelta(seconds=30)  # to the next half minute
    async with hub.app.state.database.reading() as reading:
        assert await reading.value(moved, timedelta) == timedelta(0)


async def test_defaults_follow_the_moved_clock(hub: Hub) -> None:
    async with hub.later(hours=200) as later, later.app.state.database.transaction() as transaction:
        ran_at = await transaction.value(insert(chores).values(name="chore").returning(chores.c.ran_at), datetime)
    assert timedelta(hours=199) < ran_at - datetime.now(UTC) < timedelta(hours=201)


@pytest.mark.parametrize(
    ("now", "today"),
    [
        (datetime(2025, 12, 31, 9, 59, tzinfo=UTC), date(2025, 12, 31)),
        (datetime(2025, 12, 31, 10, 1, tzinfo=UTC), date(2026, 1, 1)),
    ],
)
def test_today_is_the_latest_date_anywhere_on_earth(now: datetime, today: date) -> None:
    assert Database(cast("Any", None), now - datetime.now(UTC)).latest_today() == today


@pytest.mark.parametrize(("pooler", "ends"), [(Pooler.NONE, "30s"), (Pooler.TRANSACTION, "0")])
async def test_an_abandoned_transaction_ends_unless_a_pooler_takes_care_of_it(
    hub: Hub, pooler: Pooler, ends: str
) -> None:
    async with (
        connect(hub.settings.model_copy(update={"database_pooler": pooler})) as database,
        database.reading() as reading,
    ):
        assert await reading.value(select(func.current_setting("idle_in_transaction_session_timeout")), str) == ends


@pytest.mark.parametrize(("pooler", "kept"), [(Pooler.NONE, True), (Pooler.TRANSACTION, False)])
async def test_no_statement_stays_prepared_behind_a_transaction_pooler(hub: Hub, pooler: Pooler, kept: bool) -> None:
    prepared = select(func.count()).select_from(text("pg_prepared_statements")).where(column("name") != "")
    async with connect(
        hub.settings.model_copy(update={"database_pooler": pooler, "database_pool_size": 2})
    ) as database:
        for n in range(3):
            async with database.transaction() as transaction:
                assert await transaction.value(SUM, int, first=n) == n + 2
                assert await transaction.first(SUM, first=n)
            async with database.reading() as reading:
                assert await reading.all(SUM, first=n)
                assert bool(await reading.value(prepared, int)) is kept


async def test_the_pool_survives_a_restart_of_the_server(services: Services) -> None:
    with postgres() as own:
        async with connect(settings_for(services, database_url=own.url)) as database:
            connections = [database.reading() for _ in range(3)]
            for connection in connections:
                await connection.__aenter__()
            for connection in connections:
                await connection.__aexit__(None, None, None)
            cut = asyncio.create_task(_sleep(database))
            await until(partial(_is_asleep, database))
            await asyncio.to_thread(own.stop)
            with pytest.raises(Unavailable):
                await cut
            for attempt in (database.reading, database.transaction):
                with pytest.raises(Unavailable):
                    async with attempt() as transaction:
                        await transaction.value(SUM, int, first=1)
            await asyncio.to_thread(own.start)
            for attempt in (database.reading, database.transaction) * 3:
                async with attempt() as transaction:
                    assert await transaction.value(SUM, int, first=1) == 3


async def _sleep(database: Database) -> None:
    async with database.transaction() as transaction:
        await transaction.run(SLEEP)


async def _is_asleep(database: Database) -> bool:
    async with database.reading() as reading:
        return bool(await reading.value(text(ASLEEP), int))
