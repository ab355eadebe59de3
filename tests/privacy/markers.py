"""Markers: values that can't be mistaken for any other, and are found wherever and however they're written.

Words, days, moments, numbers, ids, secrets and hashes each have one written form here, which they're known by.
"""

import html
import random
import re
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from urllib.parse import unquote
from uuid import UUID

Marker = str


class Mint:
    """Makes markers; the same seed makes the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._made: set[Marker] = set()
        days = [date(1955, 1, 1) + timedelta(days=number) for number in range(23_000)]  # to the end of 2017
        days = [day for day in days if day.day != 1]  # which stands for a whole month in some cursors
        self._random.shuffle(days)
        self._days = iter(days)

    def _fresh(self, made: Marker) -> bool:
        fresh = made not in self._made
        self._made.add(made)
        return fresh

    def word(self) -> str:
        """A word of 14 letters."""
        while True:
            word = "zq" + "".join(self._random.choices("abcdefghijklmnoprstuvwy", k=12))
            if self._fresh(word):
                return word

    def number(self) -> int:
        """A number of nine digits."""
        while True:
            number = self._random.randrange(10**8, 10**9)
            if self._fresh(str(number)):
                return number

    def day(self) -> date:
        """A day long ago."""
        return next(self._days)

    def moment(self, near: datetime) -> datetime:
        """A moment within the minute before another."""
        while True:
            moment = (near - timedelta(microseconds=self._random.randrange(1, 60_000_000))).astimezone(UTC)
            if moment.microsecond > 99_999 and self._fresh(written(moment)):
                return moment

    def id(self) -> UUID:
        """A UUID of version 4."""
        return UUID(int=self._random.getrandbits(128), version=4)


def written(value: object) -> Marker:
    """The form that a marker is known by; for a moment, it's the time of day to the microsecond."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%H:%M:%S.%f")
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


# Day and month by name or number, in either order, as people write them.
_DAY_FORMS = ("%d %B %Y", "%d %b %Y", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%B %d, %Y")


def _forms(marker: Marker) -> Iterator[str]:
    """Every form that a marker may have on a page or in a file."""
    yield marker
    yield marker.lower()  # texts are searched in small letters, but for secrets
    if re.fullmatch(r"\d{4}-\d\d-\d\d", marker):
        day = date.fromisoformat(marker)
        for form in _DAY_FORMS:
            yield day.strftime(form).lower()
            yield re.sub(r"\b0", "", day.strftime(form)).lower()
    elif marker.isdecimal():
        number = int(marker)  # perhaps minutes, shown as hours
        yield from (f"{number:,}", f"{number // 60}:{number % 60:02}", f"{number // 60:,}:{number % 60:02}")
        yield from (f"{number / 60:.1f}", f"{number / 60:.2f}", f"{number / 60:,.1f}", f"{number / 60:,.2f}")
    elif re.fullmatch(r"[0-9a-f-]{36}", marker):
        yield marker.replace("-", "")


_TOKENS = re.compile(
    r"[0-9a-z]{4}(?:-[0-9a-z]{4}){5}"  # a receipt's code; first, because it may begin like a number
    r"|zq[a-z]{12}"
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|\d\d:\d\d:\d\d\.\d{6}"
    r"|\d{4}-\d\d-\d\d"
    r"|\d{1,2} [a-z]{3,9} \d{4}|\d{1,2}[./]\d{1,2}[./]\d{4}|[a-z]{3,9} \d{1,2}, \d{4}"
    r"|(?<![\d.,-])[1-9][\d,]*\d(?:[.:]\d{1,2})?"
    r"|[0-9a-f]{32,}"
)
_SECRET = re.compile(r"[A-Za-z0-9_-]{40,}={0,2}")
_BASE64 = re.compile(r"[A-Za-z0-9_+/-]{16,}={0,2}")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


class Known:
    """The markers of a world, to look for in texts."""

    def __init__(self, markers: set[Marker]) -> None:
        self._forms = {form: marker for marker in markers for form in _forms(marker)}

    def found_in(self, text: str) -> set[Marker]:
        """Every marker in a text: as it is, percent-encoded, escaped as in JSON or HTML, or inside base64."""
        found: set[Marker] = set()
        for plain in _decoded(text, depth=2):
            for token in _SECRET.findall(plain):
                if token in self._forms:
                    found.add(self._forms[token])
            for token in _TOKENS.findall(plain.lower()):
                if token in self._forms:
                    found.add(self._forms[token])
        return found


def _decoded(text: str, depth: int) -> set[str]:
    texts = {text, unquote(text.replace("+", " ")), html.unescape(text)}
    texts.add(_ESCAPE.sub(lambda match: chr(int(match.group(1), 16)), text))
    if depth:
        inner = {_from_base64(token) for plain in list(texts) for token in set(_BASE64.findall(plain))}
        for one in inner - {""}:
            texts |= _decoded(one, depth - 1)
    return texts


def _from_base64(token: str) -> str:
    """What a token says if it's base64, otherwise nothing."""
    plain = token.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return b64decode(plain + "=" * (-len(plain) % 4)).decode()
    except ValueError:
        return ""
