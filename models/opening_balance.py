"""Opening balances: what mediators say they did before they began to keep their logbook."""

from datetime import date, datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from models.columns import cascade_fk, one_of, random_id, server_default, table, text_column, timestamptz
from models.logbook import CaseRole


class OpeningBalance(SQLModel, table=True):
    """Hours in one role before a day. `cases` is null if the mediator hasn't counted them; `version` counts its edits.

    `before` is the first day that isn't covered.
    """

    __tablename__ = "opening_balance"
    __table_args__ = (one_of("role", CaseRole),)

    id: UUID = random_id()
    mediator_id: UUID = cascade_fk("mediator")
    role: str = text_column()
    minutes: int
    cases: int | None = Field(default=None)
    before: date
    version: int = server_default("1")
    created_at: datetime = timestamptz(default_now=True)


opening_balances = table(OpeningBalance)
