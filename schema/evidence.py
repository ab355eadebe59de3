"""Evidence in the schema: the files of CPD entries, and the changes to them."""

import binascii
from datetime import datetime
from typing import Any

import strawberry
from strawberry.types.scalar import ScalarDefinition

from models.evidence import EvidenceKind
from resolvers.evidence_changes import Base64, attach_file, detach_file
from schema.mutations import Payload, mutation


def _read(given: Any) -> bytes:
    """Read Base64. Pages, which call the API in process, give the bytes themselves."""
    if isinstance(given, bytes):
        return given
    if not isinstance(given, str):
        raise ValueError("Base64 is text.")  # noqa: TRY004 - what GraphQL reports as bad input
    try:
        return binascii.a2b_base64(given, strict_mode=True)
    except binascii.Error:
        raise ValueError("This isn't Base64.") from None


BASE64: dict[object, ScalarDefinition] = {
    Base64: strawberry.scalar(
        name="Base64", description="Bytes, written as in RFC 4648, section 4, without line breaks.", parse_value=_read
    )
}


@strawberry.type(
    description="A file that its mediator attached to a CPD entry. Others are told only whether there's a certificate."
)
class EvidenceFile:
    id: strawberry.ID
    name: str
    kind: EvidenceKind
    media_type: str = strawberry.field(description="`application/pdf`, `image/jpeg` or `image/png`: what it really is.")
    bytes: int = strawberry.field(description="Its size.")
    added_at: datetime


@strawberry.type
class AttachFilePayload(Payload):
    file: EvidenceFile | None = None


@strawberry.type
class DetachFilePayload(Payload):
    deleted_id: strawberry.ID | None = None


@strawberry.type
class EvidenceMutations:
    attach_file = mutation(
        attach_file,
        AttachFilePayload,
        description="Attach a PDF, JPEG or PNG. A request can have at most 262,144 bytes, so larger files are for the "
        "page.",
    )
    detach_file = mutation(detach_file, DetachFilePayload, description="Delete a file. It can't be brought back.")
