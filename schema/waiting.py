"""What the compiled executor has to await; each of these can be awaited by graphql-core too."""

from collections.abc import Awaitable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLOutputType, GraphQLResolveInfo, GraphQLResolveInfoHelpers
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import Path, gather_with_cancel


@dataclass(slots=True, eq=False)
class Called:
    """What a resolver gave that has to be awaited; awaited itself, it gives that completed."""

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
    """What was read, with the places in it that something awaited goes to; awaited itself, it gives it whole."""

    executor: Any  # a CompiledExecutor
    read: Any
    waiting: list[tuple[dict[str, Any], str, Awaitable[Any]]]

    def __await__(self) -> Generator[Any, None, Any]:
        completed: Awaitable[Any] = self.executor.whole(self)
        return completed.__await__()


def _gather(values: Sequence[Awaitable[Any]]) -> Awaitable[list[Any]]:
    return gather_with_cancel(*values)


def _track(_values: Sequence[Any]) -> None:
    """No resolver of ours leaves work behind."""


# graphql-core's hold the executor, which holds them: only the garbage collector would part the two.
HELPERS = GraphQLResolveInfoHelpers(gather=_gather, track=_track)
