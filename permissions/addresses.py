"""Mail addresses: which can be reached, and the two keys by which they are compared.

The account key tells one account from another. The mailbox key also drops a `+tag`, and decides one thing alone:
whether two addresses are the same person's. What single providers do besides, as to dots, is no rule.
"""

import re
import unicodedata

from email_validator import validate_email

from models.account import TAG

MAX_ADDRESS = 254  # RFC 5321, 4.5.3.1.3
MAX_LOCAL = 64  # before the @; RFC 5321, 4.5.3.1.1


def wire_address(address: str) -> str:
    """Give an address as every mail server knows it: in ASCII, its domain by IDNA 2008.

    ValueError if it is none, and also for what stands before the @ if that is not ASCII: many servers take no such
    mail. An encoded word is none either: a mail program would read another address in it.
    """
    if len(address) > MAX_ADDRESS or "=?" in address:
        raise ValueError("no mail address")
    normal = unicodedata.normalize("NFC", address)
    read = validate_email(normal, check_deliverability=False, allow_smtputf8=False, strict=True)
    return f"{read.local_part}@{read.ascii_domain}"


def account_key(address: str) -> str:
    """Give what is the same for all ways to write an address: its case, its Unicode form, its domain in letters or not.

    What is no address is its own key, which no address has.
    """
    try:
        return wire_address(address).lower()
    except ValueError:
        return address


def mailbox_key(address: str) -> str:
    """Give what is the same for all addresses of a mailbox: the account key without a `+tag`.

    What is no address has no tag either.
    """
    try:
        return re.sub(TAG, "", wire_address(address).lower())
    except ValueError:
        return address
