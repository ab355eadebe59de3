"""Secrets of sessions, API tokens and emailed links, and hashes that only the service's key makes.

Only hashes are stored. The secret of an emailed link is derived from the service's key and the id of what it opens, so
that emails can be written when they're sent, and no table holds a working link.

`SECRET_KEY` makes everything new. What was made with one of `SECRET_KEYS_BEFORE` is known by that: a stored hash begins
with the id of its key, and what a person or a browser brings is tried with each.
"""

import hashlib
import hmac
import secrets as random
import unicodedata
from base64 import b32encode, urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from permissions.addresses import account_key
from permissions.viewer import neighbourhood
from settings import Settings

SECRET_BYTES = 32
KEY_ID_BYTES = 4
_SIGNATURE_BYTES = 16

VERIFY_LASTS = timedelta(hours=48)
RESET_LASTS = timedelta(hours=2)
SET_PASSWORD_LASTS = timedelta(days=14)
INVITATION_LASTS = timedelta(days=14)
EXPORT_LASTS = timedelta(days=7)
PENDING_SIGN_IN_LASTS = timedelta(minutes=10)


class Opens(StrEnum):
    """What a derived secret opens. It's part of the derivation, so that a link works for one purpose only."""

    ACCOUNT_LINK = "account-link"
    FEEDBACK_REQUEST = "feedback-request"
    PERSONAL_LINK = "personal-link"
    INVITATION = "invitation"
    EXPORT = "export"


def keyed(key: bytes, purpose: str, message: bytes) -> bytes:
    """Hash a message with a key, for one purpose: 32 bytes."""
    return hmac.digest(key, purpose.encode() + b"\0" + message, "sha256")


@lru_cache(maxsize=100)
def key_id(key: bytes) -> bytes:
    """Name a key, in 4 bytes that say nothing about it."""
    return keyed(key, "key-id", b"")[:KEY_ID_BYTES]


def named_hashes(settings: Settings, purpose: str, message: bytes) -> list[bytes]:
    """Hash a message with each of the service's keys: the key's id and 32 bytes, the present key's first."""
    return [key_id(key) + keyed(key, purpose, message) for key in settings.secret_keys]


def key_with_id(settings: Settings, name: bytes | None) -> bytes | None:
    """Give the service's key that has this id; None if it isn't one of them."""
    return next((key for key in settings.secret_keys if key_id(key) == name), None)


def audit_mac(key: bytes, previous: bytes, entry: bytes) -> bytes:
    """Make the MAC of an entry of the audit log, which also covers the MAC of the entry before it."""
    return keyed(key, "audit", previous + entry)


def nobodys_id(settings: Settings, email: str) -> UUID:
    """Make the id under which attempts at an address without an account are counted: always the same, and no account's.

    Without the key, it says nothing about the address.
    """
    return UUID(bytes=keyed(settings.secret_keys[0], "nobody", account_key(email).encode())[:16], version=4)


def link_secret(settings: Settings, opens: Opens, subject: UUID) -> str:
    """Derive the secret of a new link that opens `subject`: 43 URL-safe characters, 256 bits."""
    return _link_secret(settings.secret_keys[0], opens, subject)


def _link_secret(key: bytes, opens: Opens, subject: UUID) -> str:
    return urlsafe_b64encode(keyed(key, opens, subject.bytes)).rstrip(b"=").decode()


def stored_link_secret(settings: Settings, opens: Opens, subject: UUID, secret_hash: bytes) -> str | None:
    """Derive the secret of a link whose hash is stored; None if none of the service's keys made it."""
    made = (_link_secret(key, opens, subject) for key in settings.secret_keys)
    return next((secret for secret in made if hash_secret(secret) == secret_hash), None)


def new_secret() -> str:
    """Make a random secret of 256 bits, for a session or an API token."""
    return random.token_urlsafe(SECRET_BYTES)


def hash_secret(secret: str) -> bytes:
    """Hash a 256-bit secret for storage. It needs no salt, because it can't be guessed."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()


def address_hash(settings: Settings, email: str) -> bytes:
    """Hash an email address's account key, for limits that mustn't hold addresses."""
    return keyed(settings.secret_keys[0], "address", account_key(email).encode())


def stop_marks(settings: Settings, email: str) -> list[bytes]:
    """Give every mark that may say that an address has stopped requests, the present key's first."""
    return named_hashes(settings, "address", account_key(email).encode())


def spent_marks(settings: Settings, secret_hash: bytes) -> list[bytes]:
    """Give every mark that may say that the link with this hash has been used, the present key's first.

    Without the keys, nobody can tell which link a mark is of.
    """
    return named_hashes(settings, "spent-link", secret_hash)


