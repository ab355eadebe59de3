"""Feedback, its requests, and giving it, in the schema."""

from datetime import date, datetime
from enum import Enum
from typing import Any

import strawberry

from models.feedback import ActedAs, Capacity
from resolvers import feedback, feedback_request, giving
from resolvers.giving import LinkState
from resolvers.survey import QuestionKind, QuestionReader, survey
from schema.changes import Payload, attempt, once
from schema.lists import Info, OrderDirection, read_id, read_link

for word in (ActedAs, Capacity, LinkState, QuestionKind, QuestionReader):
    strawberry.enum(word)


@strawberry.type(description='The answer to one question; rating and text are both null for "not applicable".')
class FeedbackAnswer:
    question: str = strawberry.field(description="The question's key in the survey.")
    rating: int | None
    text: str | None


@strawberry.type(description="Who gave a piece of feedback, and when. Reading it is noted in the audit log.")
class FeedbackOrigin:
    name: str | None
    email: str | None
    received_at: datetime


@strawberry.type(description="One finished survey about a mediator.")
class Feedback:
    id: strawberry.ID
    capacity: Capacity | None
    acted_as: ActedAs | None
    shared: bool | None = strawberry.field(description="Whether the giver shares it with the mediator.")
    year: int | None
    received_on: date | None
    by_invitation: bool | None = strawberry.field(description="By a mailed request; else through the open link.")

    @strawberry.field
    def answers(self, row: strawberry.Parent[Any]) -> list[FeedbackAnswer]:
        found: Any = feedback.answers(row)
        return found

    @strawberry.field
    async def origin(self, info: Info, row: strawberry.Parent[Any]) -> FeedbackOrigin | None:
        found: Any = await feedback.origin(info.context, row)
        return found


@strawberry.input(description="What to show; every field that is given must fit.")
class FeedbackFilter:
    year: int | None = None
    capacity: Capacity | None = None
    acted_as: ActedAs | None = None
    shared: bool | None = None
    by_invitation: bool | None = None


@strawberry.enum
class FeedbackOrderField(Enum):
    """What feedback can be sorted by."""

    RECEIVED_ON = "received_on"


@strawberry.input
class FeedbackOrder:
    field: FeedbackOrderField
    direction: OrderDirection = OrderDirection.ASC


@strawberry.type(description="How a question was rated in a year; `spread` is the standard deviation.")
class QuestionSummary:
    question: str
    count: int
    average: float
    spread: float


@strawberry.type
class FeedbackYear:
    year: int
    count: int
    questions: list[QuestionSummary]


@strawberry.type(description="All feedback by year, the latest first.")
class FeedbackSummary:
    years: list[FeedbackYear]


@strawberry.type(description="That a party was asked. Name, email and reference are gone after five days.")
class FeedbackRequest:
    id: strawberry.ID
    made_on: date
    party_name: str | None
    party_email: str | None
    reference: str | None
    mediation_ended_on: date


@strawberry.type
class SurveyQuestion:
    key: str
    text: str
    kind: QuestionKind
    readers: list[QuestionReader] = strawberry.field(description="The mediator reads only what was shared.")
    help: str | None


@strawberry.type(description='One step of the scale; its rating is null for "not applicable".')
class SurveyScaleStep:
    rating: int | None
    label: str


@strawberry.type
class Survey:
    least_minutes: int
    most_minutes: int
    scale: list[SurveyScaleStep]
    questions: list[SurveyQuestion]


@strawberry.type(description="Somebody whom feedback can be about, and who will read it.")
class FeedbackSubject:
    id: strawberry.ID
    name: str
    reviewer_name: str | None = strawberry.field(description="Null if no reviewer is appointed yet.")


@strawberry.type(description="Who a request's link is about, and whether it can still be answered.")
class FeedbackInvitation:
    state: LinkState
    subject: FeedbackSubject


@strawberry.type(description="A mediator found by name.")
class FeedbackSubjectName:
    id: strawberry.ID
    name: str


@strawberry.input
class FeedbackAnswerInput:
    question: str
    rating: int | None = None
    text: str | None = None
    not_applicable: bool = False


