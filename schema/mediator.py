"""Mediators in the schema: their profile, and all their lists."""

import strawberry

from models.mediator import Visibility
from models.reviewer import Relation
from resolvers.cpd import cpd, cpd_entry, cpd_facets
from resolvers.experience import experience
from resolvers.feedback import feedback, feedback_piece, feedback_summary
from resolvers.feedback_request import feedback_requests
from resolvers.learning import learning_facets, learnings
from resolvers.logbook import logbook, logbook_entry, logbook_facets
from resolvers.mediator import feedback_link, mediator, mediators, update_profile
from resolvers.opening_balance import opening_balances_of
from resolvers.reviewer import reviewer, reviewer_relation, reviewer_relation_details, waiting_reviewer
from resolvers.reviewer_invitation import reviewer_invitations_of
from schema.connections import connection
from schema.cpd import CpdEntry, CpdFacets
from schema.feedback import Feedback, FeedbackRequest, FeedbackSummary
from schema.learning import Learning, LearningFacets
from schema.logbook import Experience, LogbookEntry, LogbookFacets
from schema.mutations import Payload, mutation
from schema.opening_balance import OpeningBalance
from schema.reviewer import Reviewer, ReviewerInvitation


@strawberry.type(description="A mediator. You see what your standing towards them allows.")
class Mediator:
    id: strawberry.ID
    name: str
    about: str | None
    profile_url: str | None = strawberry.field(description="The web page that carries the mediator's Feedback Digest.")
    visibility: Visibility | None
    email: str | None
    reviewer = strawberry.field(resolver=reviewer, graphql_type=Reviewer | None)
    waiting_reviewer = strawberry.field(
        resolver=waiting_reviewer,
        graphql_type=Reviewer | None,
        description="The reviewer whose appointment isn't in force yet, because a yes is missing.",
    )
    reviewer_relation = strawberry.field(
        resolver=reviewer_relation,
        graphql_type=Relation | None,
        description="How the reviewer says they know the mediator. Null if they haven't said so.",
    )
    reviewer_relation_details = strawberry.field(resolver=reviewer_relation_details, graphql_type=str | None)
    reviewer_invitations = connection(
        reviewer_invitations_of, ReviewerInvitation, description="Invitations that nobody has accepted yet."
    )
    feedback_link = strawberry.field(
        resolver=feedback_link, description="Your personal link. Hand it out to get feedback about you."
    )
    experience = strawberry.field(resolver=experience, graphql_type=Experience | None)
    opening_balances = strawberry.field(
        resolver=opening_balances_of,
        graphql_type=list[OpeningBalance] | None,
        description="Hours from before the logbook begins, as the mediator declares them. The earliest first.",
    )
    logbook = connection(logbook, LogbookEntry)
    logbook_entry = strawberry.field(
        resolver=logbook_entry, graphql_type=LogbookEntry | None, description="One case in the logbook."
    )
    logbook_facets = strawberry.field(resolver=logbook_facets, graphql_type=LogbookFacets | None)
    cpd = connection(cpd, CpdEntry)
    cpd_entry = strawberry.field(resolver=cpd_entry, graphql_type=CpdEntry | None, description="One CPD entry.")
    cpd_facets = strawberry.field(resolver=cpd_facets, graphql_type=CpdFacets | None)
    learnings = connection(learnings, Learning)
    learning_facets = strawberry.field(resolver=learning_facets, graphql_type=LearningFacets | None)
    feedback_requests = connection(
        feedback_requests,
        FeedbackRequest,
        description="Newest first. Nothing here shows whether a request was answered.",
    )
    feedback = connection(feedback, Feedback, description="The feedback about this mediator that you may read.")
    feedback_piece = strawberry.field(
        resolver=feedback_piece,
        graphql_type=Feedback | None,
        description="One piece of feedback that you may read.",
    )
    feedback_summary = strawberry.field(resolver=feedback_summary, graphql_type=FeedbackSummary | None)


@strawberry.type
class UpdateProfilePayload(Payload):
    mediator: Mediator | None = None


@strawberry.type
class MediatorQueries:
    mediator = strawberry.field(
        resolver=mediator,
        graphql_type=Mediator | None,
        description="A mediator you may see. With `standing`, only if that's your standing towards them.",
    )
    mediators = connection(
        mediators,
        Mediator,
        description="The mediators you may see, by name. With `standing`, only those you see with that standing.",
    )


@strawberry.type
class MediatorMutations:
    update_profile = mutation(update_profile, UpdateProfilePayload)
