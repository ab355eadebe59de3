"""The specification of GraphQL over HTTP, as checked by the audit of npm's `graphql-http`."""

import asyncio
import json
import os
import shutil
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

import pytest
import uvicorn

from tests.hub import Hub
from tests.waiting import until

NPM = Path(__file__).parents[1] / "npm"
AUDIT = NPM / "graphql_over_http.mjs"


def missing(what: str) -> NoReturn:
    """Skip the test, or fail it where everything has to be there."""
    if os.environ.get("REQUIRE_BROWSER") == "1":
        pytest.fail(f"{what} is missing, and REQUIRE_BROWSER=1 says that it must not be")
    pytest.skip(f"{what} is missing: the audit of GraphQL over HTTP needs it")


@asynccontextmanager
async def served(hub: Hub) -> AsyncIterator[str]:
    """Serve the hub over real HTTP on this machine; yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(hub.app, lifespan="off", log_config=None, ws="none"))
        serving = asyncio.create_task(server.serve([listening]))

        async def started() -> bool:
            return server.started

        await until(started)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/graphql"
        finally:
            server.should_exit = True
            await serving


async def test_every_must_and_should_of_graphql_over_http_is_met(hub: Hub) -> None:
    node = shutil.which("node") or missing("Node")
    if not (NPM / "node_modules" / "graphql-http").is_dir():
        missing("npm's graphql-http in tests/npm/node_modules")
    ann = await hub.mediator()
    async with served(hub) as url:
        audit = await asyncio.create_subprocess_exec(
            node, str(AUDIT), url, f"session={ann.cookie}", stdout=asyncio.subprocess.PIPE
        )
        written, _ = await audit.communicate()
    assert audit.returncode == 0
    results = json.loads(written)
    kinds = Counter(result["name"].split()[0] for result in results)
    assert kinds["MUST"] == 13
    assert kinds["SHOULD"] == 23
    failed = [result for result in results if result["status"] != "ok" and not result["name"].startswith("MAY")]
    assert failed == []