def network_hash(settings: Settings, mediator_id: UUID, address: str) -> bytes:
    """Hash a network address's neighbourhood, only to be compared among what one mediator got."""
    return keyed(settings.secret_keys[0], "network", f"{mediator_id} {neighbourhood(address)}".encode())


def draft_name(settings: Settings, path: str) -> str:
    """Name what a browser keeps of the form at an address, without revealing that address."""
    return keyed(settings.secret_keys[0], "draft", path.encode(errors="surrogatepass")).hex()[:32]


def stop_token(settings: Settings, email: str) -> str:
    """Make the token that stops requests to an address.

    It holds the address's keyed hash, signed, because it must still work after the address itself is erased.
    """
    hashed = address_hash(settings, email)
    return urlsafe_b64encode(hashed + _signature(settings.secret_keys[0], hashed)).decode()


def _signature(key: bytes, hashed: bytes) -> bytes:
    return keyed(key, "stop", hashed)[:_SIGNATURE_BYTES]


def read_stop_token(settings: Settings, token: str) -> bytes | None:
    """Give the mark of a stop token's address, as `stop_marks` does; None if we didn't make the token."""
    try:
        raw = urlsafe_b64decode(token)
    except ValueError:
        return None
    hashed, signature = raw[:-_SIGNATURE_BYTES], raw[-_SIGNATURE_BYTES:]
    made = (key for key in settings.secret_keys if hmac.compare_digest(signature, _signature(key, hashed)))
    key = next(made, None)
    return None if key is None else key_id(key) + hashed


@lru_cache(maxsize=100)
def _cipher(key: bytes, purpose: str) -> AESSIV:
    return AESSIV(keyed(key, f"seal {purpose}", b""))


def seal(settings: Settings, purpose: str, text: str, *bound_to: object) -> str:
    """Encrypt a text for a browser or an address to hold: URL-safe, and the same each time (AES-SIV, RFC 5297).

    It can be decrypted only with the same purpose and the same `bound_to`. What's stored is sealed in `sealing.py`.
    """
    sealed = _cipher(settings.secret_keys[0], purpose).encrypt(text.encode(), [str(one).encode() for one in bound_to])
    return urlsafe_b64encode(sealed).rstrip(b"=").decode()


def unseal(settings: Settings, purpose: str, sealed: str, *bound_to: object) -> str | None:
    """Give the text that was sealed; None if anything doesn't match."""
    try:
        raw = urlsafe_b64decode(sealed.encode("ascii") + b"=" * (-len(sealed) % 4))
    except ValueError:
        return None
    for key in settings.secret_keys:
        with suppress(ValueError, InvalidTag):
            return _cipher(key, purpose).decrypt(raw, [str(one).encode() for one in bound_to]).decode()
    return None


def device_token(settings: Settings, password_hash: str) -> str:
    """Make what a browser keeps once it has signed in to an account: 43 URL-safe characters.

    It opens nothing; it only tells the owner's browsers from those of people who guess. It's made from the stored
    password hash, which is unique to the account, so it ends when the password changes.
    """
    return _device_token(settings.secret_keys[0], password_hash)


def _device_token(key: bytes, password_hash: str) -> str:
    return urlsafe_b64encode(keyed(key, "device", password_hash.encode())).rstrip(b"=").decode()


def is_device_token(settings: Settings, token: str, password_hash: str) -> bool:
    """Whether a browser's token was made for the account with this password hash."""
    made = (_device_token(key, password_hash) for key in settings.secret_keys)
    return any(hmac.compare_digest(token.encode(), one.encode()) for one in made)


_RECEIPT_BYTES = 15  # 120 bits: 24 characters
# Crockford's base 32, without letters that look like another or like a digit.
_RECEIPT_LETTERS = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789ABCDEFGHJKMNPQRSTVWXYZ")
_MISREAD = str.maketrans("OIL", "011")


def receipt_code(settings: Settings, of: bytes | None) -> str:
    """Make the code of a receipt, for people to keep: always the same one `of` something, or a random one.

    It's shown in groups of four: 7K3M-0QXW-...
    """
    raw = random.token_bytes(_RECEIPT_BYTES) if of is None else keyed(settings.secret_keys[0], "receipt", of)
    letters = b32encode(raw[:_RECEIPT_BYTES]).decode().translate(_RECEIPT_LETTERS)
    return "-".join(letters[place : place + 4] for place in range(0, len(letters), 4))


def hash_receipt(code: str) -> bytes:
    """Hash the code of a receipt, however it was typed: in any case, with or without separators."""
    letters = "".join(one for one in code.upper() if one.isalnum())
    return hash_secret(letters.translate(_MISREAD))


def caseless(text: str) -> str:
    """Give a text for comparing secrets that people type: one form for each character, and no case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", text).casefold())
