"""The demo's data."""

from settings import Settings

DEMO_PASSWORD = "demo"
ACCOUNTS: list[tuple[str, str]] = []


async def fill(settings: Settings) -> None:
    """Put in the demo's data, once."""
