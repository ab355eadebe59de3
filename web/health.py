"""What a balancer and an operator ask: whether the process lives, and whether it can serve."""

from typing import Any

import asyncpg
import structlog
from sqlalchemy import literal_column, select, table
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from jobs.outbox import census
from models.database import Statement
from models.migrate import Schema, schema_at
from models.outbox import OutboxState
from models.pool import Unavailable

log = structlog.get_logger()

_REVISION = Statement(select(literal_column("version_num").label("revision")).select_from(table("alembic_version")))


async def healthz(_request: Request) -> Response:
    """Tell that the process answers."""
    return PlainTextResponse("alive\n")


async def readyz(request: Request) -> Response:
    """Tell whether requests can be served (else 503), and how much waits in the queue, which decides nothing."""
    try:
        found = await _look(request)
    except (Unavailable, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        log.info("not_ready", error=type(error).__name__)
        found = {"ready": False, "database": "away"}
    return JSONResponse(found, 200 if found["ready"] else 503)


async def _look(request: Request) -> dict[str, Any]:
    async with request.app.state.database.reading() as reading:
        schema = schema_at(await reading.value(_REVISION))
        rows = await census(reading)
    waiting = [row for row in rows if row.state == OutboxState.QUEUED]
    return {
        "ready": schema is not Schema.BEHIND,
        "database": "reachable",
        "migrations": schema,
        "queue": {
            "waiting": sum(row.number for row in waiting),
            "oldest_seconds": round(max((row.oldest for row in waiting), default=0.0)),
            "dead": sum(row.number for row in rows if row.state == OutboxState.DEAD),
        },
    }
