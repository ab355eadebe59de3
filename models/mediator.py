"""The mediator's profile. Its id is the account's: one person, one id."""

from enum import StrEnum
from uuid import UUID

from sqlmodel import SQLModel

from models.columns import one_of, owner, preset, secret_hash, table, words


class Visibility(StrEnum):
    """Who may find a mediator: directories and the open feedback page, or nobody."""

    DIRECTORIES = "DIRECTORIES"
    PRIVATE = "PRIVATE"


class Mediator(SQLModel, table=True):
    """A mediator's own page."""

    __table_args__ = (one_of("visibility", Visibility),)

    id: UUID = owner("account", primary=True)
    about: str | None = words()
    profile_url: str | None = words()
    visibility: str = preset("'PRIVATE'")
    feedback_link_hash: bytes = secret_hash()


mediators = table(Mediator)
