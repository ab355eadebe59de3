"""Fixtures: a hub with people of every kind."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from demo.embedded import Services
from schema import execution
from tests.privacy.place import Place, living


@pytest.fixture
async def place(services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    # Everybody asks for the same things: here they all fit into the cache, so each is parsed and validated once.
    monkeypatch.setattr(execution, "CHARACTERS_KEPT", 3_000_000)
    async with living(services, tmp_path) as place:
        yield place
