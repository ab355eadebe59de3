"""Administrators' support tools in the schema."""

from datetime import datetime

import strawberry

from models.account import Role
from models.outbox import AuditAction
from resolvers.reviewer import approve_appointment, decline_appointment
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
from resolvers.support_lists import audit_log, dead_mail, waiting_appointments
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
    created_at: datetime
    second_factor: bool


@strawberry.type(description="An appointment that an administrator has yet to approve.")
class WaitingAppointment:
    id: strawberry.ID
    asked_at: datetime
    mediator_id: strawberry.ID
    reviewer_id: strawberry.ID


@strawberry.type(description="An action: who took it, on whom or what, and when.")
class AuditEntry:
    id: strawberry.ID
    at: datetime
    actor_id: strawberry.ID
    action: AuditAction
    subject_id: strawberry.ID
    reason: str | None = strawberry.field(description="Why, for actions that need a reason.")


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
class ApproveAppointmentPayload(Payload):
    approved: bool = False


@strawberry.type
class DeclineAppointmentPayload(Payload):
    declined: bool = False


@strawberry.type
class SupportQueries:
    accounts = connection(
        accounts,
        Account,
        description="All accounts, by name. `search` takes words of a name, a whole email address, or an id.",
    )
    waiting_appointments = connection(waiting_appointments, WaitingAppointment)
    audit_log = connection(audit_log, AuditEntry, description="Newest first.")
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
    approve_appointment = mutation(approve_appointment, ApproveAppointmentPayload)
    decline_appointment = mutation(
        decline_appointment,
        DeclineAppointmentPayload,
        description="Ends an appointment that waits for approval. The mediator and the reviewer are told by email.",
    )
