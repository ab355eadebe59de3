"""What's taken as a file and what's kept of it; what isn't what it says it is, or is more than that."""

import io
import struct
import zlib
from random import Random
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.ExifTags import Base as Tag
from PIL.PngImagePlugin import PngInfo

from models.evidence import MediaType
from resolvers.evidence_content import MAX_BYTES, MAX_PIXELS, NotTaken, read_content
from resolvers.evidence_name import clean_name
from tests.samples import opened, pdf, picture

ELSE = "Please choose a PDF, a JPEG or a PNG."
DAMAGED = "This picture is damaged or cut short."
BROKEN = "This PDF is damaged or cut short."
BOTH = "This PDF is another kind of file at the same time."
PIXELS = "A picture can have at most 40 million pixels."


def archive() -> bytes:
    with ZipFile(written := io.BytesIO(), "w") as made:
        made.writestr("a.txt", "text")
    return written.getvalue()


def bomb(side: int) -> bytes:
    """A PNG of a few hundred bytes that says it has so many pixels on each side."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


REFUSED = {
    "empty": (b"", "This file is empty."),
    "larger": (bytes(MAX_BYTES + 1), "A file can be at most 10 MB."),
    "text": (b"just words", ELSE),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', ELSE),
    "html": (b"<!DOCTYPE html><script>alert(1)</script>", ELSE),
    "zip": (archive(), ELSE),
    "gif": (picture("GIF", mode="P"), ELSE),
    "tiff": (picture("TIFF"), ELSE),
    "webp": (picture("WEBP"), ELSE),
    "a pdf after other bytes": (b"GIF89a" + pdf(), ELSE),
    "truncated jpeg": (picture("JPEG", (800, 600))[:2000], DAMAGED),
    "truncated png": (picture("PNG", (800, 600))[:600], DAMAGED),
    "jpeg in name alone": (b"\xff\xd8\xff" + b"<script>alert(1)</script>" * 9, DAMAGED),
    "png in name alone": (b"\x89PNG\r\n\x1a\n" + b"<script>" * 9, DAMAGED),
    "png bomb": (bomb(30_000), PIXELS),
    "png just too large": (bomb(6_400), PIXELS),
    "long and thin": (picture("PNG", (20_001, 1), "L"), PIXELS),
    "pdf without an end": (pdf()[:-30], BROKEN),
    "pdf of garbage": (b"%PDF-1.7\n" + bytes(500), BROKEN),
    "pdf with more behind it": (pdf() + b"more", BROKEN),
    "pdf with a table elsewhere": (pdf().replace(b"startxref\n", b"startxref\n1"), BROKEN),
    "pdf of no version": (pdf().replace(b"%PDF-1.4", b"%PDF-x.y"), BROKEN),
    "pdf and html": (pdf(first=b"<html><script>alert(1)</script>\n"), BOTH),
    "pdf and php": (pdf(first=b"<?php system('id'); ?>\n"), BOTH),
    "pdf and zip": (pdf(last=archive()), BOTH),
    "pdf and tar": (pdf(first=b"%" + b" " * 247 + b"ustar\n"), BOTH),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_is_not_taken_is_refused_with_a_plain_sentence(what: str) -> None:
    sent, says = REFUSED[what]
    with pytest.raises(NotTaken) as raised:
        await read_content(sent)
    assert str(raised.value).startswith(says)
    assert raised.value.too_large is (says in {PIXELS, REFUSED["larger"][1]})


async def test_a_pdf_is_kept_as_it_is() -> None:
    for sent in (pdf(), pdf() + b"\r\n \0", pdf().replace(b"%PDF-1.4\n", b"%PDF-2.0\r")):
        content = await read_content(sent)
        assert (content.media_type, content.data) == (MediaType.PDF, sent)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
async def test_a_png_is_written_again_with_the_same_pixels(mode: str) -> None:
    sent = picture("PNG", mode=mode)
    content = await read_content(sent)
    assert content.media_type is MediaType.PNG
    assert opened(content.data).convert("RGBA").tobytes() == opened(sent).convert("RGBA").tobytes()


async def test_a_png_of_16_bits_keeps_them() -> None:
    Image.new("I;16", (9, 9), 54_321).save(written := io.BytesIO(), "PNG")
    content = await read_content(written.getvalue())
    assert opened(content.data).getpixel((4, 4)) == 54_321


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
async def test_a_jpeg_is_written_again_and_looks_the_same(mode: str) -> None:
    content = await read_content(picture("JPEG", mode=mode))
    assert content.media_type is MediaType.JPEG
    red, green, blue = opened(content.data).convert("RGB").getpixel((5, 5))  # type: ignore[misc]
    if mode == "RGB":
        assert red > 180
        assert max(green, blue) < 40


async def test_where_and_by_whom_a_picture_was_taken_is_gone_and_it_is_the_right_way_up() -> None:
    exif = Image.Exif()
    exif[Tag.Artist] = "Secret Photographer"
    exif[Tag.Orientation] = 6  # turned by a quarter
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 22.0, 11.0)})
    sent = picture("JPEG", (40, 30), exif=exif, comment=b"Secret comment", dpi=(77, 77), icc_profile=b"Secret profile")
    content = await read_content(sent + b"Secret bytes behind it")
    kept = opened(content.data)
    assert b"Secret" in sent
    assert b"Secret" not in content.data
    assert b"Exif" not in content.data
    assert dict(kept.getexif()) == {}
    assert kept.size == (30, 40)
    assert kept.convert("RGB").getpixel((15, 5))[0] > 180  # type: ignore[index]


async def test_texts_in_a_png_are_gone() -> None:
    texts = PngInfo()
    texts.add_text("Author", "Secret Author")
    texts.add_itxt("XML:com.adobe.xmp", "Secret place")
    exif = Image.Exif()
    exif[Tag.Artist] = "Secret Photographer"
    sent = picture("PNG", pnginfo=texts, exif=exif, icc_profile=b"Secret profile")
    content = await read_content(sent)
    assert b"Secret" not in content.data
    for name in (b"tEXt", b"iTXt", b"zTXt", b"eXIf", b"iCCP", b"pHYs"):
        assert name not in content.data


async def test_a_picture_that_moves_is_refused() -> None:
    one, other = (Image.new("RGB", (9, 9), colour) for colour in ("red", "blue"))
    one.save(written := io.BytesIO(), "PNG", save_all=True, append_images=[other])
    with pytest.raises(NotTaken, match="moves"):
        await read_content(written.getvalue())


async def test_a_picture_of_as_many_pixels_as_allowed_is_taken() -> None:
    side = int(MAX_PIXELS**0.5)
    assert opened((await read_content(picture("PNG", (side, side), "1"))).data).size == (side, side)


@given(st.binary(max_size=300), st.sampled_from([b"%PDF-1.4\n", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b""]))
def test_garbage_is_refused_and_nothing_else_happens(garbage: bytes, first: bytes) -> None:
    from resolvers.evidence_content import _read

    with pytest.raises(NotTaken):
        _read(first + garbage)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("my diploma.pdf", "my diploma.pdf"),
        ("DIPLOMA.PDF", "DIPLOMA.PDF"),
        ("../../etc/passwd", "passwd.pdf"),
        ("C:\\Users\\Ann\\diploma.pdf", "diploma.pdf"),
        ("a\0b\nc\td.pdf", "abcd.pdf"),
        ("harmless\u202efdp.exe", "harmlessfdp.exe.pdf"),
        ("\u2066a\u2069\u200b.pdf", "a.pdf"),
        ("diploma.exe", "diploma.exe.pdf"),
        ("diploma.png", "diploma.pdf"),
        ("e\u0301tude.pdf", "\u00e9tude.pdf"),
        ('<a href="x">:*?|.pdf', "a href= x.pdf"),
        ("", "file.pdf"),
        (" . .. ", "file.pdf"),
        ("\u200b.pdf", "file.pdf"),
        ("n" * 300 + ".pdf", "n" * 196 + ".pdf"),
    ],
)
def test_a_name_is_kept_without_what_could_mislead(given: str, kept: str) -> None:
    assert clean_name(given, MediaType.PDF) == kept


def test_a_name_ends_as_its_type_does() -> None:
    assert clean_name("a.jpeg", MediaType.JPEG) == "a.jpeg"
    assert clean_name("a.jpeg", MediaType.PNG) == "a.png"
    assert clean_name("a", MediaType.JPEG) == "a.jpg"


async def test_a_jpeg_stays_about_as_large_as_it_was() -> None:
    noise = Image.frombytes("RGB", (4000, 3000), Random(1).randbytes(36_000_000))
    written = io.BytesIO()
    noise.save(written, "JPEG", quality=60)
    found = await read_content(written.getvalue())
    assert len(found.data) < 1.1 * len(written.getvalue())


@pytest.mark.parametrize(
    "first",
    [
        b"5 0 obj\n<< /Title (Certificate of <body> language) >>\nendobj\n",  # as Chromium prints a title
        b'5 0 obj\n<< /Subtype /FreeText /RC (<?xml version="1.0"?><body xmlns="x">) >>\nendobj\n',
    ],
)
async def test_a_pdf_may_speak_of_markup(first: bytes) -> None:
    assert (await read_content(pdf(first=first))).media_type is MediaType.PDF


async def test_a_pdf_may_have_a_zip_attached() -> None:
    written = io.BytesIO()
    with ZipFile(written, "w") as archive:
        archive.writestr("a.txt", "a")
    attached = b"5 0 obj\n<< /Length 1 >> stream\n" + written.getvalue() + b"\nendstream endobj\n"
    assert (await read_content(pdf(first=attached))).media_type is MediaType.PDF
