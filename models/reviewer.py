"""Appointments of reviewers, and invitations to review."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import SQLModel

from models.columns import cascade_fk, one_of, random_id, secret_hash, server_default, table, text_column, timestamptz
from settings import Approval


class Relation(StrEnum):
    """How a reviewer knows the mediator."""

    NO_RELATION = "NO_RELATION"
    COLLEAGUE = "COLLEAGUE"
    SAME_PROVIDER = "SAME_PROVIDER"
    OTHER = "OTHER"
    FAMILY = "FAMILY"
    EMPLOYER = "EMPLOYER"
    EMPLOYEE = "EMPLOYEE"


# Anybody may say so, but then they aren't independent enough to be the reviewer.
TOO_CLOSE = frozenset({Relation.FAMILY, Relation.EMPLOYER, Relation.EMPLOYEE})
_FAR_ENOUGH = ", ".join(f"'{relation}'" for relation in Relation if relation not in TOO_CLOSE)


class Appointment(SQLModel, table=True):
    """A mediator's choice of reviewer. It's in force once it has every yes that it needs, and gives no access before.

    `approval` is what the setting asked of administrators, or more: it's `each` if an administrator has to approve this
    one. `relation` is null if the reviewer hasn't said how they know the mediator. `since` is when the appointment was
    made, and from then on when it came into force.
    """

    __table_args__ = (
        Index("appointment_current", "mediator_id", unique=True, postgresql_where=text("in_force")),
        Index("appointment_waiting", "mediator_id", unique=True, postgresql_where=text("NOT in_force")),
        CheckConstraint("mediator_id <> reviewer_id", name="not_oneself"),
        CheckConstraint(f"relation IN ({_FAR_ENOUGH})", name="relation_allowed"),
        CheckConstraint("relation <> 'OTHER' OR relation_details IS NOT NULL", name="other_explained"),
        one_of("approval", Approval),
    )

    id: UUID = random_id()
    mediator_id: UUID = cascade_fk("mediator")
    reviewer_id: UUID = cascade_fk("account")
    in_force: bool = server_default("false")
    since: datetime = timestamptz(default_now=True)
    accepted_at: datetime | None = timestamptz()
    approved_at: datetime | None = timestamptz()
    approval: str = server_default("'each'")
    relation: str | None = text_column()
    relation_details: str | None = text_column()


class ReviewerInvitation(SQLModel, table=True):
    """An emailed invitation to review a mediator, deleted when it's accepted, revoked or expires."""

    __tablename__ = "reviewer_invitation"

    id: UUID = random_id()
    mediator_id: UUID = cascade_fk("mediator")
    email: str = text_column()
    email_key: str = text_column()
    secret_hash: bytes = secret_hash()
    expires_at: datetime = timestamptz()


appointments = table(Appointment)
reviewer_invitations = table(ReviewerInvitation)
