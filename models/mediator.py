"""The mediator's profile. Its id is the account's: one person, one id."""

from enum import StrEnum
from uuid import UUID

from sqlalchemy import LargeBinary
from sqlmodel import Field, SQLModel

from models.columns import cascade_fk, one_of, secret_hash, server_default, table, text_column


class Visibility(StrEnum):
    """Who can find a mediator: directories and the open feedback page, or no one."""

    DIRECTORIES = "DIRECTORIES"
    PRIVATE = "PRIVATE"


class Mediator(SQLModel, table=True):
    """A mediator's profile. `feedback_link_sealed` has the personal link's secret if an earlier key derived it."""

    __table_args__ = (one_of("visibility", Visibility),)

    id: UUID = cascade_fk("account", primary=True)
    about: str | None = text_column()
    profile_url: str | None = text_column()
    visibility: str = server_default("'PRIVATE'")
    feedback_link_hash: bytes = secret_hash()
    feedback_link_sealed: bytes | None = Field(default=None, sa_type=LargeBinary)


mediators = table(Mediator)
