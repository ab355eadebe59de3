"""What each mail says about people and things, for its templates and its subject.

Every text here was typed by somebody and is made plain before it's shown; only a `Link` is our own.
"""

from dataclasses import dataclass, field, fields
from datetime import date

from i18n import LazyText
from i18n import lazy_gettext as _
from jobs.mail.names import plain_name

NO_NAME = _("(no name)")


class Link(str):
    """A link of ours, which is shown as it is."""

    __slots__ = ()


Shown = str | int | date | None


def _or(fallback: LazyText) -> dict[str, LazyText]:
    """Say what replaces a name of which nothing can be shown."""
    return {"fallback": fallback}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a mail says; each field is a place in its templates."""

    def shown(self) -> dict[str, Shown]:
        """Give each fact by its name, safe to show in a mail."""
        return {
            one.name: _plain(getattr(self, one.name), one.metadata.get("fallback", NO_NAME)) for one in fields(self)
        }


def _plain(value: Shown, fallback: LazyText) -> Shown:
    return plain_name(value, str(fallback)) if isinstance(value, str) and not isinstance(value, Link) else value


@dataclass(frozen=True, kw_only=True)
class NamedFacts(Facts):
    """Whom the mail greets."""

    name: str = field(metadata=_or(_("there")))


@dataclass(frozen=True, kw_only=True)
class AccountLinkFacts(NamedFacts):
    """A link that works for so many hours."""

    link: Link
    expires_in_hours: int


@dataclass(frozen=True, kw_only=True)
class ApiTokenFacts(NamedFacts):
    """A token, and the last day on which it works."""

    token_name: str
    expires_on: date


@dataclass(frozen=True, kw_only=True)
class ExportFacts(NamedFacts):
    """The link to a copy of somebody's data, and the day on which it expires."""

    link: Link
    expires_on: date


@dataclass(frozen=True, kw_only=True)
class ReviewFacts(Facts):
    """The two sides of a review."""

    mediator_name: str
    reviewer_name: str


@dataclass(frozen=True, kw_only=True)
class AskedFacts(ReviewFacts):
    """A mediator who asks, the reviewer who's asked, and where to answer."""

    link: Link


@dataclass(frozen=True, kw_only=True)
class InvitationFacts(Facts):
    """Who invites a reviewer; reads the same whether or not they have an account."""

    mediator_name: str
    link: Link
    expires_on: date


@dataclass(frozen=True, kw_only=True)
class FeedbackRequestFacts(Facts):
    """Who asks a party about which mediation; `stop_link` ends all requests to their address."""

    mediator_name: str
    party_name: str = field(metadata=_or(_("there")))
    reference: str | None = field(metadata=_or(_("(no reference)")))
    mediation_ended_on: date
    link: Link
    link_days: int
    details_days: int
    stop_link: Link


@dataclass(frozen=True, kw_only=True)
class FeedbackReceivedFacts(Facts):
    """Who left feedback, as they typed it, and who can read it."""

    mediator_name: str = field(metadata=_or(_("there")))
    giver_name: str = field(metadata=_or(_("A party")))
    shared: bool
    reviewer_name: str | None
