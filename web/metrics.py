"""`/metrics` for Prometheus, on a port of its own: what this process counts, and what it finds in the outbox.

Labels are our own words, such as a route's pattern, and never anything that a client sent.
"""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache

import asyncpg
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, Metric, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from jobs.outbox_census import Counted, census
from models.database import Database, connect
from models.pool import Unavailable
from settings import Settings, SettingsError

REQUESTS = Counter("logbook_requests", "HTTP requests that were answered", ["route", "method", "status"])
SECONDS = Histogram(
    "logbook_request_seconds",
    "How long requests took, to the last byte",
    ["route", "method"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
OPERATIONS_RUN = Counter(
    "logbook_graphql_operations", "Requests to /graphql: `ok`, or the first error's code", ["outcome"]
)
POOL = Gauge("logbook_database_connections_in_use", "Connections of the pool that are in use")
MAX_POOL = Gauge("logbook_database_connections_most", "Connections that the pool may hold")

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_LOOK_TIMEOUT = 3.0  # seconds, less than Prometheus waits


def count_request(method: str, route: str | None, status: int, seconds: float) -> None:
    """Count one request; `route` is its pattern, or None."""
    number, times = _series(route or "none", method if method in _METHODS else "other", status)
    number.inc()
    times.observe(seconds)


@lru_cache(maxsize=2_000)
def _series(route: str, method: str, status: int) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(route, method, status), SECONDS.labels(route, method)


@lru_cache(maxsize=100)
def operations_counted(outcome: str) -> Counter:
    """Give the counter of operations with this outcome."""
    return OPERATIONS_RUN.labels(outcome)


def watch_pool(database: Database, settings: Settings) -> None:
    """Report on this pool from now on."""
    POOL.set_function(database.in_use)
    MAX_POOL.set(settings.database_pool_size)


class Outbox(Collector):
    """Looks into the outbox when Prometheus asks, over a connection of its own, because the pool may be the problem."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def describe(self) -> Iterable[Metric]:
        """Give the names without looking."""
        return self._families()

    def _families(self) -> tuple[GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily]:
        labels = ["state", "kind"]
        return (
            GaugeMetricFamily("logbook_database_up", "Whether the database answers"),
            GaugeMetricFamily(
                "logbook_outbox", "Mails and jobs that wait (QUEUED) or were given up (DEAD)", labels=labels
            ),
            GaugeMetricFamily("logbook_outbox_oldest_seconds", "Age of the oldest of them", labels=labels),
        )

    def collect(self) -> Iterable[Metric]:
        """Look. Runs in a thread of the metrics server."""
        up, number, oldest = self._families()
        try:
            rows = asyncio.run(self._look())
        except (Unavailable, OSError, asyncpg.PostgresError):
            up.add_metric([], 0)
            return [up]
        up.add_metric([], 1)
        for row in rows:
            number.add_metric([row.state, row.kind], row.number)
            oldest.add_metric([row.state, row.kind], row.oldest)
        return up, number, oldest

    async def _look(self) -> list[Counted]:
        async with asyncio.timeout(_LOOK_TIMEOUT), connect(self._settings) as database, database.reading() as reading:
            return await census(reading)


@contextmanager
def served(settings: Settings, registry: CollectorRegistry = REGISTRY) -> Iterator[None]:
    """Serve `/metrics` while the block runs, if there's a port for it; SettingsError if the port can't be used."""
    if settings.metrics_port is None:
        yield
        return
    outbox = Outbox(settings)
    registry.register(outbox)
    try:
        server, thread = start_http_server(settings.metrics_port, settings.metrics_host, registry)
    except OSError as error:
        registry.unregister(outbox)
        raise SettingsError(f"METRICS_PORT cannot be used: {error.strerror}") from None
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        registry.unregister(outbox)
