"""The demo's files: certificates that nobody could take for real ones, drawn here."""

from datetime import date
from random import Random
from uuid import UUID

from sqlalchemy import ClauseElement, bindparam, insert, select
from sqlalchemy.types import Uuid

from demo.seed_practice import seeded_id
from i18n import format_day
from models.cpd import CpdKind, cpd_entries
from models.database import Transaction
from models.evidence import EvidenceKind, MediaType, evidence_files
from models.file_store import open_store
from models.statement import Row, statement
from permissions.file_sealing import seal_file
from settings import Settings

FILES = 2


class _Course(Row):
    id: UUID
    title: str
    ended_on: date


@statement(_Course)
def _latest() -> ClauseElement:
    of = cpd_entries.c
    trained = (of.mediator_id == bindparam("mediator", type_=Uuid()), of.kind == CpdKind.TRAINING_RECEIVED)
    return select(of.id, of.title, of.ended_on).where(*trained).order_by(of.ended_on.desc(), of.id).limit(FILES)


async def add_evidence(transaction: Transaction, settings: Settings, mediator_id: UUID, name: str) -> None:
    """Attach a certificate to each of a mediator's latest trainings, if the demo takes files."""
    store, chance = open_store(settings), Random("evidence")  # noqa: S311 - no secret
    if store is None or not settings.takes_files:
        return
    for course in await transaction.all(_latest(), mediator=mediator_id):
        file_id = seeded_id(chance)
        content = certificate(name, course.title, format_day(course.ended_on))
        sealed, stored = seal_file(settings, file_id, content)
        await store.put(file_id, stored)
        await transaction.run(
            insert(evidence_files).values(
                id=file_id,
                mediator_id=mediator_id,
                entry_id=course.id,
                kind=EvidenceKind.CERTIFICATE,
                name=f"Demo certificate, {course.title}.pdf",
                media_type=MediaType.PDF,
                bytes=len(content),
                sealed=sealed,
            )
        )


def certificate(name: str, title: str, day: str) -> bytes:
    """Draw a certificate: one page, as a PDF."""
    lines = (
        (28, "DEMO CERTIFICATE"),
        (14, "Not a real one: it shows how files are attached."),
        (18, name),
        (18, title),
    )
    drawn, height = [], 420
    for size, line in (*lines, (14, day)):
        text = line.replace("\\", "").replace("(", "").replace(")", "")
        drawn.append(f"BT /F1 {size} Tf 60 {height} Td ({text}) Tj ET")
        height -= 70
    content = "\n".join(drawn).encode("latin-1", "replace")
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 700 500] /Contents 4 0 R"
            b" /Resources << /Font << /F1 5 0 R >> >> >>"
        ),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    )
    made, places = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(made))
    return made + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + trailer
