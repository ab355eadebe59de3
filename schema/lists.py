"""The frame of every list, a Relay cursor connection; and how ids and inputs are read."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Generic, NewType, TypeVar
from uuid import UUID

import strawberry
from graphql import FieldNode, FragmentDefinitionNode, FragmentSpreadNode
from strawberry import UNSET
from strawberry.types.scalar import ScalarDefinition

from resolvers import paging
from resolvers.context import Context
from resolvers.entries import Order

Info = strawberry.Info[Context, None]
Node = TypeVar("Node")

# Totals can pass GraphQL's 32-bit Int: 4,000 entries of the longest duration do.
Minutes = NewType("Minutes", int)
SCALARS: dict[object, ScalarDefinition] = {
    Minutes: strawberry.scalar(name="Minutes", description="A sum of minutes: an integer of any size.")
}

_NOBODYS_ID = UUID(int=0)


def read_id(given: str) -> UUID:
    """Read an id; text that is none reads as an id that nothing has, so that it is simply not found."""
    try:
        return UUID(given)
    except ValueError:
        return _NOBODYS_ID


def fields_below(info: Info) -> frozenset[str]:
    """Name every field that a document asks for below the one that is resolved, at any depth, left out or not."""
    raw = info._raw_info  # noqa: SLF001 - Strawberry's own way to it makes an object a field
    first, *others = raw.field_nodes
    return _fields_below(first, raw.fragments).union(*(_fields_below(one, raw.fragments) for one in others))


def _fields_below(node: FieldNode, fragments: Mapping[str, FragmentDefinitionNode]) -> frozenset[str]:
    """Look once; what was found is kept on the node, and goes with its document."""
    found: frozenset[str] | None = vars(node).get("fields_below")
    if found is None:
        found = vars(node)["fields_below"] = _look_below(node, fragments)
    return found


def _look_below(node: FieldNode, fragments: Mapping[str, FragmentDefinitionNode]) -> frozenset[str]:
    names: set[str] = set()
    spread: set[str] = set()
    sets = [node.selection_set]
    while sets:
        selected = sets.pop()
        for one in selected.selections if selected else ():
            if isinstance(one, FragmentSpreadNode):
                if one.name.value not in spread:
                    spread.add(one.name.value)
                    sets.append(fragments[one.name.value].selection_set)
                continue
            if isinstance(one, FieldNode):
                names.add(one.name.value)
            sets.append(one.selection_set)  # type: ignore[attr-defined]  # an inline fragment has one too
    return frozenset(names)


def read_link(given: str) -> str:
    """Read the secret of a personal link, which may be sent as `feedbackLink` shows it: as a whole address."""
    return given.strip().rpartition("/")[2]


def given(values: Any) -> dict[str, Any]:
    """Give the fields of an input that were sent, `id`, `version` and `requestKey` apart."""
    return {
        name: value
        for name, value in vars(values).items()
        if value is not UNSET and name not in {"id", "version", "request_key"}
    }


@strawberry.enum
class OrderDirection(Enum):
    """Which end comes first; what is empty comes last either way."""

    ASC = "asc"
    DESC = "desc"


def read_order(order: Any) -> Order | None:
    """Read an `orderBy` argument."""
    return Order(order.field.value, order.direction is OrderDirection.DESC) if order else None


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type(description="A row and the cursor to go on from it.")
class Edge(Generic[Node]):
    node: Node
    cursor: str


@strawberry.type(description="One page of a list: 25 rows if neither `first` nor `last` is given, 100 at most.")
class Connection(Generic[Node]):
    nodes: list[Node]

    @strawberry.field
    def edges(self, page: strawberry.Parent[Any]) -> list[Edge[Node]]:
        return [Edge(node=row, cursor=page.cursor(row)) for row in page.nodes]

    @strawberry.field
    def page_info(self, page: strawberry.Parent[Any]) -> PageInfo:
        nodes = page.nodes
        return PageInfo(
            has_next_page=page.has_next_page,
            has_previous_page=page.has_previous_page,
            start_cursor=page.cursor(nodes[0]) if nodes else None,
            end_cursor=page.cursor(nodes[-1]) if nodes else None,
        )

    @strawberry.field(description="How many rows the whole list has; counted only if asked.")
    def total_count(self, page: strawberry.Parent[Any]) -> int:
        counted: Any = page.total  # mostly it came with the rows
        if counted is None:
            counted = paging.Counting(page.count)
        return counted
