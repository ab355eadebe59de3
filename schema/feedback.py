"""Feedback in the schema: reading it, requesting it and giving it."""

from datetime import date, datetime

import strawberry

from models.feedback import ActedAs, Capacity
from models.reviewer import Relation
from permissions.scopes import DETAILS_DAYS
from resolvers.feedback import answers
from resolvers.feedback_giving import give_feedback
from resolvers.feedback_giving_subject import LinkState, feedback_invitation, feedback_subject, feedback_subjects
from resolvers.feedback_noted import origin
from resolvers.feedback_request import (
    party_email,
    party_name,
    reference,
    request_feedback,
    stop_requests,
    withdraw_feedback_request,
)
from resolvers.survey import QuestionKind, QuestionReader, survey
from schema.mutations import Payload, mutation

for word in (QuestionKind, QuestionReader):
    strawberry.enum(word)


@strawberry.type(description='The answer to one question. For "not applicable", rating and text are both null.')
class FeedbackAnswer:
    question: str = strawberry.field(description="The question's key in the survey.")
    rating: int | None
    text: str | None


@strawberry.type(
    description="The sender of a piece of feedback, and the time. Reading it is recorded in the audit log."
)
class FeedbackOrigin:
    name: str | None
    email: str | None
    received_at: datetime


@strawberry.type(description="One piece of feedback: a completed survey about a mediator.")
class Feedback:
    id: strawberry.ID
    capacity: Capacity | None
    acted_as: ActedAs | None
    shared: bool | None = strawberry.field(description="Whether the sender shares it with the mediator.")
    year: int | None
    received_on: date | None
    by_invitation: bool | None = strawberry.field(description="Whether it answers an emailed request.")

    answers = strawberry.field(resolver=answers, graphql_type=list[FeedbackAnswer])
    origin = strawberry.field(resolver=origin, graphql_type=FeedbackOrigin | None)


@strawberry.type(description="One question's ratings in a year. `spread` is the standard deviation.")
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


@strawberry.type(description="All feedback by year, latest first.")
class FeedbackSummary:
    years: list[FeedbackYear]


@strawberry.type(
    description="A mediator's request to a party for feedback. "
    f"The party's name and email, and the reference, are null after {DETAILS_DAYS} days."
)
class FeedbackRequest:
    id: strawberry.ID
    made_on: date
    agreed_on: date = strawberry.field(description="When you confirmed that the party agreed to be contacted.")
    mediation_ended_on: date

    party_name = strawberry.field(resolver=party_name, graphql_type=str | None)
    party_email = strawberry.field(resolver=party_email, graphql_type=str | None)
    reference = strawberry.field(resolver=reference, graphql_type=str | None)


@strawberry.type
class SurveyQuestion:
    key: str
    text: str
    kind: QuestionKind
    readers: list[QuestionReader] = strawberry.field(
        description="Who reads the answers. The mediator reads only those shared with them."
    )
    help: str | None


@strawberry.type(description='One step of the scale. For "not applicable", the rating is null.')
class SurveyScaleStep:
    rating: int | None
    label: str


@strawberry.type
class Survey:
    least_minutes: int
    most_minutes: int
    scale: list[SurveyScaleStep]
    questions: list[SurveyQuestion]


@strawberry.type(description="A mediator you can give feedback about, and the reviewer who will read it.")
class FeedbackSubject:
    id: strawberry.ID
    name: str
    reviewer_name: str | None = strawberry.field(description="Null if the mediator has no reviewer yet.")
    reviewer_relation: Relation | None = strawberry.field(
        description="How the reviewer says they know the mediator. Null if they haven't said so."
    )
    reviewer_relation_details: str | None


@strawberry.type(description="The link in an emailed request: whether it still works, and the mediator it's about.")
class FeedbackInvitation:
    state: LinkState
    subject: FeedbackSubject


@strawberry.type(description="A mediator found by name.")
class FeedbackSubjectName:
    id: strawberry.ID
    name: str


@strawberry.type
class GiveFeedbackPayload(Payload):
    received: bool = False
    receipt: str | None = strawberry.field(
        default=None,
        description="The code of the receipt, which only this answer shows. With it, the sender sees the piece of "
        "feedback again, changes whether it's shared, or erases it.",
    )


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
    survey = strawberry.field(resolver=survey, graphql_type=Survey | None)
    feedback_invitation = strawberry.field(
        resolver=feedback_invitation,
        graphql_type=FeedbackInvitation | None,
        description="Looks up the link in an emailed request.",
    )
    feedback_subjects = strawberry.field(
        resolver=feedback_subjects,
        graphql_type=list[FeedbackSubjectName] | None,
        description="Mediators you can give feedback about. `search` takes at least three letters of the name; in "
        "Chinese, Japanese or Korean, two.",
    )
    feedback_subject = strawberry.field(
        resolver=feedback_subject,
        graphql_type=FeedbackSubject | None,
        description="The mediator with this `id`, or with this personal `link`.",
    )


@strawberry.type
class FeedbackMutations:
    give_feedback = mutation(give_feedback, GiveFeedbackPayload)
    request_feedback = mutation(request_feedback, RequestFeedbackPayload)
    withdraw_feedback_request = mutation(withdraw_feedback_request, WithdrawFeedbackRequestPayload)
    stop_requests = mutation(
        stop_requests,
        StopRequestsPayload,
        description="Stops all requests to the address that the email went to.",
    )
