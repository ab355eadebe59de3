"""Fixtures: a hub with people of every kind."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from demo.embedded import Services
from schema import execution
from settings import Notice
from tests.privacy.place import Place, living


@pytest.fixture
def notice() -> Notice:
    """How mediators hear of feedback; a test that has other ways has a parameter of this name."""
    return Notice.NAMED


@pytest.fixture
async def place(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, notice: Notice
) -> AsyncIterator[Place]:
    # Everybody asks for the same things: here they all fit into the cache, so each is parsed and validated once.
    monkeypatch.setattr(execution, "CHARACTERS_KEPT", 3_000_000)
    async with living(services, tmp_path, feedback_notice=notice) as place:
        yield place
