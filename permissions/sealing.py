"""Sealed storage: what's encrypted in the database (AES-GCM), bound to its row.

A sealed value begins with the id of its key, so that a value sealed with one of `SECRET_KEYS_BEFORE` can still be
opened, and sealed again by `logbook rekey`.

What a mediator knows of a party is gone after five days, from old backups too: it's sealed with a random key of the day
on which the request was made. That key is sealed itself, and deleted after five days.
"""

import os
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import lru_cache
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from permissions.addresses import mailbox_key
from permissions.secrets import KEY_ID_BYTES, key_id, keyed, named_hashes
from settings import Settings

NONCE_BYTES = 12
DAY_KEY_BYTES = 32

_DETAILS, _DAY_KEY, _ORIGIN = "request-details", "day-key", "origin"  # the tables' names, in a way
_SECOND_FACTOR, _PERSONAL_LINK = "second-factor", "personal-link"


class CannotOpen(Exception):
    """A sealed value can't be opened: its key is gone, or it's in another place than where it was sealed."""


def encrypt(cipher: AESGCM, text: bytes, place: str, row: object) -> bytes:
    """Encrypt for a place and a row; anywhere else, it doesn't open."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, text, f"{place} {row}".encode())


def decrypt(cipher: AESGCM, sealed: bytes, place: str, row: object) -> bytes:
    """Give what was encrypted for this place and row.

    Raises:
        CannotOpen: it's of another place or row, or was encrypted with another key.
    """
    try:
        return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], f"{place} {row}".encode())
    except (InvalidTag, ValueError):
        raise CannotOpen(place) from None


@lru_cache(maxsize=100)
def _cipher(key: bytes, place: str) -> AESGCM:
    return AESGCM(keyed(key, f"store {place}", b""))


def _seal(settings: Settings, place: str, row: object, text: bytes) -> bytes:
    key = settings.secret_keys[0]
    return key_id(key) + encrypt(_cipher(key, place), text, place, row)


def _open(settings: Settings, place: str, row: object, sealed: bytes) -> bytes:
    for key in settings.secret_keys:
        if sealed.startswith(key_id(key)):
            return decrypt(_cipher(key, place), sealed[KEY_ID_BYTES:], place, row)
    raise CannotOpen(place)


def is_of_earlier_key(settings: Settings, value: bytes) -> bool:
    """Whether a sealed value or a named hash was made with another key than the present one."""
    return not value.startswith(key_id(settings.secret_keys[0]))


@dataclass(frozen=True)
class PartyDetails:
    """What a mediator entered about a party: who it is, and the mediator's own reference."""

    name: str
    email: str
    reference: str | None


@dataclass(frozen=True)
class Origin:
    """Who gave a piece of feedback, as far as they said, and when."""

    name: str | None
    email: str | None
    received_at: datetime


def new_day_key(settings: Settings, day: date) -> bytes:
    """Make the sealed key of a day."""
    return _seal(settings, _DAY_KEY, day, os.urandom(DAY_KEY_BYTES))


def reseal_day_key(settings: Settings, day: date, sealed: bytes) -> bytes:
    """Seal a day's key with the present key.

    Raises:
        CannotOpen: the key that it was sealed with isn't one of the service's.
    """
    return _seal(settings, _DAY_KEY, day, _open(settings, _DAY_KEY, day, sealed))


def _day_cipher(settings: Settings, day: date, sealed_key: bytes) -> AESGCM:
    return AESGCM(_open(settings, _DAY_KEY, day, sealed_key))


def seal_details(settings: Settings, day: date, sealed_key: bytes, request_id: UUID, details: PartyDetails) -> bytes:
    """Seal a request's details with the key of its day."""
    return encrypt(_day_cipher(settings, day, sealed_key), orjson.dumps(asdict(details)), _DETAILS, request_id)


def open_details(settings: Settings, day: date, sealed_key: bytes, request_id: UUID, sealed: bytes) -> PartyDetails:
    """Give a request's details.

    Raises:
        CannotOpen: see there.
    """
    return PartyDetails(**orjson.loads(decrypt(_day_cipher(settings, day, sealed_key), sealed, _DETAILS, request_id)))


def seal_origin(settings: Settings, feedback_id: UUID, origin: Origin) -> bytes:
    """Seal the origin of a piece of feedback."""
    return _seal(settings, _ORIGIN, feedback_id, orjson.dumps(asdict(origin)))


def open_origin(settings: Settings, feedback_id: UUID, sealed: bytes) -> Origin:
    """Give the origin of a piece of feedback.

    Raises:
        CannotOpen: see there.
    """
    facts = orjson.loads(_open(settings, _ORIGIN, feedback_id, sealed))
    return Origin(facts["name"], facts["email"], datetime.fromisoformat(facts["received_at"]))


def mailbox_hashes(settings: Settings, email: str) -> list[bytes]:
    """Give every hash by which origins from this mailbox may be found, the present key's first. No account has it."""
    return named_hashes(settings, "origin-mailbox", mailbox_key(email).encode())


def seal_factor(settings: Settings, account_id: UUID, secret: str) -> bytes:
    """Seal the secret of an account's second factor."""
    return _seal(settings, _SECOND_FACTOR, account_id, secret.encode())


def open_factor(settings: Settings, account_id: UUID, sealed: bytes) -> str:
    """Give the secret of an account's second factor.

    Raises:
        CannotOpen: see there.
    """
    return _open(settings, _SECOND_FACTOR, account_id, sealed).decode()


def seal_personal_link(settings: Settings, mediator_id: UUID, secret: str) -> bytes:
    """Seal the secret of a mediator's personal link, which an earlier key derived."""
    return _seal(settings, _PERSONAL_LINK, mediator_id, secret.encode())


def open_personal_link(settings: Settings, mediator_id: UUID, sealed: bytes) -> str:
    """Give the secret of a mediator's personal link.

    Raises:
        CannotOpen: see there.
    """
    return _open(settings, _PERSONAL_LINK, mediator_id, sealed).decode()
