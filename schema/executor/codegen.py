"""Writes the functions that read and complete plain fields, as Python text: one text for each selection."""

from collections.abc import Callable
from datetime import date, datetime
from math import isfinite
from types import GeneratorType, NoneType
from typing import Any
from uuid import UUID

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLString,
    Undefined,
)

from schema.executor.call import Site, can_be_called
from schema.executor.guard import MaskGuard
from schema.executor.internals import (
    CollectedFields,
    FieldDetailsList,
    Path,
    attribute_of,
    enum_members,
    gives_as_is,
    gives_isoformat,
    is_strawberry_resolver,
    resolver_of,
)

MAX_CODE_LINES = 2_000  # in all functions of one operation; the rest of it is done field by field

# The objects in which fields are still to be called for: the object, its row and path, the field.
Calls = list[tuple[dict[str, Any], Any, Path | None, Site]]
# Gives a row's field at a path, completed; raises if anything is not as the schema says. Adds to the calls.
Read = Callable[[Any, Path, Calls], Any]
Collect = Callable[[GraphQLObjectType, FieldDetailsList], CollectedFields]


class Unusual(Exception):
    """Something is not as the schema says: graphql-core's stock method is to do this field."""


class Writer:
    """Writes the functions for one selection, as Python text that names nothing but what `_names` holds."""

    def __init__(self, collect: Collect, room: int) -> None:
        """`room` is how many lines there may be."""
        self._collect = collect
        self.room = room
        self._lines: list[str] = []
        self._called = 0  # fields that are still to be called for
        self._calling: set[str] = set()  # functions of objects that hold such fields
        self._names: dict[str, Any] = {
            "Unusual": Unusual, "UUID": UUID, "isfinite": isfinite, "date": date, "datetime": datetime,
            "checked": _checked, "Path": Path, "Undefined": Undefined,
        }  # fmt: skip

    def function(self, name: str) -> Read:
        """Give one of the functions that were written."""
        exec("\n".join(self._lines), self._names)  # noqa: S102 - the text is ours; what a client chose is a literal in it
        read: Read = self._names[name]
        return read

    def _kept(self, value: object) -> str:
        name = f"kept{len(self._names)}"
        self._names[name] = value
        return name

    def _define(self, parameters: str, body: list[str], result: str) -> str | None:
        """Write a function; None if there is too much of it."""
        self.room -= len(body)
        if self.room < 0:
            return None
        name = f"read{len(self._names)}"
        self._names[name] = None
        self._lines += [
            f"def {name}({parameters}):",
            *(f"    {line}" for line in body),
            f"    return {result}",
        ]
        return name

    def field(self, parent: GraphQLObjectType, details: FieldDetailsList) -> str | None:
        """Write the function that gives a field of a row; None if the field is not plain."""
        body = self._read(parent, details, "value", "path")
        return self._define("row, path, calls", body, "value") if body else None

    def whole(self, of: GraphQLObjectType, details: FieldDetailsList) -> str | None:
        """Write the function that completes an object, wherever it is; None if anything in it is not plain."""
        name = self.selected(of, details)
        return self._define("row, path, calls", [], self._of_object(name, "row", "path")) if name else None

    def _of_object(self, name: str, row: str, path: str) -> str:
        return f"{name}({row}, {path}, calls)" if name in self._calling else f"{name}({row})"

    def selected(self, of: GraphQLObjectType, details: FieldDetailsList) -> str | None:
        """Write the function that completes an object; None if anything in it is not plain."""
        if of.is_type_of is not None:
            return None
        grouped, deferred, _ = self._collect(of, details)
        called = self._called
        # Rows of a list are of one class: it is looked at once.
        last = self._kept([None])
        body, members, calls = [f"if type(row) is not {last}[0]: {last}[0] = checked(type(row))"], [], []
        for place, (response_name, member) in enumerate(grouped.items()):
            path = f"Path(path, {response_name!r}, {of.name!r})"
            lines = None if deferred else self._read(of, member, f"v{place}", path)
            if lines is None:
                site = Site(of, response_name, member)
                if deferred or not can_be_called(site):
                    return None
                lines = [f"v{place} = None"]
                self._called += 1
                calls.append(f"(found, row, path, {self._kept(site)})")
            body += lines
            members.append(f"{response_name!r}: v{place}")
        found = f"{{{', '.join(members)}}}"
        if calls:
            body += [f"found = {found}", f"calls += ({', '.join(calls)},)"]
            found = "found"
        if self._called == called:
            return self._define("row", body, found)
        name = self._define("row, path, calls", body, found)
        self._calling |= {name} if name else set()
        return name

    def _read(self, parent: GraphQLObjectType, details: FieldDetailsList, into: str, path: str) -> list[str] | None:
        """Write lines that put a field of `row`, completed, into a variable; `path` writes its path."""
        name = details[0].node.name.value
        if name == "__typename":
            return [f"{into} = {parent.name!r}"]
        of = parent.fields.get(name)
        if of is None or of.args:
            return None
        resolve, otherwise = of.resolve, ""
        if isinstance(resolve, MaskGuard) and resolve.attribute.isidentifier():
            otherwise = f" if row.{resolve.attribute} & {int(resolve.mask)} else None"
            resolve = resolve.resolve
        taken = self._taken(of) if is_strawberry_resolver(resolve) else None
        lines = self._completed(of.type, details, into, path) if taken else None
        return None if lines is None else [f"{into} = {taken}{otherwise}", *lines]

    def _taken(self, of: GraphQLField) -> str | None:
        """Write how a field is taken from its row; None if that takes more than the row."""
        attribute, resolver = attribute_of(of), resolver_of(of)
        if attribute:
            return f"row.{attribute}"
        if resolver is None or not resolver.needs_row_alone:
            return None
        given = ["row"] if resolver.takes_self else []
        given += [f"{name}=row" for name in resolver.rows]
        return f"{self._kept(resolver.function)}({', '.join(given)})"

    def _completed(self, of: GraphQLOutputType, details: FieldDetailsList, v: str, path: str) -> list[str] | None:
        """Write lines that complete the value in a variable; None if something in it is not plain."""
        nullable = not isinstance(of, GraphQLNonNull)
        inner: Any = of.of_type if isinstance(of, GraphQLNonNull) else of
        lines: list[str] | None
        if isinstance(inner, GraphQLList):
            lines = self._list(inner.of_type, details, v, path)
        elif isinstance(inner, GraphQLObjectType):
            name = self.selected(inner, details)
            lines = [f"{v} = {self._of_object(name, v, path)}"] if name else None
        else:
            lines = self._leaf(inner, v)
        if lines is not None and nullable:
            return [f"if {v} is not None:", *(f"    {line}" for line in lines)]
        return lines

    def _list(self, item: GraphQLOutputType, details: FieldDetailsList, v: str, path: str) -> list[str] | None:
        named = item.of_type if isinstance(item, GraphQLNonNull) else None
        if isinstance(named, GraphQLObjectType):
            each = self.selected(named, details)
        else:
            called = self._called
            body = self._completed(item, details, "row", "path")
            if self._called > called:
                return None  # a list of lists, or of what can be null, is nothing that the schema has
            each = self._define("row", body, "row") if body else None
        if not each:
            return None
        checked = _unless(f"type({v}) is list")
        if each not in self._calling:
            return [checked, f"{v} = [{each}(one) for one in {v}]"]
        read = self._of_object(each, "one", "Path(at, place, None)")
        return [checked, f"at = {path}", f"{v} = [{read} for place, one in enumerate({v})]"]

    def _leaf(self, of: Any, v: str) -> list[str] | None:
        """Write lines that complete a leaf as its type's `coerce_output_value` does, for the usual values."""
        if isinstance(of, GraphQLEnumType):
            names = _names_of(of)
            return [f"{v} = {self._kept(names)}[{v}]"] if names else None
        if of in _BUILT_IN:
            return _BUILT_IN[of](v)
        return self._scalar(of, v) if isinstance(of, GraphQLScalarType) else None

    def _scalar(self, of: GraphQLScalarType, v: str) -> list[str]:
        """Write lines that complete a scalar that isn't GraphQL's own; the class of its values is looked at once."""
        if gives_isoformat(of):
            return [_unless(f"type({v}) is date or type({v}) is datetime"), f"{v} = {v}.isoformat()"]
        last = self._kept([None])
        checked = f"if type({v}) is not {last}[0]: {last}[0] = checked(type({v}))"
        if gives_as_is(of):
            return [checked]
        return [
            checked,
            f"{v} = {self._kept(of.coerce_output_value)}({v})",
            _unless(f"{v} is not None and {v} is not Undefined"),
        ]


