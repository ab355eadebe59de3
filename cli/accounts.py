"""What operators do with somebody's account: making an administrator, and taking away a lost second factor."""

import asyncio
from typing import Annotated
from uuid import UUID, uuid4

import typer
from sqlalchemy import func, select

from cli.one_line import one_line
from jobs import audit
from models.account import Role, accounts
from models.database import Transaction, connect
from models.outbox import AuditAction
from models.row_security import Principal
from permissions.passwords import hash_password
from permissions.viewer import Standing
from resolvers.account_row import lock_account, new_account
from resolvers.address import has_address
from resolvers.errors import Refused
from resolvers.second_factor import take_away
from resolvers.validation import Check
from settings import Settings
from web.preflight import reach_database, service_settings

account_commands = typer.Typer()


@account_commands.command("create-admin")
@one_line
def create_admin(
    email: Annotated[str, typer.Option(prompt=True)],
    name: Annotated[str, typer.Option(prompt=True)],
    password: Annotated[str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True)],
) -> None:
    """Create an administrator's account, or make the owner of an account an administrator, too."""
    settings = service_settings()
    asyncio.run(reach_database(settings))
    try:
        typer.echo(asyncio.run(_create_admin(settings, email, name, password)))
    except Refused as refused:
        for problem in refused.problems:
            typer.echo(f"{problem.field}: {problem.message}", err=True)
        raise typer.Exit(1) from None


# The database lets only administrators change roles. An operator has access to everything anyway.
_BY_HAND = Principal(standings=int(Standing.ADMIN))


async def _create_admin(settings: Settings, email: str, name: str, password: str) -> str:
    """Do it and say what was done. An existing account keeps its name and password."""
    check = Check()
    address, name = check.email("email", email) or "", check.name("name", name)
    check.password("password", password, settings.organisation_name, name, address)
    check.done()
    hashed = await hash_password(password)
    new_id = uuid4()
    new = new_account(name, address, Role.ADMIN, password_hash=hashed, id=new_id, email_verified_at=func.clock())
    promoted = new.on_conflict_do_update(
        index_elements=[accounts.c.email_key],
        set_={"roles": accounts.c.roles + [Role.ADMIN.value]},  # noqa: RUF005 - a column, not a list
        where=~accounts.c.roles.contains([Role.ADMIN.value]),
    )
    async with connect(settings) as database, database.asked_by(_BY_HAND).transaction() as transaction:
        account_id = await transaction.value(promoted.returning(accounts.c.id), UUID)
        if account_id is None:
            return "There is such an administrator already; nothing was changed."
        await _note(transaction, settings, AuditAction.ROLE_ADDED, account_id, Role.ADMIN)
    if account_id == new_id:
        return "The account was made."
    return "There was such an account: it is an administrator's now, and keeps its name and password."


@account_commands.command("remove-second-factor")
@one_line
def remove_second_factor(email: Annotated[str, typer.Option(prompt=True)]) -> None:
    """Remove the second factor of somebody who has lost it and the recovery codes. Make sure first who it is."""
    settings = service_settings()
    asyncio.run(reach_database(settings))
    if not asyncio.run(_remove_second_factor(settings, email)):
        typer.echo("There is no account with that address and a second factor.", err=True)
        raise typer.Exit(1)
    typer.echo("It has been removed, all sessions have ended, and the owner of the account gets a mail.")


async def _remove_second_factor(settings: Settings, email: str) -> bool:
    async with connect(settings) as database, database.transaction() as transaction:
        owner = select(accounts.c.id).where(has_address(email.strip()))
        account = await lock_account(transaction, await transaction.value(owner, UUID))
        if account is None or not await take_away(transaction, account.id):
            return False
        await _note(transaction, settings, AuditAction.SECOND_FACTOR_REMOVED, account.id)
        return True


async def _note(
    transaction: Transaction, settings: Settings, action: AuditAction, account_id: UUID, reason: str | None = None
) -> None:
    """Write an entry of the audit log without an actor: an operator has no account here."""
    entry = {"action": action, "subject_id": account_id, "account_id": account_id, "reason": reason}
    await audit.write(transaction, settings, [entry])
