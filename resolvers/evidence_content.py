"""What a file really is: found out from its content alone, and made harmless.

A picture is decoded and written again, so nothing but its pixels is left of what was sent. A PDF is kept as it is, if
it's one and nothing else; it's only ever downloaded, so that no browser runs what's in it.
"""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from PIL import Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile, get_sampling

from i18n import gettext as _
from i18n import number
from models.evidence import MediaType

MAX_BYTES = 10 * 1024 * 1024  # of a file, as it's sent and as it's kept
_MEGABYTES = MAX_BYTES // 1024**2
MAX_PIXELS = 40_000_000  # of a picture; decoding and turning one takes up to 320 MB
MAX_SIDE = 20_000  # pixels

# One at a time in each process, because of the memory.
_decoder = ThreadPoolExecutor(1, thread_name_prefix="evidence")

Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # where Pillow itself begins to object, before it decodes anything
_MODES = {"JPEG": {"L", "RGB"}, "PNG": {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}}
_PICTURES = {b"\xff\xd8\xff": MediaType.JPEG, b"\x89PNG\r\n\x1a\n": MediaType.PNG}

_PDF_HEAD = re.compile(rb"%PDF-[12]\.\d[\r\n \t]")
_PDF_TAIL = re.compile(rb"startxref[\r\n \t]+(\d{1,10})[\r\n \t]+%%EOF[\r\n \t\0]*\Z")
_PDF_TABLE = re.compile(rb"[\r\n \t\0]*(?:xref\b|\d+[\r\n \t]+\d+[\r\n \t]+obj\b)")
_TAIL = 2048  # bytes in which a PDF's end has to be
# What else a file may be that begins as a PDF: how browsers and other programs would know, and where they look.
_MARKUP = re.compile(rb"<(?:!doctype|html|head|body|script|svg|iframe|\?php)", re.IGNORECASE)
_HEAD = 4096
_ZIP_END, _ZIP_SEARCHED = b"PK\x05\x06", 65_557
_ELSEWHERE = ((257, b"ustar"), (0x8001, b"CD001"))  # an archive of tar, a disk image


class NotTaken(Exception):
    """A file can't be taken. The text is a sentence for people; `too_large` says whether that's why."""

    def __init__(self, text: str, *, too_large: bool = False) -> None:
        super().__init__(text)
        self.too_large = too_large


@dataclass(frozen=True)
class Content:
    """What's kept of a file, and what it is."""

    media_type: MediaType
    data: bytes


async def read_content(sent: bytes) -> Content:
    """Give what's to be kept of a file.

    Raises:
        NotTaken: it's empty or too large, or it isn't a PDF, JPEG or PNG.
    """
    if not sent:
        raise NotTaken(_("This file is empty."))
    if len(sent) > MAX_BYTES:
        raise _too_large()
    return await asyncio.get_running_loop().run_in_executor(_decoder, _read, sent)


def _too_large() -> NotTaken:
    return NotTaken(_("A file can be at most %(most)s MB. This one is larger.", most=_MEGABYTES), too_large=True)


def _read(sent: bytes) -> Content:
    for magic, media_type in _PICTURES.items():
        if sent.startswith(magic):
            return Content(media_type, _picture(sent, "JPEG" if media_type is MediaType.JPEG else "PNG"))
    if sent.startswith(b"%PDF-"):
        _check_pdf(sent)
        return Content(MediaType.PDF, sent)
    raise NotTaken(_("Please choose a PDF, a JPEG or a PNG. This file is something else, whatever its name says."))


def _check_pdf(sent: bytes) -> None:
    """Check that it's a whole PDF and nothing else.

    Raises:
        NotTaken: it isn't.
    """
    end = _PDF_TAIL.search(sent[-_TAIL:])
    table = int(end[1]) if end else 0
    if not _PDF_HEAD.match(sent) or not 0 < table < len(sent) or not _PDF_TABLE.match(sent[table : table + 64]):
        raise NotTaken(_("This PDF is damaged or cut short. Please save it again, or send a picture of it."))
    # What comes after the first object is text of the PDF's own: a title, an annotation.
    begins = sent[: max(sent.find(b" obj", 0, _HEAD), 0) or _HEAD]
    if (
        _MARKUP.search(begins)
        or _ends_as_zip(sent)
        or any(sent[place:].startswith(magic) for place, magic in _ELSEWHERE if place < len(sent))
    ):
        raise NotTaken(_("This PDF is another kind of file at the same time. Please save it as a plain PDF."))


def _ends_as_zip(sent: bytes) -> bool:
    """Whether the end of a ZIP is near the end of the file, and isn't that of one attached to the PDF."""
    place = sent.rfind(_ZIP_END, max(0, len(sent) - _ZIP_SEARCHED))
    after = place + 22 + int.from_bytes(sent[place + 20 : place + 22], "little")
    return place >= 0 and not sent[after : after + 20].lstrip().startswith(b"endstream")


def _picture(sent: bytes, written_as: str) -> bytes:
    """Decode a picture, turn it the right way up, and write its pixels again.

    Raises:
        NotTaken: it's damaged, it has too many pixels, or it moves.
    """
    written = BytesIO()
    try:
        with Image.open(BytesIO(sent), formats=[written_as]) as picture:
            _check_picture(picture, written_as)
            picture.load()
            how = _as_before(picture)
            turned = ImageOps.exif_transpose(picture)
        if turned.mode not in _MODES[written_as]:
            how = {"quality": 90} if written_as == "JPEG" else {}
            turned = turned.convert("RGB" if written_as == "JPEG" else "RGBA")
        # Writing would take some of this along: only which colour is clear belongs to the pixels.
        turned.info = {name: value for name, value in turned.info.items() if name == "transparency"}
        turned.save(written, written_as, **how)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels() from None
    except NotTaken:
        raise
    except Exception:  # noqa: BLE001 - a decoder may raise anything on what it can't read
        raise NotTaken(_("This picture is damaged or cut short.")) from None
    if written.tell() > MAX_BYTES:
        raise NotTaken(
            _("Saved again, this picture has more than %(most)s MB. Please choose a smaller one.", most=_MEGABYTES),
            too_large=True,
        )
    return written.getvalue()


def _as_before(picture: Image.Image) -> dict[str, Any]:
    """Say how a JPEG is written so that it stays about as good, and about as large, as it was."""
    if not isinstance(picture, JpegImageFile):
        return {}
    sampling = get_sampling(picture)
    return {"qtables": picture.quantization, **({"subsampling": sampling} if sampling >= 0 else {})}


def _check_picture(picture: Image.Image, written_as: str) -> None:
    if picture.width * picture.height > MAX_PIXELS or max(picture.size) > MAX_SIDE:
        raise _too_many_pixels()
    if written_as == "PNG" and getattr(picture, "is_animated", False):
        raise NotTaken(_("This picture moves. Please choose one that doesn't."))


def _too_many_pixels() -> NotTaken:
    return NotTaken(
        _(
            "A picture can have at most %(most)s million pixels. Please choose a smaller one.",
            most=number(MAX_PIXELS // 10**6),
        ),
        too_large=True,
    )