def _unless(condition: str) -> str:
    return f"if not ({condition}): raise Unusual"


_BUILT_IN: dict[GraphQLScalarType, Callable[[str], list[str]]] = {
    GraphQLString: lambda v: [_unless(f"type({v}) is str")],
    GraphQLBoolean: lambda v: [_unless(f"type({v}) is bool")],
    GraphQLInt: lambda v: [_unless(f"type({v}) is int and -2147483648 <= {v} <= 2147483647")],
    GraphQLFloat: lambda v: [_unless(f"type({v}) is float and isfinite({v})")],
    GraphQLID: lambda v: [f"if isinstance({v}, UUID): {v} = str({v})", f"el{_unless(f'type({v}) is str')}"],
}


def _names_of(of: GraphQLEnumType) -> dict[Any, str] | None:
    """Give an enumeration's names by the values that rows and resolvers have; None if those aren't text."""
    raw = [value.value for value in of.values.values()]
    if not all(isinstance(value, str) for value in raw):
        return None
    members = [member for member in enum_members(of) if member.value in raw]
    return {value: of.coerce_output_value(value) for value in (*raw, *members)}


def _checked(kind: type) -> type:
    """Give a class back; raise Unusual for one whose values graphql-core doesn't complete as they are."""
    if hasattr(kind, "__await__") or issubclass(kind, BaseException | GeneratorType | NoneType | type(Undefined)):
        raise Unusual
    return kind
