"""Reviewers, appointments and invitations in the schema."""

from datetime import date, datetime

import strawberry

from resolvers.reviewer import appoint_reviewer, end_review, reviewers
from resolvers.reviewer_answer import accept_appointment, declare_relation, decline_appointment
from resolvers.reviewer_approval import approve_appointment, missing_yeses, waiting_appointments
from resolvers.reviewer_invitation import invite_reviewer, resend_invitation, revoke_invitation
from resolvers.reviewer_invitation_acceptance import accept_invitation
from resolvers.reviewer_needs import Yes
from schema.connections import connection
from schema.mutations import Payload, mutation


@strawberry.type(description="Someone who reads a mediator's feedback and writes their Feedback Digest.")
class Reviewer:
    id: strawberry.ID
    name: str


@strawberry.type(
    description="An invitation that nobody has accepted yet. It's the same whether or not the address has an account."
)
class ReviewerInvitation:
    id: strawberry.ID
    email: str
    expires_on: date


@strawberry.type(description="An appointment that gives no access yet, because a yes is missing.")
class WaitingAppointment:
    id: strawberry.ID
    asked_at: datetime
    mediator_id: strawberry.ID
    mediator_name: str
    reviewer_id: strawberry.ID
    reviewer_name: str
    missing = strawberry.field(
        resolver=missing_yeses,
        graphql_type=list[Yes],
        description="The reviewer's own yes, an administrator's confirmation of the reviewer, or an administrator's "
        "approval of this appointment.",
    )


@strawberry.type
class AppointReviewerPayload(Payload):
    waiting_reviewer: Reviewer | None = strawberry.field(
        default=None, description="Null if they're your reviewer already."
    )


@strawberry.type
class AcceptAppointmentPayload(Payload):
    accepted: bool = False


@strawberry.type
class DeclareRelationPayload(Payload):
    declared: bool = False


@strawberry.type
class ApproveAppointmentPayload(Payload):
    approved: bool = False


@strawberry.type
class DeclineAppointmentPayload(Payload):
    declined: bool = False


@strawberry.type
class InviteReviewerPayload(Payload):
    invited: bool = False


@strawberry.type
class ResendInvitationPayload(Payload):
    invitation: ReviewerInvitation | None = strawberry.field(
        default=None, description="The new invitation. The earlier one's link no longer works."
    )


@strawberry.type
class RevokeInvitationPayload(Payload):
    revoked_id: strawberry.ID | None = None


@strawberry.type
class EndReviewPayload(Payload):
    ended: bool = False


@strawberry.type
class AcceptInvitationPayload(Payload):
    accepted: bool = False


@strawberry.type
class ReviewerQueries:
    reviewers = connection(reviewers, Reviewer, description="Everyone who can be appointed, by name.")
    waiting_appointments = connection(
        waiting_appointments,
        WaitingAppointment,
        description="Appointments that wait for a yes. As an administrator, you see all; as a reviewer, those that ask "
        "for you. With `standing`, only those you see with that standing.",
    )


@strawberry.type
class ReviewerMutations:
    appoint_reviewer = mutation(
        appoint_reviewer,
        AppointReviewerPayload,
        description="Asks a reviewer to review you. Your current reviewer stays until the new one has accepted, and an "
        "administrator has confirmed or approved them where that's needed.",
    )
    accept_appointment = mutation(
        accept_appointment,
        AcceptAppointmentPayload,
        description="Accepts a mediator's appointment. Parties see how you say you know the mediator.",
    )
    declare_relation = mutation(
        declare_relation,
        DeclareRelationPayload,
        description="Corrects how you say you know a mediator whom you review. Parties see it.",
    )
    approve_appointment = mutation(approve_appointment, ApproveAppointmentPayload)
    decline_appointment = mutation(
        decline_appointment,
        DeclineAppointmentPayload,
        description="Ends an appointment that waits, as its reviewer or as an administrator. Both sides are told by "
        "email; the mediator isn't told who declined.",
    )
    invite_reviewer = mutation(invite_reviewer, InviteReviewerPayload)
    resend_invitation = mutation(
        resend_invitation,
        ResendInvitationPayload,
        description="Sends an invitation again, with a new link and its full time.",
    )
    revoke_invitation = mutation(revoke_invitation, RevokeInvitationPayload)
    end_review = mutation(end_review, EndReviewPayload)
    accept_invitation = mutation(
        accept_invitation,
        AcceptInvitationPayload,
        description="Accepts an invitation to review a mediator. Parties see how you say you know the mediator.",
    )
