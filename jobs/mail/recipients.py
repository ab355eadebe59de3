"""Finds who gets a mail and what it says, from what's in the tables at the moment when it's sent.

Each function gives None if the mail has become pointless or forbidden since it was queued: a request was withdrawn or
is past its five days, a link was used or has expired, an account is gone, a setting has changed.
"""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar
from uuid import UUID

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import LargeBinary

from jobs.mail import rows
from jobs.mail.facts import (
    AccountLinkFacts,
    ApiTokenFacts,
    AskedFacts,
    ExportFacts,
    Facts,
    FeedbackReceivedFacts,
    FeedbackRequestFacts,
    InvitationFacts,
    Link,
    NamedFacts,
    ReviewFacts,
)
from jobs.outbox import WorkRow
from models.account import LinkPurpose, Role
from models.database import Transaction
from models.feedback import spent_links, stopped_addresses
from permissions.scopes import DETAILS_DAYS, LINK_DAYS
from permissions.sealing import open_details, open_origin
from permissions.secrets import Opens, spent_marks, stop_marks, stop_token, stored_link_secret
from settings import Notice, Settings

FactsT_co = TypeVar("FactsT_co", bound=Facts, covariant=True)


@dataclass(frozen=True)
class Recipient(Generic[FactsT_co]):
    """The one address that a mail goes to, and what it says."""

    address: str
    facts: FactsT_co


def mailed_link(settings: Settings, name: str, secret: str) -> Link:
    """Give the address of the page that a mailed link opens."""
    return Link(f"{settings.base_url}/{name}/{secret}")


def _stored_link(settings: Settings, name: str, opens: Opens, subject: UUID, secret_hash: bytes) -> Link | None:
    """Give the link whose hash is stored; None if its key is gone, and with it any way to write the mail."""
    secret = stored_link_secret(settings, opens, subject, secret_hash)
    return mailed_link(settings, name, secret) if secret else None


async def is_stopped(transaction: Transaction, settings: Settings, email: str) -> bool:
    """Tell whether an address has stopped all requests."""
    marks = bindparam("marks", stop_marks(settings, email), ARRAY(LargeBinary()))
    stopped = select(stopped_addresses.c.address_hash).where(stopped_addresses.c.address_hash == func.any(marks))
    return await transaction.value(stopped, bytes) is not None


async def _is_spent(transaction: Transaction, settings: Settings, secret_hash: bytes) -> bool:
    marks = bindparam("marks", spent_marks(settings, secret_hash), ARRAY(LargeBinary()))
    spent = select(spent_links.c.mark).where(spent_links.c.mark == func.any(marks))
    return await transaction.value(spent, bytes) is not None


async def account(transaction: Transaction, _settings: Settings, work: WorkRow) -> Recipient[NamedFacts] | None:
    """Find an account, or the address kept in the row if the account no longer has it."""
    if work.recipient is not None:
        if work.recipient_name is None:
            raise LookupError("an address without its name: there's nobody to greet")
        return Recipient(work.recipient, NamedFacts(name=work.recipient_name))
    found = await transaction.first(rows.account(), id=work.subject_id)
    return Recipient(found.email, NamedFacts(name=found.name)) if found else None


def by_role(
    role: Role, *, held: bool
) -> Callable[[Transaction, Settings, WorkRow], Awaitable[Recipient[NamedFacts] | None]]:
    """Find an account while it has a role, or while it doesn't: by then, it may have been added or removed again."""

    async def find(transaction: Transaction, _settings: Settings, work: WorkRow) -> Recipient[NamedFacts] | None:
        found = await transaction.first(rows.account(), id=work.subject_id)
        if found is None or (role in found.roles) != held:
            return None
        return Recipient(found.email, NamedFacts(name=found.name))

    return find


def account_link(
    purpose: LinkPurpose, path: str
) -> Callable[[Transaction, Settings, WorkRow], Awaitable[Recipient[AccountLinkFacts] | None]]:
    """Find the account (or its new address) of a link of `account_links`, if it still works; `path` is its page."""

    async def find(transaction: Transaction, settings: Settings, work: WorkRow) -> Recipient[AccountLinkFacts] | None:
        row = await transaction.first(rows.link(), id=work.subject_id, purpose=purpose)
        if row is None:
            return None
        link = _stored_link(settings, path, Opens.ACCOUNT_LINK, work.subject_id, row.secret_hash)
        if link is None:
            return None
        # Rounded up, so that a mail that's sent at once gives the full time for which its link works.
        hours = math.ceil(row.left / timedelta(hours=1))
        return Recipient(row.new_email or row.email, AccountLinkFacts(name=row.name, link=link, expires_in_hours=hours))

    return find


async def api_token(transaction: Transaction, _settings: Settings, work: WorkRow) -> Recipient[ApiTokenFacts] | None:
    """Find who made an API token."""
    row = await transaction.first(rows.token(), id=work.subject_id)
    if row is None or row.expires_at is None:
        return None
    return Recipient(
        row.email, ApiTokenFacts(name=row.name, token_name=row.token_name, expires_on=row.expires_at.date())
    )


async def export(transaction: Transaction, settings: Settings, work: WorkRow) -> Recipient[ExportFacts] | None:
    """Find who asked for a copy of their data, once it's made and until it expires."""
    row = await transaction.first(rows.export(), id=work.subject_id)
    if row is None or row.expires_at is None:
        return None
    link = _stored_link(settings, "export", Opens.EXPORT, work.subject_id, row.secret_hash)
    if link is None:
        return None
    return Recipient(row.email, ExportFacts(name=row.name, link=link, expires_on=row.expires_at.date()))


