"""Mediators in the schema: the profile, and every list that hangs on it."""

from enum import Enum
from typing import Any

import strawberry
from strawberry import UNSET

from models.logbook import CaseRole
from models.mediator import Visibility
from permissions.viewer import Standing
from resolvers import feedback, feedback_request, logbook, mediator, reviewer
from resolvers.cpd import CPD
from resolvers.cpd import CpdFilter as CpdChoice
from resolvers.entry_reading import entry, entry_page, facets
from resolvers.feedback import FEEDBACK
from resolvers.feedback import FeedbackFilter as FeedbackChoice
from resolvers.learning import LEARNINGS
from resolvers.learning import LearningFilter as LearningChoice
from resolvers.logbook import LOGBOOK
from resolvers.logbook import LogbookFilter as LogbookChoice
from resolvers.paging import page
from schema.changes import Payload, attempt
from schema.cpd import CpdEntry, CpdFacets, CpdFilter, CpdOrder, Learning, LearningFacets, LearningFilter, LearningOrder
from schema.feedback import Feedback, FeedbackFilter, FeedbackOrder, FeedbackRequest, FeedbackSummary
from schema.lists import Connection, Info, fields_below, given, read_id, read_order
from schema.logbook import Experience, LogbookEntry, LogbookFacets, LogbookFilter, LogbookOrder
from schema.reviewer import Reviewer, as_reviewer

strawberry.enum(Visibility)


@strawberry.enum(name="Standing")
class StandingName(Enum):
    """What you are towards a mediator."""

    SELF = Standing.SELF.value
    REVIEWER = Standing.REVIEWER.value
    DIRECTORY = Standing.DIRECTORY.value
    ADMIN = Standing.ADMIN.value


