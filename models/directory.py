"""Directories: people or organisations that verify experience. Their id and name are their account's."""

from uuid import UUID

from sqlmodel import SQLModel

from models.columns import cascade_fk, table, text_column


class Directory(SQLModel, table=True):
    """A directory's public facts."""

    id: UUID = cascade_fk("account", primary=True)
    website: str | None = text_column()


directories = table(Directory)
