"""The commands for people who try out the service or work on its source."""

from pathlib import Path
from typing import Annotated

import typer

from cli.one_line import one_line
from cli.operators import Port
from permissions.viewer import Standing
from schema.sdl import sdl
from settings import SettingsError

developers = typer.Typer()


@developers.command()
def schema(
    of: Annotated[str | None, typer.Option("--as", help="public, mediator, reviewer, directory or admin")] = None,
) -> None:
    """Print the schema: all of it, with who sees what, or as much of it as one role gets."""
    standings = {
        "public": Standing.PUBLIC,
        "mediator": Standing.SELF,
        "reviewer": Standing.REVIEWER,
        "directory": Standing.DIRECTORY,
        "admin": Standing.ADMIN,
    }
    if of is None:
        typer.echo(sdl(), nl=False)
    elif of.lower() in standings:
        typer.echo(sdl(standings[of.lower()] | Standing.PUBLIC), nl=False)
    else:
        typer.echo(f"--as is wrong: choose one of {', '.join(standings)}", err=True)
        raise typer.Exit(1)


@developers.command("make-migration")
@one_line
def make_migration(
    what: Annotated[str, typer.Argument(help="What it does, in a sentence")],
    owner_url: Annotated[
        str | None, typer.Option(envvar="DATABASE_OWNER_URL", help="An empty database; without one, the demo's is run")
    ] = None,
) -> None:
    """Write the next migration, from what the models and models/rules.sql say now, for you to look over."""
    from cli import make_migration as migration  # late, because Alembic is

    raise typer.Exit(migration.run(what, owner_url))


@developers.command()
@one_line
def demo(port: Port = 8000, data: Path = Path(".demo"), reset: bool = False) -> None:
    """Run everything on this machine's loopback, with embedded services and demo data."""
    try:
        from demo.run import run  # late: the image for production has no demo
    except ModuleNotFoundError as error:
        raise SettingsError(f"The demo cannot run: {error.name} isn't installed; run `make setup`") from None
    raise typer.Exit(run(port, data, reset))
