"""Email addresses: whether they can be reached, and the two keys they're compared by.

The account key tells one account from another. The mailbox key also drops a `+tag`, and is used only to tell whether
two addresses are the same person's. Single providers' own rules, such as those about dots, aren't followed.
"""

import re
import unicodedata

from email_validator import validate_email

from models.account import TAG

MAX_ADDRESS = 254  # RFC 5321, 4.5.3.1.3
MAX_LOCAL = 64  # before the @; RFC 5321, 4.5.3.1.1


def wire_address(address: str) -> str:
    """Give an address in the form that every mail server knows: in ASCII, its domain by IDNA 2008.

    An encoded word isn't an address: a mail program would read a different address in it.

    Raises:
        ValueError: it isn't an address, or its part before the @ isn't ASCII, since many servers refuse such mail.
    """
    if len(address) > MAX_ADDRESS or "=?" in address:
        raise ValueError("not an email address")
    normal = unicodedata.normalize("NFC", address)
    read = validate_email(normal, check_deliverability=False, allow_smtputf8=False, strict=True)
    return f"{read.local_part}@{read.ascii_domain}"


def account_key(address: str) -> str:
    """Give a key that's the same however an address is written: in any case, Unicode form, or spelling of its domain.

    A text that isn't an address is its own key, and no address has that key.
    """
    try:
        return wire_address(address).lower()
    except ValueError:
        return address


def mailbox_key(address: str) -> str:
    """Give a key that's the same for all addresses of a mailbox: the account key without a `+tag`.

    A text that isn't an address has no tag either.
    """
    try:
        return re.sub(TAG, "", wire_address(address).lower())
    except ValueError:
        return address
