"""The commands that run the service, and the ones that operators need."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
import uvicorn
from starlette.routing import Route

from cli import audit_check
from cli.one_line import one_line
from jobs import file_keys, mixing, restore
from jobs import ledger as jobs_ledger
from jobs import rekey as jobs_rekey
from models import refold as models_refold
from models.database import Database, connect, connect_worker
from models.row_security import WORKER
from settings import Settings, SettingsError, describe
from web import logs, metrics
from web import worker as web_worker
from web.app import make_app
from web.connections import serving
from web.preflight import (
    listen,
    reach_services,
    service_settings,
    spare_collection,
    usable_database,
)

operators = typer.Typer()

Port = Annotated[int, typer.Option(min=1, max=65535)]

LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@operators.command()
@one_line
def serve(host: str = "127.0.0.1", port: Port = 8000) -> None:
    """Run the web server."""
    settings = service_settings()
    more_routes = _mailbox_routes(settings, host)
    asyncio.run(reach_services(settings))
    with listen(host, port) as listening, metrics.served(settings), suppress(KeyboardInterrupt):
        logs.configure()
        config = serving(make_app(settings, more_routes=more_routes), settings)
        spare_collection()
        uvicorn.Server(config).run([listening])


def _mailbox_routes(settings: Settings, host: str) -> list[Route]:
    """Give the pages of the demo's caught mail, if it has a folder; SettingsError if they can't be served."""
    if settings.mailbox is None:
        return []
    if host not in LOOPBACK:
        raise SettingsError("MAILBOX is wrong: caught mail is only ever served on the loopback")
    try:
        from demo import mailbox  # late: the image for production has no demo
    except ModuleNotFoundError as error:
        raise SettingsError(f"MAILBOX is wrong: it's only for a demo, and {error.name} isn't installed") from None
    return mailbox.routes


@operators.command()
@one_line
def worker() -> None:
    """Run the worker: mail, expiry, exports."""
    settings = service_settings()
    asyncio.run(web_worker.main(settings))


@operators.command()
@one_line
def migrate() -> None:
    """Bring the database to the newest schema, as DATABASE_OWNER_URL."""
    settings = service_settings()
    # Late, because servers and workers never migrate, and Alembic takes 10 MB and a tenth of a second.
    from alembic.util import CommandError

    from models import migrate as models_migrate

    with usable_database("DATABASE_OWNER_URL", CommandError):
        models_migrate.upgrade(settings)
        asyncio.run(models_refold.as_owner(settings, _finish_migration))


async def _finish_migration(database: Database) -> None:
    """Do what takes transactions of its own: fold names and texts, and drop earlier versions of what was sealed."""
    await models_refold.refold_if_changed(database)
    await mixing.rewrite_tables(database.asked_by(WORKER))


@operators.command()
@one_line
def refold() -> None:
    """Fold all names and texts again, for search and order, as DATABASE_OWNER_URL; `migrate` does it when it has to."""
    settings = service_settings()
    with usable_database("DATABASE_OWNER_URL"):
        changed = asyncio.run(models_refold.as_owner(settings, models_refold.refold))
    typer.echo(f"Folded again: {changed} rows have changed.")


@operators.command()
@one_line
def rekey() -> None:
    """Seal and hash again what is stored, once SECRET_KEY has replaced one of SECRET_KEYS_BEFORE."""
    settings = service_settings()
    with usable_database("DATABASE_OWNER_URL"):
        done = asyncio.run(models_refold.as_owner(settings, lambda database: jobs_rekey.rekey(database, settings)))
    typer.echo(f"Sealed or hashed again: {done.again}.")
    if done.lost:
        typer.echo(f"No key opens: {done.lost}. Is a key missing from SECRET_KEYS_BEFORE?", err=True)
        raise typer.Exit(1)
    if done.stopped:
        typer.echo(
            f"{done.stopped} addresses stopped all requests under an earlier key: keep it in SECRET_KEYS_BEFORE, or "
            "they will be written to again."
        )
    else:
        typer.echo(
            "No stored value needs an earlier key. Mails from the last 90 days do: their links to stop requests."
        )


@operators.command("rotate-keys")
@one_line
def rotate_keys(
    delete_lost: Annotated[bool, typer.Option(help="Delete the files that no key opens: they're lost")] = False,
) -> None:
    """Seal the keys of all files with the first of FILES_KEYS, so that the others can be removed."""
    settings = service_settings()
    if not settings.takes_files:
        raise SettingsError(f"FILES_KEYS is not set: {describe('FILES_KEYS')}")
    with usable_database("DATABASE_OWNER_URL"):
        done = asyncio.run(
            models_refold.as_owner(
                settings, lambda database: file_keys.rotate_keys(database, settings, delete_lost=delete_lost)
            )
        )
    typer.echo(f"Sealed again with the first key: the keys of {done.again} files.")
    if done.lost and delete_lost:
        typer.echo(f"Deleted, because no key opens them: {done.lost} files.")
    elif done.lost:
        typer.echo(f"No key opens: {done.lost} files. Is a key missing from FILES_KEYS?", err=True)
        raise typer.Exit(1)
    typer.echo("No file needs any other key. Backups of the database from before do.")


@operators.command("restore-check")
@one_line
def restore_check(
    ledger: Annotated[
        list[Path] | None, typer.Option(exists=True, dir_okay=False, help="A ledger of deletions")
    ] = None,
    without_ledger: Annotated[
        bool, typer.Option(help="Bring accounts and files back that were deleted since the backup")
    ] = False,
) -> None:
    """Erase what a restored backup mustn't bring back, as DATABASE_OWNER_URL, before anything serves from it."""
    settings = service_settings()
    if bool(ledger) is without_ledger:
        raise SettingsError("Give --ledger with the ledger of deletions, or --without-ledger")
    try:
        deleted = {one for path in ledger or [] for one in jobs_ledger.read_ledger(path)}
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"--ledger cannot be read: {getattr(error, 'strerror', None) or 'not text'}") from None
    try:
        with usable_database("DATABASE_OWNER_URL"):
            done = asyncio.run(_settle(settings, None if without_ledger else deleted))
    except restore.LedgerIncomplete as error:
        raise SettingsError(
            f"--ledger isn't complete: the backup knows of {error.missing} deletions that it lacks"
        ) from None
    typer.echo(
        f"Deleted again: {done.accounts} accounts and {done.files} files. Expired: the details of {done.details} "
        f"requests and {done.origins} origins of feedback. Ended: {done.sessions} sessions. The service can start."
    )


