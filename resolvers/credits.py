"""Credits: what bodies count a CPD entry as, each in its own words. One entry can count for several bodies."""

from decimal import Decimal
from typing import Any

import strawberry

from models.cpd import Credit


@strawberry.input(description="What one body counts an activity as.")
class CpdCreditInput:
    """What one body counts an activity as."""

    body: str = strawberry.field(description="The body's name.")
    activity: str | None = strawberry.field(default=None, description="The body's own words for this kind of activity.")
    points: Decimal | None = strawberry.field(
        default=None, description="0.01 to 9,999.99, with at most two decimals. Null if the body counts hours."
    )


def credits_of(entry: strawberry.Parent[Any]) -> list[Credit]:
    """Give what bodies count an entry as."""
    return [Credit.read(one) for one in entry.credits]
