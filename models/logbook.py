"""Logbook entries. What only the mediator reads stands in a table of its own, so that rows can guard it."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index, text
from sqlmodel import SQLModel

from models.columns import moment, one_of, owner, preset, random_id, table, words


class CaseRole(StrEnum):
    """In what role a case was worked on."""

    LEAD_MEDIATOR = "LEAD_MEDIATOR"
    CO_MEDIATOR = "CO_MEDIATOR"
    ASSISTANT_MEDIATOR = "ASSISTANT_MEDIATOR"
    MEDIATION_ADVOCATE = "MEDIATION_ADVOCATE"
    OBSERVER = "OBSERVER"
    OTHER = "OTHER"


class Medium(StrEnum):
    """How the people met."""

    IN_PERSON = "IN_PERSON"
    ONLINE = "ONLINE"
    HYBRID = "HYBRID"


class Outcome(StrEnum):
    """How a case ended."""

    SETTLED = "SETTLED"
    PARTLY_SETTLED = "PARTLY_SETTLED"
    NOT_SETTLED = "NOT_SETTLED"
    ONGOING = "ONGOING"
    NOT_KNOWN = "NOT_KNOWN"


MONTH = "(date_trunc('month', ended_on::timestamp)::date)"  # as an index can hold it: without a time zone's day


class LogbookEntry(SQLModel, table=True):
    """One case. `minutes` is its duration; `version` counts its edits."""

    __tablename__ = "logbook_entry"
    __table_args__ = (
        Index("logbook_entry_by_day", "mediator_id", "ended_on", "id"),
        Index("logbook_entry_by_role", "mediator_id", "role", "id"),
        Index("logbook_entry_by_month", "mediator_id", text(MONTH), "id"),
        # All that the totals are added up from.
        Index("logbook_entry_sums", "mediator_id", postgresql_include=["role", "ended_on", "minutes", "simulated"]),
        one_of("role", CaseRole),
        one_of("medium", Medium),
        one_of("outcome", Outcome),
    )

    id: UUID = random_id()
    mediator_id: UUID = owner("mediator", index=False)
    role: str = words()
    medium: str = words()
    started_on: date
    ended_on: date
    minutes: int
    dispute_kind: str | None = words()
    country: str | None = words()
    party_count: int | None = None
    outcome: str = words()
    simulated: bool = preset("false")
    version: int = preset("1")
    created_at: datetime = moment(default_now=True)


class LogbookPrivate(SQLModel, table=True):
    """What of an entry is for its mediator's eyes only."""

    __tablename__ = "logbook_private"

    id: UUID = owner("logbook_entry", primary=True)
    mediator_id: UUID = owner("mediator")
    reference: str | None = words()
    parties: str | None = words()
    did_well: str | None = words()
    found_challenging: str | None = words()
    notes: str | None = words()


logbook_entries = table(LogbookEntry)
logbook_private = table(LogbookPrivate)
