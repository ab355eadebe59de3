"""What a guard has to offer so that the executor can call resolvers inside it: the one way for a schema's owner in.

A guard stands around a field's resolver, or around another guard, and decides whether it's called. The executor calls
every guard it finds, in the order in which they stand; it knows no more about them than is written here.
"""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

Resolve = Callable[..., Any]


@runtime_checkable
class Guard(Protocol):
    """Something callable like a resolver that calls the one inside it, or doesn't."""

    @property
    def resolve(self) -> Resolve:
        """The resolver or guard inside."""

    def around(self, resolve: Resolve) -> "Guard":
        """Give the same guard around another resolver."""

    def __call__(self, source: Any, info: Any, **arguments: Any) -> Any:
        """Resolve the field, or refuse to: by null or by raising."""


@runtime_checkable
class MaskGuard(Guard, Protocol):
    """A guard that depends on the row alone, so that it can be written into a function.

    Called, it has to do exactly this: resolve where `source.<attribute> & mask` is true, else give null.
    """

    @property
    def attribute(self) -> str:
        """The name of a row's attribute that holds bits."""

    @property
    def mask(self) -> int:
        """The bits of which the row needs at least one."""


def unguarded(resolve: Resolve | None) -> Resolve | None:
    """Give the resolver inside all its guards."""
    while isinstance(resolve, Guard):
        resolve = resolve.resolve
    return resolve


def replaced(resolve: Resolve, by: Resolve) -> Resolve:
    """Put another resolver inside all the guards of one."""
    return resolve.around(replaced(resolve.resolve, by)) if isinstance(resolve, Guard) else by
