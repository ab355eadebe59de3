"""The logbook's cases. What only the mediator reads has a table of its own, so that row security can guard it."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Index, text
from sqlmodel import SQLModel

from i18n import lazy_gettext as _
from models.columns import cascade_fk, random_id, retired_fold, server_default, timestamptz
from models.dispute_kinds import DisputeKind
from models.fields import Choice, FieldKind, entry_field, entry_fields, known_words
from models.folds import entry_tables


class CaseRole(Choice):
    """The mediator's role in a case."""

    LEAD_MEDIATOR = "LEAD_MEDIATOR", _("Lead mediator"), "lead, mediator, sole mediator"
    CO_MEDIATOR = "CO_MEDIATOR", _("Co-mediator"), "co, comediator"
    ASSISTANT_MEDIATOR = "ASSISTANT_MEDIATOR", _("Assistant mediator"), "assistant"
    MEDIATION_ADVOCATE = "MEDIATION_ADVOCATE", _("Mediation advocate"), "advocate, party representative"
    OBSERVER = "OBSERVER", _("Observer")
    OTHER = "OTHER", _("Other")


AS_MEDIATOR = (CaseRole.LEAD_MEDIATOR, CaseRole.CO_MEDIATOR)  # whose hours are hours as mediator


class Medium(Choice):
    """How the people met."""

    IN_PERSON = "IN_PERSON", _("In person"), "face to face, onsite, offline"
    ONLINE = "ONLINE", _("Online"), "remote, virtual, video, video conference, zoom, teams"
    HYBRID = "HYBRID", _("Hybrid"), "mixed"
    TELEPHONE = "TELEPHONE", _("Telephone"), "phone, by phone, by telephone, call, conference call"


class Outcome(Choice):
    """How a case ended."""

    SETTLED = "SETTLED", _("Settled"), "settlement, full settlement, fully settled, agreement, resolved, yes"
    PARTLY_SETTLED = "PARTLY_SETTLED", _("Partly settled"), "partly, partial, partial settlement, partially settled"
    NOT_SETTLED = (
        "NOT_SETTLED",
        _("Not settled"),
        "no settlement, no agreement, not resolved, unresolved, impasse, no",
    )
    SETTLED_LATER = "SETTLED_LATER", _("Settled later"), "settled after, settled afterwards, later settlement"
    ENDED_BY_MEDIATOR = (
        "ENDED_BY_MEDIATOR",
        _("Ended by the mediator"),
        "ended by mediator, terminated by mediator, mediator withdrew",
    )
    DID_NOT_TAKE_PLACE = "DID_NOT_TAKE_PLACE", _("Did not take place"), "cancelled, canceled, did not happen, no show"
    ONGOING = "ONGOING", _("Ongoing"), "pending, open, in progress, adjourned"
    NOT_KNOWN = "NOT_KNOWN", _("Not known"), "unknown, n/a"


class LogbookFields(SQLModel):
    """The fields of a case that others may read, as far as the policy allows."""

    started_on: date = entry_field(
        FieldKind.DAY,
        _("First day"),
        headings="start date, start, started, date started, first date, from, begin, began",
    )
    ended_on: date = entry_field(
        FieldKind.DAY,
        _("Last day"),
        listed=True,
        headings="end date, end, ended, date ended, last date, to, until, finished, date completed, date, "
        "day, date of mediation, mediation date, date of session, session date",
    )
    role: CaseRole = entry_field(
        FieldKind.CHOICE,
        _("Your role"),
        title=_("Role"),
        listed=True,
        filtered=True,
        proposed=True,
        headings="your role, my role, role in mediation, capacity, acted as, position",
    )
    medium: Medium = entry_field(
        FieldKind.CHOICE,
        _("Medium"),
        listed=True,
        filtered=True,
        proposed=True,
        headings="format, mode, setting, online or in person, in person or online, method",
    )
    dispute_kind: DisputeKind | None = entry_field(
        FieldKind.CHOICE,
        _("Kind of dispute"),
        listed=True,
        filtered=True,
        facet="dispute_kinds",
        searched=True,
        spill="subject",
        headings="type of dispute, dispute type, dispute, kind, type, area, sector, category, practice area, "
        "case type, type of case, nature of dispute",
    )
    minutes: int = entry_field(
        FieldKind.DURATION,
        _("Duration in hours"),
        title=_("Hours"),
        listed=True,
        headings="duration, hrs, time, time spent, hours spent, total hours, number of hours, no of hours, "
        "mediation hours, duration in hours, duration in minutes, mins, total minutes, number of minutes, length",
    )
    outcome: Outcome = entry_field(
        FieldKind.CHOICE,
        _("Outcome"),
        default=Outcome.NOT_KNOWN,
        listed=True,
        filtered=True,
        headings="result, status, resolution, settled, settlement",
    )
    completed: bool = entry_field(
        FieldKind.FLAG,
        _("The mediation is over"),
        title=_("Completed"),
        default=True,
        headings="complete, concluded, closed",
        description="Whether the mediation is over. Never true while the outcome is ONGOING.",
    )
    written_agreement: bool = entry_field(
        FieldKind.FLAG,
        _("There's a written agreement"),
        title=_("Written agreement"),
        headings="agreement in writing, agreement signed, settlement agreement",
    )
    country: str | None = entry_field(
        FieldKind.LINE,
        _("Country"),
        filtered=True,
        facet="countries",
        proposed=True,
        headings="jurisdiction, nation, country of mediation",
    )
    languages: list[str] = entry_field(
        FieldKind.LANGUAGES,
        _("Languages"),
        filtered=True,
        facet="languages",
        proposed=True,
        headings="language, language of mediation, languages of mediation, language of proceedings, held in",
        hint=_("The languages the mediation was held in, separated by commas: English, French"),
        description="The languages the mediation was held in, as ISO 639 codes; at most ten.",
    )
    party_count: int | None = entry_field(
        FieldKind.COUNT,
        _("Number of parties"),
        bounds=(1, 10_000),
        unit=_("parties"),
        headings="no of parties, parties count, how many parties",
    )
    simulated: bool = entry_field(
        FieldKind.FLAG,
        _("A simulation, not a real case"),
        title=_("Simulated"),
        hint=_("Simulated cases are listed, but not counted in your totals."),
        listed=True,
        filtered=True,
        headings="simulation, role play, roleplay, mock, practice case",
    )


