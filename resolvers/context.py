"""What every resolver gets: the viewer, the database, the settings and limits, and one transaction for each change."""

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import strawberry
from asyncpg import ForeignKeyViolationError

from i18n import gettext as _
from jobs import audit
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
    """The context of one request. `new_session` is the secret of a session it began, or "" if it ended one.

    `device` is what the browser kept from an earlier sign-in; `new_device` is what it should keep from this one. The
    database acts for the viewer: its own rules show only what they may read.
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
        """The viewer's account, for fields that only signed-in viewers have.

        Raises:
            NotFound: the viewer isn't signed in.
        """
        if self.viewer.account_id is None:
            raise NotFound
        return self.viewer.account_id

    @asynccontextmanager
    async def noting(self, *, link: bytes | None = None) -> AsyncIterator[Transaction]:
        """Open a transaction that ends with what the audit log says about it: without that, nothing is committed."""
        async with self.database.opened_by(link).transaction() as transaction:
            yield transaction
            if transaction.noted:
                await audit.write(transaction, self.settings, transaction.noted)

    @asynccontextmanager
    async def transaction(self, *, link: bytes | None = None) -> AsyncIterator[Transaction]:
        """Make one change: all of it or nothing. Wakes the worker after commit if there's work for it.

        `link` is the hash of a link that the viewer holds. With it, the database's own rules let them reach the link's
        row.

        Raises:
            NotFound: a row that the change depends on was deleted at the same time.
        """
        try:
            async with self.noting(link=link) as transaction:
                yield transaction
        except ForeignKeyViolationError:
            raise NotFound from None
        self._loaders.clear()  # what was loaded before may have changed
        if transaction.wakes_worker:
            self.wake()

    def load(self, batch: Batch[Key, Value], of: Hashable, key: Key) -> Awaitable[Value]:
        """Load one thing together with others like it: every `key` asked for in one tick goes into one `batch`."""
        loader = self._loaders.get(of)
        if loader is None:
            loader = self._loaders[of] = Loader(batch)
        return loader.load(key)

    def done(self) -> None:
        """Release what was loaded. It refers back to this context, so only the garbage collector would free the two."""
        self._loaders.clear()

    def require_ready(self, *, without_factor: bool = False) -> None:
        """Require a verified address, and a second factor where a setting asks for one.

        Raises:
            Forbidden: the viewer still has to do one of these.
        """
        if not self.viewer.verified:
            raise Forbidden(_("Please confirm your email address first: open the link in the email that we sent you."))
        if self.viewer.lacks_second_factor and not without_factor:
            raise Forbidden(_("Please set up a second factor first. Administrators need one here."))

    def require_paid(self) -> None:
        """Require paid access, where a setting asks for it.

        Raises:
            Forbidden: the viewer has no paid access.
        """
        if self.settings.paid_access and not self.viewer.paid:
            raise Forbidden(
                _("Your paid access has ended. You can read, edit, delete and export, but not add or request anything.")
            )


# What Strawberry gives a resolver besides its arguments.
Info = strawberry.Info[Context, None]
