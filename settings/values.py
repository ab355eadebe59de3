"""What settings can be: the kinds of values, and how each is read from text."""

from email.utils import getaddresses
from enum import StrEnum
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from email_validator import validate_email
from pydantic import AfterValidator, AnyHttpUrl, Field, SecretStr, ValidationError


class Pooler(StrEnum):
    """What's between the product and PostgreSQL."""

    NONE = "none"
    TRANSACTION = "transaction"


class Notice(StrEnum):
    """What a mediator is mailed when feedback about them comes."""

    NAMED = "named"
    DISCREET = "discreet"
    OFF = "off"


class Approval(StrEnum):
    """What an administrator does before somebody may review a mediator."""

    NEW = "new"
    EACH = "each"
    NONE = "none"


def read_url(secret: SecretStr, *schemes: str) -> SplitResult:
    """Parse a URL that may contain a password; ValueError, which doesn't quote it, if it isn't one."""
    try:
        parts = urlsplit(secret.get_secret_value())
        _ = parts.port  # raises ValueError if the port isn't one
    except ValueError:
        raise ValueError("isn't a URL; in a password, write / as %2F, and so on") from None
    if parts.fragment:
        raise ValueError("must not contain a #; in a password, write it as %23")
    if parts.scheme not in schemes or not (parts.hostname or parts.query or parts.path.strip("/")):
        raise ValueError(f"must be a URL that starts with {' or '.join(s + '://' for s in schemes)}")
    return parts


def _secret_url(*schemes: str) -> AfterValidator:
    """Check a URL that may contain a password."""
    return AfterValidator(lambda secret: read_url(secret, *schemes) and secret)


def read_web_address(value: str) -> str:
    """Give a web address in its usual form: lower case, punycode, no default port."""
    try:
        return str(AnyHttpUrl(value)).rstrip("/")
    except ValidationError:
        raise ValueError("must be a URL that starts with http:// or https://") from None


def _address(value: str) -> str:
    """Give an address with its domain in ASCII (IDNA 2008)."""
    try:
        read = validate_email(value, check_deliverability=False, allow_smtputf8=False)
    except ValueError:
        raise ValueError("must be one email address, with only ASCII before the @") from None
    return f"{read.local_part}@{read.ascii_domain}"


def read_sender(value: str) -> tuple[str, str]:
    """Parse `Name <address>`; nothing in the name is decoded."""
    found = getaddresses([value]) if value.isprintable() else []
    name, address = found[0] if len(found) == 1 else ("", "")
    return name, _address(address)


def _line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must be one line of text")
    return value


def read_keys(keys: SecretStr) -> list[str]:
    """Split keys at the commas."""
    return [key.strip() for key in keys.get_secret_value().split(",") if key.strip()]


SHORTEST_KEY = 32  # characters
Days = Annotated[int, Field(ge=1, le=3650)]
Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_line)]
WebAddress = Annotated[str, AfterValidator(read_web_address)]
Address = Annotated[str, AfterValidator(_address)]
DatabaseUrl = Annotated[SecretStr, _secret_url("postgresql", "postgres")]
RedisUrl = Annotated[SecretStr, _secret_url("redis", "rediss", "unix")]
