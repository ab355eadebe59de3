import socket
from functools import partial
from uuid import uuid4

import httpx
import pytest
from prometheus_client import REGISTRY, CollectorRegistry

from demo.embedded import Services
from demo.run import HOST
from jobs import mail
from jobs.outbox import enqueue
from settings import SettingsError, load
from tests.cli.test_operators import port, running
from tests.hub import Hub
from tests.servers import environment, free_port
from tests.waiting import until
from web import metrics

__all__ = ["port"]

CANARY = "canary"


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def scraped(port: int) -> str:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://{HOST}:{port}/metrics")
    assert answer.status_code == 200
    return answer.text


async def test_requests_are_counted_by_route_and_never_by_what_was_typed(hub: Hub) -> None:
    page = {"route": "/feedback/{secret}", "method": "GET"}
    before, timed = (
        value("logbook_requests_total", **page, status="404"),
        value("logbook_request_seconds_count", **page),
    )
    await hub.client.get(f"/feedback/{CANARY}?name={CANARY}", headers={"user-agent": CANARY})
    await hub.client.request(CANARY.upper(), f"/{CANARY}")
    assert value("logbook_requests_total", **page, status="404") == before + 1
    assert value("logbook_request_seconds_count", **page) == timed + 1
    assert value("logbook_requests_total", route="none", method="other", status="404") >= 1
    names = [str(sample.labels) for family in REGISTRY.collect() for sample in family.samples]
    assert CANARY not in " ".join(names).lower()


async def test_operations_are_counted_by_how_they_ended(hub: Hub) -> None:
    def counts() -> list[float]:
        outcomes = ("ok", "GRAPHQL_PARSE_FAILED", "UNAUTHENTICATED")
        return [value("logbook_graphql_operations_total", outcome=outcome) for outcome in outcomes]

    before = counts()
    await hub.ask("{ __typename }")
    await hub.ask(f"{{ {CANARY}")
    await hub.ask("{ __typename }", token=CANARY)
    assert [now - then for now, then in zip(counts(), before, strict=True)] == [1, 1, 1]


async def test_the_pool_is_watched(hub: Hub) -> None:
    database = hub.app.state.database
    async with database.reading(), database.reading():
        assert value("logbook_database_connections_in_use") == 2
    assert value("logbook_database_connections_in_use") == 0
    assert value("logbook_database_connections_most") == hub.settings.database_pool_size


async def test_mail_jobs_and_chores_are_counted_by_kind_and_outcome(hub: Hub) -> None:
    def counts() -> list[float]:
        return [
            value("logbook_mail_total", kind="email_changed", outcome="done"),
            value("logbook_mail_total", kind="email_changed", outcome="dead"),
            value("logbook_chores_total", chore="erase_request_details", outcome="done"),
        ]

    before = counts()
    async with hub.database.transaction() as transaction:
        await enqueue(transaction, mail.EMAIL_CHANGED, uuid4(), recipient="a@demo.example", recipient_name="A")
        await enqueue(transaction, mail.EMAIL_CHANGED, uuid4(), recipient="nobody", recipient_name="N")
    await hub.work()
    assert [now - then for now, then in zip(counts(), before, strict=True)] == [1, 1, 1]


async def test_the_outbox_is_counted_when_prometheus_asks(hub: Hub, port: int) -> None:
    async with hub.database.transaction() as transaction:
        for number in range(3):
            await enqueue(transaction, mail.VERIFY_EMAIL, uuid4(), recipient=f"{CANARY}{number}@demo.example")
    await hub.rows("UPDATE outbox SET created_at = created_at - interval '1 hour'")
    settings = load(**dict(hub.settings) | {"metrics_port": port})
    with metrics.served(settings, CollectorRegistry()):
        text = await scraped(port)
    assert "logbook_database_up 1.0" in text
    assert 'logbook_outbox{kind="verify_email",state="QUEUED"} 3.0' in text
    assert 'logbook_outbox_oldest_seconds{kind="verify_email",state="QUEUED"} 36' in text
    assert CANARY not in text


async def test_metrics_are_served_while_the_database_is_away(services: Services, hub: Hub, port: int) -> None:
    away = "postgresql://logbook_app@127.0.0.1:1/logbook"
    settings = load(**dict(hub.settings) | {"metrics_port": port, "database_url": away})
    registry = CollectorRegistry()
    with metrics.served(settings, registry):
        text = await scraped(port)
    assert "logbook_database_up 0.0" in text
    assert "logbook_outbox{" not in text


async def test_without_a_port_nothing_is_served(hub: Hub) -> None:
    registry = CollectorRegistry()
    with metrics.served(hub.settings, registry):
        assert list(registry.collect()) == []


async def test_a_port_that_is_taken_is_reported_in_one_line(hub: Hub) -> None:
    with socket.create_server((HOST, 0)) as taken:
        settings = load(**dict(hub.settings) | {"metrics_port": taken.getsockname()[1]})
        with pytest.raises(SettingsError, match="METRICS_PORT cannot be used"), metrics.served(settings):
            pass


async def test_a_web_server_and_a_worker_each_serve_their_own_metrics(hub: Hub, port: int) -> None:
    ports = [free_port(), free_port()]
    values = environment(hub.settings)
    web, worker = ({**values, "METRICS_PORT": str(each)} for each in ports)
    with running({**web}, "serve", "--port", str(port)), running({**worker}, "worker"):

        async def has(port: int, wanted: str) -> bool:
            try:
                return wanted in await scraped(port)
            except httpx.TransportError:
                return False

        chore = 'logbook_chores_total{chore="erase_request_details",outcome="done"} 1.0'
        await until(partial(has, ports[1], chore))
        await until(partial(has, ports[0], "logbook_database_up 1.0"))
        async with httpx.AsyncClient() as client:
            await client.get(f"http://{HOST}:{port}/healthz")
        answered = 'logbook_requests_total{method="GET",route="/healthz",status="200"} 1.0'
        await until(partial(has, ports[0], answered))
