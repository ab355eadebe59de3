"""Sealed files: each is encrypted with a random key of its own, and that key is sealed with one of `FILES_KEYS`.

Both are bound to the file's id (AES-GCM). What's stored is padded, so that a folder's listing says little about sizes.
"""

import os
from functools import lru_cache
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from permissions.sealing import CannotOpen, decrypt, encrypt
from permissions.secrets import KEY_ID_BYTES, key_id, keyed
from settings import Settings

_CONTENT, _KEY = "file", "file-key"
_KEY_BYTES = 32
_LEAST_STEP = 64 * 1024  # bytes


@lru_cache(maxsize=100)
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(keyed(key, f"store {_KEY}", b""))


def _seal_key(settings: Settings, file_id: UUID, own: bytes) -> bytes:
    key = settings.file_keys[0]
    return key_id(key) + encrypt(_cipher(key), own, _KEY, file_id)


def _open_key(settings: Settings, file_id: UUID, sealed: bytes) -> bytes:
    for key in settings.file_keys:
        if sealed.startswith(key_id(key)):
            return decrypt(_cipher(key), sealed[KEY_ID_BYTES:], _KEY, file_id)
    raise CannotOpen(_KEY)


def padded_size(size: int) -> int:
    """Give the size that a file is padded to: a power of two, from 64 KB up."""
    return max(_LEAST_STEP, 1 << (size - 1).bit_length())


def seal_file(settings: Settings, file_id: UUID, content: bytes) -> tuple[bytes, bytes]:
    """Encrypt a file with a new key. Gives that key, sealed for the file's row, and what's to be stored."""
    own = os.urandom(_KEY_BYTES)
    padded = content.ljust(padded_size(len(content)), b"\0")
    return _seal_key(settings, file_id, own), encrypt(AESGCM(own), padded, _CONTENT, file_id)


def open_file(settings: Settings, file_id: UUID, sealed_key: bytes, stored: bytes, size: int) -> bytes:
    """Give a file's content.

    Raises:
        CannotOpen: the key that it needs isn't one of `FILES_KEYS`, or it's another file's.
    """
    return decrypt(AESGCM(_open_key(settings, file_id, sealed_key)), stored, _CONTENT, file_id)[:size]


def reseal_file_key(settings: Settings, file_id: UUID, sealed_key: bytes) -> bytes:
    """Seal a file's key with the first of `FILES_KEYS`.

    Raises:
        CannotOpen: the key that it was sealed with isn't one of them.
    """
    return _seal_key(settings, file_id, _open_key(settings, file_id, sealed_key))


def known_key_ids(settings: Settings) -> list[bytes]:
    """Name the keys of files, the first one first."""
    return [key_id(key) for key in settings.file_keys]
