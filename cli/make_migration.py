"""What `logbook make-migration` does: find an empty database, and say what was written."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import typer
from alembic.util import CommandError

from models.make_migration import make_migration
from settings import SettingsError
from web.preflight import usable_database


def run(what: str, owner_url: str | None) -> int:
    """Write the migration and give the command's status: 1 if a person has to fix something in it."""
    with _empty_database(owner_url) as url, usable_database("DATABASE_OWNER_URL", CommandError):
        written = make_migration(url, what)
    if written.path is not None:
        typer.echo(f"Wrote {written.path}. Look it over before you commit it.")
    elif not written.problems:
        typer.echo("The migrations already lead to what the models and the rules say: nothing was written.")
    for problem in written.problems:
        typer.echo(problem, err=True)
    return 1 if written.problems else 0


@contextmanager
def _empty_database(owner_url: str | None) -> Iterator[str]:
    """Give the URL of the database that was named, or of one that runs as long as the block does."""
    if owner_url is not None:
        yield owner_url
        return
    try:
        from demo.embedded import embedded  # late: the image for production has no demo
        from demo.processes import StartError
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"DATABASE_OWNER_URL is not set, and the demo extra is not installed: there is no {error.name}"
        ) from None
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        try:
            services = stack.enter_context(embedded(folder, durable=False))
        except (StartError, ModuleNotFoundError) as error:
            raise SettingsError(
                f"DATABASE_OWNER_URL is not set, and the demo extra's PostgreSQL does not start: {error}"
            ) from None
        yield services.database_owner_url
