"""Relay cursor connections, which every list uses."""

from collections.abc import Callable
from typing import Any, Generic, NewType, TypeVar

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.extensions.field_extension import AsyncExtensionResolver, FieldExtension, SyncExtensionResolver
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField
from strawberry.types.scalar import ScalarDefinition

from models.statement import Row, Values
from resolvers import paging
from resolvers.context import Info
from resolvers.paging import MAX_PAGE_SIZE, PAGE_SIZE, ListedRow, Page, page

Node = TypeVar("Node", bound=ListedRow)

# Totals can exceed GraphQL's 32-bit Int: 4,000 entries with the longest duration do.
Minutes = NewType("Minutes", int)
SCALARS: dict[object, ScalarDefinition] = {
    Minutes: strawberry.scalar(name="Minutes", description="A total in minutes: an integer of any size.")
}


@strawberry.type(description="Where a page is in its list.")
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type(description="A row, and the cursor to continue from it.")
class Edge(Generic[Node]):
    node: Node
    cursor: str


@strawberry.type(
    description=f"One page of a list: {PAGE_SIZE} rows unless you give `first` or `last`, {MAX_PAGE_SIZE} at most."
)
class Connection(Generic[Node]):
    nodes: list[Node]

    @strawberry.field
    def edges(self, page: strawberry.Parent[paging.Connection[Node]]) -> list[Edge[Node]]:
        return [Edge(node=row, cursor=page.cursor(row)) for row in page.nodes]

    @strawberry.field
    def page_info(self, page: strawberry.Parent[paging.Connection[Node]]) -> PageInfo:
        nodes = page.nodes
        return PageInfo(
            has_next_page=page.has_next_page,
            has_previous_page=page.has_previous_page,
            start_cursor=page.cursor(nodes[0]) if nodes else None,
            end_cursor=page.cursor(nodes[-1]) if nodes else None,
        )

    @strawberry.field(graphql_type=int, description="How many rows the whole list has. Counted only if you ask for it.")
    def total_count(self, page: strawberry.Parent[paging.Connection[Node]]) -> int | paging.Counting:
        return paging.Counting(page.count) if page.total is None else page.total  # usually it came with the rows


class _Paged(FieldExtension):
    """Gives a resolver its `page`, read from the four arguments of a connection."""

    def apply(self, field: StrawberryField) -> None:
        own = [argument for argument in field.arguments if argument.python_name not in _READ]
        field.arguments = _PAGING + own

    def resolve(self, next_: SyncExtensionResolver, source: Row | None, info: Info, **given: Any) -> Any:
        return next_(source, info, page=read_page(given), **given)

    async def resolve_async(self, next_: AsyncExtensionResolver, source: Row | None, info: Info, **given: Any) -> Any:
        return await next_(source, info, page=read_page(given), **given)


def _argument(name: str, type_: object) -> StrawberryArgument:
    return StrawberryArgument(name, None, StrawberryAnnotation(type_), default=None)


_PAGING = [
    _argument("first", int | None),
    _argument("after", str | None),
    _argument("last", int | None),
    _argument("before", str | None),
]
_READ = {"page", *(argument.python_name for argument in _PAGING)}


def read_page(given: Values) -> Page:
    """Take a connection's arguments out of all the arguments of a field.

    Raises:
        BadInput: they don't fit together.
    """
    return page(*(given.pop(name, None) for name in ("first", "after", "last", "before")))


def connection(resolver: Callable[..., object], of: type, *, description: str | None = None) -> Any:
    """Declare a list. `resolver` takes a `page`, and any other arguments of the list; the rows have the type `of`."""
    return strawberry.field(
        resolver=resolver,
        graphql_type=Connection[of] | None,  # type: ignore[valid-type]
        description=description,
        extensions=[_Paged()],
    )
