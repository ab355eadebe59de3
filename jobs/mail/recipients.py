"""Writes the mail of an outbox row at the moment it is sent, from what the tables hold then.

Each kind has one function that reads its facts. It gives None where the mail has become pointless or forbidden since
it was queued: a request was withdrawn or is past its five days, an account is gone, an address wants no more mail.
"""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select

from jobs import messages
from jobs.messages import Message
from jobs.outbox import Kind
from models.account import LinkPurpose, Role, account_links, accounts, api_tokens
from models.database import Row, Transaction
from models.feedback import (
    RequestState,
    feedback,
    feedback_origins,
    feedback_request_details,
    feedback_requests,
    stopped_addresses,
)
from models.outbox import data_exports
from models.reviewer import appointments, reviewer_invitations
from permissions.scopes import details_kept
from permissions.secrets import Opens, address_hash, link_secret, stop_token
from settings import Settings


@dataclass(frozen=True)
class Letter:
    """A mail and the one address that it goes to."""

    address: str
    message: Message


Write = Callable[[Transaction, Settings, Row], Awaitable[Letter | None]]


def _hours(left: timedelta) -> int:
    """Round up: a mail that is sent at once says the whole time for which its link works."""
    return math.ceil(left / timedelta(hours=1))


def page(settings: Settings, name: str, secret: str) -> str:
    """Give the address of the page that a mailed link opens."""
    return f"{settings.base_url}/{name}/{secret}"


async def _account(transaction: Transaction, account_id: UUID) -> Row | None:
    return await transaction.first(
        select(accounts.c.id, accounts.c.name, accounts.c.email).where(accounts.c.id == account_id)
    )


async def _is_stopped(transaction: Transaction, settings: Settings, email: str) -> bool:
    """Tell whether an address wants to be asked for nothing any more."""
    hashed = address_hash(settings, email)
    stopped = select(stopped_addresses.c.address_hash).where(stopped_addresses.c.address_hash == hashed)
    return await transaction.first(stopped) is not None


async def _reviewer_of(transaction: Transaction, mediator_id: UUID) -> Row | None:
    return await transaction.first(
        select(accounts.c.id, accounts.c.name, accounts.c.email)
        .join(appointments, appointments.c.reviewer_id == accounts.c.id)
        .where(appointments.c.mediator_id == mediator_id, appointments.c.approved)
    )


async def _feedback_request(transaction: Transaction, settings: Settings, work: Row) -> Letter | None:
    details, requests = feedback_request_details, feedback_requests
    row = await transaction.first(
        select(
            details.c.party_name,
            details.c.party_email,
            details.c.reference,
            requests.c.mediation_ended_on,
            accounts.c.name.label("mediator_name"),
        )
        .join(requests, requests.c.id == details.c.id)
        .join(accounts, accounts.c.id == details.c.mediator_id)
        .where(
            details.c.id == work.subject_id,
            requests.c.state == RequestState.OPEN,
            details_kept(),
            accounts.c.roles.contains([Role.MEDIATOR.value]),
        )
    )
    if row is None:
        return None
    if await _is_stopped(transaction, settings, row.party_email):
        return None
    secret = link_secret(settings, Opens.FEEDBACK_REQUEST, work.subject_id)
    return Letter(
        row.party_email,
        messages.feedback_request(
            settings,
            mediator_name=row.mediator_name,
            party_name=row.party_name,
            reference=row.reference,
            mediation_ended_on=row.mediation_ended_on,
            link=page(settings, "feedback", secret),
            stop_link=page(settings, "stop", stop_token(settings, row.party_email)),
        ),
    )


async def _feedback_received(transaction: Transaction, settings: Settings, work: Row) -> Letter | None:
    row = await transaction.first(
        select(
            accounts.c.id,
            accounts.c.name,
            accounts.c.email,
            feedback.c.shared,
            feedback_origins.c.name.label("giver_name"),
        )
        .join(accounts, accounts.c.id == feedback.c.mediator_id)
        .outerjoin(feedback_origins, feedback_origins.c.id == feedback.c.id)
        .where(feedback.c.id == work.subject_id, accounts.c.roles.contains([Role.MEDIATOR.value]))
    )
    if row is None:
        return None
    reviewer = await _reviewer_of(transaction, row.id)
    return Letter(
        row.email,
        messages.feedback_received(
            settings,
            mediator_name=row.name,
            giver_name=row.giver_name,
            shared=row.shared,
            reviewer_name=reviewer.name if reviewer else None,
        ),
    )


async def _reviewer_invited(transaction: Transaction, settings: Settings, work: Row) -> Letter | None:
    row = await transaction.first(
        select(reviewer_invitations.c.email, reviewer_invitations.c.expires_at, accounts.c.name)
        .join(accounts, accounts.c.id == reviewer_invitations.c.mediator_id)
        .where(
            reviewer_invitations.c.id == work.subject_id,
            reviewer_invitations.c.expires_at > func.clock(),
        )
    )
    if row is None or await _is_stopped(transaction, settings, row.email):
        return None
    link = page(settings, "invitation", link_secret(settings, Opens.INVITATION, work.subject_id))
    return Letter(
        row.email,
        messages.reviewer_invited(settings, mediator_name=row.name, link=link, expires_on=row.expires_at.date()),
    )


