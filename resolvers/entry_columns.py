"""Columns of entries as lists use them: what a filter looks for, and what texts and words are sorted and found by."""

from collections.abc import Callable

from sqlalchemy import ColumnElement, Integer, Table, and_, bindparam, case, cast, extract, func, literal, or_
from sqlalchemy.types import Text

from models.fields import LISTS, EntryField
from models.folding import fold
from models.folds import fold_of
from models.statement import Expression

SORTED_BY = 100  # characters of a long text


def contains(*columns: Expression) -> Callable[[str], ColumnElement[bool]]:
    """Make a filter that looks for a folded text in any of the columns."""
    return lambda name: or_(*(c.like(bindparam(name, type_=Text()), escape="\\") for c in columns))


def equals(of: Expression) -> Callable[[str], ColumnElement[bool]]:
    """Make a filter for one value of a column."""
    return lambda name: of == bindparam(name, type_=of.type)


def in_year(of: Expression) -> Callable[[str], ColumnElement[bool]]:
    """Make a filter for the days of one year."""
    return lambda name: and_(
        of >= bindparam(f"{name}_first", type_=of.type), of <= bindparam(f"{name}_last", type_=of.type)
    )


def year_of(of: Expression) -> ColumnElement[int]:
    """Give the year of a day."""
    return cast(extract("year", of), Integer)


def opening(of: Expression) -> ColumnElement[str]:
    """Give the start of a long text. It's sorted by that, so that its cursors stay short."""
    return func.left(of, SORTED_BY, type_=Text())


def filter_of(field: EntryField, of: Expression) -> Callable[[str], ColumnElement[bool]]:
    """Make the filter of a field: for one value, or for a list, any of those asked for."""
    if field.kind in LISTS:
        return lambda name: of.op("&&", is_comparison=True)(bindparam(name, type_=of.type))
    return equals(of)


def shown_fold(field: EntryField, of: Table) -> Expression:
    """Give the fold of a text, or that of a word's label."""
    if not field.words:
        return fold_of(of, field.name)
    labels = {word.value: literal(fold(str(word.label)), Text(collation="C")) for word in field.words}
    return case(labels, value=of.c[field.name])


def facet_of(field: EntryField, of: Expression) -> Expression:
    """Give a field's values: of a list, each of them."""
    return func.unnest(of, type_=Text()) if field.kind in LISTS else of
