"""What a page is, declared once: its address, who has it, which documents it runs, and its place in a menu.

The routes, the menus and the audience of each document follow from the declarations (`web/pages/__init__.py` finds
them), and so does most of what the tests go through.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from i18n import gettext as _
from models.account import Role
from permissions.viewer import Viewer
from resolvers.errors import Unauthenticated
from web.client import PageError, nothing_here
from web.menu import MenuItem, MenuLink
from web.rendering import asked_for, error_page
from web.viewers import has_token, is_foreign, keep_device, keep_session

PageFunction = Callable[[Request], Awaitable[Response]]

Audience = frozenset[Role] | None
"""Who has a page: everybody (None), or those who are signed in and have one of the roles."""
FOR_EVERYBODY: Audience = None
FOR_SIGNED_IN: Audience = frozenset(Role)
FOR_MEDIATORS: Audience = frozenset({Role.MEDIATOR})
FOR_REVIEWERS: Audience = frozenset({Role.REVIEWER})
FOR_ADMINISTRATORS: Audience = frozenset({Role.ADMIN})
# Administrators look at what a directory sees, to support it.
FOR_DIRECTORIES: Audience = frozenset({Role.DIRECTORY, Role.ADMIN})

GET = ("GET",)
POST = ("POST",)
FORM = ("GET", "POST")


@dataclass(frozen=True, eq=False)
class Page:
    """One page as it's declared, with the function that answers."""

    path: str
    audience: Audience
    documents: Mapping[str, Audience]
    methods: Sequence[str]
    unverified: bool
    menu: MenuItem | None
    download: bool
    answer: PageFunction

    @property
    def is_file(self) -> bool:
        """Whether it's downloaded, such as a CSV."""
        return self.download or bool(PurePosixPath(self.path).suffix)

    @property
    def specificity(self) -> tuple[bool, ...]:
        """What pages are sorted by: at the same place in a path, a fixed word comes before a parameter."""
        return tuple("{" in part for part in self.path.split("/"))

    def route(self) -> Route:
        """Make its route."""
        return Route(self.path, self.respond, methods=list(self.methods))

    async def respond(self, request: Request) -> Response:
        """Answer a request: keep others out, refuse forms of other sites, and show errors as a page.

        A session that has ended counts as signed out, and its cookie is removed; an API token that doesn't work is
        refused, and leaves cookies alone.
        """
        settings = request.app.state.settings
        request.state.new_session = "" if request.state.ended and not has_token(request.scope) else None
        request.state.new_device = None
        request.state.documents = self.documents
        try:
            _guard(request)
            response = self._admit(request) or await self.answer(request)
        except PageError as error:
            response = error_page(request, error)
        if request.state.new_session is not None:
            keep_session(settings, response, request.state.new_session)
        if request.state.new_device is not None:
            keep_device(settings, response, request.state.new_device)
        return response

    def _admit(self, request: Request) -> Response | None:
        """Let the viewer in (None), or send them to sign in.

        Raises: PageError, for viewers who don't have this page.
        """
        viewer: Viewer = request.state.viewer
        if self.audience is None:
            return None
        if viewer.account_id is None:
            if request.method == "POST":
                # Reloading the page sends what was typed again, so nothing is lost.
                raise PageError(401, _("Sign in again in another tab, then come back here and reload this page."))
            return RedirectResponse(f"/signin?next={quote(asked_for(request))}", 303)
        if not self.audience & viewer.roles or viewer.by_token:
            raise nothing_here()
        if not viewer.verified and not self.unverified:
            raise PageError(403, _("Please confirm your email address first: open the link in the email we sent you."))
        return None


def page(
    path: str,
    audience: Audience = FOR_EVERYBODY,
    *,
    document: str | None = None,
    documents: Mapping[str, Audience] | None = None,
    methods: Sequence[str] = GET,
    unverified: bool = False,
    menu: MenuItem | None = None,
    download: bool = False,
) -> Callable[[PageFunction], Page]:
    """Declare the function below as a page.

    `document`: the file of `queries/` whose operations it runs. `documents`: others, each with the part of the audience
    it runs them for. `unverified`: the page is also there for those who haven't confirmed their email address yet.
    `menu`: its entry in a menu. `download`: it's a file, although its path doesn't end like one.
    """
    asked = ({document: audience} if document else {}) | dict(documents or {})
    return lambda answer: Page(path, audience, asked, methods, unverified, menu, download, answer)


def in_order(pages: Iterable[Page]) -> list[Page]:
    """Sort pages so that each is found at its own address. Raises: ValueError, if two answer the same requests."""
    found = sorted(pages, key=lambda page: (page.specificity, page.path))
    taken: dict[tuple[str, ...], Page] = {}
    for one in found:
        shape = ["{}" if "{" in part else part for part in one.path.split("/")]
        for method in one.methods:
            other = taken.setdefault((method, *shape), one)
            if other is not one:
                raise ValueError(f"{one.path} and {other.path} are declared for the same requests")
    return found


def menu_links(pages: Iterable[Page]) -> list[MenuLink]:
    """Give what the menus lead to; nobody has a menu who isn't signed in."""
    return [MenuLink(one.menu, one.path, one.audience or frozenset(Role)) for one in pages if one.menu]


def documents_of(pages: Iterable[Page]) -> dict[str, Audience]:
    """Give for each document everybody who runs an operation of it."""
    found: dict[str, Audience] = {}
    for one in pages:
        for document, audience in one.documents.items():
            others = found.get(document, audience)
            found[document] = None if others is None or audience is None else others | audience
    return found


def _guard(request: Request) -> None:
    if request.state.ended and has_token(request.scope):
        raise PageError(401, str(Unauthenticated.text))
    if request.method == "POST" and is_foreign(request.app.state.settings, request):
        raise PageError(403, _("This form came from another site. Please open the page here and try again."))
