"""Continuing professional development. Takeaways have a table of their own, like the logbook's private text."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import SQLModel

from i18n import lazy_gettext as _
from models.columns import cascade_fk, random_id, server_default, timestamptz
from models.fields import Choice, FieldKind, entry_field, entry_fields, known_words
from models.folds import entry_tables


class CpdKind(Choice):
    """How someone went on learning, or taught."""

    TRAINING_RECEIVED = "TRAINING_RECEIVED", _("Training received")
    TRAINING_GIVEN = "TRAINING_GIVEN", _("Training given")
    PRESENTATION = "PRESENTATION", _("Presentation")
    CONFERENCE = "CONFERENCE", _("Conference")
    PUBLICATION = "PUBLICATION", _("Publication")
    SUPERVISION = "SUPERVISION", _("Supervision or peer reflection")
    SELF_STUDY = "SELF_STUDY", _("Self-directed study")
    OTHER = "OTHER", _("Other")


class CpdFields(SQLModel):
    """The fields of a CPD entry that others may read, as far as the policy allows."""

    ended_on: date = entry_field(FieldKind.DAY, _("Last day"), listed=True)
    started_on: date = entry_field(FieldKind.DAY, _("First day"))
    kind: CpdKind = entry_field(FieldKind.CHOICE, _("Kind"), listed=True, filtered=True, proposed=True)
    title: str = entry_field(FieldKind.LINE, _("Title"), listed=True)
    provider: str | None = entry_field(FieldKind.LINE, _("Provider"), listed=True)
    minutes: int = entry_field(FieldKind.DURATION, _("Duration in hours"), title=_("Hours"), listed=True)
    evidence_url: str | None = entry_field(FieldKind.LINK, _("Link to evidence"), title=_("Evidence"))


class CpdPrivateFields(SQLModel):
    """The fields of a CPD entry that only its mediator reads."""

    takeaways: str | None = entry_field(FieldKind.TEXT, _("Takeaways"))


class CpdEntry(CpdFields, table=True):
    """One CPD entry, such as a training. `minutes` is its duration; `version` counts its edits.

    `has_certificate` is kept by the database itself, from the entry's files.
    """

    __tablename__ = "cpd_entry"
    __table_args__ = (Index("cpd_entry_by_day", "mediator_id", "ended_on", "id"), *known_words(CpdFields))

    id: UUID = random_id()
    mediator_id: UUID = cascade_fk("mediator", index=False)
    version: int = server_default("1")
    created_at: datetime = timestamptz(default_now=True)
    has_certificate: bool = server_default("false")


class CpdPrivate(CpdPrivateFields, table=True):
    """The private fields of one CPD entry."""

    __tablename__ = "cpd_private"

    id: UUID = cascade_fk("cpd_entry", primary=True)
    mediator_id: UUID = cascade_fk("mediator")


CPD_FIELDS = entry_fields(CpdFields, CpdPrivateFields)
cpd_entries, cpd_private = entry_tables(CpdEntry, CpdPrivate, CPD_FIELDS)
