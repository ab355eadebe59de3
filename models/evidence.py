"""Files that mediators attach to CPD entries as evidence, and which of them are gone.

Their bytes are outside the database, encrypted (`models/file_store.py`). Each file's own key is in its row, sealed, so
nobody can read a file whose row is gone.
"""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, text
from sqlmodel import Field, SQLModel

from i18n import lazy_gettext as _
from models.columns import cascade_fk, one_of, random_id, server_default, table, text_column, timestamptz, today
from models.fields import Choice


class EvidenceKind(Choice):
    """What a file shows."""

    CERTIFICATE = "CERTIFICATE", _("Certificate")
    OTHER = "OTHER", _("Other evidence")


class MediaType(Choice):
    """What files can be: the name that HTTP has for it, its label, and how names end that say so."""

    PDF = "application/pdf", _("PDF"), ".pdf"
    JPEG = "image/jpeg", _("JPEG picture"), ".jpg .jpeg .jpe"
    PNG = "image/png", _("PNG picture"), ".png"


class EvidenceFile(SQLModel, table=True):
    """One file. `bytes` is its size, and `sealed` its key. The store knows it by its id."""

    __tablename__ = "evidence_file"
    __table_args__ = (
        one_of("kind", EvidenceKind),
        one_of("media_type", MediaType),
        CheckConstraint("bytes > 0", name="bytes_bounds"),
    )

    id: UUID = random_id()
    mediator_id: UUID = cascade_fk("mediator")
    entry_id: UUID = cascade_fk("cpd_entry")
    kind: str = text_column()
    name: str = text_column()
    media_type: str = text_column()
    sealed: bytes = Field(sa_type=LargeBinary)
    added_at: datetime = timestamptz(default_now=True)
    bytes: int


class DeletedFile(SQLModel, table=True):
    """A file whose row is gone. `swept`: so are its bytes.

    Only the day is kept: the moment would tell how many files a deleted account had, which the audit log names.
    """

    __tablename__ = "deleted_file"
    __table_args__ = (
        Index("deleted_file_by_day", "deleted_on", "id"),
        Index("deleted_file_unswept", "id", postgresql_where=text("NOT swept")),
    )

    id: UUID = Field(primary_key=True)
    deleted_on: date = today()
    swept: bool = server_default("false")


evidence_files = table(EvidenceFile)
deleted_files = table(DeletedFile)
