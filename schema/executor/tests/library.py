"""A small Strawberry schema with every kind of field that the executor treats differently."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any, NewType, Self
from uuid import UUID

import strawberry
from graphql import GraphQLObjectType, GraphQLSchema
from strawberry.extensions import FieldExtension

from schema.executor import Resolve, core_schema

Pages = NewType("Pages", int)
Price = NewType("Price", int)
SCALARS: dict[object, Any] = {
    Pages: strawberry.scalar(name="Pages"),
    Price: strawberry.scalar(name="Price", serialize=lambda cents: f"{cents / 100:.2f}", parse_value=int),
}


class Refused(Exception):
    """What a guard raises."""


@dataclass(frozen=True)
class BitGuard:
    """Returns null if a row lacks the bits; the compiled functions can include this check."""

    resolve: Resolve
    mask: int
    attribute: str = "bits"

    def around(self, resolve: Resolve) -> Self:
        """Give the same guard around another resolver."""
        return replace(self, resolve=resolve)

    def __call__(self, source: Any, info: Any, **arguments: Any) -> Any:
        """Resolve the field, or return null."""
        return self.resolve(source, info, **arguments) if source.bits & self.mask else None


@dataclass(frozen=True)
class WordGuard:
    """Refuses an argument, and knows nothing about rows."""

    resolve: Resolve

    def around(self, resolve: Resolve) -> Self:
        """Give the same guard around another resolver."""
        return replace(self, resolve=resolve)

    def __call__(self, source: Any, info: Any, **arguments: Any) -> Any:
        """Resolve the field, or raise."""
        if "forbidden" in arguments.values():
            raise Refused("That word is forbidden.")
        return self.resolve(source, info, **arguments)


@strawberry.enum
class Genre(Enum):
    NOVEL = "novel"
    POETRY = "poetry"


class Loud(FieldExtension):
    """Strawberry's own way of wrapping a resolver."""

    def resolve(self, next_: Callable[..., Any], source: Any, info: strawberry.Info, **kwargs: Any) -> Any:
        """Resolve, and shout."""
        return str(next_(source, info, **kwargs)).upper()


@dataclass
class Shelf:
    """The context of a request: everything that was loaded and changed, in order."""

    done: list[str] = field(default_factory=list)


def name_backwards(root: Any) -> str:
    """Take the row as `root`."""
    return str(root.name[::-1])


async def rivals(parent: strawberry.Parent[Any], info: strawberry.Info, first: int = 2) -> list[Author] | None:
    """Take the row as `parent`, as functions outside classes do."""
    info.context.done.append(f"rivals of {parent.name}")
    await asyncio.sleep(0)
    return AUTHORS[:first]


def relatives(root: Any, info: strawberry.Info) -> list[Author | None]:
    """Fail at once if there's nobody."""
    info.context.done.append(f"relatives of {root.name}")
    known: dict[str, list[Author | None]] = {"Ada": [*AUTHORS], "Bo": [None, AUTHORS[0]]}
    return known[root.name.split()[0]]


@strawberry.type
class Author:
    id: strawberry.ID
    name: str
    born: date | None = None
    bits: strawberry.Private[int] = 3
    backwards = strawberry.field(resolver=name_backwards)
    rivals = strawberry.field(resolver=rivals)
    relatives = strawberry.field(resolver=relatives)

    @strawberry.field
    async def books(self, info: strawberry.Info, genre: Genre | None = None) -> list[Book] | None:
        info.context.done.append(f"books of {self.name}")
        await asyncio.sleep(0)
        return [one for one in BOOKS if one.author_id == self.id and genre in {None, one.genre}]

    @strawberry.field
    def initials(self) -> list[str]:
        return [word[0] for word in self.name.split()]

    @strawberry.field(extensions=[Loud()])
    def motto(self, of: str = "none") -> str | None:
        return f"{self.name}: {of}"


@strawberry.type
class Book:
    id: strawberry.ID
    title: str
    genre: Genre
    pages: Pages
    price: Price | None
    rating: float | None
    lent: bool
    added_at: datetime
    author_id: strawberry.Private[str]
    bits: strawberry.Private[int] = 3

    @strawberry.field
    async def author(self, info: strawberry.Info) -> Author | None:
        info.context.done.append(f"author of {self.title}")
        await asyncio.sleep(0)
        return next((one for one in AUTHORS if one.id == self.author_id), None)

    @strawberry.field
    def shelf_marks(self) -> list[list[str]]:
        return [[self.title[0], self.genre.value], []]


