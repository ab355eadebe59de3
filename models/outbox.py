"""Work to be done after commit, archives that it makes, and the audit log.

An outbox row says what to do by kind and ids; names and addresses are read when it is done. Only a mail to an address
that is no longer stored anywhere else carries that address, until it is handed in.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, text
from sqlmodel import Field, SQLModel

from models.columns import moment, one_of, owner, preset, random_id, secret_hash, table, words


class OutboxState(StrEnum):
    """QUEUED is to be done; DONE was; DROPPED had become pointless or forbidden; DEAD was given up."""

    QUEUED = "QUEUED"
    DONE = "DONE"
    DROPPED = "DROPPED"
    DEAD = "DEAD"


class Outbox(SQLModel, table=True):
    """One mail or job. `lease` names the worker's claim, which ends at `leased_until`."""

    __table_args__ = (
        Index("outbox_due", "next_at", postgresql_where=text("state = 'QUEUED'")),
        Index("outbox_dead", "id", postgresql_where=text("state = 'DEAD'")),
        Index("outbox_finished", "finished_at", postgresql_where=text("state <> 'QUEUED'")),
        one_of("state", OutboxState),
    )

    id: UUID = random_id()
    kind: str = words()
    subject_id: UUID
    other_id: UUID | None = None
    recipient: str | None = words()
    recipient_name: str | None = words()
    dedupe_key: str = Field(unique=True)
    state: str = preset("'QUEUED'")
    attempts: int = preset("0")
    next_at: datetime = moment(default_now=True)
    lease: UUID | None = None
    leased_until: datetime | None = moment()
    smtp_code: int | None = None
    created_at: datetime = moment(default_now=True)
    finished_at: datetime | None = moment()


class Chore(SQLModel, table=True):
    """When a recurring job ran last, so that several workers share one schedule."""

    name: str = Field(primary_key=True)
    ran_at: datetime = moment(default_now=True)


class DataExport(SQLModel, table=True):
    """An archive of all of one's data; `archive` is a ZIP, null until it is made. `percent`: how much of it is."""

    __tablename__ = "data_export"
    __table_args__ = (CheckConstraint("percent BETWEEN 0 AND 100", name="percent_bounds"),)

    id: UUID = random_id()
    account_id: UUID = owner("account")
    secret_hash: bytes = secret_hash()
    requested_at: datetime = moment(default_now=True)
    ready_at: datetime | None = moment()
    expires_at: datetime | None = moment()
    archive: bytes | None = Field(default=None, sa_type=LargeBinary)
    percent: int = preset("0")


class AuditAction(StrEnum):
    """What the audit log remembers."""

    ORIGIN_READ = "ORIGIN_READ"
    ACCOUNT_DELETED = "ACCOUNT_DELETED"
    ROLES_CHANGED = "ROLES_CHANGED"
    DIRECTORY_CREATED = "DIRECTORY_CREATED"
    APPOINTMENT_APPROVED = "APPOINTMENT_APPROVED"
    PAID_ACCESS_CHANGED = "PAID_ACCESS_CHANGED"
    SIGNED_OUT = "SIGNED_OUT"


class AuditEntry(SQLModel, table=True):
    """Who did what to which; opaque ids, and no references, so that it outlives what it names."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index("audit_entry_by_time", "at", "id"), one_of("action", AuditAction))

    id: UUID = random_id()
    at: datetime = moment(default_now=True)
    actor_id: UUID
    action: str = words()
    subject_id: UUID


outbox = table(Outbox)
chores = table(Chore)
data_exports = table(DataExport)
audit_entries = table(AuditEntry)
