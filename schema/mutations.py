"""How mutations are declared. Each answers with the changed thing, or with what to fix."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import strawberry
from strawberry.extensions.field_extension import AsyncExtensionResolver, FieldExtension

from models.statement import Row, Values
from resolvers.context import Info
from resolvers.errors import Code, Refused

strawberry.enum(Code, name="UserErrorCode")


@strawberry.type(description="One thing to fix in the input. `field` is null if it's about the input as a whole.")
class UserError:
    field: str | None
    message: str
    code: Code


@strawberry.type
class Payload:
    """Base class of every payload."""

    user_errors: list[UserError] = strawberry.field(default_factory=list)


# Only refusals have these: the reasons, the thing as someone else left it, and a sign-in waiting for its code.
_WHEN_REFUSED = {"user_errors", "current", "pending_sign_in"}


class _Answered(FieldExtension):
    """Puts a resolver's result into its payload. If the resolver refuses, the payload says why."""

    def __init__(self, payload: type[Payload]) -> None:
        self._payload = payload
        own = [one for one in fields(payload) if one.init and one.name not in _WHEN_REFUSED]
        self._names = [one.name for one in own]
        self._is_flag = [one.default for one in own] == [False]

    async def resolve_async(
        self, next_: AsyncExtensionResolver, source: Row | None, info: Info, **given: Any
    ) -> Payload:
        try:
            found = await next_(source, info, **given)
        except Refused as refused:
            errors = [UserError(field=p.field, message=p.message, code=p.code) for p in refused.problems]
            return self._payload(user_errors=errors, **refused.facts)
        if len(self._names) > 1:
            return self._payload(**{name: getattr(found, name) for name in self._names})
        answer: Values = dict.fromkeys(self._names, True if self._is_flag else found)
        return self._payload(**answer)


def mutation(resolver: Callable[..., object], payload: type[Payload], *, description: str | None = None) -> Any:
    """Declare a mutation.

    `resolver` gives the payload's only field, or an object with an attribute for each field. It gives nothing if the
    payload only says that the change was made.
    """
    return strawberry.mutation(
        resolver=resolver, graphql_type=payload | None, description=description, extensions=[_Answered(payload)]
    )
