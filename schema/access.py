"""Sessions and API tokens in the schema."""

from datetime import datetime

import strawberry

from resolvers.sign_in import end_session
from resolvers.tokens import create_api_token, revoke_api_token
from schema.mutations import Payload, mutation


@strawberry.type(description="A browser signed in to your account.")
class Session:
    id: strawberry.ID
    created_at: datetime
    used_at: datetime = strawberry.field(description="Accurate to five minutes.")
    current: bool = strawberry.field(description="Whether this is the session you're using now.")


@strawberry.type(
    description="Lets a program read and do what you may, except for credentials, roles and origins of feedback. "
    "Roles that you get later don't extend it."
)
class ApiToken:
    id: strawberry.ID
    name: str
    created_at: datetime
    used_at: datetime | None = strawberry.field(description="Accurate to five minutes.")
    expires_at: datetime
    revoked_at: datetime | None


@strawberry.type
class EndSessionPayload(Payload):
    ended_id: strawberry.ID | None = None


@strawberry.type
class CreateApiTokenPayload(Payload):
    api_token: ApiToken | None = None
    token: str | None = strawberry.field(default=None, description="Shown only once; null if the request is repeated.")


@strawberry.type
class RevokeApiTokenPayload(Payload):
    api_token: ApiToken | None = None


@strawberry.type
class AccessMutations:
    end_session = mutation(end_session, EndSessionPayload)
    create_api_token = mutation(
        create_api_token,
        CreateApiTokenPayload,
        description="Makes a token, and emails you to say so.",
    )
    revoke_api_token = mutation(revoke_api_token, RevokeApiTokenPayload)
