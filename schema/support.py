"""What administrators see and do for support, in the schema."""

from datetime import datetime
from typing import Any

import strawberry

from models.account import Role
from models.outbox import AuditAction
from resolvers import reviewer, support
from resolvers.paging import page
from schema.changes import Payload, attempt
from schema.lists import Connection, Info, read_id

strawberry.enum(AuditAction)


@strawberry.type(description="Anybody's account.")
class Account:
    id: strawberry.ID
    name: str
    email: str
    roles: list[Role]
    email_verified_at: datetime | None
    paid_until: datetime | None
    created_at: datetime
    second_factor: bool


@strawberry.type(description="An appointment that an administrator has to approve.")
class WaitingAppointment:
    id: strawberry.ID
    asked_at: datetime
    mediator_id: strawberry.ID
    reviewer_id: strawberry.ID


@strawberry.type(description="Who did what to which, when.")
class AuditEntry:
    id: strawberry.ID
    at: datetime
    actor_id: strawberry.ID
    action: AuditAction
    subject_id: strawberry.ID


@strawberry.type(description="A mail that was given up. Its recipient and text are never shown.")
class DeadMail:
    id: strawberry.ID
    kind: str
    attempts: int
    smtp_code: int | None


@strawberry.input(description="The account has exactly these roles afterwards.")
class SetRolesInput:
    account_id: strawberry.ID
    roles: list[Role]


@strawberry.input(description="Null takes paid access away.")
class SetPaidAccessInput:
    account_id: strawberry.ID
    paid_until: datetime | None = None


@strawberry.input
class SignOutAccountInput:
    account_id: strawberry.ID


@strawberry.input
class DeleteAccountInput:
    id: strawberry.ID


@strawberry.input
class RetryMailInput:
    id: strawberry.ID


@strawberry.input
class ApproveAppointmentInput:
    id: strawberry.ID


@strawberry.type
class SetRolesPayload(Payload):
    account: Account | None = None


@strawberry.type
class SetPaidAccessPayload(Payload):
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
class SupportQueries:
    @strawberry.field(description="All accounts, by name; `search` is words of a name, or a whole mail address.")
    async def accounts(
        self,
        info: Info,
        search: str | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Account] | None:
        found: Any = await support.account_page(info.context, search, page(first, after, last, before))
        return found

    @strawberry.field
    async def waiting_appointments(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[WaitingAppointment] | None:
        found: Any = await support.waiting_page(info.context, page(first, after, last, before))
        return found

    @strawberry.field(description="Newest first.")
    async def audit_log(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[AuditEntry] | None:
        found: Any = await support.audit_page(info.context, page(first, after, last, before))
        return found

    @strawberry.field
    async def dead_mail(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[DeadMail] | None:
        found: Any = await support.dead_page(info.context, page(first, after, last, before))
        return found


@strawberry.type
class SupportMutations:
    @strawberry.mutation
    async def set_roles(self, info: Info, input: SetRolesInput) -> SetRolesPayload | None:
        async def change() -> dict[str, Any]:
            account_id = read_id(input.account_id)
            await support.set_roles(info.context, account_id, input.roles)
            return {"account": await support.account(info.context, account_id)}

        return await attempt(SetRolesPayload, change())

    @strawberry.mutation
    async def set_paid_access(self, info: Info, input: SetPaidAccessInput) -> SetPaidAccessPayload | None:
        async def change() -> dict[str, Any]:
            account_id = read_id(input.account_id)
            await support.set_paid_access(info.context, account_id, input.paid_until)
            return {"account": await support.account(info.context, account_id)}

        return await attempt(SetPaidAccessPayload, change())

    @strawberry.mutation(
        description="Ends all sessions of an account and revokes its API tokens. Its password still works."
    )
    async def sign_out_account(self, info: Info, input: SignOutAccountInput) -> SignOutAccountPayload | None:
        async def change() -> dict[str, Any]:
            account_id = read_id(input.account_id)
            await support.sign_out_other(info.context, account_id)
            return {"account": await support.account(info.context, account_id)}

        return await attempt(SignOutAccountPayload, change())

    @strawberry.mutation(description="Deletes an account and everything of it, for good.")
    async def delete_account(self, info: Info, input: DeleteAccountInput) -> DeleteAccountPayload | None:
        async def change() -> dict[str, Any]:
            return {"deleted_id": await support.delete_other(info.context, read_id(input.id))}

        return await attempt(DeleteAccountPayload, change())

    @strawberry.mutation
    async def retry_mail(self, info: Info, input: RetryMailInput) -> RetryMailPayload | None:
        async def change() -> dict[str, Any]:
            return {"queued_id": await support.retry_mail(info.context, read_id(input.id))}

        return await attempt(RetryMailPayload, change())

    @strawberry.mutation
    async def approve_appointment(self, info: Info, input: ApproveAppointmentInput) -> ApproveAppointmentPayload | None:
        async def change() -> dict[str, Any]:
            await reviewer.approve(info.context, read_id(input.id))
            return {"approved": True}

        return await attempt(ApproveAppointmentPayload, change())