@strawberry.type(description="A mediator, as far as your standing towards them goes.")
class Mediator:
    id: strawberry.ID
    name: str
    about: str | None
    profile_url: str | None = strawberry.field(description="The profile that carries the Feedback Digest.")
    visibility: Visibility | None
    email: str | None

    @strawberry.field
    async def reviewer(self, info: Info, row: strawberry.Parent[Any]) -> Reviewer | None:
        return as_reviewer(await reviewer.reviewer_of(info.context, row.id, approved=True))

    @strawberry.field(description="The reviewer whose appointment waits for an administrator.")
    async def waiting_reviewer(self, info: Info, row: strawberry.Parent[Any]) -> Reviewer | None:
        return as_reviewer(await reviewer.reviewer_of(info.context, row.id, approved=False))

    @strawberry.field(description="The personal link to hand out, for feedback about you.")
    def feedback_link(self, info: Info, row: strawberry.Parent[Any]) -> str | None:
        return mediator.feedback_link(info.context.settings, row.id)

    @strawberry.field
    def experience(self, info: Info, row: strawberry.Parent[Any], role: CaseRole | None = None) -> Experience | None:
        found: Any = logbook.experience(info.context, row, role, fields_below(info))
        return found

    @strawberry.field
    def logbook(
        self,
        info: Info,
        row: strawberry.Parent[Any],
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: LogbookFilter | None = None,
        order_by: LogbookOrder | None = None,
    ) -> Connection[LogbookEntry] | None:
        choice = LogbookChoice(**vars(filter)) if filter else None
        asked = page(first, after, last, before)
        found: Any = entry_page(info.context, LOGBOOK, row, choice, read_order(order_by), asked, fields_below(info))
        return found

    @strawberry.field(description="One case of the logbook.")
    async def logbook_entry(self, info: Info, row: strawberry.Parent[Any], id: strawberry.ID) -> LogbookEntry | None:
        found: Any = await entry(info.context, LOGBOOK, row, read_id(id))
        return found

    @strawberry.field
    async def logbook_facets(self, info: Info, row: strawberry.Parent[Any]) -> LogbookFacets | None:
        found: Any = await facets(info.context, LOGBOOK, row)
        return found

    @strawberry.field
    def cpd(
        self,
        info: Info,
        row: strawberry.Parent[Any],
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: CpdFilter | None = None,
        order_by: CpdOrder | None = None,
    ) -> Connection[CpdEntry] | None:
        choice = CpdChoice(**vars(filter)) if filter else None
        asked = page(first, after, last, before)
        found: Any = entry_page(info.context, CPD, row, choice, read_order(order_by), asked, fields_below(info))
        return found

    @strawberry.field(description="One entry of the CPD.")
    async def cpd_entry(self, info: Info, row: strawberry.Parent[Any], id: strawberry.ID) -> CpdEntry | None:
        found: Any = await entry(info.context, CPD, row, read_id(id))
        return found

    @strawberry.field
    async def cpd_facets(self, info: Info, row: strawberry.Parent[Any]) -> CpdFacets | None:
        found: Any = await facets(info.context, CPD, row)
        return found

    @strawberry.field
    def learnings(
        self,
        info: Info,
        row: strawberry.Parent[Any],
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: LearningFilter | None = None,
        order_by: LearningOrder | None = None,
    ) -> Connection[Learning] | None:
        choice = LearningChoice(**vars(filter)) if filter else None
        asked = page(first, after, last, before)
        found: Any = entry_page(info.context, LEARNINGS, row, choice, read_order(order_by), asked, fields_below(info))
        return found

    @strawberry.field
    async def learning_facets(self, info: Info, row: strawberry.Parent[Any]) -> LearningFacets | None:
        found: Any = await facets(info.context, LEARNINGS, row)
        return found

    @strawberry.field(description="Newest first. It never tells whether one was answered.")
    async def feedback_requests(
        self,
        info: Info,
        row: strawberry.Parent[Any],
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[FeedbackRequest] | None:
        asked = page(first, after, last, before)
        found: Any = await feedback_request.request_page(info.context, row, asked)
        return found

    @strawberry.field(description="Feedback about this mediator that you may read.")
    def feedback(
        self,
        info: Info,
        row: strawberry.Parent[Any],
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: FeedbackFilter | None = None,
        order_by: FeedbackOrder | None = None,
    ) -> Connection[Feedback] | None:
        choice = FeedbackChoice(**vars(filter)) if filter else None
        asked = page(first, after, last, before)
        found: Any = entry_page(info.context, FEEDBACK, row, choice, read_order(order_by), asked, fields_below(info))
        return found

    @strawberry.field(description="One piece of the feedback that you may read.")
    async def feedback_piece(self, info: Info, row: strawberry.Parent[Any], id: strawberry.ID) -> Feedback | None:
        found: Any = await entry(info.context, FEEDBACK, row, read_id(id))
        return found

    @strawberry.field
    async def feedback_summary(self, info: Info, row: strawberry.Parent[Any]) -> FeedbackSummary | None:
        found: Any = await feedback.summary(info.context, row)
        return found


@strawberry.input(description="Changes to your profile; what is left out stays as it is.")
class UpdateProfileInput:
    about: str | None = UNSET
    profile_url: str | None = UNSET
    visibility: Visibility | None = UNSET


@strawberry.type
class UpdateProfilePayload(Payload):
    mediator: Mediator | None = None


@strawberry.type
class MediatorQueries:
    @strawberry.field(description="One mediator whom you may see; with `standing`, only one seen by that one.")
    async def mediator(self, info: Info, id: strawberry.ID, standing: StandingName | None = None) -> Mediator | None:
        by = Standing(standing.value) if standing else None
        below = fields_below(info)
        added_up = "experience" in below and below.isdisjoint({"byRole", "byYear"})
        found: Any = await mediator.mediator(info.context, read_id(id), by, added_up=added_up)
        return found

    @strawberry.field(description="The mediators whom you may see, by name; `standing` keeps those seen by that one.")
    async def mediators(
        self,
        info: Info,
        search: str | None = None,
        standing: StandingName | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Mediator] | None:
        asked = page(first, after, last, before)
        by = Standing(standing.value) if standing else None
        found: Any = await mediator.mediator_page(info.context, search, by, asked)
        return found


@strawberry.type
class MediatorMutations:
    @strawberry.mutation
    async def update_profile(self, info: Info, input: UpdateProfileInput) -> UpdateProfilePayload | None:
        async def change() -> dict[str, Any]:
            await mediator.update_profile(info.context, given(input))
            return {"mediator": await mediator.own(info.context)}

        return await attempt(UpdateProfilePayload, change())
