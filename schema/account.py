"""One's own account in the schema: signing up, links, export, deletion."""

from datetime import datetime
from typing import Any

import strawberry

from models.account import Role
from models.mediator import Visibility
from resolvers import access, account, export, mediator, support, tokens
from schema.access import ApiToken, Session
from schema.changes import Payload, attempt, once
from schema.lists import Info
from schema.mediator import Mediator

strawberry.enum(Role)


@strawberry.type(description="An archive of all your data; its link comes by mail.")
class DataExport:
    id: strawberry.ID
    requested_at: datetime
    ready_at: datetime | None
    expires_at: datetime | None
    percent: int = strawberry.field(description="How much of it is made, from 0 to 100.")


@strawberry.type(description="Your own account.")
class OwnAccount:
    id: strawberry.ID
    name: str
    email: str
    roles: list[Role]
    email_verified_at: datetime | None
    paid_until: datetime | None
    second_factor: bool = strawberry.field(description="Whether signing in asks for a code beside the password.")

    @strawberry.field(description="Your profile as a mediator.")
    async def mediator(self, info: Info) -> Mediator | None:
        found: Any = await mediator.own(info.context)
        return found

    @strawberry.field
    async def sessions(self, info: Info) -> list[Session]:
        found: Any = await access.own_sessions(info.context)
        return found

    @strawberry.field
    async def api_tokens(self, info: Info) -> list[ApiToken]:
        found: Any = await tokens.own_tokens(info.context)
        return found

    @strawberry.field
    async def exports(self, info: Info) -> list[DataExport]:
        found: Any = await export.own_exports(info.context)
        return found


@strawberry.input(description="A new mediator's account.")
class SignUpInput:
    name: str
    email: str
    password: str
    visibility: Visibility = Visibility.PRIVATE
    request_key: str | None = None


@strawberry.input
class VerifyEmailInput:
    token: str


@strawberry.input
class RequestPasswordResetInput:
    email: str


@strawberry.input
class ResetPasswordInput:
    token: str
    password: str


@strawberry.input
class UpdateAccountInput:
    name: str


@strawberry.input
class ChangeEmailInput:
    email: str
    password: str


@strawberry.input
class ChangePasswordInput:
    current_password: str
    new_password: str
    end_others: bool = strawberry.field(
        default=True,
        description="Whether all else that opens your account ends: other sessions, API tokens, links to your data.",
    )


@strawberry.input
class ExportMyDataInput:
    request_key: str | None = None


@strawberry.input
class DeleteMyAccountInput:
    password: str


@strawberry.type(description="The same whether or not the address has an account.")
class SignUpPayload(Payload):
    mail_sent: bool = False


@strawberry.type
class VerifyEmailPayload(Payload):
    verified: bool = False


@strawberry.type(description="The same whether or not the address has an account.")
class RequestPasswordResetPayload(Payload):
    mail_sent: bool = False


@strawberry.type
class ResetPasswordPayload(Payload):
    changed: bool = False


@strawberry.type
class UpdateAccountPayload(Payload):
    account: OwnAccount | None = None


@strawberry.type(description="The same whether or not the address has an account.")
class ChangeEmailPayload(Payload):
    mail_sent: bool = False


@strawberry.type
class ChangePasswordPayload(Payload):
    changed: bool = False


@strawberry.type
class ExportMyDataPayload(Payload):
    data_export: DataExport | None = None


@strawberry.type
class DeleteMyAccountPayload(Payload):
    deleted: bool = False


@strawberry.type
class AccountQueries:
    @strawberry.field(description="Your own account.")
    async def me(self, info: Info) -> OwnAccount | None:
        found: Any = await support.account(info.context, info.context.account_id)
        return found


@strawberry.type
class AccountMutations:
    @strawberry.mutation
    async def sign_up(self, info: Info, input: SignUpInput) -> SignUpPayload | None:
        async def change() -> dict[str, Any]:
            await account.sign_up(info.context, input.name, input.email, input.password, input.visibility, once(input))
            return {"mail_sent": True}

        return await attempt(SignUpPayload, change())

    @strawberry.mutation(
        description="Uses the link of a mail that shows an address to be yours. Ends every other session."
    )
    async def verify_email(self, info: Info, input: VerifyEmailInput) -> VerifyEmailPayload | None:
        async def change() -> dict[str, Any]:
            await account.verify_email(info.context, input.token)
            return {"verified": True}

        return await attempt(VerifyEmailPayload, change())

    @strawberry.mutation
    async def request_password_reset(
        self, info: Info, input: RequestPasswordResetInput
    ) -> RequestPasswordResetPayload | None:
        async def change() -> dict[str, Any]:
            await account.request_password_reset(info.context, input.email)
            return {"mail_sent": True}

        return await attempt(RequestPasswordResetPayload, change())

    @strawberry.mutation(
        description="Uses the link of a mail that sets a password. Ends every session, API token and link to your data."
    )
    async def reset_password(self, info: Info, input: ResetPasswordInput) -> ResetPasswordPayload | None:
        async def change() -> dict[str, Any]:
            await account.reset_password(info.context, input.token, input.password)
            return {"changed": True}

        return await attempt(ResetPasswordPayload, change())

    @strawberry.mutation
    async def update_account(self, info: Info, input: UpdateAccountInput) -> UpdateAccountPayload | None:
        async def change() -> dict[str, Any]:
            await account.update_account(info.context, input.name)
            return {"account": await support.account(info.context, info.context.account_id)}

        return await attempt(UpdateAccountPayload, change())

    @strawberry.mutation(description="Mails a link to the new address, which is yours once the link is used.")
    async def change_email(self, info: Info, input: ChangeEmailInput) -> ChangeEmailPayload | None:
        async def change() -> dict[str, Any]:
            await account.change_email(info.context, input.email, input.password)
            return {"mail_sent": True}

        return await attempt(ChangeEmailPayload, change())

    @strawberry.mutation(description="Gives this session a new cookie, and ends the others unless you say otherwise.")
    async def change_password(self, info: Info, input: ChangePasswordInput) -> ChangePasswordPayload | None:
        async def change() -> dict[str, Any]:
            await account.change_password(
                info.context, input.current_password, input.new_password, end_others=input.end_others
            )
            return {"changed": True}

        return await attempt(ChangePasswordPayload, change())

    @strawberry.mutation(
        description="Makes an archive of all your data; a mail brings its link, which opens it while you are signed in."
    )
    async def export_my_data(self, info: Info, input: ExportMyDataInput | None = None) -> ExportMyDataPayload | None:
        async def change() -> dict[str, Any]:
            made = await export.request_export(info.context, once(input))
            return {"data_export": await export.own_export(info.context, made)}

        return await attempt(ExportMyDataPayload, change())

    @strawberry.mutation(description="Deletes your account and everything of it, for good.")
    async def delete_my_account(self, info: Info, input: DeleteMyAccountInput) -> DeleteMyAccountPayload | None:
        async def change() -> dict[str, Any]:
            await account.delete_own(info.context, input.password)
            return {"deleted": True}

        return await attempt(DeleteMyAccountPayload, change())