async def _settle(settings: Settings, deleted: set[UUID] | None) -> restore.Settled:
    if settings.database_owner_url is None:
        raise SettingsError("DATABASE_OWNER_URL is not set: restore-check runs as the role that owns the tables")
    async with connect(settings, settings.database_owner_url) as database, database.transaction() as transaction:
        return await restore.settle(transaction, settings, deleted)


@operators.command()
@one_line
def deletions() -> None:
    """Print the ledger of deletions from the database: to begin a ledger, or to check that one is complete."""
    settings = service_settings()
    with usable_database("DATABASE_WORKER_URL" if settings.database_worker_url else "DATABASE_URL"):
        for row in asyncio.run(_deletions(settings)):
            typer.echo(jobs_ledger.line(row.at, row.subject_id), nl=False)


async def _deletions(settings: Settings) -> list[jobs_ledger.Deletion]:
    async with connect_worker(settings) as database, database.reading() as reading:
        return await jobs_ledger.deletions(reading)


@operators.command("audit-check")
@one_line
def check_audit_log(
    heads: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, help="A file of recorded heads; otherwise the one beside the ledger"),
    ] = None,
    head: Annotated[list[str] | None, typer.Option(help="A head that you noted, as in 120:5e2f...")] = None,
) -> None:
    """Check that nobody changed the audit log, left a gap in it or cut off its end; status 3 if somebody did."""
    settings = service_settings()
    anchors = audit_check.read_heads(settings, heads or [], head or [])
    with usable_database("DATABASE_URL"):
        status = asyncio.run(audit_check.run(settings, anchors))
    raise typer.Exit(status)
