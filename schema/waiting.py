"""What the compiled executor has to await; each of these can be awaited by graphql-core too."""

from collections.abc import Awaitable, Generator
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLOutputType, GraphQLResolveInfo
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import Path


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
