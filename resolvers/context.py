"""What a resolver is given: who asks, the database, the settings, the limits; and one transaction a change."""

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import strawberry
from asyncpg import ForeignKeyViolationError

from i18n import gettext as _
from models.database import Database, Transaction
from permissions.viewer import Viewer
from resolvers.errors import Forbidden, NotFound
from resolvers.limits import Limiter
from resolvers.loading import Batch, Loader
from settings import Settings

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass
class Context:
    """One request's. `new_session` is the secret of a session that this request began; "" says that one ended.

    `device` is what the browser kept of an earlier sign-in, `new_device` what it is to keep of this one.
    Its database is the viewer's: the database's own rules show it what they may read.
    """

    viewer: Viewer
    database: Database
    settings: Settings
    limiter: Limiter
    wake: Callable[[], None]
    device: str = ""
    new_session: str | None = None
    new_device: str | None = None
    _loaders: dict[Hashable, Loader[Any, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.database = self.database.asked_by(self.viewer.principal)

    @property
    def account_id(self) -> UUID:
        """The viewer's account; for fields that nobody signed out has."""
        if self.viewer.account_id is None:
            raise NotFound
        return self.viewer.account_id

    @asynccontextmanager
    async def transaction(self, *, link: bytes | None = None) -> AsyncIterator[Transaction]:
        """One change: all of it or nothing. The worker is woken after commit if there is work for it.

        `link` is the hash of a link that the viewer holds, by which the database's own rules let them reach its
        row. Raises NotFound if somebody deletes at the same time what the change hangs on.
        """
        try:
            async with self.database.opened_by(link).transaction() as transaction:
                yield transaction
        except ForeignKeyViolationError:
            raise NotFound from None
        self._loaders.clear()  # what was loaded before may have changed
        if transaction.wakes_worker:
            self.wake()

    def load(self, batch: Batch[Key, Value], of: Hashable, key: Key) -> Awaitable[Value]:
        """Load one thing together with its like: every `key` asked for in one tick goes into one `batch`."""
        loader = self._loaders.get(of)
        if loader is None:
            loader = self._loaders[of] = Loader(batch)
        return loader.load(key)

    def done(self) -> None:
        """Let go of what was loaded: it holds this context, and only the garbage collector would part the two."""
        self._loaders.clear()

    def require_ready(self, *, without_factor: bool = False) -> None:
        """Raise Forbidden for whoever has something to do first: verify an address, set up a second factor."""
        if not self.viewer.verified:
            raise Forbidden(_("Please confirm your email address first: open the link in the email that we sent you."))
        if self.viewer.lacks_second_factor and not without_factor:
            raise Forbidden(_("Please set up a second factor first. Administrators need one here."))

    def require_paid(self) -> None:
        """Raise Forbidden for a mediator without paid access, where a setting asks for it."""
        if self.settings.paid_access and not self.viewer.paid:
            raise Forbidden(
                _("Your paid access has ended. You can still read, edit, delete and export, but not add or request.")
            )


# What Strawberry hands a resolver beside its arguments.
Info = strawberry.Info[Context, None]
