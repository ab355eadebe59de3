"""Directories: people or organisations that verify experience. The id is the account's, and so is the name."""

from uuid import UUID

from sqlmodel import SQLModel

from models.columns import owner, table, words


class Directory(SQLModel, table=True):
    """A directory's public facts."""

    id: UUID = owner("account", primary=True)
    website: str | None = words()


directories = table(Directory)
