"""Administrators' work with feedback in the schema."""

from datetime import date

import strawberry

from models.feedback import ActedAs, Capacity
from resolvers.feedback import answers
from resolvers.feedback_support import admit_feedback, feedback_by, held_feedback, remove_feedback
from schema.connections import connection
from schema.feedback import FeedbackAnswer
from schema.mutations import Payload, mutation


@strawberry.type(description="A piece of feedback and the mediator it's about, as administrators look into it.")
class GivenFeedback:
    id: strawberry.ID
    mediator_id: strawberry.ID
    mediator_name: str
    received_on: date
    capacity: Capacity
    acted_as: ActedAs
    shared: bool = strawberry.field(description="Whether the sender shares it with the mediator.")
    by_invitation: bool = strawberry.field(description="Whether it answers an emailed request.")
    held: bool = strawberry.field(description="Whether it's held, and read by administrators alone.")

    answers = strawberry.field(resolver=answers, graphql_type=list[FeedbackAnswer])


@strawberry.type
class AdmitFeedbackPayload(Payload):
    admitted_id: strawberry.ID | None = None


@strawberry.type
class RemoveFeedbackPayload(Payload):
    removed_id: strawberry.ID | None = None


@strawberry.type
class FeedbackSupportQueries:
    held_feedback = connection(
        held_feedback,
        GivenFeedback,
        description="Feedback that waits for an administrator, because much came from one network address.",
    )
    feedback_by = strawberry.field(
        resolver=feedback_by,
        graphql_type=list[GivenFeedback] | None,
        description="All feedback that was given with this email address, oldest first. Each piece is recorded in the "
        "audit log.",
    )


@strawberry.type
class FeedbackSupportMutations:
    admit_feedback = mutation(
        admit_feedback,
        AdmitFeedbackPayload,
        description="Lets a piece of feedback that's held count like any other. The mediator is told as if it had just "
        "come.",
    )
    remove_feedback = mutation(
        remove_feedback,
        RemoveFeedbackPayload,
        description="Removes a piece of feedback for good, held or not. If it had been released, the mediator is told "
        "by email.",
    )
