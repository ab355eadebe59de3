"""Statements written with SQLModel and compiled to SQL text, and the types of the rows they give."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any, Generic, ParamSpec, TypeVar

import asyncpg
from sqlalchemy import ClauseElement, ColumnElement, Select
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.sql.compiler import SQLCompiler

from models.row_security import as_principal

_DIALECT = asyncpg_dialect()  # type: ignore[no-untyped-call]


SHAPES_KEPT = 200  # per function; a page has 300,000 possible shapes, but people use a few dozen

# SQLAlchemy has no types for a table's columns or a selection, so the type of rows is given separately.
Expression = ColumnElement[Any]
AnySelect = Select[Any]
Values = dict[str, Any]  # the values of columns or parameters, by name

Parameters = ParamSpec("Parameters")


class Row(asyncpg.Record):
    """One row; each column is an attribute. A subclass names its columns, their types, and whether they can be null.

    `Row` itself is the type for statements that give no rows.
    """


RowT_co = TypeVar("RowT_co", bound=Row, covariant=True)


class Statement(Generic[RowT_co]):
    """A statement, compiled once: its SQL text, its parameters' names in order, and the class of its rows."""

    __slots__ = ("as_principal", "defaults", "names", "row_class", "sql")

    def __init__(self, clause: ClauseElement, row_type: type[RowT_co]) -> None:
        compiled = clause.compile(dialect=_DIALECT)
        if not isinstance(compiled, SQLCompiler):  # it's DDL
            raise TypeError(clause)
        self.sql = str(compiled)
        self.names: tuple[str, ...] = tuple(compiled.positiontup or ())
        self.as_principal = as_principal(self.sql, len(self.names))
        self.defaults: Mapping[str, Any] = compiled.params
        columns = tuple(entry.keyname for entry in compiled._result_columns)  # noqa: SLF001 - no public name for it
        self.row_class: type[RowT_co] = _row_class((row_type, columns))

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """Put the values in the order of the statement's parameters.

        Raises:
            KeyError: a value's name isn't one of the parameters.
        """
        if len(values) == len(self.names) and all(map(values.__contains__, self.names)):
            return [*map(values.__getitem__, self.names)]
        for name in values:
            if name not in self.defaults:
                raise KeyError(name)
        return [values[name] if name in values else self.defaults[name] for name in self.names]


@lru_cache(maxsize=500)
def _row_class(of: tuple[type[Row], tuple[str, ...]]) -> type[Any]:
    """Make the class for rows of a type with these columns, only once: asyncpg prepares again for another class."""
    row_type, columns = of
    # One property per column, not __getattr__: Strawberry probes values for attributes such as __await__.
    properties = {name: property(itemgetter(place)) for place, name in enumerate(columns)}
    return type(row_type.__name__, (row_type,), properties)


class Statements(Generic[Parameters, RowT_co]):
    """A function that writes statements with one type of rows. Calling it gives a statement, compiled only once."""

    def __init__(
        self, write: Callable[Parameters, ClauseElement], row_type: Callable[Parameters, type[RowT_co]]
    ) -> None:
        self.write = write
        self.row_type = row_type
        self.__doc__ = write.__doc__
        self.cache_clear()

    def _compile(self, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Statement[RowT_co]:
        return Statement(self.write(*args, **kwargs), self.row_type(*args, **kwargs))

    def __call__(self, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Statement[RowT_co]:
        """Give the statement for these arguments."""
        return self._compiled(*args, **kwargs)

    def cache_clear(self) -> None:
        """Forget the compiled statements."""
        kept: Any = lru_cache(maxsize=SHAPES_KEPT)(self._compile)  # its own type accepts any arguments
        self._compiled: Callable[Parameters, Statement[RowT_co]] = kept


RowT = TypeVar("RowT", bound=Row)
Value = TypeVar("Value")


def statement(
    row_type: type[RowT], of: Callable[..., type[RowT]] | None = None
) -> Callable[[Callable[Parameters, ClauseElement]], Statements[Parameters, RowT]]:
    """Declare that a function writes statements which give rows of this type. A test compares their columns with it.

    `of` gives the exact type from the function's arguments, if they decide it.
    """
    return lambda write: Statements(write, of or (lambda *_, **__: row_type))
