"""The mediators that feedback can be about, found by a link, a name or a choice."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal
from uuid import UUID

import strawberry
from sqlalchemy import ClauseElement, ColumnElement, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import LargeBinary, Uuid

from i18n import gettext as _
from models.account import accounts
from models.feedback import RequestState, feedback_requests, spent_links
from models.folding import says_enough
from models.mediator import mediators
from models.reviewer import appointments
from models.statement import Row, statement
from permissions.scopes import IS_MEDIATOR, findable, link_works
from permissions.secrets import hash_secret, spent_marks
from resolvers import limits
from resolvers.context import Info
from resolvers.errors import BadInput, NotFound
from resolvers.inputs import read_id
from resolvers.names import name_matches, search_words
from resolvers.validation import MAX_NAME

MAX_SUBJECTS_FOUND = 10

_reviewers = accounts.alias("reviewers")
_subjects = mediators.join(accounts, accounts.c.id == mediators.c.id)


@strawberry.enum
class LinkState(StrEnum):
    """Whether a request's link still works."""

    OPEN = "OPEN"
    SPENT = "SPENT"
    EXPIRED = "EXPIRED"
    WITHDRAWN = "WITHDRAWN"


class SubjectRow(Row):
    """A mediator that feedback can be about, and their reviewer if they have one: who, and how they know each other."""

    id: UUID
    name: str
    reviewer_name: str | None
    reviewer_relation: str | None
    reviewer_relation_details: str | None


@dataclass(frozen=True)
class Invitation:
    """A request's link: the mediator it's about, and whether it still works."""

    state: LinkState
    subject: SubjectRow


_FoundBy = Literal["id", "choice", "link"]


@statement(SubjectRow)
def subject_by(found_by: _FoundBy) -> ClauseElement:
    """Select a mediator that feedback can be about: by `id`, findable or not; by choice; or by the link's `hash`.

    Mediators who haven't proved their address are left out, or a stranger could collect feedback under someone's name.
    """
    by_id: ColumnElement[bool] = mediators.c.id == bindparam("id", type_=Uuid())
    where = {"id": by_id, "choice": by_id & findable(), "link": mediators.c.feedback_link_hash == _hash}
    return (
        select(
            mediators.c.id,
            accounts.c.name,
            _reviewers.c.name.label("reviewer_name"),
            appointments.c.relation.label("reviewer_relation"),
            appointments.c.relation_details.label("reviewer_relation_details"),
        )
        .select_from(
            _subjects.outerjoin(
                appointments, (appointments.c.mediator_id == mediators.c.id) & appointments.c.in_force
            ).outerjoin(_reviewers, _reviewers.c.id == appointments.c.reviewer_id)
        )
        .where(IS_MEDIATOR, accounts.c.email_verified_at.is_not(None), where[found_by])
    )


_hash = bindparam("hash", type_=LargeBinary())


class _RequestRow(Row):
    mediator_id: UUID
    state: str
    works: bool
    spent: bool


@statement(_RequestRow)
def request_by_link() -> ClauseElement:
    """Select a request by the `hash` of its link, and whether one of the link's `marks` says that it was used.

    It's never locked: the row would keep the number of the transaction, which is also in the answers that it writes.
    """
    marked = spent_links.c.mark == func.any(bindparam("marks", type_=ARRAY(LargeBinary())))
    return select(
        feedback_requests.c.mediator_id,
        feedback_requests.c.state,
        link_works().label("works"),
        select(spent_links.c.mark).where(marked).exists().label("spent"),
    ).where(feedback_requests.c.secret_hash == _hash)


class FoundRow(Row):
    """A mediator found by name."""

    id: UUID
    name: str


@statement(FoundRow)
def _found() -> ClauseElement:
    return (
        select(mediators.c.id, accounts.c.name)
        .select_from(_subjects)
        .where(IS_MEDIATOR, findable(), name_matches())
        .order_by(accounts.c.name_key, mediators.c.id)
        .limit(MAX_SUBJECTS_FOUND)
    )


def link_state(request: _RequestRow) -> LinkState:
    """Say whether a request can still be answered."""
    if request.state == RequestState.WITHDRAWN:
        return LinkState.WITHDRAWN
    if not request.works:
        return LinkState.EXPIRED
    return LinkState.SPENT if request.spent else LinkState.OPEN


async def feedback_invitation(info: Info, token: str) -> Invitation:
    """Look up a request's link.

    Raises:
        NotFound: there never was such a link.
        RateLimited: there were too many attempts.
    """
    context = info.context
    await context.limiter.count(limits.LINK_TRIES, context.viewer.address)
    link = hash_secret(token)
    async with context.database.opened_by(link).reading() as reading:
        marks = spent_marks(context.settings, link)
        request = await reading.first(request_by_link(), hash=link, marks=marks)
        subject = await reading.first(subject_by("id"), id=request.mediator_id) if request else None
    if not request or not subject:
        raise NotFound
    return Invitation(link_state(request), subject)


async def feedback_subjects(info: Info, search: str) -> Sequence[FoundRow]:
    """Find up to ten mediators by name. Private ones are left out.

    Raises:
        BadInput: the search has too few letters.
        RateLimited: there were too many attempts.
    """
    context = info.context
    await context.limiter.count(limits.SEARCH, context.viewer.address)
    if not says_enough(search[:MAX_NAME]):
        raise BadInput(_("Please enter at least three letters of the name; in Chinese, Japanese or Korean, two."))
    async with context.database.reading() as reading:
        return await reading.all(_found(), **search_words(search))


async def feedback_subject(info: Info, id: strawberry.ID | None = None, link: str | None = None) -> SubjectRow:
    """Give the mediator that was chosen, or that a personal link is for.

    Raises:
        NotFound: there's no such mediator, or the chosen one is private.
        BadInput: there's neither an id nor a link, or there are both.
        RateLimited: there were too many attempts.
    """
    context = info.context
    if (id is None) == (link is None):
        raise BadInput(_("Give an id or a link."))
    await context.limiter.count(limits.LINK_TRIES if link else limits.SEARCH, context.viewer.address)
    async with context.database.reading() as reading:
        if link is not None:
            row = await reading.first(subject_by("link"), hash=hash_secret(read_link(link)))
        else:
            row = await reading.first(subject_by("choice"), id=read_id(id or ""))
    if row is None:
        raise NotFound
    return row


def read_link(given: str) -> str:
    """Read the secret of a personal link, which may be sent as `feedbackLink` shows it, as a whole web address."""
    return given.strip().rpartition("/")[2]
