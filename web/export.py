"""The export of all your data: a ZIP of JSON and CSV, made by a job through its owner's own projection.

The operations of `export_archive.graphql` run in process as the owner, so an archive holds what they may read at the
time, and nothing else. For somebody with several roles, it holds only what's their own.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from textwrap import fill
from typing import Any
from uuid import UUID

from graphql import FieldNode, OperationDefinitionNode, SelectionSetNode, parse, print_ast
from sqlalchemy import ClauseElement, bindparam, func, select, update
from sqlalchemy.types import Integer, Interval, LargeBinary, Uuid

from i18n import LazyText, format_day, gettext
from i18n import lazy_gettext as _
from jobs import mail
from jobs.outbox import WorkRow, enqueue
from models.account import Role, accounts
from models.cpd import CPD_FIELDS
from models.database import Database
from models.fields import FieldKind
from models.outbox import data_exports
from models.statement import Row, statement
from permissions.scopes import DETAILS_DAYS
from permissions.secrets import EXPORT_LASTS
from permissions.viewer import Viewer
from resolvers.context import Context
from resolvers.limits import Limiter
from resolvers.paging import MAX_PAGE_SIZE
from schema import execution
from settings import Settings
from web.archive import Archive
from web.documents import document
from web.entry_fields import writer
from web.labels import Format


class ExportError(Exception):
    """The owner's projection gave no answer, so the job is tried again."""


@dataclass(frozen=True)
class Part:
    """One part of an archive: its operation and its files have its name, and `says` tells what's in it.

    `own`: only the row with the owner's id, from a list of everybody. `items`: the field of each row whose items are
    this part's rows; the rest of the row goes into each of them. `written`: what writes a field in one cell of the CSV
    that has fields of its own.
    """

    name: str
    says: LazyText
    is_list: bool = True
    own: bool = False
    items: str | None = None
    written: Mapping[str, Format] = field(default_factory=dict)


PARTS = (
    Part("account", _("Your account, and the exports you've asked for."), is_list=False),
    Part("sessions", _("The browsers signed in to your account.")),
    Part("api_tokens", _("Your API tokens. Their secrets aren't stored anywhere, so they aren't here.")),
)
PARTS_OF_ROLE = {
    Role.MEDIATOR: (
        Part("profile", _("Your profile, and what your logbook adds up to."), is_list=False),
        Part("logbook", _("Your logbook, the latest case first.")),
        Part("case_sessions", _("The sessions of each case. caseId is the id of the case."), items="sessions"),
        Part(
            "cpd",
            _("Your continuing professional development, the latest first."),
            written={one.graphql_name: writer(one) for one in CPD_FIELDS if one.kind is FieldKind.CREDITS},
        ),
        Part(
            "evidence",
            _(
                "The files that you attached to your CPD. entryId is the id of the entry. The files themselves are in "
                "the folder files, each below its id: those that you have when you download this."
            ),
            items="files",
        ),
        Part("opening_balances", _("The hours from before your logbook that you declared yourself.")),
        Part("learnings", _("Your reflections, the latest first. entryId is the id of the entry each one is from.")),
        Part("feedback", _("The feedback that was shared with you. The CSV has a row for each answer.")),
        Part("feedback_questions", _("What the survey asks under each key.")),
        Part(
            "feedback_requests",
            _(
                "When you asked for feedback. Who you asked, and your reference, are never exported: they're deleted "
                "%(days)s days after the request."
            ),
        ),
    ),
    Role.REVIEWER: (Part("reviewed_mediators", _("The mediators whom you review, and how you said you know them.")),),
    Role.DIRECTORY: (Part("directory", _("What the list of directories says about you."), own=True),),
}


def parts_of(roles: frozenset[Role]) -> list[Part]:
    """Give the parts for somebody with these roles."""
    return [*PARTS, *(part for role, parts in PARTS_OF_ROLE.items() if role in roles for part in parts)]


_document = parse(document("export_archive"))
ARCHIVE_OPERATIONS = {
    operation.name.value: operation
    for operation in _document.definitions
    if isinstance(operation, OperationDefinitionNode) and operation.name
}
_TEXTS = {name: print_ast(operation) for name, operation in ARCHIVE_OPERATIONS.items()}

_export_id = bindparam("export_id", type_=Uuid())
_to_make = (data_exports.c.id == _export_id, data_exports.c.archive.is_(None))
_STORE = (
    update(data_exports)
    .where(*_to_make)
    .values(
        archive=bindparam("made", type_=LargeBinary()),
        ready_at=func.clock(),
        expires_at=func.clock() + bindparam("lasts", EXPORT_LASTS, Interval()),
        percent=100,
    )
)
_PROGRESS = update(data_exports).where(*_to_make).values(percent=bindparam("done", type_=Integer()))


class _OwnerRow(Row):
    id: UUID
    roles: list[str]
    verified: bool


@statement(_OwnerRow)
def _owner() -> ClauseElement:
    return (
        select(accounts.c.id, accounts.c.roles, accounts.c.email_verified_at.is_not(None).label("verified"))
        .join(data_exports, data_exports.c.account_id == accounts.c.id)
        .where(*_to_make)
    )