@strawberry.input
class Search:
    words: str | None = None
    genre: Genre | None = None


@strawberry.type
class Query:
    @strawberry.field
    def authors(self) -> list[Author] | None:
        return AUTHORS

    @strawberry.field
    async def author(self, info: strawberry.Info, id: strawberry.ID) -> Author | None:
        info.context.done.append(f"author {id}")
        await asyncio.sleep(0)
        return next((one for one in AUTHORS if one.id == id), None)

    @strawberry.field
    async def search(self, search: Search, note: strawberry.Maybe[str | None] = None) -> list[Book]:
        await asyncio.sleep(0)
        noted = note.value if note else ""
        return [one for one in BOOKS if search.genre in {None, one.genre} and noted in {None, ""}]

    @strawberry.field
    async def among(
        self,
        genres: list[Genre] | None = None,
        searches: list[Search] | None = None,
        note: strawberry.Maybe[str | None] = None,
    ) -> list[Book]:
        wanted = {*(genres or ()), *(one.genre for one in searches or ())}
        return [one for one in BOOKS if one.genre in wanted and not note]

    @strawberry.field
    async def find(self, search: Search | None = None) -> Book | None:
        return next((one for one in BOOKS if search is None or search.genre in {None, one.genre}), None)

    @strawberry.field
    def echo(self, word: str) -> str | None:
        return word

    @strawberry.field
    def fails(self) -> str:
        raise Refused("It always fails.")


@strawberry.type
class Lent:
    book: Book | None
    times: int


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def lend(self, info: strawberry.Info, title: str) -> Lent:
        info.context.done.append(f"lend {title}")
        await asyncio.sleep(0)
        return Lent(book=next((one for one in BOOKS if one.title == title), None), times=len(info.context.done))

    @strawberry.mutation
    def lose(self, info: strawberry.Info, title: str) -> Lent | None:
        info.context.done.append(f"lose {title}")
        raise Refused("Nothing may be lost.")

    @strawberry.mutation
    def close(self) -> bool | None:
        CLOSED.append("closed")
        raise Refused("Not before five.")


CLOSED: list[str] = []
AUTHORS = [
    Author(id=strawberry.ID("1"), name="Ada Ash", born=date(1950, 1, 2)),
    Author(id=strawberry.ID("2"), name="Bo Birch", bits=1),
    Author(id=strawberry.ID("3"), name="Cy", bits=0),
]


def _book(number: int, title: str, genre: Genre, pages: int, author_id: str, **more: Any) -> Book:
    added_at = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    known: dict[str, Any] = {"id": UUID(int=number), "price": None, "rating": None, "lent": False, **more}
    return Book(title=title, genre=genre, pages=Pages(pages), author_id=author_id, added_at=added_at, **known)


BOOKS = [
    _book(1, "Trees", Genre.NOVEL, 2**40, "1", price=1250, rating=4.5, lent=True),
    _book(2, "Leaves", Genre.POETRY, 80, "1", bits=0),
    _book(3, "Roots", Genre.POETRY, 90, "9", price=5, rating=3.0),
]


def make_schema() -> GraphQLSchema:
    """Build the schema, with guards around some of its fields."""
    schema = core_schema(Query, Mutation, SCALARS)
    for type_name, name in (("Author", "born"), ("Author", "rivals"), ("Book", "price"), ("Book", "lent")):
        guard(schema, type_name, name, 1 if name == "price" else 2)
    of = object_type(schema, "Query").fields["echo"]
    assert of.resolve is not None
    of.resolve = WordGuard(of.resolve)
    return schema


def object_type(schema: GraphQLSchema, name: str) -> GraphQLObjectType:
    """Return a type with fields."""
    type_ = schema.type_map[name]
    assert isinstance(type_, GraphQLObjectType)
    return type_


def guard(schema: GraphQLSchema, type_name: str, name: str, mask: int) -> None:
    """Put a guard around a field; one that can't be null has to be made nullable first."""
    field = object_type(schema, type_name).fields[name]
    assert field.resolve is not None
    field.type = getattr(field.type, "of_type", field.type) if str(field.type).endswith("!") else field.type
    field.resolve = BitGuard(field.resolve, mask)
