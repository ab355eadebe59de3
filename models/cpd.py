"""Continuing professional development. Takeaways stand apart, as the logbook's private text does."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import SQLModel

from models.columns import moment, one_of, owner, preset, random_id, table, words


class CpdKind(StrEnum):
    """How somebody went on learning, or taught."""

    TRAINING_RECEIVED = "TRAINING_RECEIVED"
    TRAINING_GIVEN = "TRAINING_GIVEN"
    PRESENTATION = "PRESENTATION"
    CONFERENCE = "CONFERENCE"
    PUBLICATION = "PUBLICATION"
    SUPERVISION = "SUPERVISION"
    SELF_STUDY = "SELF_STUDY"
    OTHER = "OTHER"


class CpdEntry(SQLModel, table=True):
    """One piece of training or the like. `minutes` is its duration; `version` counts its edits."""

    __tablename__ = "cpd_entry"
    __table_args__ = (Index("cpd_entry_by_day", "mediator_id", "ended_on", "id"), one_of("kind", CpdKind))

    id: UUID = random_id()
    mediator_id: UUID = owner("mediator", index=False)
    kind: str = words()
    title: str = words()
    provider: str | None = words()
    started_on: date
    ended_on: date
    minutes: int
    evidence_url: str | None = words()
    version: int = preset("1")
    created_at: datetime = moment(default_now=True)


class CpdPrivate(SQLModel, table=True):
    """What of an entry is for its mediator's eyes only."""

    __tablename__ = "cpd_private"

    id: UUID = owner("cpd_entry", primary=True)
    mediator_id: UUID = owner("mediator")
    takeaways: str | None = words()


cpd_entries = table(CpdEntry)
cpd_private = table(CpdPrivate)
