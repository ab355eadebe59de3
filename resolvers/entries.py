"""What the lists of a mediator's entries share: their description, and the columns and rows that each standing reads.

A list is described by the GraphQL name of its rows, and the policy decides what of it a standing may read. For everyone
else an unreadable column is null, whether it's shown, filtered, searched or sorted by.
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
    Table,
    literal_column,
    null,
    select,
    true,
)

from i18n import gettext as _
from models.fields import EntryField, FieldKind, camel
from models.folds import folds
from models.statement import AnySelect, Expression, Values
from permissions.policy import allows
from permissions.viewer import Standing
from resolvers.entry_columns import contains, facet_of, filter_of, in_year, opening, shown_fold, year_of
from resolvers.entry_rows import EntryRow, FacetsRow, OwnedRow, with_columns
from resolvers.errors import Code
from resolvers.validation import CHECKS, Check

# A column, or a function that gives a standing's column.
Column = Expression | Callable[[Standing], Expression]

_LENGTH = ("minutes", "started_on", "ended_on")


@dataclass(frozen=True, eq=False, kw_only=True)
class EntryList:
    """One kind of entry, for reading. `type_name` is its GraphQL type, `row` the class of its rows; names are Python's.

    `table` holds the entries, `private` the columns that only their mediator reads. `columns`: what a row shows.
    `filters`: for each field of the filter, the clause for a parameter of that name. `sorts`: what the list can be
    sorted by; `nullable`: those of them that may be null. `default`: what it's sorted by, newest first, unless the
    viewer chooses; the first that's readable. `searched`: the columns that free text is looked for in, as their folds.
    `facets`: the columns whose values are listed, to filter by, each with the fold that they're sorted by, if it has
    one. `rows`: the rows that a standing may read. `expensive`: columns that cost as much as the rest of the row; a
    page loads them only if someone asks for one.
    """

    type_name: str
    row: type[EntryRow]
    table: FromClause
    private: FromClause | None = None
    columns: Mapping[str, Column]
    filters: Mapping[str, Callable[[str], ColumnElement[bool]]]
    sorts: Mapping[str, Expression]
    nullable: frozenset[str] = frozenset()
    searched: Mapping[str, Expression]
    default: tuple[str, ...] = ()
    facets: Mapping[str, tuple[Expression, Expression | None]] = field(default_factory=dict)
    rows: Callable[[Standing], ColumnElement[bool]] = lambda _standing: true()
    expensive: frozenset[str] = frozenset()

    @cached_property
    def expensive_fields(self) -> frozenset[str]:
        """The expensive columns, named as in GraphQL."""
        return frozenset(map(camel, self.expensive))

    @cached_property
    def facets_row(self) -> type[FacetsRow]:
        """The class of the row that has the facets."""
        row = type(f"{self.noun}FacetsRow", (FacetsRow,), {"__annotations__": {}})
        facets = {name: list[str] for name in self.facets if name != "years"}
        return with_columns(row, f"{self.noun}Facets", facets, "years")

    @property
    def noun(self) -> str:
        """The name that its related types begin with."""
        return self.type_name.removesuffix("Entry")

    def source(self, standing: Standing, *, without_private: bool = False) -> FromClause:
        """Give the tables that a standing reads; `without_private` leaves out the table of expensive columns."""
        if self.private is not None and standing & Standing.SELF and not without_private:
            return self.table.outerjoin(self.private, self.private.c.id == self.table.c.id)
        return self.table


@dataclass(frozen=True, eq=False, kw_only=True)
class OwnedList(EntryList):
    """One kind of entry that mediators write. `fields` are those they fill in, as the models declare them.

    `plausible`: its hours have to fit into its days. `settled`: makes fields agree that say the same.
    """

    row: type[OwnedRow]
    table: Table
    private: Table
    fields: tuple[EntryField, ...]
    plausible: bool = False
    settled: Callable[[Values], Values] = lambda values: values

    def check(
        self, values: Values, latest: date, *, confirmed: bool = False, before: Mapping[str, object] | None = None
    ) -> Values:
        """Check all of an entry's fields. Gives them as they're to be stored, with their folds.

        `latest`: the latest day that is "today" somewhere. `confirmed`: very long days are meant so. `before`: the
        entry as it was; hours and days that it had already are taken as they are.

        Raises:
            Refused: with every problem found.
        """
        check = Check()
        stored = {field.name: CHECKS[field.kind](check, field, values[field.name], latest) for field in self.fields}
        if stored["ended_on"] < stored["started_on"]:
            check.add("endedOn", Code.OUT_OF_RANGE, _("The last day can't be before the first."))
        elif self.plausible and (before is None or any(stored[name] != before[name] for name in _LENGTH)):
            days = (stored["ended_on"] - stored["started_on"]).days + 1
            check.plausible(stored["minutes"], days, confirmed=confirmed)
        check.done()
        stored = self.settled(stored)
        return stored | folds(self.table, stored) | folds(self.private, stored)


def owned_list(
    type_name: str,
    row: type[OwnedRow],
    table: Table,
    private: Table,
    fields: tuple[EntryField, ...],
    *,
    plausible: bool = False,
    settled: Callable[[Values], Values] = lambda values: values,
    beside: Mapping[str, Column] | None = None,
    **shown: tuple[Column, Expression],
) -> OwnedList:
    """Describe one kind of entry by the fields that its models declare.

    `shown`: what else a row shows and can be sorted by, as pairs of the column and what it sorts by. `beside`: what it
    shows besides. Every entry has a first and a last day, `started_on` and `ended_on`.
    """
    tables = {field.name: private if field.private else table for field in fields}
    held = {name: of.c[name] for name, of in tables.items()}
    folded = {field.name: shown_fold(field, tables[field.name]) for field in fields if field.searched}
    return OwnedList(
        type_name=type_name,
        row=row,
        table=table,
        private=private,
        fields=fields,
        plausible=plausible,
        settled=settled,
        columns={
            "id": table.c.id,
            **held,
            **{name: column for name, (column, _) in shown.items()},
            "version": table.c.version,
            **(beside or {}),
        },
        filters={field.name: filter_of(field, held[field.name]) for field in fields if field.filtered}
        | {"year": in_year(held["ended_on"])},
        sorts={
            **{
                field.name: opening(folded[field.name])
                if field.kind is FieldKind.TEXT
                else folded.get(field.name, held[field.name])
                for field in fields
                if field.sorted
            },
            **{name: sort for name, (_, sort) in shown.items()},
        },
        # What an older version writes has no fold until `logbook refold`.
        nullable=frozenset(field.name for field in fields if field.sorted and (field.searched or not field.required)),
        searched=folded,
        default=("ended_on", *shown),
        expensive=frozenset(field.name for field in fields if field.private),
        facets={"years": (year_of(held["ended_on"]), None)}
        | {field.facet: (facet_of(field, held[field.name]), folded.get(field.name)) for field in fields if field.facet},
    )


@strawberry.enum
class OrderDirection(Enum):
    """Which end comes first. Empty values come last either way."""

    ASC = "asc"
    DESC = "desc"


class EntryOrder:
    """The `orderBy` of a list; the values of its enumeration are the names in `sorts`."""

    field: Enum
    direction: OrderDirection


@dataclass(frozen=True)
class Order:
    """The order that the viewer asked for; `field` is a name in `sorts`."""

    field: str
    descending: bool

    @classmethod
    def read(cls, given: EntryOrder | None) -> Self | None:
        """Read an `orderBy`; None if there isn't one."""
        return cls(given.field.value, given.direction is OrderDirection.DESC) if given else None


