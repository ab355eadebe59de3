"""Mediators: the ones that a viewer may see, and one's own profile."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam, func, select, true, update
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.types import Text, Uuid

from i18n import gettext as _
from models.account import accounts
from models.database import Row, Statement
from models.mediator import mediators
from permissions.scopes import mediators_joined, standing_column, visible_mediators
from permissions.secrets import Opens, fold_name, link_secret
from permissions.viewer import Standing
from resolvers.checks import NAME_MOST, Check
from resolvers.context import Context
from resolvers.errors import Code, NotFound
from resolvers.logbook import whole
from resolvers.paging import Connection, Page, Sort, connection, page_statement, page_values
from settings import Settings

BY_NAME = Sort("name", accounts.c.name_key, nullable=False)


def search_words(text: str) -> str:
    """Make a text-search query: each word of the text, as far as a name can go, must begin a word of the name."""
    words = "".join(c if c.isalnum() else " " for c in fold_name(text[:NAME_MOST])).split()
    return " & ".join(f"'{word}':*" for word in words)


def name_matches(parameter: str) -> ColumnElement[bool]:
    """Select accounts by `search_words`, from the index over the words of names."""
    query = func.to_tsquery("simple", bindparam(parameter, type_=Text()), type_=TSQUERY())
    return func.to_tsvector("simple", accounts.c.name_key).op("@@")(query)


def _rows(standings: Standing) -> Select[Any]:
    return select(
        mediators.c.id,
        accounts.c.name,
        accounts.c.email,
        mediators.c.about,
        mediators.c.profile_url,
        mediators.c.visibility,
        standing_column(standings),
    ).select_from(mediators_joined())


@lru_cache(maxsize=100)
def _one(standings: Standing, asked: Standing, added_up: bool) -> Statement:
    rows = _rows(standings).where(visible_mediators(asked), mediators.c.id == bindparam("id", type_=Uuid()))
    if added_up:
        sums = whole(mediators.c.id)
        rows = rows.add_columns(*sums.c).join(sums, true())
    return Statement(rows)


def _wanted(context: Context, standing: Standing | None) -> Standing:
    standings = context.viewer.standings
    return standings if standing is None else standings & standing


async def mediator(
    context: Context, mediator_id: UUID, standing: Standing | None = None, *, added_up: bool = False
) -> Row:
    """Load a mediator that the viewer has that standing towards (None: any standing); NotFound for any other.

    `added_up`: with the sums of all entries, for `experience`, which then needs no statement of its own.
    """
    statement = _one(context.viewer.standings, _wanted(context, standing), added_up)
    async with context.database.reading() as reading:
        row = await reading.first(statement, viewer=context.account_id, id=mediator_id)
    if row is None:
        raise NotFound
    return row


async def own(context: Context) -> Row | None:
    """Load the viewer's own profile, None if they are no mediator."""
    try:
        return await mediator(context, context.account_id)
    except NotFound:
        return None


@lru_cache(maxsize=100)
def _page(standings: Standing, asked: Standing, searched: bool, backwards: bool, cursor: bool | None) -> Statement:
    rows = _rows(standings).where(visible_mediators(asked))
    if searched:
        rows = rows.where(name_matches("words"))
    return Statement(page_statement(rows, mediators.c.id, BY_NAME, backwards=backwards, cursor=cursor))


@lru_cache(maxsize=100)
def _count(asked: Standing, searched: bool) -> Statement:
    rows = select(func.count()).select_from(mediators_joined()).where(visible_mediators(asked))
    return Statement(rows.where(name_matches("words")) if searched else rows)


async def mediator_page(context: Context, search: str | None, standing: Standing | None, asked: Page) -> Connection:
    """Give a page of the mediators that the viewer may see, by name; `standing` keeps those seen by that one."""
    standings, wanted = context.viewer.standings, _wanted(context, standing)
    searched = bool(search and search.strip())
    values: dict[str, Any] = {"viewer": context.account_id}
    if searched:
        values["words"] = search_words(search or "")
    cursor, paging = page_values(BY_NAME, asked)
    async with context.database.reading() as reading:
        statement = _page(standings, wanted, searched, asked.backwards, cursor)
        rows = await reading.all(statement, **values, **paging)

    async def count() -> int:
        async with context.database.reading() as reading:
            return int(await reading.value(_count(wanted, searched), **values))

    return connection(rows, BY_NAME, asked, count)


def feedback_link(settings: Settings, mediator_id: UUID) -> str:
    """Give the address of the page where anybody can leave feedback for a mediator."""
    return f"{settings.base_url}/give/{link_secret(settings, Opens.PERSONAL_LINK, mediator_id)}"


async def update_profile(context: Context, changes: dict[str, Any]) -> None:
    """Change the fields named in `changes` of the viewer's own profile."""
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
            await transaction.run(update(mediators).where(mediators.c.id == context.account_id).values(**changes))


def in_order(ids: Sequence[UUID], rows: Sequence[Row]) -> list[Row | None]:
    """Put rows in the order of the ids that they were loaded for; None where there is none."""
    found = {row.id: row for row in rows}
    return [found.get(one) for one in ids]
