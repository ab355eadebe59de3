"""Signing in and out, in the schema."""

import strawberry

from resolvers.sign_in import finish_sign_in, sign_in, sign_out
from schema.mutations import Payload, mutation


@strawberry.type(description="The session itself is in a cookie.")
class SignInPayload(Payload):
    signed_in: bool = False
    pending_sign_in: str | None = strawberry.field(
        default=None, description="If a code was missing: send this with the code to `finishSignIn` within ten minutes."
    )

    @strawberry.field(description="The password is right, but a code is needed too.")
    def second_factor_required(self) -> bool:
        return any(error.field == "code" for error in self.user_errors)


@strawberry.type(description="The session itself is in a cookie.")
class FinishSignInPayload(Payload):
    signed_in: bool = False


@strawberry.type
class SignOutPayload(Payload):
    signed_out: bool = False


@strawberry.type
class SignInMutations:
    sign_in = mutation(sign_in, SignInPayload)
    finish_sign_in = mutation(finish_sign_in, FinishSignInPayload, description="Adds the code that a `signIn` lacked.")
    sign_out = mutation(sign_out, SignOutPayload)
