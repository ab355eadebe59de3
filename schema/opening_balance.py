"""Opening balances in the schema, and the changes to them."""

from datetime import date

import strawberry

from models.logbook import CaseRole
from resolvers.opening_balance import add_opening_balance, delete_opening_balance, update_opening_balance
from schema.mutations import Payload, mutation


@strawberry.type(
    description="Hours in one role from before the logbook begins, as the mediator declares them. Nobody has checked "
    "them. They belong to no year, and are never contact hours."
)
class OpeningBalance:
    id: strawberry.ID
    role: CaseRole
    minutes: int
    cases: int | None = strawberry.field(description="Null if the mediator hasn't counted them.")
    before: date = strawberry.field(description="The first day that isn't covered.")
    version: int | None = strawberry.field(description="Goes up with each edit. Send it back when you update.")


@strawberry.type
class AddOpeningBalancePayload(Payload):
    opening_balance: OpeningBalance | None = None


@strawberry.type
class UpdateOpeningBalancePayload(Payload):
    opening_balance: OpeningBalance | None = None
    current: OpeningBalance | None = strawberry.field(
        default=None, description="The opening balance as it is now, after a CONFLICT."
    )


@strawberry.type
class DeleteOpeningBalancePayload(Payload):
    deleted_id: strawberry.ID | None = None


@strawberry.type
class OpeningBalanceMutations:
    add_opening_balance = mutation(
        add_opening_balance,
        AddOpeningBalancePayload,
        description="Declares hours from before your logbook begins; at most 20 times.",
    )
    update_opening_balance = mutation(update_opening_balance, UpdateOpeningBalancePayload)
    delete_opening_balance = mutation(delete_opening_balance, DeleteOpeningBalancePayload)
