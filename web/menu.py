"""The menus in the header: what they lead to, as each page declares it, and what of it somebody is offered."""

from collections.abc import Sequence
from dataclasses import dataclass

from i18n import LazyText
from models.account import Role
from permissions.viewer import Viewer


@dataclass(frozen=True)
class MenuItem:
    """A page's entry in a menu: its title, and its place, the lowest first. `account`: in the account's menu."""

    title: LazyText
    place: int
    account: bool = False


@dataclass(frozen=True)
class MenuLink:
    """An entry, where it leads, and the roles that have that page."""

    item: MenuItem
    path: str
    audience: frozenset[Role]


def offered(links: Sequence[MenuLink], viewer: Viewer, *, account: bool) -> list[tuple[str, str]]:
    """Give title and path of each entry of one menu that leads the viewer to a page they have."""
    found = [link for link in links if link.item.account is account and link.audience & viewer.roles]
    return [(str(link.item.title), link.path) for link in sorted(found, key=lambda link: link.item.place)]
