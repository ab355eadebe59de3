"""One's own second factor in the schema."""

import strawberry

from resolvers.second_factor import (
    confirm_second_factor,
    remove_second_factor,
    renew_recovery_codes,
    set_up_second_factor,
)
from schema.mutations import Payload, mutation


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
    set_up_second_factor = mutation(
        set_up_second_factor,
        SetUpSecondFactorPayload,
        description="Makes a secret for a program that shows codes, such as those on phones.",
    )
    confirm_second_factor = mutation(
        confirm_second_factor,
        ConfirmSecondFactorPayload,
        description="From now on, signing in asks for a code. Ends every session but this one.",
    )
    remove_second_factor = mutation(
        remove_second_factor,
        RemoveSecondFactorPayload,
        description="Ends every session but this one, which gets a new cookie.",
    )
    renew_recovery_codes = mutation(renew_recovery_codes, RenewRecoveryCodesPayload)