class LogbookPrivateFields(SQLModel):
    """The fields of a case that only its mediator reads."""

    reference: str | None = entry_field(
        FieldKind.TEXT,
        _("Your reference"),
        title=_("Reference"),
        rows=1,
        listed=True,
        sorted=True,
        headings="your reference, my reference, ref, case reference, case, case number, case no, case id, case name, "
        "file number, matter",
    )
    subject: str | None = entry_field(
        FieldKind.TEXT,
        _("What it was about"),
        title=_("Subject"),
        rows=1,
        sorted=True,
        headings="subject matter, topic, about, description of dispute",
    )
    co_mediator: str | None = entry_field(
        FieldKind.TEXT,
        _("Who you mediated with"),
        title=_("Co-mediator"),
        rows=1,
        sorted=True,
        headings="co mediators, mediated with, name of co mediator",
    )
    parties: str | None = entry_field(
        FieldKind.TEXT,
        _("The parties"),
        title=_("Parties"),
        rows=2,
        sorted=True,
        headings="the parties, party names, names of parties, names of the parties, clients",
    )
    did_well: str | None = entry_field(
        FieldKind.TEXT, _("What I did well"), headings="what went well, went well, strengths"
    )
    found_challenging: str | None = entry_field(
        FieldKind.TEXT, _("What I found challenging"), headings="challenges, challenging, difficulties"
    )
    notes: str | None = entry_field(
        FieldKind.TEXT, _("Notes"), headings="note, comments, comment, remarks, remark, observations"
    )


MONTH = "(date_trunc('month', ended_on::timestamp)::date)"  # an index can hold it: no time zone matters


class LogbookEntry(LogbookFields, table=True):
    """One case. `minutes` is its duration; `version` counts its edits.

    If it has sessions, `minutes` is their sum, `contact_minutes` that of its mediation sessions, and all of them are
    within its days: a trigger keeps that so. Without sessions, `contact_minutes` is null.
    """

    __tablename__ = "logbook_entry"
    __table_args__ = (
        Index("logbook_entry_by_day", "mediator_id", "ended_on", "id"),
        Index("logbook_entry_by_role", "mediator_id", "role", "id"),
        Index("logbook_entry_by_month", "mediator_id", text(MONTH), "id"),
        # Everything that the totals are added up from.
        Index(
            "logbook_entry_totals",
            "mediator_id",
            postgresql_include=["id", "role", "ended_on", "minutes", "contact_minutes", "simulated"],
        ),
        *known_words(LogbookFields),
    )

    id: UUID = random_id()
    mediator_id: UUID = cascade_fk("mediator", index=False)
    contact_minutes: int | None = None
    version: int = server_default("1")
    created_at: datetime = timestamptz(default_now=True)
    dispute_kind_folded: str | None = retired_fold()


class LogbookPrivate(LogbookPrivateFields, table=True):
    """The private fields of one case."""

    __tablename__ = "logbook_private"

    id: UUID = cascade_fk("logbook_entry", primary=True)
    mediator_id: UUID = cascade_fk("mediator")


LOGBOOK_FIELDS = entry_fields(LogbookFields, LogbookPrivateFields)
logbook_entries, logbook_private = entry_tables(LogbookEntry, LogbookPrivate, LOGBOOK_FIELDS)
