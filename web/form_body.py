"""What a form sent: its fields as text, or its file, read up to a limit."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.types import Message, Receive

from i18n import gettext as _
from web.client import PageError

MAX_FORM = 256 * 1024  # bytes

Form = Mapping[str, str]


async def read_form(request: Request, at_most: int = MAX_FORM) -> Form:
    """Read what was typed, with line ends as we keep them. Raises: PageError, if it's more than so many bytes."""
    too_large = _("A form can have at most %(most)s KB. Please shorten your text.", most=at_most // 1024)
    try:
        form = await Request(request.scope, _bounded(request, at_most, too_large)).form(max_files=0)
        typed = {name: value.replace("\r\n", "\n") for name, value in form.items() if isinstance(value, str)}
        "".join(typed.values()).encode()  # a charset that the sender chose can give text that no page can show
    except (HTTPException, UnicodeError):
        raise _unreadable() from None
    return typed


async def read_file(request: Request, field: str, at_most: int) -> bytes:
    """Read a form's file of at most so many bytes; nothing if none was chosen. Raises: PageError, if it's larger."""
    data = (await read_upload(request, field, at_most)).data
    if len(data) > at_most:
        raise PageError(413, _too_large(at_most))
    return data


@dataclass(frozen=True)
class Upload:
    """What came with a form's file: what else was typed, the file's name as the browser has it, and its bytes."""

    typed: Form
    name: str
    data: bytes


async def read_upload(request: Request, field: str, at_most: int) -> Upload:
    """Read a form with a file of about so many bytes at most; no bytes if none was chosen.

    Raises: PageError, if it's much larger.
    """
    stream = Request(request.scope, _bounded(request, at_most + MAX_FORM, _too_large(at_most))).stream()
    try:
        parser = MultiPartParser(request.headers, stream, max_files=1)
        parser.spool_max_size = at_most + MAX_FORM  # in memory: it's never written to a disk
        form = await parser.parse()
    except MultiPartException:
        raise _unreadable() from None
    file = form.get(field)
    data, name = (await file.read(), file.filename or "") if isinstance(file, UploadFile) else (b"", "")
    typed = {name: value.replace("\r\n", "\n") for name, value in form.items() if isinstance(value, str)}
    await form.close()
    return Upload(typed, name, data)


def _too_large(at_most: int) -> str:
    return _("A file can be at most %(most)s MB. This one is larger.", most=at_most // 1024 // 1024)


def _unreadable() -> PageError:
    return PageError(400, _("What was sent isn't one of our forms."))


def _bounded(request: Request, at_most: int, too_large: str) -> Receive:
    """Receive a body as it comes in, up to so many bytes."""
    length = 0

    async def receive() -> Message:
        nonlocal length
        message = await request.receive()
        length += len(message.get("body", b""))
        if length > at_most:
            raise PageError(413, too_large)
        return message

    return receive
