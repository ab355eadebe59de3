"""Handing out files that people sent, as downloads only: no browser shows or runs what's in them."""

from urllib.parse import quote

from starlette.responses import Response

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def disposition(name: str) -> str:
    """Write the header that makes a download of a file and says its name (RFC 6266)."""
    plain = "".join(one if one.isascii() and one.isprintable() and one not in '"\\%' else "_" for one in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def attachment(data: bytes, name: str, media_type: str) -> Response:
    """Answer with a file."""
    return Response(data, media_type=media_type, headers=_HEADERS | {"Content-Disposition": disposition(name)})
