"""Continuing professional development. Takeaways have a table of their own, like the logbook's private text."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Self
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
    SUPERVISION = "SUPERVISION", _("Supervision")  # rows from before PEER_REFLECTION say it for that, too
    PEER_REFLECTION = "PEER_REFLECTION", _("Peer reflection")
    DEBRIEF = "DEBRIEF", _("Debrief")
    MENTORING = "MENTORING", _("Mentoring")
    ROLE_PLAY = "ROLE_PLAY", _("Role play")
    SELF_STUDY = "SELF_STUDY", _("Self-directed study")
    OTHER = "OTHER", _("Other")


class CpdFormat(Choice):
    """How the people met, if they did. Many bodies count only so much of what wasn't live."""

    LIVE = "LIVE", _("Live, in person")
    ONLINE = "ONLINE", _("Live, online")
    ON_DEMAND = "ON_DEMAND", _("On demand, recorded")
    SELF_STUDY = "SELF_STUDY", _("Self-study")


class CpdTag(Choice):
    """What it was about, as far as bodies ask for so many hours of that."""

    ETHICS = "ETHICS", _("Ethics and standards of practice")
    DIVERSITY = "DIVERSITY", _("Equity, diversity and inclusion")
    INTERCULTURAL = "INTERCULTURAL", _("Working across cultures")
    FAMILY_VIOLENCE = "FAMILY_VIOLENCE", _("Family and domestic violence")
    CHILD_PROTECTION = "CHILD_PROTECTION", _("Child protection")
    FAMILY = "FAMILY", _("Family mediation")
    POWER_IMBALANCE = "POWER_IMBALANCE", _("Power imbalance")
    TRAUMA = "TRAUMA", _("Trauma")
    PSYCHOLOGY = "PSYCHOLOGY", _("Psychology")
    LAW = "LAW", _("Law")
    PRACTICE_SKILLS = "PRACTICE_SKILLS", _("Mediation skills")
    TECHNOLOGY = "TECHNOLOGY", _("Technology and mediating online")
    BUSINESS = "BUSINESS", _("Running a practice")


@dataclass(frozen=True)
class Credit:
    """What one body counts an activity as, in its own words; no points if it counts hours."""

    body: str
    activity: str | None
    points: Decimal | None

    @classmethod
    def read(cls, stored: dict[str, str | None]) -> Self:
        """Read a stored credit."""
        points = stored["points"]
        return cls(stored["body"] or "", stored["activity"], None if points is None else Decimal(points))

    def stored(self) -> dict[str, str | None]:
        """Write it as it's stored: its points as text, because a number of JSON is read as a float."""
        points = None if self.points is None else f"{self.points.normalize():f}"
        return {"body": self.body, "activity": self.activity, "points": points}


class CpdFields(SQLModel):
    """The fields of a CPD entry that others may read, as far as the policy allows."""

    ended_on: date = entry_field(FieldKind.DAY, _("Last day"), listed=True)
    started_on: date = entry_field(FieldKind.DAY, _("First day"))
    kind: CpdKind = entry_field(
        FieldKind.CHOICE,
        _("Kind"),
        listed=True,
        filtered=True,
        proposed=True,
        hint=_("Supervision is with somebody more experienced, peer reflection among equals."),
        description="Entries from before `PEER_REFLECTION` was added say `SUPERVISION` for both.",
    )
    format: CpdFormat | None = entry_field(
        FieldKind.CHOICE,
        _("Format"),
        listed=True,
        filtered=True,
        hint=_("Some bodies limit what wasn't live."),
        description="Whether it was live, in person or online. Null if the mediator hasn't said.",
    )
    title: str = entry_field(FieldKind.LINE, _("Title"), listed=True)
    provider: str | None = entry_field(FieldKind.LINE, _("Provider"), listed=True)
    minutes: int = entry_field(FieldKind.DURATION, _("Duration in hours"), title=_("Hours"), listed=True)
    tags: list[CpdTag] = entry_field(
        FieldKind.WORDS,
        _("What it was about"),
        title=_("About"),
        filtered=True,
        facet="tags",
        hint=_("Choose at most ten. Some bodies ask for hours on certain subjects."),
        description="What it was about; at most ten, each once.",
    )
    credits: list[Credit] = entry_field(
        FieldKind.CREDITS,
        _("What bodies count it as"),
        title=_("Credits"),
        hint=_("One activity can count for several bodies. Leave out the points if a body counts hours."),
        description="What bodies count it as, in their own words; at most ten. It's the mediator's own statement.",
    )
    evidence_url: str | None = entry_field(FieldKind.LINK, _("Link to evidence"), title=_("Evidence"))


class CpdPrivateFields(SQLModel):
    """The fields of a CPD entry that only its mediator reads."""

    supervised_case_id: UUID | None = entry_field(
        FieldKind.CASE,
        _("The case that was supervised"),
        title=_("Supervised case"),
        hint=_("If this was about one of your cases. Your latest cases are listed."),
        description="The id of the mediator's own case that was supervised. Null once that case is deleted.",
    )
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
