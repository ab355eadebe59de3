"""Secrets of sessions, API tokens and emailed links.

Only hashes are stored. The secret of an emailed link is derived from the service's key and the id of what it opens, so
that emails can be written when they're sent, and no table holds a working link.
"""

import hashlib
import hmac
import secrets as random
import unicodedata
from base64 import b32encode, urlsafe_b64decode, urlsafe_b64encode
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


def _keyed(settings: Settings, purpose: str, message: bytes) -> bytes:
    key = settings.secret_key.get_secret_value().encode()
    return hmac.digest(key, purpose.encode() + b"\0" + message, "sha256")


def link_secret(settings: Settings, opens: Opens, subject: UUID) -> str:
    """Derive the secret of the link that opens `subject`: 43 URL-safe characters, 256 bits."""
    return urlsafe_b64encode(_keyed(settings, opens, subject.bytes)).rstrip(b"=").decode()


def new_secret() -> str:
    """Make a random secret of 256 bits, for a session or an API token."""
    return random.token_urlsafe(SECRET_BYTES)


def hash_secret(secret: str) -> bytes:
    """Hash a 256-bit secret for storage. It needs no salt, because it can't be guessed."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()


def address_hash(settings: Settings, email: str) -> bytes:
    """Hash an email address's account key with the service's key, for lists and limits that mustn't hold addresses."""
    return _keyed(settings, "address", account_key(email).encode())


def network_hash(settings: Settings, mediator_id: UUID, address: str) -> bytes:
    """Hash a network address's neighbourhood, only to be compared among what one mediator got."""
    return _keyed(settings, "network", f"{mediator_id} {neighbourhood(address)}".encode())


def draft_name(settings: Settings, path: str) -> str:
    """Name what a browser keeps of the form at an address, without revealing that address."""
    return _keyed(settings, "draft", path.encode(errors="surrogatepass")).hex()[:32]


def stop_token(settings: Settings, email: str) -> str:
    """Make the token that stops requests to an address.

    It holds the address's keyed hash, signed, because it must still work after the address itself is erased.
    """
    hashed = address_hash(settings, email)
    return urlsafe_b64encode(hashed + _keyed(settings, "stop", hashed)[:_SIGNATURE_BYTES]).decode()


def read_stop_token(settings: Settings, token: str) -> bytes | None:
    """Give the keyed hash of a stop token's address; None if we didn't make the token."""
    try:
        raw = urlsafe_b64decode(token)
    except ValueError:
        return None
    hashed, signature = raw[:-_SIGNATURE_BYTES], raw[-_SIGNATURE_BYTES:]
    fits = hmac.compare_digest(signature, _keyed(settings, "stop", hashed)[:_SIGNATURE_BYTES])
    return hashed if fits else None


@lru_cache(maxsize=20)
def _cipher(settings: Settings, purpose: str) -> AESSIV:
    return AESSIV(_keyed(settings, f"seal {purpose}", b""))


def seal(settings: Settings, purpose: str, text: str, *bound_to: object) -> str:
    """Encrypt a text for a place where others may see it: URL-safe, and the same each time (AES-SIV, RFC 5297).

    It can be decrypted only with the same purpose and the same `bound_to`.
    """
    sealed = _cipher(settings, purpose).encrypt(text.encode(), [str(one).encode() for one in bound_to])
    return urlsafe_b64encode(sealed).rstrip(b"=").decode()


def unseal(settings: Settings, purpose: str, sealed: str, *bound_to: object) -> str | None:
    """Give the text that was sealed; None if anything doesn't match."""
    try:
        raw = urlsafe_b64decode(sealed.encode("ascii") + b"=" * (-len(sealed) % 4))
        return _cipher(settings, purpose).decrypt(raw, [str(one).encode() for one in bound_to]).decode()
    except (ValueError, InvalidTag):
        return None


def device_token(settings: Settings, password_hash: str) -> str:
    """Make what a browser keeps once it has signed in to an account: 43 URL-safe characters.

    It opens nothing; it only tells the owner's browsers from those of people who guess. It's made from the stored
    password hash, which is unique to the account, so it ends when the password changes.
    """
    return urlsafe_b64encode(_keyed(settings, "device", password_hash.encode())).rstrip(b"=").decode()


_RECEIPT_BYTES = 15  # 120 bits: 24 characters
# Crockford's base 32, without letters that look like another or like a digit.
_RECEIPT_LETTERS = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789ABCDEFGHJKMNPQRSTVWXYZ")
_MISREAD = str.maketrans("OIL", "011")


def receipt_code(settings: Settings, of: bytes | None) -> str:
    """Make the code of a receipt, for people to keep: always the same one `of` something, or a random one.

    It's shown in groups of four: 7K3M-0QXW-...
    """
    raw = random.token_bytes(_RECEIPT_BYTES) if of is None else _keyed(settings, "receipt", of)[:_RECEIPT_BYTES]
    letters = b32encode(raw).decode().translate(_RECEIPT_LETTERS)
    return "-".join(letters[place : place + 4] for place in range(0, len(letters), 4))


def hash_receipt(code: str) -> bytes:
    """Hash the code of a receipt, however it was typed: in any case, with or without separators."""
    letters = "".join(one for one in code.upper() if one.isalnum())
    return hash_secret(letters.translate(_MISREAD))


def caseless(text: str) -> str:
    """Give a text for comparing secrets that people type: one form for each character, and no case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", text).casefold())
