"""The viewer: who's asking. A new one is made for each request, and it never holds a row."""

from dataclasses import dataclass
from enum import IntFlag
from functools import cache, cached_property
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from uuid import UUID

from models.account import Role
from models.row_security import Principal


class Standing(IntFlag):
    """A viewer's standing towards the mediator whose data it is. These are bits, because standings add up.

    Towards yourself, SELF excludes every other standing except PUBLIC, which everyone has towards everyone. The
    database's own rules use the same numbers.
    """

    SELF = 1
    REVIEWER = 2
    DIRECTORY = 4
    ADMIN = 8
    PUBLIC = 16


SIGNED_IN = Standing.SELF | Standing.REVIEWER | Standing.DIRECTORY | Standing.ADMIN
EVERYBODY = SIGNED_IN | Standing.PUBLIC

_STANDING_OF_ROLE = {
    Role.MEDIATOR: Standing.SELF,
    Role.REVIEWER: Standing.REVIEWER,
    Role.DIRECTORY: Standing.DIRECTORY,
    Role.ADMIN: Standing.ADMIN,
}


@cache
def _standings(roles: frozenset[Role]) -> Standing:
    standings = Standing.PUBLIC
    for role in roles:
        standings |= _STANDING_OF_ROLE[role]
    return standings


_TRANSLATED = IPv6Network("64:ff9b::/96")  # IPv4 addresses behind a translator (RFC 6052)


def network(host: str) -> str:
    """Give what attempts are counted by: an IPv4 address, or an IPv6 address's first 64 bits (one customer's or more).

    An IPv4 address written as IPv6 counts as the same.
    """
    if ":" not in host:
        return host
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    plain = IPv6Address(int(address))  # without an interface's name
    if plain in _TRANSLATED:
        return str(ip_address(plain.packed[-4:]))
    return str(IPv6Network((int(plain) >> 64 << 64, 64)))


def neighbourhood(address: str) -> str:
    """Give what one person can easily have several addresses in: an IPv4 address's first 24 bits, or a `network`."""
    try:
        return str(IPv4Network((address, 24), strict=False))
    except ValueError:
        return address


@dataclass(frozen=True)
class Viewer:
    """Who sent a request. `account_id` is None if they aren't signed in; `address` is the `network` of their address.

    `lacks_second_factor`: an administrator who needs one because of a setting, and has none.
    """

    account_id: UUID | None = None
    roles: frozenset[Role] = frozenset()
    verified: bool = False
    paid: bool = False
    lacks_second_factor: bool = False
    by_token: bool = False
    session_id: UUID | None = None
    address: str = ""

    @cached_property
    def standings(self) -> Standing:
        """Every standing that this viewer can have towards anyone. It decides their projection."""
        return _standings(self.roles)

    @cached_property
    def principal(self) -> Principal:
        """This viewer, in the form that the database's own rules know."""
        return Principal(self.account_id, int(self.standings), self.by_token)
