"""Signing in and out in the schema."""

from typing import Any

import strawberry

from resolvers import sign_in
from schema.changes import Payload, attempt
from schema.lists import Info


@strawberry.input
class SignInInput:
    email: str
    password: str
    code: str | None = strawberry.field(
        default=None, description="What the account's second factor shows, or a recovery code."
    )


@strawberry.input
class FinishSignInInput:
    pending_sign_in: str
    code: str = strawberry.field(description="What the account's second factor shows, or a recovery code.")


@strawberry.type(description="The session itself is in a cookie.")
class SignInPayload(Payload):
    signed_in: bool = False
    second_factor_required: bool = strawberry.field(
        default=False, description="The password is right, and a code has to come with it."
    )
    pending_sign_in: str | None = strawberry.field(
        default=None, description="If a code was missing: for ten minutes, `finishSignIn` takes this with the code."
    )


@strawberry.type(description="The session itself is in a cookie.")
class FinishSignInPayload(Payload):
    signed_in: bool = False


@strawberry.type
class SignOutPayload(Payload):
    signed_out: bool = False


@strawberry.type
class SignInMutations:
    @strawberry.mutation
    async def sign_in(self, info: Info, input: SignInInput) -> SignInPayload | None:
        async def change() -> dict[str, Any]:
            await sign_in.sign_in(info.context, input.email, input.password, input.code)
            return {"signed_in": True}

        answer = await attempt(SignInPayload, change())
        answer.second_factor_required = any(problem.field == "code" for problem in answer.user_errors)
        return answer

    @strawberry.mutation(description="Signs in with a code, after a `signIn` that lacked one.")
    async def finish_sign_in(self, info: Info, input: FinishSignInInput) -> FinishSignInPayload | None:
        async def change() -> dict[str, Any]:
            await sign_in.finish_sign_in(info.context, input.pending_sign_in, input.code)
            return {"signed_in": True}

        return await attempt(FinishSignInPayload, change())

    @strawberry.mutation
    async def sign_out(self, info: Info) -> SignOutPayload | None:
        async def change() -> dict[str, Any]:
            await sign_in.sign_out(info.context)
            return {"signed_out": True}

        return await attempt(SignOutPayload, change())
