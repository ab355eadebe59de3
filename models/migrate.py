"""Brings a database to the newest schema, as the role that owns it, and grants the application's role its rights."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from alembic import command
from alembic.config import Config

from settings import Settings, SettingsError

FOLDER = Path(__file__).parent / "migrations"


def config(owner_url: str, app_role: str | None = None) -> Config:
    """Make Alembic's configuration for the database at that URL."""
    made = Config()
    made.set_main_option("script_location", str(FOLDER))
    made.attributes["url"] = owner_url
    made.attributes["app_role"] = app_role
    return made


def upgrade(settings: Settings) -> None:
    """Run what migrations are missing; safe when two start at once (an advisory lock lets one wait)."""
    if settings.database_owner_url is None:
        raise SettingsError("DATABASE_OWNER_URL is not set: migrate runs as the role that owns the tables")
    app_role = unquote(urlsplit(settings.database_url.get_secret_value()).username or "")
    command.upgrade(config(settings.database_owner_url.get_secret_value(), app_role), "head")
