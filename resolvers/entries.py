"""What the lists of one mediator's entries share: a description, and the columns and rows that a standing reads.

A list is described by what the GraphQL schema calls its rows, and the policy decides what of it a standing may read:
an unreadable column is null to that reader, in what is shown, filtered, searched and sorted alike.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from functools import cached_property
from typing import Self

import strawberry
from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Table,
    and_,
    bindparam,
    cast,
    extract,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.types import Text

from i18n import gettext as _
from models.fields import EntryField, Kind, camel
from models.statement import Expression, Query, Values
from permissions.policy import allows
from permissions.viewer import Standing
from resolvers.entry_rows import EntryRow, FacetsRow, OwnedRow, with_columns
from resolvers.errors import Code
from resolvers.validation import CHECKS, Check

# A column, or one that differs by standing.
Column = Expression | Callable[[Standing], Expression]

SORTED_BY = 100  # characters of a long text


@dataclass(frozen=True, eq=False, kw_only=True)
class EntryList:
    """One kind of entry, to be read. `type_name` is its GraphQL type, `row` its rows; names are written as in Python.

    `table` holds it, `private` what only its mediator reads. `columns`: what a row shows. `filters`: for each field of
    the filter, the clause it makes of a parameter's name. `sorts`: what it may be ordered by; `nullable`: those of
    them that may be null. `default`: what it is ordered by, newest first, if nothing was asked; the first that is
    readable. `searched`: where free text is looked for. `facets`: the columns whose values are listed, to filter by.
    `rows`: which rows a standing may read. `expensive`: columns that cost as much as the rest of the row; a page
    where nobody asked for one of them doesn't load them.
    """

    type_name: str
    row: type[EntryRow]
    table: FromClause
    private: FromClause | None = None
    columns: Mapping[str, Column]
    filters: Mapping[str, Callable[[str], ColumnElement[bool]]]
    sorts: Mapping[str, Expression]
    nullable: frozenset[str] = frozenset()
    searched: tuple[str, ...]
    default: tuple[str, ...] = ()
    facets: Mapping[str, Expression] = field(default_factory=dict)
    rows: Callable[[Standing], ColumnElement[bool]] = lambda _standing: true()
    expensive: frozenset[str] = frozenset()

    @cached_property
    def expensive_fields(self) -> frozenset[str]:
        """The expensive columns, named as in GraphQL."""
        return frozenset(map(camel, self.expensive))

    @cached_property
    def facets_row(self) -> type[FacetsRow]:
        """The type of the row that has the facets."""
        row = type(f"{self.noun}FacetsRow", (FacetsRow,), {"__annotations__": {}})
        facets = {name: list[str] for name in self.facets if name != "years"}
        return with_columns(row, f"{self.noun}Facets", facets, "years")

    @property
    def noun(self) -> str:
        """What the types around it are named for."""
        return self.type_name.removesuffix("Entry")

    def source(self, standing: Standing, *, without_private: bool = False) -> FromClause:
        """Give the tables that a standing reads; `without_private` leaves out those of expensive columns."""
        if self.private is not None and standing & Standing.SELF and not without_private:
            return self.table.outerjoin(self.private, self.private.c.id == self.table.c.id)
        return self.table


@dataclass(frozen=True, eq=False, kw_only=True)
class OwnedList(EntryList):
    """One kind of entry that its mediator writes.

    `fields` are what a mediator fills in, as the models declare it.
    """

    row: type[OwnedRow]
    table: Table
    private: Table
    fields: tuple[EntryField, ...]

    def check(self, values: Values, latest: date) -> Values:
        """Check all of an entry's fields; give them as they are to be stored.

        `latest`: the latest day that is "today" somewhere. Raises: Refused with every problem found.
        """
        check = Check()
        stored = {field.name: CHECKS[field.kind](check, field, values[field.name], latest) for field in self.fields}
        if stored["ended_on"] < stored["started_on"]:
            check.add("endedOn", Code.OUT_OF_RANGE, _("The last day can't be before the first."))
        check.done()
        return stored


def owned_list(
    type_name: str,
    row: type[OwnedRow],
    table: Table,
    private: Table,
    fields: tuple[EntryField, ...],
    **shown: tuple[Column, Expression],
) -> OwnedList:
    """Describe one kind of entry by the fields that its models declare.

    `shown`: what a row shows and can be sorted by besides; pairs of the column and what it sorts by. An entry has a
    first and a last day, `started_on` and `ended_on`.
    """
    held = {field.name: (private if field.private else table).c[field.name] for field in fields}
    return OwnedList(
        type_name=type_name,
        row=row,
        table=table,
        private=private,
        fields=fields,
        columns={
            "id": table.c.id,
            **held,
            **{name: column for name, (column, _) in shown.items()},
            "version": table.c.version,
        },
        filters={field.name: _filter(field, held[field.name]) for field in fields if field.filtered}
        | {"year": in_year(held["ended_on"])},
        sorts={
            **{
                field.name: opening(held[field.name]) if field.kind is Kind.TEXT else held[field.name]
                for field in fields
                if field.sorted
            },
            **{name: sort for name, (_, sort) in shown.items()},
        },
        nullable=frozenset(field.name for field in fields if field.sorted and not field.required),
        searched=tuple(field.name for field in fields if field.searched),
        default=("ended_on", *shown),
        expensive=frozenset(field.name for field in fields if field.private),
        facets={"years": year_of(held["ended_on"])}
        | {field.facet: _facet(field, held[field.name]) for field in fields if field.facet},
    )


@strawberry.enum
class OrderDirection(Enum):
    """Which end comes first; what is empty comes last either way."""

    ASC = "asc"
    DESC = "desc"


class EntryOrder:
    """The `orderBy` of a list; its enumeration has the names of `sorts` as values."""

    field: Enum
    direction: OrderDirection


@dataclass(frozen=True)
class Order:
    """What the viewer asked a list to be ordered by; a name of `sorts`."""

    field: str
    descending: bool

    @classmethod
    def read(cls, given: EntryOrder | None) -> Self | None:
        """Read an `orderBy`; None for none."""
        return cls(given.field.value, given.direction is OrderDirection.DESC) if given else None


def _contains(*columns: Expression) -> Callable[[str], ColumnElement[bool]]:
    """Make a filter that looks for a text in any of the columns, whatever its case."""
    return lambda name: or_(*(c.ilike(bindparam(name, type_=Text()), escape="\\") for c in columns))


def equals(of: Expression) -> Callable[[str], ColumnElement[bool]]:
    """Make a filter that takes one value of a column."""
    return lambda name: of == bindparam(name, type_=of.type)


def in_year(of: Expression) -> Callable[[str], ColumnElement[bool]]:
    """Make a filter that takes the days of one year."""
    return lambda name: and_(
        of >= bindparam(f"{name}_first", type_=of.type), of <= bindparam(f"{name}_last", type_=of.type)
    )


def year_of(of: Expression) -> ColumnElement[int]:
    """Give the year of a day."""
    return cast(extract("year", of), Integer)


def opening(of: Expression) -> ColumnElement[str]:
    """Give the first characters of a long text: what it is sorted by, so that its cursors stay short."""
    return func.left(of, SORTED_BY, type_=Text())


def _filter(field: EntryField, of: Expression) -> Callable[[str], ColumnElement[bool]]:
    """Make the filter of a field: one value; of a list of languages, any of those asked for."""
    if field.kind is Kind.LANGUAGES:
        return lambda name: of.op("&&", is_comparison=True)(bindparam(name, type_=of.type))
    return equals(of)


def _facet(field: EntryField, of: Expression) -> Expression:
    return func.unnest(of, type_=Text()) if field.kind is Kind.LANGUAGES else of


def _column(column: Column, standing: Standing) -> Expression:
    return column if isinstance(column, ColumnElement) else column(standing)


def conditions(of: EntryList, standing: Standing, used: frozenset[str] = frozenset()) -> list[ColumnElement[bool]]:
    """Select the rows that a standing may read and that fit the filters `used`, whose values are parameters."""
    found = [of.rows(standing)]
    for name in sorted(used):
        if name == "text":
            readable = (c for c in of.searched if allows(standing, of.type_name, camel(c)))
            found.append(_contains(*(_column(of.columns[c], standing) for c in readable))("filter_text"))
        else:
            found.append(of.filters[name](f"filter_{name}"))
    return found


def bits(standing: Standing) -> Expression:
    """Give the standing that a row is loaded with, for the second fence."""
    return literal_column(str(int(standing))).label("standing")


def own_columns(of: EntryList) -> list[Expression]:
    """Give what the mediator's own row shows."""
    return [bits(Standing.SELF)] + [_column(column, Standing.SELF).label(name) for name, column in of.columns.items()]


def rows_of(
    of: EntryList, standing: Standing, used: frozenset[str] = frozenset(), *, without_private: bool = False
) -> Query:
    """Select what a standing may read of the rows that fit; `without_private` leaves out the expensive columns."""

    def shown(name: str) -> bool:
        return allows(standing, of.type_name, camel(name)) and not (without_private and name in of.expensive)

    columns = [(_column(c, standing) if shown(name) else null()).label(name) for name, c in of.columns.items()]
    source = of.source(standing, without_private=without_private)
    return select(bits(standing), *columns).select_from(source).where(*conditions(of, standing, used))
