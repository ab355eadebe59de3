"""Work to do after commit, the archives it makes, and the audit log.

An outbox row says what to do by kind and ids; names and addresses are read when it's done. Only an email to an address
that is stored nowhere else any more carries that address, until it's handed to the mail server.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, LargeBinary, text
from sqlmodel import Field, SQLModel

from models.columns import cascade_fk, one_of, random_id, secret_hash, server_default, table, text_column, timestamptz

NOTHING = UUID(int=0)


class OutboxState(StrEnum):
    """QUEUED: to do. DONE: done. DROPPED: it became pointless or forbidden. DEAD: given up."""

    QUEUED = "QUEUED"
    DONE = "DONE"
    DROPPED = "DROPPED"
    DEAD = "DEAD"


class Outbox(SQLModel, table=True):
    """One email or job. `lease` is the worker's claim, which ends at `leased_until`.

    Once it's done, it no longer says what it was about: `subject_id` is `NOTHING`.
    """

    __table_args__ = (
        Index("outbox_due", "next_at", postgresql_where=text("state = 'QUEUED'")),
        Index("outbox_dead", "id", postgresql_where=text("state = 'DEAD'")),
        Index("outbox_finished", "finished_at", postgresql_where=text("state <> 'QUEUED'")),
        one_of("state", OutboxState),
    )

    id: UUID = random_id()
    kind: str = text_column()
    subject_id: UUID
    other_id: UUID | None = None
    recipient: str | None = text_column()
    recipient_name: str | None = text_column()
    dedupe_key: str = Field(unique=True)
    state: str = server_default("'QUEUED'")
    attempts: int = server_default("0")
    next_at: datetime = timestamptz(default_now=True)
    lease: UUID | None = None
    leased_until: datetime | None = timestamptz()
    smtp_code: int | None = None
    created_at: datetime = timestamptz(default_now=True)
    finished_at: datetime | None = timestamptz()


class Chore(SQLModel, table=True):
    """The time a recurring job last ran, so that several workers share one schedule."""

    name: str = Field(primary_key=True)
    ran_at: datetime = timestamptz(default_now=True)


class DataExport(SQLModel, table=True):
    """An archive of all of an account's data. `archive` is a ZIP, null until it's made; `percent` is the progress."""

    __tablename__ = "data_export"
    __table_args__ = (CheckConstraint("percent BETWEEN 0 AND 100", name="percent_bounds"),)

    id: UUID = random_id()
    account_id: UUID = cascade_fk("account")
    secret_hash: bytes = secret_hash()
    requested_at: datetime = timestamptz(default_now=True)
    ready_at: datetime | None = timestamptz()
    expires_at: datetime | None = timestamptz()
    archive: bytes | None = Field(default=None, sa_type=LargeBinary)
    percent: int = server_default("0")


class AuditAction(StrEnum):
    """The actions that the audit log records. `count` in an entry says how often, for the last three."""

    ORIGIN_READ = "ORIGIN_READ"
    ACCOUNT_DELETED = "ACCOUNT_DELETED"
    ROLES_CHANGED = "ROLES_CHANGED"  # no longer written: entries from before ROLE_ADDED and ROLE_REMOVED have it
    DIRECTORY_CREATED = "DIRECTORY_CREATED"
    APPOINTMENT_APPROVED = "APPOINTMENT_APPROVED"
    PAID_ACCESS_CHANGED = "PAID_ACCESS_CHANGED"
    SIGNED_OUT = "SIGNED_OUT"
    ROLE_ADDED = "ROLE_ADDED"
    ROLE_REMOVED = "ROLE_REMOVED"
    APPOINTMENT_DECLINED = "APPOINTMENT_DECLINED"
    REVIEWER_CONFIRMED = "REVIEWER_CONFIRMED"
    PAID_ACCESS_ENDED = "PAID_ACCESS_ENDED"
    ANSWERS_READ = "ANSWERS_READ"  # of feedback that its mediator can't read
    DIRECTORY_CHANGED = "DIRECTORY_CHANGED"
    API_TOKEN_CREATED = "API_TOKEN_CREATED"  # noqa: S105 - the action's name
    API_TOKEN_REVOKED = "API_TOKEN_REVOKED"  # noqa: S105 - the action's name
    MAIL_RETRIED = "MAIL_RETRIED"
    SECOND_FACTOR_REMOVED = "SECOND_FACTOR_REMOVED"  # by an operator, for somebody who lost it
    BACKUP_RESTORED = "BACKUP_RESTORED"
    WRONG_PASSWORD = "WRONG_PASSWORD"  # noqa: S105 - the action's name
    WRONG_CODE = "WRONG_CODE"
    LOCKED_OUT = "LOCKED_OUT"
    FEEDBACK_ADMITTED = "FEEDBACK_ADMITTED"
    FEEDBACK_REMOVED = "FEEDBACK_REMOVED"
    ACCOUNT_READ = "ACCOUNT_READ"


# Entries with these tell that there is feedback about the mediator in `account_id`.
ABOUT_FEEDBACK = (
    AuditAction.ORIGIN_READ,
    AuditAction.ANSWERS_READ,
    AuditAction.FEEDBACK_ADMITTED,
    AuditAction.FEEDBACK_REMOVED,
)


class AuditEntry(SQLModel, table=True):
    """An action: who took it and on what, as opaque ids without references, so that it outlives what it names.

    Without an actor, it was the service itself or an operator. `account_id` is the account that the subject is or
    belongs to, such as the mediator whom a piece of feedback is about. `mac` is made from everything else and the MAC
    of the entry before it, under the key with `key_id` (`jobs/audit.py`). These three are missing where a version from
    before the chain wrote the entry.
    """

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("audit_entry_by_time", "at", "id"),
        Index("audit_entry_by_actor", "actor_id", "at", "id"),
        Index("audit_entry_by_account", "account_id", "at", "id"),
        Index("audit_entry_by_subject", "subject_id", "at", "id"),
        Index("audit_entry_by_action", "action", "at", "id"),
        one_of("action", AuditAction),
    )

    id: UUID = random_id()
    at: datetime = timestamptz(default_now=True)
    actor_id: UUID | None = None
    action: str = text_column()
    subject_id: UUID | None = None
    account_id: UUID | None = None
    reason: str | None = text_column()
    count: int | None = None
    sequence: int | None = Field(default=None, unique=True, sa_type=BigInteger)
    key_id: bytes | None = Field(default=None, sa_type=LargeBinary)
    mac: bytes | None = Field(default=None, sa_type=LargeBinary)


outbox = table(Outbox)
chores = table(Chore)
data_exports = table(DataExport)
audit_entries = table(AuditEntry)