def _column(column: Column, standing: Standing) -> Expression:
    return column if isinstance(column, ColumnElement) else column(standing)


def conditions(of: EntryList, standing: Standing, used: frozenset[str] = frozenset()) -> list[ColumnElement[bool]]:
    """Select the rows that a standing may read and that match the filters `used`, whose values are parameters."""
    found = [of.rows(standing)]
    for name in sorted(used):
        if name == "text":
            readable = (fold for text, fold in of.searched.items() if allows(standing, of.type_name, camel(text)))
            found.append(contains(*readable)("filter_text"))
        else:
            found.append(of.filters[name](f"filter_{name}"))
    return found


def bits(standing: Standing) -> Expression:
    """Give the standing that a row is loaded with, for the guards in the schema."""
    return literal_column(str(int(standing))).label("standing")


def own_columns(of: EntryList) -> list[Expression]:
    """Give the columns of a row as its own mediator sees it."""
    return [bits(Standing.SELF)] + [_column(column, Standing.SELF).label(name) for name, column in of.columns.items()]


def rows_of(
    of: EntryList, standing: Standing, used: frozenset[str] = frozenset(), *, without_private: bool = False
) -> AnySelect:
    """Select what a standing may read of the matching rows; `without_private` leaves out the expensive columns."""

    def shown(name: str) -> bool:
        return allows(standing, of.type_name, camel(name)) and not (without_private and name in of.expensive)

    columns = [(_column(c, standing) if shown(name) else null()).label(name) for name, c in of.columns.items()]
    source = of.source(standing, without_private=without_private)
    return select(bits(standing), *columns).select_from(source).where(*conditions(of, standing, used))