def _between(write: Callable[..., Message], *, to_mediator: bool, still_in_force: bool | None = None) -> Write:
    """Write to one side of a review; `subject_id` is the mediator's id and `other_id` the reviewer's.

    The other side's account may be gone by then: its deletion leaves its name in the row.
    """

    async def letter(transaction: Transaction, settings: Settings, work: Row) -> Letter | None:
        mediator = await _account(transaction, work.subject_id)
        reviewer = await _account(transaction, work.other_id)
        addressee, other = (mediator, reviewer) if to_mediator else (reviewer, mediator)
        other_name = other.name if other else work.recipient_name
        if addressee is None or other_name is None:
            return None
        if still_in_force is not None:
            in_force = await transaction.first(
                select(appointments.c.id).where(
                    appointments.c.mediator_id == work.subject_id,
                    appointments.c.reviewer_id == work.other_id,
                    appointments.c.approved == still_in_force,
                )
            )
            if in_force is None:
                return None
        mediator_name, reviewer_name = (addressee.name, other_name) if to_mediator else (other_name, addressee.name)
        return Letter(addressee.email, write(settings, mediator_name=mediator_name, reviewer_name=reviewer_name))

    return letter


def _with_link(write: Callable[..., Message], purpose: LinkPurpose, path: str) -> Write:
    """Write to an account (or to its new address) about a link of `account_links`, if it still works."""

    async def letter(transaction: Transaction, settings: Settings, work: Row) -> Letter | None:
        row = await transaction.first(
            select(
                accounts.c.name,
                accounts.c.email,
                account_links.c.new_email,
                (account_links.c.expires_at - func.clock()).label("left"),
            )
            .join(accounts, accounts.c.id == account_links.c.account_id)
            .where(
                account_links.c.id == work.subject_id,
                account_links.c.purpose == purpose,
                account_links.c.expires_at > func.clock(),
            )
        )
        if row is None:
            return None
        link = page(settings, path, link_secret(settings, Opens.ACCOUNT_LINK, work.subject_id))
        message = write(settings, name=row.name, link=link, expires_in_hours=_hours(row.left))
        return Letter(row.new_email or row.email, message)

    return letter


def _to_account(write: Callable[..., Message]) -> Write:
    """Write a fact to an account, or to the address kept in the row where the account has it no more."""

    async def letter(transaction: Transaction, settings: Settings, work: Row) -> Letter | None:
        if work.recipient is not None:
            return Letter(work.recipient, write(settings, name=work.recipient_name))
        account = await _account(transaction, work.subject_id)
        return Letter(account.email, write(settings, name=account.name)) if account else None

    return letter


async def _api_token_made(transaction: Transaction, settings: Settings, work: Row) -> Letter | None:
    row = await transaction.first(
        select(accounts.c.name, accounts.c.email, api_tokens.c.name.label("token_name"), api_tokens.c.expires_at)
        .join(accounts, accounts.c.id == api_tokens.c.account_id)
        .where(api_tokens.c.id == work.subject_id)
    )
    if row is None:
        return None
    facts = {"name": row.name, "token_name": row.token_name, "expires_on": row.expires_at.date()}
    return Letter(row.email, messages.api_token_made(settings, **facts))


async def _export_ready(transaction: Transaction, settings: Settings, work: Row) -> Letter | None:
    row = await transaction.first(
        select(accounts.c.name, accounts.c.email, data_exports.c.expires_at)
        .join(accounts, accounts.c.id == data_exports.c.account_id)
        .where(data_exports.c.id == work.subject_id, data_exports.c.expires_at > func.clock())
    )
    if row is None:
        return None
    link = page(settings, "export", link_secret(settings, Opens.EXPORT, work.subject_id))
    return Letter(
        row.email, messages.export_ready(settings, name=row.name, link=link, expires_on=row.expires_at.date())
    )


WRITERS: dict[Kind, Write] = {
    Kind.FEEDBACK_REQUEST: _feedback_request,
    Kind.FEEDBACK_RECEIVED: _feedback_received,
    Kind.REVIEWER_INVITED: _reviewer_invited,
    Kind.REVIEWER_APPOINTED: _between(messages.reviewer_appointed, to_mediator=False, still_in_force=True),
    Kind.APPOINTMENT_MADE: _between(messages.appointment_made, to_mediator=True, still_in_force=True),
    Kind.APPOINTMENT_WAITING: _between(messages.appointment_waiting, to_mediator=True, still_in_force=False),
    Kind.REVIEW_ENDED: _between(messages.review_ended, to_mediator=False),
    Kind.APPOINTMENT_ENDED: _between(messages.appointment_ended, to_mediator=True),
    Kind.VERIFY_EMAIL: _with_link(messages.verify_email, LinkPurpose.VERIFY_EMAIL, "verify"),
    Kind.CHANGE_EMAIL: _with_link(messages.change_email, LinkPurpose.CHANGE_EMAIL, "verify"),
    Kind.RESET_PASSWORD: _with_link(messages.reset_password, LinkPurpose.RESET_PASSWORD, "password"),
    Kind.DIRECTORY_ACCESS: _with_link(messages.directory_access, LinkPurpose.SET_PASSWORD, "password"),
    Kind.ALREADY_REGISTERED: _to_account(messages.already_registered),
    Kind.EMAIL_CHANGED: _to_account(messages.email_changed),
    Kind.PASSWORD_CHANGED: _to_account(messages.password_changed),
    Kind.SECOND_FACTOR_ADDED: _to_account(messages.second_factor_added),
    Kind.SECOND_FACTOR_REMOVED: _to_account(messages.second_factor_removed),
    Kind.RECOVERY_CODE_USED: _to_account(messages.recovery_code_used),
    Kind.WRONG_CODE: _to_account(messages.wrong_code),
    Kind.API_TOKEN_MADE: _api_token_made,
    Kind.ACCOUNT_DELETED: _to_account(messages.account_deleted),
    Kind.EXPORT_READY: _export_ready,
}
