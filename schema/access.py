"""What opens one's account besides its password, in the schema: browsers that are signed in, and API tokens."""

from datetime import datetime
from typing import Any

import strawberry

from resolvers import sign_in, tokens
from schema.changes import Payload, attempt, once
from schema.lists import Info, read_id


@strawberry.type(description="A browser that is signed in to your account.")
class Session:
    id: strawberry.ID
    created_at: datetime
    used_at: datetime = strawberry.field(description="To within five minutes.")
    current: bool = strawberry.field(description="Whether it is the one that you are asking with.")


@strawberry.type(
    description="A program's key to what you may read and do, but for credentials, roles and origins. "
    "Roles that you get after it was made add nothing to it."
)
class ApiToken:
    id: strawberry.ID
    name: str
    created_at: datetime
    used_at: datetime | None = strawberry.field(description="To within five minutes.")
    expires_at: datetime
    revoked_at: datetime | None


@strawberry.input
class EndSessionInput:
    id: strawberry.ID


@strawberry.input
class CreateApiTokenInput:
    name: str
    expires_at: datetime | None = strawberry.field(default=None, description="In a year by default, in two at most.")
    password: str | None = strawberry.field(
        default=None, description="Your own; needed unless you signed in within the last ten minutes."
    )
    code: str | None = strawberry.field(
        default=None, description="Needed with the password where you have a second factor, or a recovery code."
    )
    request_key: str | None = None


@strawberry.input
class RevokeApiTokenInput:
    id: strawberry.ID


@strawberry.type
class EndSessionPayload(Payload):
    ended_id: strawberry.ID | None = None


@strawberry.type
class CreateApiTokenPayload(Payload):
    api_token: ApiToken | None = None
    token: str | None = strawberry.field(default=None, description="Shown this once; null to a repeated request.")


@strawberry.type
class RevokeApiTokenPayload(Payload):
    api_token: ApiToken | None = None


@strawberry.type
class AccessMutations:
    @strawberry.mutation
    async def end_session(self, info: Info, input: EndSessionInput) -> EndSessionPayload | None:
        async def change() -> dict[str, Any]:
            return {"ended_id": await sign_in.end_session(info.context, read_id(input.id))}

        return await attempt(EndSessionPayload, change())

    @strawberry.mutation(description="Makes a token, and tells you by mail that it was made.")
    async def create_api_token(self, info: Info, input: CreateApiTokenInput) -> CreateApiTokenPayload | None:
        async def change() -> dict[str, Any]:
            asked = once(input, proofs=("password", "code"))
            made, secret = await tokens.create_token(
                info.context, input.name, input.expires_at, input.password, input.code, asked
            )
            return {"api_token": await tokens.own_token(info.context, made), "token": secret}

        return await attempt(CreateApiTokenPayload, change())

    @strawberry.mutation
    async def revoke_api_token(self, info: Info, input: RevokeApiTokenInput) -> RevokeApiTokenPayload | None:
        async def change() -> dict[str, Any]:
            revoked = await tokens.revoke_token(info.context, read_id(input.id))
            return {"api_token": await tokens.own_token(info.context, revoked)}

        return await attempt(RevokeApiTokenPayload, change())
