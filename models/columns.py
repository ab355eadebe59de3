"""The kinds of columns that tables share, so that each model reads as a list of facts."""

from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Date, DateTime, LargeBinary, Table, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel


def random_id() -> Any:
    """Primary key: a version 4 UUID that the database makes, so that an id reveals neither order nor time."""
    return Field(
        default=None,
        primary_key=True,
        sa_type=Uuid,
        sa_column_kwargs={"server_default": text("gen_random_uuid()")},
    )


def cascade_fk(table: str, *, primary: bool = False, index: bool = True) -> Any:
    """Reference to a row; deleting that row deletes this one too."""
    return Field(foreign_key=f"{table}.id", ondelete="CASCADE", primary_key=primary, index=index and not primary)


def timestamptz(*, default_now: bool = False, index: bool = False) -> Any:
    """Point in time; `default_now` uses the service's clock, which the database keeps."""
    return Field(
        default=None,
        index=index,
        sa_type=DateTime(timezone=True),
        sa_column_kwargs={"server_default": func.clock()} if default_now else {},
    )


def today() -> Any:
    """Day on which the row is written, in UTC and by the service's clock."""
    written_on = text("((clock() AT TIME ZONE 'UTC')::date)")
    return Field(default=None, sa_type=Date, sa_column_kwargs={"server_default": written_on})


def text_column(default: str | None = None) -> Any:
    """Text. Its length is checked where it's typed in."""
    return Field(default=default, sa_type=Text)


def server_default(sql: str) -> Any:
    """Give a value that the database fills in if there is none."""
    return Field(default=None, sa_column_kwargs={"server_default": text(sql)})


def word_list(*, empty: bool = False) -> Any:
    """List of words from an enumeration; `empty` if none are given."""
    return Field(sa_type=ARRAY(Text), sa_column_kwargs={"server_default": text("'{}'")} if empty else {})


def retired_fold() -> Any:
    """Fold that only the version before still writes, until a later release drops the column."""
    return Field(default=None, sa_type=Text(collation="C"))


def secret_hash(*, nullable: bool = False) -> Any:
    """SHA-256 of a 256-bit secret (32 bytes); the secret itself is never stored."""
    return Field(default=None, sa_type=LargeBinary, unique=True, nullable=nullable)


def one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    """Restrict a column to the words of an enumeration."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


def some_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    """Restrict a list to the words of an enumeration."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} <@ ARRAY[{listed}]", name=f"{column}_known")


def table(model: type[SQLModel]) -> Table:
    """Give the table of a model; statements are written with its columns."""
    return SQLModel.metadata.tables[str(model.__tablename__)]
