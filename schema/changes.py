"""What every mutation answers: the thing as it is now, and what to mend."""

from collections.abc import Awaitable, Collection
from typing import Any, TypeVar

import orjson
import strawberry

from resolvers.errors import Code, Refused
from resolvers.repeats import Once

strawberry.enum(Code, name="UserErrorCode")


@strawberry.type(description="Something to mend: the input's field (null for the whole) and how.")
class UserError:
    field: str | None
    message: str
    code: Code


@strawberry.type
class Payload:
    """Base of every payload."""

    user_errors: list[UserError] = strawberry.field(default_factory=list)


Answer = TypeVar("Answer", bound=Payload)


async def attempt(payload: type[Answer], change: Awaitable[dict[str, Any]]) -> Answer:
    """Await a change, which gives the payload's fields; if it is refused, the payload says why instead."""
    try:
        return payload(**await change)
    except Refused as refused:
        errors = [UserError(field=p.field, message=p.message, code=p.code) for p in refused.problems]
        return payload(user_errors=errors, **refused.facts)


def once(input: Any, *, proofs: Collection[str] = ()) -> Once:
    """Read an input that has a `requestKey`: the key, and all else, by which a repeat is told from another change.

    `proofs`: fields that show who asks and are nothing of what is asked for. A code is another each time.
    """
    given = vars(input) if input is not None else {}
    content = {name: value for name, value in given.items() if name != "request_key" and name not in proofs}
    return Once(given.get("request_key"), orjson.dumps(content, option=orjson.OPT_SORT_KEYS))
