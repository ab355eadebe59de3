"""Appointments of reviewers, and invitations to review."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import SQLModel

from models.columns import cascade_fk, random_id, secret_hash, server_default, table, text_column, timestamptz


class Appointment(SQLModel, table=True):
    """A mediator's reviewer. An appointment that's waiting for approval gives no access."""

    __table_args__ = (
        Index("appointment_current", "mediator_id", unique=True, postgresql_where=text("approved")),
        Index("appointment_waiting", "mediator_id", unique=True, postgresql_where=text("NOT approved")),
        CheckConstraint("mediator_id <> reviewer_id", name="not_oneself"),
    )

    id: UUID = random_id()
    mediator_id: UUID = cascade_fk("mediator")
    reviewer_id: UUID = cascade_fk("account")
    approved: bool = server_default("true")
    since: datetime = timestamptz(default_now=True)


class ReviewerInvitation(SQLModel, table=True):
    """An emailed invitation to review a mediator, deleted when it's accepted or expires."""

    __tablename__ = "reviewer_invitation"

    id: UUID = random_id()
    mediator_id: UUID = cascade_fk("mediator")
    email: str = text_column()
    email_key: str = text_column()
    secret_hash: bytes = secret_hash()
    expires_at: datetime = timestamptz()


appointments = table(Appointment)
reviewer_invitations = table(ReviewerInvitation)
