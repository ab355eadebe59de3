"""Columns with the fold of another column's text, which search and order go by.

Whatever writes the text writes its folds in the same statement. They're in the same table, so whoever may not read a
text can't reach its fold either, and both are deleted together.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, Table, Text, cast, func
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR
from sqlmodel import Field, SQLModel

from models.columns import table
from models.fields import EntryField
from models.folding import fold, words
from models.statement import Expression, Values

_OF = "fold_of"  # in a column's `info`: the name of the column with the text
_BY_BYTES = Text(collation="C")


def folded(of: str) -> Any:
    """Fold of a text, in the same order in every database."""
    return Field(default=None, sa_type=_BY_BYTES, sa_column_kwargs={"info": {_OF: of}})


def folded_words(of: str) -> Any:
    """Words that a text is found by."""
    return Field(default=None, sa_type=TSVECTOR, sa_column_kwargs={"info": {_OF: of}})


def entry_tables(model: type[SQLModel], private: type[SQLModel], fields: tuple[EntryField, ...]) -> tuple[Table, Table]:
    """Give the tables of one kind of entry, with a fold beside each text that can be searched."""
    tables = (table(model), table(private))
    for field in fields:
        if field.searched and not field.words:
            column = Column[Any](type_=_BY_BYTES, info={_OF: field.name})
            # As for other columns: as an argument, it would become a kind of string that isn't written as JSON.
            column.name = column.key = _name(field.name)
            tables[field.private].append_column(column)
    return tables


def fold_of(of: Table, name: str) -> Expression:
    """Give the column with the fold of an entry's text."""
    return of.c[_name(name)]


def _name(text: str) -> str:
    return f"{text}_folded"


def fold_columns(of: Table) -> dict[str, str]:
    """Name a table's columns with folds, each with the column whose text it folds."""
    return {column.name: column.info[_OF] for column in of.c if _OF in column.info}


def folds(into: Table, values: Mapping[str, Any]) -> Values:
    """Give the folds to write along with a row's values, for those of its texts that are among them."""
    return {name: _stored(into.c[name], values[text]) for name, text in fold_columns(into).items() if text in values}


def _stored(column: Column[Any], text: str | None) -> Any:
    if text is None:
        return None
    if isinstance(column.type, TSVECTOR):
        return func.array_to_tsvector(cast(words(text), ARRAY(Text())))
    return fold(text)
