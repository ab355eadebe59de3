"""The sessions of a case: what was done on which day. What a year's hours are is up to them."""

from datetime import date
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import SQLModel

from i18n import lazy_gettext as _
from models.columns import cascade_fk, random_id, server_default, table
from models.fields import Choice, FieldKind, entry_field, entry_fields, known_words
from models.logbook import Medium


class SessionKind(Choice):
    """What was done. Only mediation sessions are contact hours."""

    MEDIATION = "MEDIATION", _("Mediation session")
    PREPARATION = "PREPARATION", _("Preparation")
    DRAFTING = "DRAFTING", _("Drafting")
    FOLLOW_UP = "FOLLOW_UP", _("Follow-up")
    TRAVEL = "TRAVEL", _("Travel")


class CaseSessionFields(SQLModel):
    """The fields of a session."""

    held_on: date = entry_field(FieldKind.DAY, _("Day"))
    minutes: int = entry_field(FieldKind.DURATION, _("Duration in hours"), title=_("Hours"))
    kind: SessionKind = entry_field(FieldKind.CHOICE, _("What you did"), title=_("Kind"))
    medium: Medium = entry_field(FieldKind.CHOICE, _("Medium"))


class CaseSession(CaseSessionFields, table=True):
    """One session; `version` counts its edits."""

    __tablename__ = "case_session"
    __table_args__ = (
        Index("case_session_of_case", "entry_id", "held_on", "id"),
        # Everything that the totals of a time are added up from.
        Index(
            "case_session_totals", "mediator_id", postgresql_include=["id", "entry_id", "held_on", "minutes", "kind"]
        ),
        *known_words(CaseSessionFields),
    )

    id: UUID = random_id()
    entry_id: UUID = cascade_fk("logbook_entry", index=False)
    mediator_id: UUID = cascade_fk("mediator", index=False)
    version: int = server_default("1")


SESSION_FIELDS = entry_fields(CaseSessionFields)
case_sessions = table(CaseSession)
