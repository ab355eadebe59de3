"""Fixtures: a hub with people of every kind."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.privacy.place import Place, living
from web.embedded import Services


@pytest.fixture
async def place(services: Services, tmp_path: Path) -> AsyncIterator[Place]:
    async with living(services, tmp_path) as place:
        yield place
