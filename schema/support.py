"""Administrators' support tools in the schema."""

from datetime import datetime

import strawberry

from models.account import Role
from models.outbox import AuditAction
from resolvers.audit_log import actor, audit_log, subject
from resolvers.dead_mail import dead_mail
from resolvers.reviewer_approval import confirm_reviewer, unconfirmed_reviewers
from resolvers.support import (
    accounts,
    add_role,
    delete_account,
    end_paid_access,
    remove_role,
    retry_mail,
    set_paid_access,
    sign_out_account,
)
from schema.connections import connection
from schema.mutations import Payload, mutation


@strawberry.type(description="An account, as administrators see it.")
class Account:
    id: strawberry.ID
    name: str
    email: str
    roles: list[Role]
    email_verified_at: datetime | None
    paid_until: datetime | None
    reviewer_confirmed_at: datetime | None
    created_at: datetime
    second_factor: bool


@strawberry.type(description="An action: who took it, on whom or what, when and why.")
class AuditEntry:
    id: strawberry.ID
    at: datetime = strawberry.field(
        description="With a `count`: the beginning of the hour in which it happened that often."
    )
    action: AuditAction
    actor_id: strawberry.ID | None = strawberry.field(
        description="The account that did it. Null if it was an operator, the service itself or somebody signed out."
    )
    subject_id: strawberry.ID | None = strawberry.field(
        description="What it was done to: an account, a piece of feedback, an appointment, an email or an API token."
    )
    reason: str | None = strawberry.field(
        description="As the actor gave it, for an origin; the role, or the word that was chosen for removed feedback."
    )
    count: int | None = strawberry.field(description="How often, for what went wrong while somebody signed in.")

    actor = strawberry.field(
        resolver=actor, graphql_type=Account | None, description="Null also if that account is deleted."
    )
    subject = strawberry.field(
        resolver=subject,
        graphql_type=Account | None,
        description="The account that the subject is or belongs to: for feedback, the mediator whom it's about. "
        "Null if there's none, or it's deleted.",
    )


@strawberry.type(description="An email that we gave up sending. Its recipient and text are never shown.")
class DeadMail:
    id: strawberry.ID
    kind: str
    attempts: int
    smtp_code: int | None


@strawberry.type
class AddRolePayload(Payload):
    account: Account | None = None


@strawberry.type
class RemoveRolePayload(Payload):
    account: Account | None = None


@strawberry.type
class ConfirmReviewerPayload(Payload):
    account: Account | None = None


@strawberry.type
class SetPaidAccessPayload(Payload):
    account: Account | None = None


@strawberry.type
class EndPaidAccessPayload(Payload):
    account: Account | None = None


@strawberry.type
class SignOutAccountPayload(Payload):
    account: Account | None = None


@strawberry.type
class DeleteAccountPayload(Payload):
    deleted_id: strawberry.ID | None = None


@strawberry.type
class RetryMailPayload(Payload):
    queued_id: strawberry.ID | None = None


@strawberry.type
class SupportQueries:
    accounts = connection(
        accounts,
        Account,
        description="All accounts, by name. `search` takes words of a name, a whole email address, or an id. Each one "
        "on the page is noted in the audit log.",
    )
    unconfirmed_reviewers = connection(
        unconfirmed_reviewers,
        Account,
        description="Reviewers whom no administrator has confirmed, by name. Each one on the page is noted in the "
        "audit log.",
    )
    audit_log = connection(
        audit_log,
        AuditEntry,
        description="What was done, newest first. Never anything about feedback about yourself.",
    )
    dead_mail = connection(dead_mail, DeadMail)


@strawberry.type
class SupportMutations:
    add_role = mutation(
        add_role, AddRolePayload, description="Gives an account one more role. The person is told by email."
    )
    remove_role = mutation(
        remove_role,
        RemoveRolePayload,
        description="Takes one role away from an account; the person is told by email. Without MEDIATOR, a mediator is "
        "hidden: nobody finds or reads them, and they can't open their logbook. It's kept, and is there again if the "
        "role is added again. Without REVIEWER, all of a reviewer's reviews end.",
    )
    confirm_reviewer = mutation(
        confirm_reviewer,
        ConfirmReviewerPayload,
        description="Confirms a reviewer, once and for all mediators; the person is told by email. Without REVIEWER, "
        "it's gone. Nobody confirms themselves, or somebody whom they've asked to review them.",
    )
    set_paid_access = mutation(set_paid_access, SetPaidAccessPayload)
    end_paid_access = mutation(end_paid_access, EndPaidAccessPayload)
    sign_out_account = mutation(
        sign_out_account,
        SignOutAccountPayload,
        description="Ends all sessions of an account and revokes its API tokens. The password still works.",
    )
    delete_account = mutation(
        delete_account,
        DeleteAccountPayload,
        description="Deletes an account and everything in it, for good. Its email address must match.",
    )
    retry_mail = mutation(retry_mail, RetryMailPayload)
