"""Directories: the list that everyone signed in can see, and how administrators change it."""

from uuid import UUID, uuid4

import strawberry
from sqlalchemy import ClauseElement, bindparam, func, insert, select, update
from sqlalchemy.types import Uuid
from strawberry import UNSET

from i18n import gettext as _
from jobs import mail
from models.account import LinkPurpose, Role, accounts
from models.directory import directories as _directories
from models.outbox import AuditAction
from models.statement import statement
from permissions.secrets import SET_PASSWORD_LASTS
from resolvers.account_row import named, put_account
from resolvers.audit import note
from resolvers.context import Context, Info
from resolvers.errors import Code, refuse
from resolvers.idempotency import earlier_result, once
from resolvers.inputs import given, read_id
from resolvers.links import mail_link
from resolvers.names import BY_NAME
from resolvers.paging import Connection, Count, ListedRow, PageArguments, list_page, page_statement
from resolvers.validation import Check

_joined = _directories.join(accounts, accounts.c.id == _directories.c.id)
_listed = accounts.c.roles.contains([Role.DIRECTORY.value])
_rows = select(_directories.c.id, accounts.c.name, _directories.c.website).select_from(_joined).where(_listed)


class DirectoryRow(ListedRow):
    """A directory, by its account's id and name."""

    name: str
    website: str | None


@statement(DirectoryRow)
def _one() -> ClauseElement:
    return _rows.where(_directories.c.id == bindparam("id", type_=Uuid()))


@statement(DirectoryRow)
def _page(backwards: bool, cursor: bool | None) -> ClauseElement:
    return page_statement(_rows, _directories.c.id, BY_NAME, backwards=backwards, cursor=cursor)


@statement(Count)
def _count() -> ClauseElement:
    return select(func.count().label("count")).select_from(_joined).where(_listed)


async def directories(info: Info, page: PageArguments) -> Connection[DirectoryRow]:
    """Give a page of all directories, by name.

    Raises:
        BadInput: the page's arguments don't fit together, or the cursor belongs to another list.
    """
    return await list_page(info.context.database, _page, _count(), BY_NAME, page)


async def _directory(context: Context, directory_id: UUID) -> DirectoryRow | None:
    async with context.database.reading() as reading:
        return await reading.first(_one(), id=directory_id)


@strawberry.input
class CreateDirectoryInput:
    """A new directory."""

    name: str
    email: str
    website: str | None = None
    request_key: str | None = None


async def create_directory(info: Info, input: CreateDirectoryInput) -> DirectoryRow | None:
    """Make an account for a directory and email it a link that sets its password. Gives the directory.

    Raises:
        Refused: something in the input needs fixing.
        BadInput: the `requestKey` is too long.
    """
    context, check = info.context, Check()
    name, address = check.name("name", input.name), check.email("email", input.email) or ""
    website = check.url("website", input.website)
    check.done()
    new_id = uuid4()
    async with context.transaction() as transaction:
        if earlier := await earlier_result(context, transaction, "createDirectory", once(input), new_id):
            return await transaction.first(_one(), id=earlier)
        if not await put_account(transaction, new_id, name, address, Role.DIRECTORY):
            refuse(
                "email", Code.TAKEN, _("There's already an account with this address. Give it the role with addRole.")
            )
        await transaction.run(insert(_directories).values(id=new_id, website=website))
        await mail_link(
            context, transaction, new_id, LinkPurpose.SET_PASSWORD, SET_PASSWORD_LASTS, mail.DIRECTORY_ACCESS
        )
        note(context, transaction, AuditAction.DIRECTORY_CREATED, new_id)
    return await _directory(context, new_id)


@strawberry.input(description="Changes to a directory. Fields you leave out stay as they are.")
class UpdateDirectoryInput:
    """Changes to a directory."""

    id: strawberry.ID
    name: str | None = UNSET
    website: str | None = UNSET


async def update_directory(info: Info, input: UpdateDirectoryInput) -> DirectoryRow | None:
    """Change a directory's name or website. Gives the directory.

    Raises:
        Refused: something in the input needs fixing.
    """
    context, directory_id, changes = info.context, read_id(input.id), given(input)
    check = Check()
    if "name" in changes:
        changes["name"] = check.name("name", changes["name"])
    if "website" in changes:
        changes["website"] = check.url("website", changes["website"])
    check.done()
    async with context.transaction() as transaction:
        if not await transaction.first(_one(), id=directory_id):
            refuse("id", Code.NOT_FOUND, _("There's no such directory."))
        if "name" in changes:
            rename = update(accounts).where(accounts.c.id == directory_id).values(named(changes["name"]))
            await transaction.run(rename)
        if "website" in changes:
            await transaction.run(
                update(_directories).where(_directories.c.id == directory_id).values(website=changes["website"])
            )
        note(context, transaction, AuditAction.DIRECTORY_CHANGED, directory_id)
    return await _directory(context, directory_id)
