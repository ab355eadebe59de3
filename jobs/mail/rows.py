"""Whom a mail goes to and what it says: what's read from the tables at the moment when it's written."""

from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import ClauseElement, bindparam, func, select
from sqlalchemy.types import Uuid

from models.account import account_links, accounts, api_tokens
from models.feedback import (
    RequestState,
    details_keys,
    feedback,
    feedback_origins,
    feedback_request_details,
    feedback_requests,
)
from models.outbox import data_exports
from models.reviewer import appointments, reviewer_invitations
from models.statement import Row, statement
from permissions.scopes import IS_MEDIATOR, details_of_request, made_on

_id = bindparam("id", type_=Uuid())


class NamedAddressRow(Row):
    """An account's name and address."""

    id: UUID
    name: str
    email: str


class RolesRow(NamedAddressRow):
    """An account's name and address, its roles, and whether it's a confirmed reviewer's."""

    roles: list[str]
    reviewer_confirmed_at: datetime | None


_account = select(accounts.c.id, accounts.c.name, accounts.c.email)


@statement(RolesRow)
def account() -> ClauseElement:
    """Select an account."""
    return _account.add_columns(accounts.c.roles, accounts.c.reviewer_confirmed_at).where(accounts.c.id == _id)


@statement(NamedAddressRow)
def mediator() -> ClauseElement:
    """Select the account of a mediator."""
    return _account.where(accounts.c.id == _id, IS_MEDIATOR)


@statement(NamedAddressRow)
def reviewer() -> ClauseElement:
    """Select the reviewer of a mediator."""
    appointed = _account.join(appointments, appointments.c.reviewer_id == accounts.c.id)
    return appointed.where(appointments.c.mediator_id == _id, appointments.c.in_force)


class AppointmentStateRow(Row):
    """Whether an appointment is in force, or waits, perhaps for its reviewer."""

    in_force: bool
    accepted_at: datetime | None


@statement(AppointmentStateRow)
def appointment() -> ClauseElement:
    """Select the appointments between a mediator and a reviewer: one in force, one that waits, or both."""
    return select(appointments.c.in_force, appointments.c.accepted_at).where(
        appointments.c.mediator_id == bindparam("mediator_id"), appointments.c.reviewer_id == bindparam("reviewer_id")
    )


class OpenRequestRow(Row):
    """A request for feedback that is open, with the party's sealed details and their key."""

    id: UUID
    sealed: bytes
    day: date
    day_key: bytes
    secret_hash: bytes
    mediation_ended_on: date
    mediator_name: str


@statement(OpenRequestRow)
def request() -> ClauseElement:
    """Select a request for feedback, while it's open and its details are kept."""
    requests = feedback_requests
    return (
        select(
            requests.c.id,
            feedback_request_details.c.sealed,
            details_keys.c.day,
            details_keys.c.sealed.label("day_key"),
            requests.c.secret_hash,
            requests.c.mediation_ended_on,
            accounts.c.name.label("mediator_name"),
        )
        .select_from(requests)
        .join(feedback_request_details, details_of_request())
        .join(details_keys, details_keys.c.day == made_on)
        .join(accounts, accounts.c.id == requests.c.mediator_id)
        .where(requests.c.id == _id, requests.c.state == RequestState.OPEN, IS_MEDIATOR)
    )


class ReceivedFeedbackRow(NamedAddressRow):
    """The mediator who got feedback, whether it's shared with them, and its sealed origin."""

    shared: bool
    feedback_id: UUID
    origin: bytes | None


@statement(ReceivedFeedbackRow)
def received() -> ClauseElement:
    """Select the mediator of a piece of feedback."""
    return (
        _account.add_columns(
            feedback.c.shared, feedback.c.id.label("feedback_id"), feedback_origins.c.sealed.label("origin")
        )
        .join(feedback, accounts.c.id == feedback.c.mediator_id)
        .outerjoin(feedback_origins, feedback_origins.c.id == feedback.c.id)
        .where(feedback.c.id == _id, IS_MEDIATOR)
    )


class InvitationRow(Row):
    """Whom a mediator (`name`) invited to be their reviewer, and the hash of the link."""

    email: str
    secret_hash: bytes
    expires_at: datetime
    name: str


@statement(InvitationRow)
def invitation() -> ClauseElement:
    """Select an invitation, while it's open."""
    invited = reviewer_invitations.c
    return (
        select(invited.email, invited.secret_hash, invited.expires_at, accounts.c.name)
        .join(accounts, accounts.c.id == invited.mediator_id)
        .where(invited.id == _id, invited.expires_at > func.clock())
    )


class WorkingLinkRow(Row):
    """The account of a link, its new address, the link's hash, and how long it still works."""

    name: str
    email: str
    new_email: str | None
    secret_hash: bytes
    left: timedelta


@statement(WorkingLinkRow)
def link() -> ClauseElement:
    """Select a link of a `purpose`, while it works."""
    links = account_links.c
    return (
        select(
            accounts.c.name,
            accounts.c.email,
            links.new_email,
            links.secret_hash,
            (links.expires_at - func.clock()).label("left"),
        )
        .join(accounts, accounts.c.id == links.account_id)
        .where(links.id == _id, links.purpose == bindparam("purpose"), links.expires_at > func.clock())
    )


class ExpiringTokenRow(Row):
    """Who made an API token."""

    name: str
    email: str
    token_name: str
    expires_at: datetime | None


@statement(ExpiringTokenRow)
def token() -> ClauseElement:
    """Select an API token."""
    return (
        select(accounts.c.name, accounts.c.email, api_tokens.c.name.label("token_name"), api_tokens.c.expires_at)
        .join(accounts, accounts.c.id == api_tokens.c.account_id)
        .where(api_tokens.c.id == _id)
    )


class ReadyExportRow(Row):
    """Who asked for a copy of their data, the hash of its link, and when it goes."""

    name: str
    email: str
    secret_hash: bytes
    expires_at: datetime | None


@statement(ReadyExportRow)
def export() -> ClauseElement:
    """Select a copy of somebody's data that is ready, until it expires."""
    return (
        select(accounts.c.name, accounts.c.email, data_exports.c.secret_hash, data_exports.c.expires_at)
        .join(accounts, accounts.c.id == data_exports.c.account_id)
        .where(data_exports.c.id == _id, data_exports.c.expires_at > func.clock())
    )
