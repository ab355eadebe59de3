"""One's own second factor in the schema."""

from typing import Any

import strawberry

from resolvers import second_factor
from schema.changes import Payload, attempt
from schema.lists import Info


@strawberry.input
class SetUpSecondFactorInput:
    password: str


@strawberry.input
class ConfirmSecondFactorInput:
    code: str


@strawberry.input(description="The code may be a recovery code.")
class RemoveSecondFactorInput:
    password: str
    code: str


@strawberry.input(description="The code may be a recovery code.")
class RenewRecoveryCodesInput:
    password: str
    code: str


@strawberry.type(description="What a program for codes takes. It is shown this once.")
class SetUpSecondFactorPayload(Payload):
    secret: str | None = strawberry.field(default=None, description="In Base32, to type in.")
    otpauth_uri: str | None = strawberry.field(default=None, description="The same, for a QR code.")


@strawberry.type(description="The recovery codes are shown this once. Each stands in for the factor once.")
class ConfirmSecondFactorPayload(Payload):
    recovery_codes: list[str] | None = None


@strawberry.type
class RemoveSecondFactorPayload(Payload):
    removed: bool = False


@strawberry.type(description="The recovery codes are shown this once; the earlier ones work no more.")
class RenewRecoveryCodesPayload(Payload):
    recovery_codes: list[str] | None = None


@strawberry.type
class SecondFactorMutations:
    @strawberry.mutation(description="Makes a secret for a program that shows codes, such as those on phones.")
    async def set_up_second_factor(self, info: Info, input: SetUpSecondFactorInput) -> SetUpSecondFactorPayload | None:
        async def change() -> dict[str, Any]:
            return vars(await second_factor.set_up(info.context, input.password))

        return await attempt(SetUpSecondFactorPayload, change())

    @strawberry.mutation(description="From now on, signing in asks for a code. Ends every session but this one.")
    async def confirm_second_factor(
        self, info: Info, input: ConfirmSecondFactorInput
    ) -> ConfirmSecondFactorPayload | None:
        async def change() -> dict[str, Any]:
            return {"recovery_codes": await second_factor.confirm(info.context, input.code)}

        return await attempt(ConfirmSecondFactorPayload, change())

    @strawberry.mutation(description="Ends every session but this one, which gets a new cookie.")
    async def remove_second_factor(
        self, info: Info, input: RemoveSecondFactorInput
    ) -> RemoveSecondFactorPayload | None:
        async def change() -> dict[str, Any]:
            await second_factor.remove(info.context, input.password, input.code)
            return {"removed": True}

        return await attempt(RemoveSecondFactorPayload, change())

    @strawberry.mutation
    async def renew_recovery_codes(
        self, info: Info, input: RenewRecoveryCodesInput
    ) -> RenewRecoveryCodesPayload | None:
        async def change() -> dict[str, Any]:
            return {"recovery_codes": await second_factor.renew_codes(info.context, input.password, input.code)}

        return await attempt(RenewRecoveryCodesPayload, change())