@strawberry.input(description="One finished survey. Give exactly one of token, link and mediatorId.")
class GiveFeedbackInput:
    capacity: Capacity
    acted_as: ActedAs
    answers: list[FeedbackAnswerInput]
    token: str | None = None
    link: str | None = None
    mediator_id: strawberry.ID | None = None
    share: bool = False
    name: str | None = None
    email: str | None = None
    request_key: str | None = None


@strawberry.input
class RequestFeedbackInput:
    party_name: str
    party_email: str
    mediation_ended_on: date
    party_agreed: bool
    reference: str | None = None
    request_key: str | None = None


@strawberry.input
class WithdrawFeedbackRequestInput:
    id: strawberry.ID


@strawberry.input
class StopRequestsInput:
    token: str


@strawberry.type
class GiveFeedbackPayload(Payload):
    received: bool = False


@strawberry.type
class RequestFeedbackPayload(Payload):
    feedback_request: FeedbackRequest | None = None


@strawberry.type
class WithdrawFeedbackRequestPayload(Payload):
    withdrawn_id: strawberry.ID | None = None


@strawberry.type
class StopRequestsPayload(Payload):
    stopped: bool = False


@strawberry.type
class FeedbackQueries:
    @strawberry.field
    def survey(self) -> Survey | None:
        found: Any = survey()
        return found

    @strawberry.field(description="Who the link in a request's mail is about.")
    async def feedback_invitation(self, info: Info, token: str) -> FeedbackInvitation | None:
        found: Any = await giving.invitation(info.context, token)
        return found

    @strawberry.field(description="Mediators to give feedback about, by three letters or more of the name.")
    async def feedback_subjects(self, info: Info, search: str) -> list[FeedbackSubjectName] | None:
        found: Any = await giving.search_subjects(info.context, search)
        return found

    @strawberry.field(description="Who a chosen mediator (`id`) or a personal link (`link`) is.")
    async def feedback_subject(
        self, info: Info, id: strawberry.ID | None = None, link: str | None = None
    ) -> FeedbackSubject | None:
        mediator_id = read_id(id) if id is not None else None
        secret = read_link(link) if link is not None else None
        found: Any = await giving.subject(info.context, mediator_id, secret)
        return found


@strawberry.type
class FeedbackMutations:
    @strawberry.mutation
    async def give_feedback(self, info: Info, input: GiveFeedbackInput) -> GiveFeedbackPayload | None:
        async def change() -> dict[str, Any]:
            new = giving.NewFeedback(
                token=input.token,
                link=read_link(input.link) if input.link is not None else None,
                mediator_id=read_id(input.mediator_id) if input.mediator_id is not None else None,
                capacity=input.capacity,
                acted_as=input.acted_as,
                answers=tuple(giving.GivenAnswer(**vars(answer)) for answer in input.answers),
                share=input.share,
                name=input.name,
                email=input.email,
            )
            await giving.give(info.context, new, once(input))
            return {"received": True}

        return await attempt(GiveFeedbackPayload, change())

    @strawberry.mutation
    async def request_feedback(self, info: Info, input: RequestFeedbackInput) -> RequestFeedbackPayload | None:
        async def change() -> dict[str, Any]:
            new = feedback_request.NewRequest(
                party_name=input.party_name,
                party_email=input.party_email,
                reference=input.reference,
                mediation_ended_on=input.mediation_ended_on,
                party_agreed=input.party_agreed,
            )
            made = await feedback_request.request_feedback(info.context, new, once(input))
            return {"feedback_request": await feedback_request.own_request(info.context, made)}

        return await attempt(RequestFeedbackPayload, change())

    @strawberry.mutation
    async def withdraw_feedback_request(
        self, info: Info, input: WithdrawFeedbackRequestInput
    ) -> WithdrawFeedbackRequestPayload | None:
        async def change() -> dict[str, Any]:
            return {"withdrawn_id": await feedback_request.withdraw(info.context, read_id(input.id))}

        return await attempt(WithdrawFeedbackRequestPayload, change())

    @strawberry.mutation(description="Stops all requests to the address that the mail went to.")
    async def stop_requests(self, info: Info, input: StopRequestsInput) -> StopRequestsPayload | None:
        async def change() -> dict[str, Any]:
            await feedback_request.stop_requests(info.context, input.token)
            return {"stopped": True}

        return await attempt(StopRequestsPayload, change())
