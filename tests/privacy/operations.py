"""Random operations, valid and invalid, made from a viewer's own schema and filled with values from a world.

`hypothesis-graphql` writes the documents. Hardly any of the values it makes up would open anything, so most are
replaced here: by ids, cursors, tokens and words that exist, page sizes that go together, filters by a field or two.
"""

import math
import random
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    ArgumentNode,
    BooleanValueNode,
    DocumentNode,
    FieldNode,
    GraphQLSchema,
    IntValueNode,
    NameNode,
    ObjectFieldNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    StringValueNode,
    ValueNode,
    Visitor,
    print_ast,
    visit,
)
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as some
from hypothesis_graphql import Mode, mutations, queries

PAGING = ("first", "after", "last", "before")
FEEDINGS = 2  # how often one document is used, each time with other values: making it takes longer than running it
_texts = some.text(max_size=30).map(lambda text: StringValueNode(value=text))
_SCALARS = {
    "Base64": some.binary(max_size=30).map(lambda data: StringValueNode(value=b64encode(data).decode())),
    "Date": some.dates().map(lambda day: StringValueNode(value=day.isoformat())),
    "DateTime": some.datetimes().map(lambda moment: StringValueNode(value=moment.isoformat() + "Z")),
    "Minutes": some.integers().map(lambda number: IntValueNode(value=str(number))),
}


@dataclass(frozen=True)
class Operation:
    """One document; `changes` says whether it's a mutation."""

    text: str
    changes: bool


def operations(
    schema: GraphQLSchema, number: int, start: int, pools: Mapping[str, Sequence[str]]
) -> Iterator[Operation]:
    """So many operations, the same for the same start: half are valid queries, a quarter valid changes."""
    for share, make, mode in (
        (0.5, queries, Mode.POSITIVE),
        (0.25, mutations, Mode.POSITIVE),
        (0.15, queries, Mode.NEGATIVE),
        (0.1, mutations, Mode.NEGATIVE),
    ):
        if make is mutations and schema.mutation_type is None:
            continue
        made = _documents(make(schema, custom_scalars=_SCALARS, mode=mode, print_ast=_as_it_is), number, share, start)
        for place, document in enumerate(made * FEEDINGS):
            feeding = _Feeding(random.Random(f"{start} {make.__name__} {mode} {place}"), pools)
            text = print_ast(visit(document, feeding))
            yield Operation(text, any(_is_mutation(one) for one in document.definitions))


def _as_it_is(document: DocumentNode) -> DocumentNode:
    return document


def _is_mutation(definition: object) -> bool:
    return isinstance(definition, OperationDefinitionNode) and definition.operation is OperationType.MUTATION


def _documents(strategy: Any, number: int, share: float, start: int) -> list[DocumentNode]:
    made: list[DocumentNode] = []

    @seed(start)
    @settings(
        max_examples=math.ceil(number * share / FEEDINGS),
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(document: DocumentNode) -> None:
        made.append(document)

    collect()
    return made


class _Feeding(Visitor):
    """Replaces most of the made-up values with ones that exist."""

    def __init__(self, dice: random.Random, pools: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        self._dice = dice
        self._pools = pools

    def leave_field(self, node: FieldNode, *_: Any) -> FieldNode | None:
        arguments = node.arguments or ()
        if not {one.name.value for one in arguments} & set(PAGING) or self._dice.random() < 0.1:
            return None
        kept = tuple(one for one in arguments if one.name.value not in PAGING)
        return FieldNode(
            alias=node.alias,
            name=node.name,
            arguments=kept + tuple(self._page()),
            directives=node.directives,
            selection_set=node.selection_set,
            loc=node.loc,
        )

    def _page(self) -> Iterator[ArgumentNode]:
        size, cursor = self._dice.choice([("first", "after"), ("last", "before")])
        yield _argument(size, IntValueNode(value=str(self._dice.choice([1, 2, 5, 25]))))
        if self._dice.random() < 0.3:
            yield _argument(cursor, StringValueNode(value=self._dice.choice(self._pools["cursor"])))

    def leave_argument(self, node: ArgumentNode, *_: Any) -> ArgumentNode | None:
        if node.name.value == "filter" and isinstance(node.value, ObjectValueNode):
            fields = list(node.value.fields or ())
            fields = self._dice.sample(fields, min(len(fields), self._dice.choice([0, 1, 1, 2])))
            return _argument(node.name.value, ObjectValueNode(fields=tuple(fields)))
        fed = self._fed(node.name.value, node.value)
        return _argument(node.name.value, fed) if fed else None

    def leave_object_field(self, node: ObjectFieldNode, *_: Any) -> ObjectFieldNode | None:
        fed = self._fed(node.name.value, node.value)
        return ObjectFieldNode(name=node.name, value=fed) if fed else None

    def _fed(self, name: str, value: ValueNode) -> ValueNode | None:
        """A value that exists, if the name has any; nothing where the made-up one should stay."""
        if name == "notApplicable" or self._dice.random() < 0.15:
            return None
        if name == "partyAgreed":
            return BooleanValueNode(value=True)
        if name in {"year", "version", "minutes", "partyCount", "rating"} and self._pools.get(name):
            return IntValueNode(value=self._dice.choice(self._pools[name]))
        pool = self._pools.get(name) or (self._pools["id"] if name == "id" or name.endswith("Id") else None)
        return StringValueNode(value=self._dice.choice(pool)) if pool else None


def _argument(name: str, value: ValueNode) -> ArgumentNode:
    return ArgumentNode(name=NameNode(value=name), value=value)
