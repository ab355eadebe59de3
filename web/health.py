"""What load balancers and operators ask: whether the process is alive, and whether it can serve requests."""

from typing import Any

import asyncpg
import structlog
from sqlalchemy import Text, literal_column, select, table
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from jobs.outbox_census import is_stuck
from models.migrate import Schema, schema_at
from models.pool import Unavailable

log = structlog.get_logger()

_REVISION = select(literal_column("version_num", Text()).label("revision")).select_from(table("alembic_version"))


async def healthz(_request: Request) -> Response:
    """Say that the process answers."""
    return PlainTextResponse("alive\n")


async def readyz(request: Request) -> Response:
    """Tell whether requests can be served (otherwise 503).

    Also say whether the queue moves, which doesn't affect the status. Anybody may ask, so it gives no numbers: the
    moment when a mail was queued could tell what somebody did. `/metrics` has the numbers.
    """
    try:
        found = await _look(request)
    except (Unavailable, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        log.info("not_ready", error=type(error).__name__)
        found = {"ready": False, "database": "away"}
    return JSONResponse(found, 200 if found["ready"] else 503)


async def _look(request: Request) -> dict[str, Any]:
    async with request.app.state.database.reading() as reading:
        schema = schema_at(await reading.value(_REVISION, str))
        stuck = await is_stuck(reading)
    return {
        "ready": schema is not Schema.BEHIND,
        "database": "reachable",
        "migrations": schema,
        "queue": "stuck" if stuck else "moving",
    }
