"""Reviewers, appointments and invitations in the schema."""

import strawberry

from resolvers.reviewer import appoint_reviewer, end_review, reviewers
from resolvers.reviewer_invitation import accept_invitation, invite_reviewer
from schema.connections import connection
from schema.mutations import Payload, mutation


@strawberry.type(description="Someone who reads a mediator's feedback and writes their Feedback Digest.")
class Reviewer:
    id: strawberry.ID
    name: str


@strawberry.type
class AppointReviewerPayload(Payload):
    reviewer: Reviewer | None = strawberry.field(
        default=None, description="Null while the appointment waits for approval."
    )


@strawberry.type
class InviteReviewerPayload(Payload):
    invited: bool = False


@strawberry.type
class EndReviewPayload(Payload):
    ended: bool = False


@strawberry.type
class AcceptInvitationPayload(Payload):
    accepted: bool = False


@strawberry.type
class ReviewerQueries:
    reviewers = connection(reviewers, Reviewer, description="Everyone who can be appointed, by name.")


@strawberry.type
class ReviewerMutations:
    appoint_reviewer = mutation(appoint_reviewer, AppointReviewerPayload)
    invite_reviewer = mutation(invite_reviewer, InviteReviewerPayload)
    end_review = mutation(end_review, EndReviewPayload)
    accept_invitation = mutation(accept_invitation, AcceptInvitationPayload)
