"""Replaces what the resolvers of a schema return by made-up rows: sound ones, or faulty in every way that rows can be.

The seed and the path of a field decide what it returns, so that two runs of a document find the same.
"""

import asyncio
from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import UTC, date, datetime
from random import Random
from typing import Any
from uuid import UUID

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLSchema,
    Undefined,
)
from strawberry.types.field import StrawberryField

from schema.executor import MaskGuard
from schema.executor.internals import is_strawberry_resolver


class Fault(Exception):
    """What a faulty resolver raises."""


class Later:
    """A value that has to be awaited; an exception is raised at that point."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __str__(self) -> str:
        return "later"

    def __await__(self) -> Generator[Any, None, Any]:
        yield from asyncio.sleep(0).__await__()
        if isinstance(self._value, Exception):
            raise self._value
        return self._value


class Thing:
    """A row of a type; its attributes are made when they're read, and always the same."""

    def __init__(self, data: "Data", of: GraphQLObjectType, path: str) -> None:
        self._data, self._of, self.path = data, of, path
        self._made: dict[str, Any] = {}
        self._types: dict[str, GraphQLOutputType] = {
            one.python_name: field.type
            for field in of.fields.values()
            if isinstance(one := field.extensions.get("strawberry-definition"), StrawberryField)
        }

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        path = f"{self.path}.{name}"
        if name not in self._made:
            made = self._data.made.get(name)
            self._made[name] = made(self._data, path) if made else self._attribute(path, name)
        return self._made[name]

    def _attribute(self, path: str, name: str) -> Any:
        if name not in self._types:
            raise AttributeError(name)
        return self._data.value(self._types[name], path, raises=True)


class AwaitableThing(Thing):
    """A row that has every attribute, but has to be awaited all the same."""

    def __await__(self) -> Generator[Any, None, Any]:
        yield from asyncio.sleep(0).__await__()
        return Thing(self._data, self._of, self.path)


Make = Callable[["Data", str], Any]


class Data:
    """Made-up values; `faults` (0 to 1) is the share of faulty ones. Some are null or empty, unless `full`.

    `later`: some have to be awaited. `made`: for attributes of rows that no field of the schema names, what makes them,
    by name, from the data and a path. `scalars`: usual values of scalars besides those of GraphQL and Strawberry.
    """

    def __init__(
        self,
        seed: int,
        faults: float,
        *,
        full: bool = False,
        later: bool = True,
        made: Mapping[str, Make] | None = None,
        scalars: Mapping[str, list[Any]] | None = None,
    ) -> None:
        self.seed, self.later, self._faults, self._full = seed, later, faults, full
        self.made = made or {}
        self._usual = {**_USUAL, **(scalars or {})}

    def random(self, path: str) -> Random:
        """Decide what happens at a path."""
        return Random(f"{self.seed} {path}")

    def is_faulty(self, random: Random) -> bool:
        """Decide whether the next value is."""
        return random.random() < self._faults

    def value(self, of: GraphQLOutputType, path: str, *, raises: bool = False) -> Any:
        """Make a value of a type, or a fault instead."""
        random = self.random(path)
        if self.is_faulty(random):
            return self._fault(of, path, random, raises=raises)
        return self._sound(of, path, random)

    def _sound(self, of: GraphQLOutputType, path: str, random: Random) -> Any:
        if isinstance(of, GraphQLNonNull):
            return self._filled(of.of_type, path, random)
        return None if random.random() < 0.1 and not self._full else self._filled(of, path, random)

    def _filled(self, of: Any, path: str, random: Random) -> Any:
        if isinstance(of, GraphQLList):
            return [
                self.value(of.of_type, f"{path}[{place}]")
                for place in range(3 if self._full else random.choice((0, 1, 3)))
            ]
        if isinstance(of, GraphQLObjectType):
            return Thing(self, of, path)
        if isinstance(of, GraphQLEnumType):
            members = [*(value.value for value in of.values.values()), *of.wrapped_cls]  # type: ignore[attr-defined]
            return random.choice(members)
        assert isinstance(of, GraphQLScalarType)
        return random.choice(self._usual[of.name])

    def _fault(self, of: GraphQLOutputType, path: str, random: Random, *, raises: bool) -> Any:
        sound = self._filled(of.of_type if isinstance(of, GraphQLNonNull) else of, path, random)
        faults: list[Any] = [
            None,
            Fault("as a value"),
            *([Later(sound), Later(Fault("later")), Later(None)] if self.later else []),
            (sound,),
            Undefined,
            7.5,
        ]
        faults += [
            True,
            5,
            2**40,
            "words",
            b"bytes",
            float("nan"),
            object,
            [sound, None],
            {},
            UUID(int=1),
            StrangeText("x"),
        ]
        if isinstance(sound, Thing) and self.later:
            faults += [AwaitableThing(self, sound._of, path)] * 4
        if isinstance(sound, list):
            faults += [tuple(sound), Several(sound), *([[Later(one) for one in sound]] if self.later else [])]
        fault = random.choice([*faults, *([_RAISED] * 3 if raises else [])])
        if fault is _RAISED:
            raise Fault("by reading")
        return fault


class Several:
    """Something that can be iterated over again and again, but isn't a list."""

    def __init__(self, values: list[Any]) -> None:
        self._values = values

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)


class StrangeText(str):
    """A text of a class of its own."""

    __slots__ = ()


_RAISED = object()
_USUAL: dict[str, list[Any]] = {
    "ID": ["an-id", UUID(int=5)],
    "String": ["words", "", "\N{SNOWMAN}"],
    "Int": [0, 5, -(2**31), 2**31 - 1],
    "Float": [0.5, 3.0, -1.25],
    "Boolean": [True, False],
    "Date": [date(2024, 5, 6)],
    "DateTime": [datetime(2024, 5, 6, 7, 8, 9, 10, tzinfo=UTC), datetime(2024, 5, 6, tzinfo=UTC)],
}


def with_faults(schema: GraphQLSchema, data: Data) -> None:
    """Replace what the resolvers of a schema return by made-up values; fields that are read from rows stay."""
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__"):
            for name, field in type_.fields.items():
                if _needs_resolver(field):
                    field.resolve = _made_up(data, type_.name, name, field)


def _needs_resolver(field: GraphQLField) -> bool:
    resolve = field.resolve.resolve if isinstance(field.resolve, MaskGuard) else field.resolve
    of = field.extensions["strawberry-definition"]
    needs_row_alone = of.is_basic_field or not (
        of.extensions or of.is_async or of.arguments or of.base_resolver.info_parameter
    )
    return not (needs_row_alone and is_strawberry_resolver(resolve))


def _made_up(data: Data, type_name: str, name: str, field: GraphQLField) -> Any:
    def path(info: Any) -> str:
        return f"{type_name}.{name} {'.'.join(map(str, info.path.as_list()))}"

    def resolve(_source: Any, info: Any, **_arguments: Any) -> Any:
        return data.value(field.type, path(info), raises=True)

    async def resolve_later(_source: Any, info: Any, **_arguments: Any) -> Any:
        for _ in range(data.random(path(info)).randrange(3)):
            await asyncio.sleep(0)
        return data.value(field.type, path(info), raises=True)

    return resolve_later if data.later and data.random(type_name + name).random() < 0.6 else resolve
