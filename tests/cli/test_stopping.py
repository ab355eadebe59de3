"""A web server told to stop finishes its open requests; for the worker, see `tests/jobs/test_worker.py`."""

import asyncio
import signal

import asyncpg
import httpx
import pytest

from demo.run import HOST, _is_healthy
from tests.cli.test_operators import port, running
from tests.hub import Hub
from tests.servers import environment
from tests.waiting import until

__all__ = ["port"]

RENAME = 'mutation { updateAccount(input: {name: "Renamed"}) { userErrors { code } } }'
WAITING = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
async def test_a_server_told_to_stop_answers_open_requests_and_accepts_no_new_ones(
    hub: Hub, port: int, sign: signal.Signals
) -> None:
    ann = await hub.mediator()
    address = f"http://{HOST}:{port}"
    with running({**environment(hub.settings)}, "serve", "--port", str(port)) as server:
        await asyncio.to_thread(hub.services.processes.wait_for, "the server", lambda: _is_healthy(port))
        held = await asyncpg.connect(hub.services.admin_url)
        lock = held.transaction()
        await lock.start()
        await held.execute("SELECT FROM account WHERE id = $1 FOR UPDATE", ann.id)
        async with httpx.AsyncClient(headers={"cookie": f"session={ann.cookie}"}, timeout=60) as client:
            renaming = asyncio.create_task(client.post(f"{address}/graphql", json={"query": RENAME}))

            async def is_in_flight() -> bool:
                return bool(await hub.rows(WAITING))

            await until(is_in_flight)
            server.send_signal(sign)

            async def takes_nothing_new() -> bool:
                return not await asyncio.to_thread(_is_healthy, port)

            await until(takes_nothing_new)
            assert not renaming.done()
            await lock.rollback()
            answer = await renaming
        await held.close()
        assert (answer.status_code, answer.json()) == (200, {"data": {"updateAccount": {"userErrors": []}}})
        _, errors = await asyncio.to_thread(server.communicate, timeout=60)
        assert errors == ""
        assert server.returncode in {0, -sign}
    assert (await hub.rows("SELECT name FROM account"))[0]["name"] == "Renamed"
