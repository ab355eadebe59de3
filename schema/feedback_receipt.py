"""Receipts of feedback in the schema."""

from datetime import date

import strawberry

from models.feedback import ActedAs, Capacity
from resolvers.feedback import answers
from resolvers.feedback_receipt import change_feedback_sharing, erase_feedback, feedback_receipt
from schema.mutations import Payload, mutation


@strawberry.type(description='One answer, as it was given. For "not applicable", rating and text are both null.')
class FeedbackReceiptAnswer:
    question: str = strawberry.field(description="The question's key in the survey.")
    rating: int | None
    text: str | None


@strawberry.type(description="A piece of feedback, for somebody with its receipt.")
class FeedbackReceipt:
    mediator_name: str
    received_on: date
    capacity: Capacity
    acted_as: ActedAs
    shared: bool = strawberry.field(description="Whether the sender shares it with the mediator.")
    share_alone: bool = strawberry.field(description="Whether it may reach the mediator alone.")
    released: bool = strawberry.field(description="Whether it's been released, and sharing can't be changed any more.")

    answers = strawberry.field(resolver=answers, graphql_type=list[FeedbackReceiptAnswer])


@strawberry.type
class ChangeFeedbackSharingPayload(Payload):
    receipt: FeedbackReceipt | None = None


@strawberry.type
class EraseFeedbackPayload(Payload):
    erased: bool = False


@strawberry.type
class FeedbackReceiptQueries:
    feedback_receipt = strawberry.field(
        resolver=feedback_receipt,
        graphql_type=FeedbackReceipt | None,
        description="The piece of feedback with this receipt, whose code can be written in any case, with or without "
        "separators.",
    )


@strawberry.type
class FeedbackReceiptMutations:
    change_feedback_sharing = mutation(
        change_feedback_sharing,
        ChangeFeedbackSharingPayload,
        description="Shares a piece of feedback with the mediator, or no longer, until it's released.",
    )
    erase_feedback = mutation(
        erase_feedback,
        EraseFeedbackPayload,
        description="Erases a piece of feedback at once and for good, released or not.",
    )
