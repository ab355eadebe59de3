"""Your own second factor in the schema."""

import strawberry

from resolvers.second_factor import (
    confirm_second_factor,
    remove_second_factor,
    renew_recovery_codes,
    set_up_second_factor,
)
from schema.mutations import Payload, mutation


@strawberry.type(description="The secret for your authenticator app. Shown only once.")
class SetUpSecondFactorPayload(Payload):
    secret: str | None = strawberry.field(default=None, description="In Base32, for typing in.")
    otpauth_uri: str | None = strawberry.field(default=None, description="The same, for a QR code.")


@strawberry.type(
    description="Your recovery codes, shown only once. Each works once, in place of a code from your second factor."
)
class ConfirmSecondFactorPayload(Payload):
    recovery_codes: list[str] | None = None


@strawberry.type
class RemoveSecondFactorPayload(Payload):
    removed: bool = False


@strawberry.type(description="Your new recovery codes, shown only once. The old ones stop working.")
class RenewRecoveryCodesPayload(Payload):
    recovery_codes: list[str] | None = None


@strawberry.type
class SecondFactorMutations:
    set_up_second_factor = mutation(
        set_up_second_factor,
        SetUpSecondFactorPayload,
        description="Makes a secret for an authenticator app.",
    )
    confirm_second_factor = mutation(
        confirm_second_factor,
        ConfirmSecondFactorPayload,
        description="From now on, signing in takes a code. Ends every other session.",
    )
    remove_second_factor = mutation(
        remove_second_factor,
        RemoveSecondFactorPayload,
        description="Ends every other session, and gives this one a new cookie.",
    )
    renew_recovery_codes = mutation(renew_recovery_codes, RenewRecoveryCodesPayload)
