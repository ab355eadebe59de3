"""Relay cursor connections, which every list uses."""

import inspect
import re
from collections.abc import Callable
from decimal import Decimal
from functools import update_wrapper
from inspect import Parameter
from typing import Any, Generic, NewType, TypeVar

import strawberry
from strawberry.types.scalar import ScalarDefinition

from resolvers import paging
from resolvers.paging import MAX_PAGE_SIZE, PAGE_SIZE, ListedRow, page_arguments

Node = TypeVar("Node", bound=ListedRow)

# Totals can exceed GraphQL's 32-bit Int: 4,000 entries with the longest duration do.
Minutes = NewType("Minutes", int)
_DECIMAL = re.compile(r"-?\d{1,15}(\.\d{1,15})?", re.ASCII)


def _read_decimal(value: object) -> Decimal:
    """Read a decimal from text or a number. A number's shortest form counts, since that's what was written."""
    text = value if isinstance(value, str) else repr(value) if type(value) in {int, float} else ""
    if not _DECIMAL.fullmatch(text):
        raise ValueError("A decimal has up to 15 digits on each side of its point.")
    return Decimal(text)


SCALARS: dict[object, ScalarDefinition] = {
    Decimal: strawberry.scalar(
        name="Decimal",
        description='A decimal number, exact and so written as text: "2.5".',
        serialize=str,
        parse_value=_read_decimal,
    ),
    Minutes: strawberry.scalar(name="Minutes", description="A total in minutes: an integer of any size."),
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


_PAGING = [
    Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=type_)
    for name, type_ in (("first", int | None), ("after", str | None), ("last", int | None), ("before", str | None))
]


def _paged(resolver: Callable[..., Any]) -> Callable[..., Any]:
    """Make a resolver with a connection's four arguments in the place of its `page`.

    A function and not a field extension, because the executor calls functions without going through Strawberry.
    """
    signature = inspect.signature(resolver)
    own = [one.replace(kind=Parameter.KEYWORD_ONLY) for one in signature.parameters.values() if one.name != "page"]

    def paged(
        *,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        **own: Any,
    ) -> Any:
        return resolver(page=page_arguments(first, after, last, before), **own)

    update_wrapper(paged, resolver)
    vars(paged)["__signature__"] = signature.replace(parameters=_PAGING + own)
    return paged


def connection(resolver: Callable[..., Any], of: type, *, description: str | None = None) -> Any:
    """Declare a list. `resolver` takes a `page`, and any other arguments of the list; the rows have the type `of`."""
    return strawberry.field(
        resolver=_paged(resolver),
        graphql_type=Connection[of] | None,  # type: ignore[valid-type]
        description=description,
    )
