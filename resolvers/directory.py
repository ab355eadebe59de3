"""Directories: the list that every signed-in person sees, and what administrators change of it."""

from functools import cache
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.types import Uuid

from i18n import gettext as _
from jobs import mail
from models.account import LinkPurpose, Role, accounts
from models.database import Row, Statement
from models.directory import directories
from models.outbox import AuditAction
from permissions.addresses import account_key
from permissions.secrets import SET_PASSWORD_LASTS, fold_name
from resolvers.audit import note
from resolvers.checks import Check
from resolvers.context import Context
from resolvers.errors import Code, refuse
from resolvers.links import mail_link
from resolvers.paging import Connection, Page, Sort, connection, page_statement, page_values
from resolvers.repeats import Once, earlier_result

_BY_NAME = Sort("name", accounts.c.name_key, nullable=False)
_joined = directories.join(accounts, accounts.c.id == directories.c.id)
_listed = accounts.c.roles.contains([Role.DIRECTORY.value])
_rows = select(directories.c.id, accounts.c.name, directories.c.website).select_from(_joined).where(_listed)
_count = Statement(select(func.count()).select_from(_joined).where(_listed))
_one = Statement(_rows.where(directories.c.id == bindparam("id", type_=Uuid())))


@cache
def _page(backwards: bool, cursor: bool | None) -> Statement:
    return Statement(page_statement(_rows, directories.c.id, _BY_NAME, backwards=backwards, cursor=cursor))


async def directory_page(context: Context, asked: Page) -> Connection:
    """Give a page of all directories, by name."""
    cursor, paging = page_values(_BY_NAME, asked)
    async with context.database.reading() as reading:
        rows = await reading.all(_page(asked.backwards, cursor), **paging)

    async def count() -> int:
        async with context.database.reading() as reading:
            return int(await reading.value(_count))

    return connection(rows, _BY_NAME, asked, count)


async def directory(context: Context, directory_id: UUID) -> Row | None:
    """Load one directory."""
    async with context.database.reading() as reading:
        return await reading.first(_one, id=directory_id)


async def create_directory(context: Context, name: str, email: str, website: str | None, once: Once) -> UUID:
    """Make an account for a directory and mail it a link that sets its password; give its id."""
    check = Check()
    name, address = check.name("name", name), check.email("email", email) or ""
    website = check.url("website", website)
    check.done()
    new_id = uuid4()
    async with context.transaction() as transaction:
        if earlier := await earlier_result(context, transaction, "createDirectory", once, new_id):
            return earlier
        made = await transaction.run(
            insert(accounts)
            .values(
                id=new_id,
                name=name,
                name_key=fold_name(name),
                email=address,
                email_key=account_key(address),
                roles=[Role.DIRECTORY.value],
            )
            .on_conflict_do_nothing()
        )
        if not made:
            refuse(
                "email", Code.TAKEN, _("There's already an account with this address. Give it the role with setRoles.")
            )
        await transaction.run(insert(directories).values(id=new_id, website=website))
        await mail_link(
            context, transaction, new_id, LinkPurpose.SET_PASSWORD, SET_PASSWORD_LASTS, mail.DIRECTORY_ACCESS
        )
        await note(context, transaction, AuditAction.DIRECTORY_CREATED, new_id)
    return new_id


async def update_directory(context: Context, directory_id: UUID, changes: dict[str, Any]) -> None:
    """Change a directory's name or website."""
    check = Check()
    if "name" in changes:
        changes["name"] = check.name("name", changes["name"])
    if "website" in changes:
        changes["website"] = check.url("website", changes["website"])
    check.done()
    async with context.transaction() as transaction:
        if not await transaction.first(_one, id=directory_id):
            refuse("id", Code.NOT_FOUND, _("There's no such directory."))
        if "name" in changes:
            named = {"name": changes["name"], "name_key": fold_name(changes["name"])}
            await transaction.run(update(accounts).where(accounts.c.id == directory_id).values(**named))
        if "website" in changes:
            await transaction.run(
                update(directories).where(directories.c.id == directory_id).values(website=changes["website"])
            )
