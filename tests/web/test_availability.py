import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest

from demo.embedded import Services
from models import migrate
from models import pool as models_pool
from models.database import Database
from tests.hub import Hub, Person, opened
from tests.servers import postgres

PATHS = ["/", "/signin", "/logbook", "/logbook.csv", "/account"]
ME = "{ me { name } }"


@asynccontextmanager
async def exhausted(hub: Hub) -> AsyncIterator[None]:
    """Hold every connection of the pool."""
    async with AsyncExitStack() as held:
        for _ in range(hub.settings.database_pool_size):
            await held.enter_async_context(hub.app.state.database.reading())
        yield


async def page(hub: Hub, path: str, by: Person) -> httpx.Response:
    return await hub.client.get(path, headers={"accept": "text/html", "cookie": f"session={by.cookie}"})


async def assert_all_is_503(hub: Hub, by: Person) -> None:
    for path in PATHS:
        response = await page(hub, path, by)
        assert (response.status_code, response.headers["retry-after"]) == (503, "5"), path
        assert "Please try again in a few seconds." in response.text
        assert response.headers["content-security-policy"]
        assert "set-cookie" not in response.headers  # it signs nobody out
    for answer in (await hub.ask(ME, by=by), await hub.ask('{ feedbackSubject(link: "a-link") { name } }')):
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        (error,) = answer.body["errors"]
        assert error["extensions"] == {"code": "UNAVAILABLE", "retryAfter": 5}
        assert error["message"] == "We can't do this right now. Please try again in a few seconds."
    by_token = await hub.ask(ME, token="any", headers={"origin": "https://app.example"})
    assert (by_token.status, by_token.headers["retry-after"]) == (503, "5")
    assert by_token.headers["access-control-allow-origin"] == "*"
    for path in ("/healthz", "/static/style.css"):
        assert (await hub.client.get(path)).status_code == 200


async def test_an_exhausted_pool_gets_a_503_that_says_when_to_try_again_and_never_hangs(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await hub.mediator()
    monkeypatch.setattr(models_pool, "ACQUIRE_TIMEOUT", 0.05)
    async with asyncio.timeout(60), exhausted(hub):
        await assert_all_is_503(hub, ann)
    assert (await hub.ask(ME, by=ann)).data == {"me": {"name": ann.name}}
    assert (await page(hub, "/logbook", ann)).status_code == 200


async def test_a_request_that_waits_a_moment_for_a_connection_is_answered(hub: Hub) -> None:
    ann = await hub.mediator()
    async with exhausted(hub):
        asked = asyncio.create_task(hub.ask(ME, by=ann))
        await asyncio.sleep(0)
    assert (await asked).data == {"me": {"name": ann.name}}


async def test_a_form_that_cannot_be_saved_comes_back_with_what_was_typed(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await hub.mediator()
    signed_in = {"accept": "text/html", "cookie": f"session={ann.cookie}"}
    typed = {"name": "A name that took long to type"}

    def none_left(_self: Database) -> None:
        raise models_pool.Unavailable

    monkeypatch.setattr(Database, "transaction", none_left)
    response = await hub.client.post("/account/name", headers=signed_in, data=typed)
    assert response.status_code == 503, response.text
    assert typed["name"] in response.text
    monkeypatch.undo()
    assert await hub.rows("SELECT FROM account WHERE name = $1", typed["name"]) == []


async def test_a_request_with_one_change_already_made_does_not_invite_sending_it_all_again(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await hub.mediator()
    original, opened_before = Database.transaction, 0

    @asynccontextmanager
    async def only_once(database: Database) -> AsyncIterator[object]:
        nonlocal opened_before
        opened_before += 1
        if opened_before > 1:
            raise models_pool.Unavailable
        async with original(database) as transaction:
            yield transaction

    monkeypatch.setattr(Database, "transaction", only_once)
    change = 'updateAccount(input: {name: "%s"}) { userErrors { code } }'
    answer = await hub.ask(f"mutation {{ a: {change % 'First'} b: {change % 'Second'} }}", by=ann)
    assert (answer.status, answer.codes) == (200, ["UNAVAILABLE"])
    assert answer.body["data"] == {"a": {"userErrors": []}, "b": None}
    assert (await hub.rows("SELECT name FROM account WHERE id = $1", ann.id))[0]["name"] == "First"


async def test_while_the_database_is_away_everybody_is_told_so_and_afterwards_it_all_works(services: Services) -> None:
    with postgres() as own:
        owner = own.url.replace("logbook_app", "logbook_owner")
        async with opened(services, database_url=own.url, database_owner_url=owner) as hub:
            await asyncio.to_thread(migrate.upgrade, hub.settings)
            ann = await hub.mediator()
            assert (await page(hub, "/logbook", ann)).status_code == 200
            await asyncio.to_thread(own.stop)
            await assert_all_is_503(hub, ann)
            await asyncio.to_thread(own.start)
            assert (await page(hub, "/logbook", ann)).status_code == 200
            assert (await hub.ask(ME, by=ann)).data == {"me": {"name": ann.name}}
