"""Works out from an SQLAlchemy statement in which of its columns PostgreSQL may return null."""

from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import (
    Alias,
    BinaryExpression,
    BindParameter,
    Case,
    Cast,
    ClauseElement,
    ColumnElement,
    Exists,
    Extract,
    False_,
    FromClause,
    FunctionFilter,
    Grouping,
    Join,
    Label,
    Null,
    Over,
    ScalarSelect,
    Select,
    Table,
    TextClause,
    True_,
    UnaryExpression,
)
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BooleanClauseList, ClauseList, ExpressionClauseList
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import AliasedReturnsRows, CompoundSelect

NEVER = {"array", "clock", "count", "jsonb_build_array", "now", "row_number"}
AGGREGATES = {"avg", "max", "min", "stddev_pop", "sum"}
# Null if an argument is, and only then.
STRICT = {"date_trunc", "left", "lower", "md5", "timezone", "to_char"}


def columns(clause: ClauseElement) -> Iterator[tuple[str, bool]]:
    """Return each column of a statement: its name, and whether it may be null."""
    rows: Any = clause
    for column in rows.exported_columns:
        yield column.key, column_can_be_null(clause, column)


def column_can_be_null(clause: Any, column: ColumnElement[Any]) -> bool:
    """Whether a column that a statement returns may be null."""
    if isinstance(clause, CompoundSelect):
        place = list(clause.exported_columns).index(column)
        return any(column_can_be_null(one, list(one.exported_columns)[place]) for one in map(_bare, clause.selects))
    return _reader(clause).can_be_null(column)


def _bare(clause: Any) -> Any:
    """Take a select out of its parentheses."""
    return getattr(clause, "element", clause) if not isinstance(clause, Select | CompoundSelect) else clause


@lru_cache(maxsize=20)
def _reader(clause: Any) -> "_Reader":
    return _Reader(clause)


class _Reader:
    """Reads the expressions of one statement."""

    def __init__(self, clause: Any) -> None:
        self._is_grouped = bool(getattr(clause, "_group_by_clauses", ()))
        self._outer: set[FromClause] = set()
        froms = clause.get_final_froms() if isinstance(clause, Select) else ()
        for one in froms:
            self._look(one, outer=False)
        conditions = [part for one in getattr(clause, "_where_criteria", ()) for part in _parts(one)]
        self._not_null = [
            one.left for one in conditions if isinstance(one, BinaryExpression) and one.operator is operators.is_not
        ]

    def _look(self, source: FromClause, *, outer: bool) -> None:
        """Remember what an outer join may leave without a row."""
        if isinstance(source, Join):
            self._look(source.left, outer=outer or source.full)
            self._look(source.right, outer=outer or source.isouter or source.full)
        elif outer:
            self._outer.add(source)

    def can_be_null(self, of: Any) -> bool:
        """Whether an expression may be null."""
        if any(of is one or of.compare(one) for one in self._not_null):
            return False
        match of:
            case Label() | Cast() | Grouping() | Extract():
                return any(map(self.can_be_null, of.get_children()))
            case Null():
                return True
            case True_() | False_() | Exists() | Over() | TextClause():
                return False
            case BindParameter():
                return of.value is None and not of.required and of.callable is None
            case ScalarSelect():
                return _subquery_can_be_null(of.element)
            case Case():
                results = [result for _, result in of.whens]
                return of.else_ is None or any(map(self.can_be_null, [*results, of.else_]))
            case FunctionFilter():
                return self._function(of.func, filtered=True)
            case FunctionElement():
                return self._function(of)
            case BinaryExpression():
                if of.operator in {
                    operators.is_,
                    operators.is_not,
                    operators.is_distinct_from,
                    operators.is_not_distinct_from,
                }:
                    return False
                return self.can_be_null(of.left) or self.can_be_null(of.right)
            case UnaryExpression():
                return self.can_be_null(of.element)
            case BooleanClauseList() | ClauseList() | ExpressionClauseList():
                return any(map(self.can_be_null, of.clauses))
        if getattr(of, "is_literal", False):
            return False  # spelt out, from columns that can't be null
        return self._column(of)

    def _column(self, of: Any) -> bool:
        source = of.table
        if source in self._outer:
            return True
        if isinstance(source, Table):
            return bool(of.nullable)
        if isinstance(source, Alias) and isinstance(source.element, Table):
            return bool(source.element.c[of.key].nullable)
        if isinstance(source, AliasedReturnsRows):
            inner = _bare(source.element)
            if isinstance(inner, FunctionElement) or not hasattr(inner, "exported_columns"):
                return False  # something that a function unnests or numbers
            return column_can_be_null(inner, inner.exported_columns[of.key])
        raise TypeError(f"say whether {of!r} of {type(source).__name__} may be null")

    def _function(self, of: Any, *, filtered: bool = False) -> bool:
        if of.name in NEVER:
            return False
        if of.name == "jsonb_agg":
            return True
        arguments = [self.can_be_null(one) for one in of.clauses]
        if of.name in {"coalesce", "greatest", "least"}:
            return all(arguments)
        if of.name in AGGREGATES:
            return filtered or not self._is_grouped or any(arguments)
        if of.name in STRICT:
            return any(arguments)
        raise TypeError(f"say whether {of.name}() may be null")


def _parts(condition: Any) -> Iterator[Any]:
    """Return what must be true for a condition to be true."""
    if isinstance(condition, BooleanClauseList) and condition.operator is operators.and_:
        for one in condition.clauses:
            yield from _parts(one)
    else:
        yield condition


def _subquery_can_be_null(select: Any) -> bool:
    """Whether a subquery in place of a value may be null: yes if it may find no row; an aggregate always finds one."""
    select = _bare(select)
    (column,) = select.exported_columns
    always_a_row = isinstance(select, Select) and not select._group_by_clauses and _has_aggregate(column)
    return not always_a_row or column_can_be_null(select, column)


@cache
def _has_aggregate(of: Any) -> bool:
    if isinstance(of, FunctionElement) and of.name in AGGREGATES | {"count", "jsonb_agg"}:
        return True
    return any(map(_has_aggregate, of.get_children()))
