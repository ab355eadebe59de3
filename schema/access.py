"""What opens one's account besides its password, in the schema: browsers that are signed in, and API tokens."""

from datetime import datetime

import strawberry

from resolvers.sign_in import end_session
from resolvers.tokens import create_api_token, revoke_api_token
from schema.mutations import Payload, mutation


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
    end_session = mutation(end_session, EndSessionPayload)
    create_api_token = mutation(
        create_api_token,
        CreateApiTokenPayload,
        description="Makes a token, and tells you by mail that it was made.",
    )
    revoke_api_token = mutation(revoke_api_token, RevokeApiTokenPayload)
