"""The menus in the header: what they lead to, as each page declares it, and which entries somebody gets."""

from collections.abc import Sequence
from dataclasses import dataclass

from i18n import LazyText
from models.account import Role
from permissions.viewer import Viewer


@dataclass(frozen=True)
class MenuItem:
    """A page's entry in a menu: its title, and its place (lowest first). `account`: in the account's menu."""

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
    """Give title and path of each entry of a menu that leads to a page the viewer has."""
    found = [link for link in links if link.item.account is account and link.audience & viewer.roles]
    return [(str(link.item.title), link.path) for link in sorted(found, key=lambda link: link.item.place)]
