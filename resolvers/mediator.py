"""Mediators: those that a viewer may see, and the viewer's own profile."""

from enum import Enum
from functools import partial
from uuid import UUID

import strawberry
from sqlalchemy import ClauseElement, bindparam, func, select, true, update
from sqlalchemy.types import Uuid
from strawberry import UNSET

from i18n import gettext as _
from models.account import accounts
from models.mediator import Visibility
from models.mediator import mediators as _mediators
from models.statement import AnySelect, Row, statement
from permissions.scopes import mediators_joined, standing_column, visible_mediators
from permissions.sealing import open_personal_link
from permissions.secrets import Opens, stored_link_secret
from permissions.viewer import Standing
from resolvers.context import Context, Info
from resolvers.errors import Code, NotFound
from resolvers.experience import whole_experience
from resolvers.inputs import given, read_id
from resolvers.mediator_row import MediatorRow, SummedMediatorRow
from resolvers.names import BY_NAME, name_matches, search_words
from resolvers.paging import Connection, Count, PageArguments, list_page, page_statement
from resolvers.selection import fields_below
from resolvers.validation import Check
from settings import Settings


def _rows(standings: Standing) -> AnySelect:
    return select(
        _mediators.c.id,
        accounts.c.name,
        accounts.c.email,
        _mediators.c.about,
        _mediators.c.profile_url,
        _mediators.c.visibility,
        standing_column(standings),
    ).select_from(mediators_joined())


@statement(MediatorRow, lambda _standings, _asked, added_up: SummedMediatorRow if added_up else MediatorRow)
def _one(standings: Standing, asked: Standing, added_up: bool) -> ClauseElement:
    rows = _rows(standings).where(visible_mediators(asked), _mediators.c.id == bindparam("id", type_=Uuid()))
    if added_up:
        sums = whole_experience(_mediators.c.id)
        rows = rows.add_columns(*sums.c).join(sums, true())
    return rows


@strawberry.enum(name="Standing", description="Your standing towards a mediator.")
class StandingName(Enum):
    """A standing towards a mediator, with its name in the API."""

    SELF = Standing.SELF.value
    REVIEWER = Standing.REVIEWER.value
    DIRECTORY = Standing.DIRECTORY.value
    ADMIN = Standing.ADMIN.value


def asked_standings(context: Context, standing: StandingName | None) -> Standing:
    """Give those of the viewer's standings that were asked for."""
    standings = context.viewer.standings
    return standings & Standing(standing.value) if standing else standings


async def _load(
    context: Context, mediator_id: UUID, standing: StandingName | None, *, added_up: bool = False
) -> MediatorRow:
    statement = _one(context.viewer.standings, asked_standings(context, standing), added_up)
    async with context.database.reading() as reading:
        row = await reading.first(statement, viewer=context.account_id, id=mediator_id)
    if row is None:
        raise NotFound
    return row


async def mediator(info: Info, id: strawberry.ID, standing: StandingName | None = None) -> MediatorRow:
    """Load a mediator that the viewer has this standing towards (None: any).

    If only the totals of all cases are asked for, they come with the row, and `experience` needs no statement.

    Raises:
        NotFound: there's no such mediator, or the viewer doesn't have that standing.
    """
    below = fields_below(info)
    added_up = "experience" in below and below.isdisjoint({"byRole", "byYear"})
    return await _load(info.context, read_id(id), standing, added_up=added_up)


async def own(context: Context) -> MediatorRow | None:
    """Load the viewer's own profile; None if they aren't a mediator."""
    try:
        return await _load(context, context.account_id, None)
    except NotFound:
        return None


@statement(MediatorRow)
def _page(standings: Standing, asked: Standing, searched: bool, backwards: bool, cursor: bool | None) -> ClauseElement:
    rows = _rows(standings).where(visible_mediators(asked))
    if searched:
        rows = rows.where(name_matches())
    return page_statement(rows, _mediators.c.id, BY_NAME, backwards=backwards, cursor=cursor)


@statement(Count)
def _count(asked: Standing, searched: bool) -> ClauseElement:
    rows = select(func.count().label("count")).select_from(mediators_joined()).where(visible_mediators(asked))
    return rows.where(name_matches()) if searched else rows


async def mediators(
    info: Info, page: PageArguments, search: str | None = None, standing: StandingName | None = None
) -> Connection[MediatorRow]:
    """Give a page of the mediators that the viewer may see, by name; `standing` keeps those seen with that standing.

    Raises:
        BadInput: the page's arguments don't fit together, or the cursor belongs to another list.
    """
    context = info.context
    asked, words = asked_standings(context, standing), search_words(search)
    rows = partial(_page, context.viewer.standings, asked, bool(words))
    count = _count(asked, bool(words))
    return await list_page(context.database, rows, count, BY_NAME, page, viewer=context.account_id, **words)


class _LinkRow(Row):
    feedback_link_hash: bytes
    feedback_link_sealed: bytes | None


@statement(_LinkRow)
def _link() -> ClauseElement:
    link = _mediators.c.feedback_link_hash, _mediators.c.feedback_link_sealed
    return select(*link).where(_mediators.c.id == bindparam("id", type_=Uuid()))


async def feedback_link(info: Info, mediator: strawberry.Parent[MediatorRow]) -> str | None:
    """Give a mediator's personal link; None if the key that made it is no longer one of the service's."""
    settings = info.context.settings
    async with info.context.database.reading() as reading:
        row = await reading.first(_link(), id=mediator.id)
    if row is None:
        raise NotFound
    if row.feedback_link_sealed is not None:
        return personal_link(settings, open_personal_link(settings, mediator.id, row.feedback_link_sealed))
    secret = stored_link_secret(settings, Opens.PERSONAL_LINK, mediator.id, row.feedback_link_hash)
    return secret and personal_link(settings, secret)


def personal_link(settings: Settings, secret: str) -> str:
    """Give the address of the page where anyone can leave feedback about a mediator."""
    return f"{settings.base_url}/give/{secret}"


@strawberry.input(description="Changes to your profile. Fields you leave out stay as they are.")
class UpdateProfileInput:
    """Changes to the viewer's own profile."""

    about: str | None = UNSET
    profile_url: str | None = UNSET
    visibility: Visibility | None = UNSET


async def update_profile(info: Info, input: UpdateProfileInput) -> MediatorRow | None:
    """Change the viewer's own profile and give it.

    Raises:
        Refused: something in the input needs fixing.
    """
    context, changes = info.context, given(input)
    check = Check()
    if "about" in changes:
        changes["about"] = check.text("about", changes["about"])
    if "profile_url" in changes:
        changes["profile_url"] = check.url("profileUrl", changes["profile_url"])
    if "visibility" in changes and changes["visibility"] is None:
        check.add("visibility", Code.REQUIRED, _("Please choose who can find you."))
    check.done()
    if changes:
        async with context.transaction() as transaction:
            await transaction.run(update(_mediators).where(_mediators.c.id == context.account_id).values(**changes))
    return await own(context)
