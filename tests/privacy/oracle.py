"""Who may see which marker, worked out only from the policy table and the facts of a world.

No resolver and no scope is asked: what decides is what the table says, and who is what to whom.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache, cached_property
from uuid import UUID

from graphql import GraphQLObjectType, GraphQLSchema

from models.account import Role
from permissions.policy import PolicyRow, rule
from permissions.viewer import EVERYBODY, Standing
from schema.build import whole_schema
from tests.privacy.markers import Marker

NONE = Standing(0)
STANDING_OF = {
    Role.MEDIATOR: Standing.SELF,
    Role.REVIEWER: Standing.REVIEWER,
    Role.DIRECTORY: Standing.DIRECTORY,
    Role.ADMIN: Standing.ADMIN,
}

# Types whose rows only their owner sees, whatever kind of account that is; and lists that are the same for everybody
# who has them. The rows of every other type belong to a mediator, and the standing towards that mediator counts.
OWNERS_ALONE = {"OwnAccount", "Session", "ApiToken", "DataExport"}
# A list at the root of which an administrator sees all rows, and a reviewer those that ask for them (`Shown.of`).
ASKED_FOR = {"WaitingAppointment"}
THE_SAME_FOR_ALL = {
    *("Account", "Directory", "Reviewer", "AuditEntry", "DeadMail", "GivenFeedback"),
    *("FeedbackSubject", "FeedbackSubjectName"),
}


@cache
def whole() -> GraphQLSchema:
    return whole_schema()


def has_field(type_name: str, name: str) -> bool:
    """Whether the schema has that field."""
    type_ = whole().type_map.get(type_name)
    return isinstance(type_, GraphQLObjectType) and name in type_.fields


@dataclass(frozen=True)
class Shown:
    """A place in the API that shows a marker: the field, whose row it is, and standings that don't see the row.

    `not_to`: the one account that doesn't see a row of a list, though everybody else with that list does.
    """

    type_name: str
    name: str
    of: UUID | None = None
    but: Standing = NONE
    not_to: UUID | None = None


@dataclass(frozen=True)
class Watcher:
    """Somebody who looks: signed out, with a session, or with a token; `over` says that it no longer works."""

    name: str
    account_id: UUID | None = None
    roles: frozenset[Role] = frozenset()
    cookie: str = ""
    token: str = ""
    verified: bool = True
    over: bool = False

    @cached_property
    def could(self) -> Standing:
        """Every standing that they can have towards anybody."""
        standings = Standing.PUBLIC
        for role in () if self.over else self.roles:
            standings |= STANDING_OF[role]
        return standings


@dataclass
class Facts:
    """Who is what to whom, and where each marker is shown."""

    findable: set[UUID] = field(default_factory=set)
    mediators: set[UUID] = field(default_factory=set)
    reviewers: dict[UUID, UUID] = field(default_factory=dict)
    shown: dict[Marker, set[Shown]] = field(default_factory=dict)
    # What a link tells anyone who has it.
    told_by: dict[str, set[Marker]] = field(default_factory=dict)
    # The one account to which a link says nothing.
    kept_from: dict[str, UUID] = field(default_factory=dict)

    def standing(self, watcher: Watcher, mediator: UUID) -> Standing:
        """What somebody is to a mediator: towards oneself only SELF, towards others everything added up."""
        if mediator not in self.mediators or watcher.account_id is None:
            return Standing(0)
        if mediator == watcher.account_id:
            return Standing.SELF & watcher.could
        standing = Standing.ADMIN
        if self.reviewers.get(mediator) == watcher.account_id:
            standing |= Standing.REVIEWER
        if mediator in self.findable:
            standing |= Standing.DIRECTORY
        return standing & watcher.could

    def sees(self, watcher: Watcher, shown: Shown) -> bool:
        """Whether the table shows somebody a marker in that place."""
        row = rule(shown.type_name, shown.name)
        if (watcher.token and not row.tokens) or (shown.not_to and shown.not_to == watcher.account_id):
            return False
        if shown.type_name in THE_SAME_FOR_ALL:
            return self._enters(watcher, row) and bool(row.standings & watcher.could)
        if shown.type_name in ASKED_FOR:
            sees = Standing.ADMIN | (Standing.REVIEWER if shown.of == watcher.account_id else NONE)
            return self._enters(watcher, row) and bool(row.standings & sees & watcher.could)
        if shown.type_name in OWNERS_ALONE:
            return shown.of == watcher.account_id and not watcher.over and bool(row.standings & watcher.could)
        if shown.of is None or (not self._enters(watcher, row) and shown.of != watcher.account_id):
            return False
        return bool(row.standings & self.standing(watcher, shown.of) & ~shown.but)

    def _enters(self, watcher: Watcher, row: PolicyRow) -> bool:
        return watcher.verified or row.standings == EVERYBODY

    def may_see(self, watcher: Watcher, marker: Marker) -> bool:
        """Whether the table shows somebody a marker anywhere."""
        return any(self.sees(watcher, place) for place in self.shown.get(marker, ()))

    def visible(self, watcher: Watcher, links: Iterable[str] = ()) -> set[Marker]:
        """Every marker that somebody with these links may see."""
        for_them = (link for link in links if link not in self.kept_from or self.kept_from[link] != watcher.account_id)
        told = {marker for link in for_them for marker in self.told_by.get(link, ())}
        return told | {marker for marker in self.shown if self.may_see(watcher, marker)}