def _side(
    *, to_mediator: bool, in_force: bool | None = None
) -> Callable[[Transaction, Settings, WorkRow], Awaitable[Recipient[ReviewFacts] | None]]:
    """Find one side of a review; `subject_id` is the mediator's id and `other_id` the reviewer's.

    `in_force`: whether the appointment has to be there, and in force or waiting. The other side's account may be gone
    by then; deleting it leaves its name in the row.
    """

    async def find(transaction: Transaction, _settings: Settings, work: WorkRow) -> Recipient[ReviewFacts] | None:
        mediator = await transaction.first(rows.account(), id=work.subject_id)
        reviewer = await transaction.first(rows.account(), id=work.other_id)
        addressee, other = (mediator, reviewer) if to_mediator else (reviewer, mediator)
        other_name = other.name if other else work.recipient_name
        if addressee is None or other_name is None:
            return None
        if in_force is not None and all(one.in_force != in_force for one in await _between(transaction, work)):
            return None
        mediator_name, reviewer_name = (addressee.name, other_name) if to_mediator else (other_name, addressee.name)
        return Recipient(addressee.email, ReviewFacts(mediator_name=mediator_name, reviewer_name=reviewer_name))

    return find


async def _between(transaction: Transaction, work: WorkRow) -> list[rows.AppointmentStateRow]:
    return await transaction.all(rows.appointment(), mediator_id=work.subject_id, reviewer_id=work.other_id)


reviewer = _side(to_mediator=False)
appointed_reviewer = _side(to_mediator=False, in_force=True)
mediator = _side(to_mediator=True)
appointing_mediator = _side(to_mediator=True, in_force=True)
waiting_mediator = _side(to_mediator=True, in_force=False)


async def asked_reviewer(transaction: Transaction, settings: Settings, work: WorkRow) -> Recipient[AskedFacts] | None:
    """Find the reviewer whom a mediator asks, while they haven't answered."""
    found = await reviewer(transaction, settings, work)
    asked = [one for one in await _between(transaction, work) if not one.in_force and one.accepted_at is None]
    if found is None or not asked:
        return None
    names = vars(found.facts)
    return Recipient(found.address, AskedFacts(**names, link=Link(settings.base_url)))


async def confirmed_reviewer(
    transaction: Transaction, _settings: Settings, work: WorkRow
) -> Recipient[NamedFacts] | None:
    """Find a reviewer while an administrator's confirmation of them holds."""
    found = await transaction.first(rows.account(), id=work.subject_id)
    if found is None or found.reviewer_confirmed_at is None:
        return None
    return Recipient(found.email, NamedFacts(name=found.name))


async def invited_reviewer(
    transaction: Transaction, settings: Settings, work: WorkRow
) -> Recipient[InvitationFacts] | None:
    """Find who is invited to be a mediator's reviewer, while the invitation is open."""
    row = await transaction.first(rows.invitation(), id=work.subject_id)
    if row is None:
        return None
    link = _stored_link(settings, "invitation", Opens.INVITATION, work.subject_id, row.secret_hash)
    if link is None:
        return None
    return Recipient(row.email, InvitationFacts(mediator_name=row.name, link=link, expires_on=row.expires_at.date()))


async def party(transaction: Transaction, settings: Settings, work: WorkRow) -> Recipient[FeedbackRequestFacts] | None:
    """Find the party who is asked for feedback, while the request is open and its details are kept."""
    row = await transaction.first(rows.request(), id=work.subject_id)
    if row is None:
        return None
    link = _stored_link(settings, "feedback", Opens.FEEDBACK_REQUEST, work.subject_id, row.secret_hash)
    if link is None or await _is_spent(transaction, settings, row.secret_hash):
        return None
    details = open_details(settings, row.day, row.day_key, row.id, row.sealed)
    facts = FeedbackRequestFacts(
        mediator_name=row.mediator_name,
        party_name=details.name,
        reference=details.reference or None,
        mediation_ended_on=row.mediation_ended_on,
        link=link,
        link_days=LINK_DAYS,
        details_days=DETAILS_DAYS,
        stop_link=mailed_link(settings, "stop", stop_token(settings, details.email)),
    )
    return Recipient(details.email, facts)


async def feedback_receiver(
    transaction: Transaction, settings: Settings, work: WorkRow
) -> Recipient[FeedbackReceivedFacts] | None:
    """Find the mediator who got feedback, and the reviewer who can read it now, while notices are named."""
    if settings.feedback_notice is not Notice.NAMED:
        return None
    row = await transaction.first(rows.received(), id=work.subject_id)
    if row is None:
        return None
    reads = await transaction.first(rows.reviewer(), id=row.id)
    giver = open_origin(settings, row.feedback_id, row.origin).name if row.origin else None
    facts = FeedbackReceivedFacts(
        mediator_name=row.name,
        giver_name=giver or "",
        shared=row.shared,
        reviewer_name=reads.name if reads else None,
    )
    return Recipient(row.email, facts)


async def discreet_receiver(
    transaction: Transaction, settings: Settings, work: WorkRow
) -> Recipient[NamedFacts] | None:
    """Find the mediator about whom feedback may have come, unless notices are off.

    One that was queued before they became named still goes out: it says less than it may.
    """
    if settings.feedback_notice is Notice.OFF:
        return None
    found = await transaction.first(rows.mediator(), id=work.subject_id)
    return Recipient(found.email, NamedFacts(name=found.name)) if found else None
