"""What the executor has to await. graphql-core can await each of these as well."""

from asyncio import Future, ensure_future
from collections.abc import Awaitable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLOutputType, GraphQLResolveInfo, GraphQLResolveInfoHelpers

from schema.executor.internals import FieldDetailsList, Path, gather_with_cancel


@dataclass(slots=True, eq=False)
class Called:
    """Something awaitable that a resolver gave; awaited itself, it gives the completed value."""

    executor: Any  # a CompiledExecutor
    type: GraphQLOutputType
    details: FieldDetailsList
    info: GraphQLResolveInfo[Any]
    path: Path
    given: Awaitable[Any]

    def __await__(self) -> Generator[Any, None, Any]:
        completed: Awaitable[Any] = self.executor.complete_awaitable_value(
            self.type, self.details, self.info, self.path, self.given, None
        )
        return completed.__await__()


@dataclass(slots=True, eq=False)
class Tree:
    """What was read, and the places in it that are still empty; awaited itself, it gives the whole."""

    executor: Any  # a CompiledExecutor
    read: Any
    waiting: list[tuple[dict[str, Any], str, Awaitable[Any]]]

    def __await__(self) -> Generator[Any, None, Any]:
        completed: Awaitable[Any] = self.executor.whole(self)
        return completed.__await__()


def started(one: Awaitable[Any]) -> Awaitable[Any]:
    """Start what isn't under way yet."""
    return one if type(one) is Called and isinstance(one.given, Future) else ensure_future(one)


def _gather(values: Sequence[Awaitable[Any]]) -> Awaitable[list[Any]]:
    return gather_with_cancel(*values)


def _track(_values: Sequence[Any]) -> None:
    """Do nothing: resolvers that leave work behind them are not supported."""


# graphql-core's own helpers hold their executor, which holds them: a cycle for the garbage collector in each request.
HELPERS = GraphQLResolveInfoHelpers(gather=_gather, track=_track)
