"""Your own account in the schema: signing up, emailed links, exports and deletion."""

from datetime import datetime

import strawberry

from models.account import Role
from resolvers.access import own_sessions
from resolvers.account import change_email, delete_my_account, me, mediator, sign_up, update_account, verify_email
from resolvers.account_password import change_password, request_password_reset, reset_password
from resolvers.export import export_my_data, exports
from resolvers.tokens import api_tokens
from schema.access import ApiToken, Session
from schema.mediator import Mediator
from schema.mutations import Payload, mutation


@strawberry.type(description="An archive of all your data. Its link comes by email.")
class DataExport:
    id: strawberry.ID
    requested_at: datetime
    ready_at: datetime | None
    expires_at: datetime | None
    percent: int = strawberry.field(description="Progress, from 0 to 100.")


@strawberry.type(description="Your own account.")
class OwnAccount:
    id: strawberry.ID
    name: str
    email: str
    roles: list[Role]
    email_verified_at: datetime | None
    paid_until: datetime | None
    second_factor: bool = strawberry.field(description="Whether signing in takes a code as well as the password.")

    mediator = strawberry.field(
        resolver=mediator, graphql_type=Mediator | None, description="Your profile as a mediator."
    )
    sessions = strawberry.field(resolver=own_sessions, graphql_type=list[Session])
    api_tokens = strawberry.field(resolver=api_tokens, graphql_type=list[ApiToken])
    exports = strawberry.field(resolver=exports, graphql_type=list[DataExport])


@strawberry.type(description="The answer is the same whether or not the address has an account.")
class SignUpPayload(Payload):
    mail_sent: bool = False


@strawberry.type
class VerifyEmailPayload(Payload):
    verified: bool = False


@strawberry.type(description="The answer is the same whether or not the address has an account.")
class RequestPasswordResetPayload(Payload):
    mail_sent: bool = False


@strawberry.type
class ResetPasswordPayload(Payload):
    changed: bool = False


@strawberry.type
class UpdateAccountPayload(Payload):
    account: OwnAccount | None = None


@strawberry.type(description="The answer is the same whether or not the address has an account.")
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
    me = strawberry.field(resolver=me, graphql_type=OwnAccount | None, description="Your own account.")


@strawberry.type
class AccountMutations:
    sign_up = mutation(sign_up, SignUpPayload)
    verify_email = mutation(
        verify_email,
        VerifyEmailPayload,
        description="Confirms your address with the token from an emailed link. Ends every other session.",
    )
    request_password_reset = mutation(request_password_reset, RequestPasswordResetPayload)
    reset_password = mutation(
        reset_password,
        ResetPasswordPayload,
        description="Sets a new password with the token from an emailed link. "
        "Ends every session, API token and link to your data.",
    )
    update_account = mutation(update_account, UpdateAccountPayload)
    change_email = mutation(
        change_email,
        ChangeEmailPayload,
        description="Emails a link to the new address, which replaces the old one once you use the link.",
    )
    change_password = mutation(
        change_password,
        ChangePasswordPayload,
        description="Gives this session a new cookie, and ends the others unless `endOthers` is false.",
    )
    export_my_data = mutation(
        export_my_data,
        ExportMyDataPayload,
        description="Makes an archive of all your data and emails you a link to it. "
        "The link works while you're signed in.",
    )
    delete_my_account = mutation(
        delete_my_account,
        DeleteMyAccountPayload,
        description="Deletes your account and everything in it, for good.",
    )