# Runs a part's operation, from a cursor or None, and gives what it asks for: an object, a list or a connection.
Ask = Callable[[Part, str | None], Awaitable[Any]]
# Takes how much has been made, in percent.
Progress = Callable[[int], Awaitable[None]]


async def make(database: Database, settings: Settings, work: WorkRow) -> None:
    """Make the archive of the export `work.subject_id` and mail its link; do nothing if it's gone or already made."""
    async with database.reading() as reading:
        owner = await reading.first(_owner(), export_id=work.subject_id)
    if owner is None:
        return
    viewer = Viewer(owner.id, frozenset(Role(role) for role in owner.roles), verified=owner.verified)
    limiter = Limiter(settings)

    async def progress(percent: int) -> None:
        async with database.transaction() as transaction:
            await transaction.run(_PROGRESS, export_id=work.subject_id, done=percent)

    try:
        ask = _asking(viewer, database, settings, limiter)
        made = await _archive(ask, progress, viewer, settings, database.now())
    finally:
        await limiter.close()
    async with database.transaction() as transaction:
        if await transaction.run(_STORE, export_id=work.subject_id, made=made):
            key = f"{mail.EXPORT_READY.name}:{work.subject_id}"
            await enqueue(transaction, mail.EXPORT_READY, work.subject_id, dedupe_key=key)


def _asking(viewer: Viewer, database: Database, settings: Settings, limiter: Limiter) -> Ask:
    async def ask(part: Part, after: str | None) -> Any:
        # A context for each page, because a context remembers everything it has loaded.
        context = Context(viewer, database, settings, limiter, wake=lambda: None)
        answer = await execution.run(context, _TEXTS[part.name], {"after": after, "first": MAX_PAGE_SIZE}, None)
        found = answer.body.get("data")
        while isinstance(found, dict) and len(found) == 1:
            (found,) = found.values()
        if found is None or "errors" in answer.body:
            raise ExportError(part.name)
        return found

    return ask


async def _archive(ask: Ask, progress: Progress, viewer: Viewer, settings: Settings, now: datetime) -> bytes:
    parts = parts_of(viewer.roles)
    with Archive(now) as archive:
        archive.add_text("README.txt", guide(settings, parts, now))
        for number, part in enumerate(parts):
            # Never 100: that's written along with the archive itself.
            await progress(100 * number // len(parts))
            if part.is_list:
                await archive.add_list(part.name, columns(part), _rows(ask, part, viewer), part.written)
            else:
                archive.add_object(part.name, await ask(part, None))
        return archive.finish()


async def _rows(ask: Ask, part: Part, viewer: Viewer) -> AsyncIterator[dict[str, Any]]:
    """Walk a list to its end."""
    more, after = True, None
    while more:
        found = await ask(part, after)
        if isinstance(found, list):
            found = {"nodes": found, "pageInfo": {"hasNextPage": False, "endCursor": None}}
        for row in found["nodes"]:
            if not part.own or row["id"] == str(viewer.account_id):
                for one in _items(part, row):
                    yield one
        more, after = found["pageInfo"]["hasNextPage"], found["pageInfo"]["endCursor"]


def _items(part: Part, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if part.items is None:
        yield row
        return
    rest = {name: value for name, value in row.items() if name != part.items}
    for item in row[part.items]:
        yield rest | item


def columns(part: Part) -> list[str]:
    """Give the columns of a part's CSV: what its operation asks for in each row."""
    return list(_leaves(ARCHIVE_OPERATIONS[part.name].selection_set, part.written.keys()))


def _leaves(selected: SelectionSetNode, written: Container[str]) -> Iterator[str]:
    for one in selected.selections:
        if not isinstance(one, FieldNode) or one.name.value == "pageInfo":
            continue
        if one.selection_set is None or one.name.value in written:
            yield (one.alias or one.name).value
        else:
            yield from _leaves(one.selection_set, written)


def guide(settings: Settings, parts: list[Part], now: datetime) -> str:
    """Write the README of an archive."""
    time = f"{now:%H:%M}"
    lines = [
        gettext(
            "Your data in %(organisation)s, on %(day)s at %(time)s UTC",
            organisation=settings.organisation_name,
            day=format_day(now.date()),
            time=time,
        ),
        "",
        fill(
            gettext(
                "Each list comes twice: as CSV for a spreadsheet, and as JSON for a program. Durations are in minutes, "
                "times in UTC. In the CSV, an apostrophe comes before anything a spreadsheet could take for a formula."
            ),
            80,
        ),
    ]
    for part in parts:
        files = f"{part.name}.json, {part.name}.csv" if part.is_list else f"{part.name}.json"
        lines += [
            "",
            files,
            fill(part.says % {"days": DETAILS_DAYS}, 80, initial_indent="    ", subsequent_indent="    "),
        ]
    return "\n".join([*lines, "", gettext("Questions: %(email)s", email=settings.support_email), ""])
