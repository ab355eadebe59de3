"""Requests for feedback: sending one to a party, withdrawing it, and never writing to an address again."""

from contextlib import suppress
from datetime import date
from uuid import UUID, uuid4

import strawberry
from sqlalchemy import ClauseElement, Date, bindparam, cast, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.types import Uuid

from i18n import gettext as _
from jobs import mail
from jobs.outbox import enqueue_mail
from models.database import Transaction
from models.feedback import RequestState, details_keys, feedback_request_details, stopped_addresses
from models.feedback import feedback_requests as _requests
from models.statement import AnySelect, Row, statement
from permissions.scopes import details_of_request, made_on
from permissions.sealing import CannotOpen, PartyDetails, new_day_key, open_details, seal_details
from permissions.secrets import Opens, hash_secret, link_secret, read_stop_token
from resolvers import limits
from resolvers.address import held_for, is_own, mailbox_hash
from resolvers.context import Context, Info
from resolvers.errors import Code, refuse
from resolvers.idempotency import earlier_result, once
from resolvers.inputs import read_id
from resolvers.mediator_row import MediatorRow
from resolvers.own_lists import own_page
from resolvers.paging import Connection, Count, ListedRow, PageArguments, Sort, page_statement
from resolvers.validation import Check
from settings import Settings

_request, _details = _requests.c, feedback_request_details.c
_NEWEST = Sort("made_at", _request.made_at, descending=True, nullable=False)
# The list doesn't show whether a request was answered, and neither does its row.
_listed = _request.state != RequestState.WITHDRAWN


class RequestRow(ListedRow):
    """A request to a party; who that is, sealed with the key of the day when it was made, only for five days."""

    made_on: date
    agreed_on: date
    mediation_ended_on: date
    sealed: bytes | None
    day_key: bytes | None


@statement(Count)
def _count() -> ClauseElement:
    return select(func.count().label("count")).where(_request.mediator_id == bindparam("parent", type_=Uuid()), _listed)


def _rows() -> AnySelect:
    return (
        select(
            _request.id,
            cast(func.timezone("UTC", _request.made_at), Date).label("made_on"),
            _request.agreed_on,
            _request.mediation_ended_on,
            _details.sealed,
            details_keys.c.sealed.label("day_key"),
        )
        .select_from(
            _requests.outerjoin(feedback_request_details, details_of_request()).outerjoin(
                details_keys, details_keys.c.day == made_on
            )
        )
        .where(_listed)
    )


def _details_of(info: Info, row: RequestRow) -> PartyDetails | None:
    if row.sealed is None or row.day_key is None:
        return None
    with suppress(CannotOpen):
        return open_details(info.context.settings, row.made_on, row.day_key, row.id, row.sealed)
    return None


def party_name(info: Info, row: strawberry.Parent[RequestRow]) -> str | None:
    """Give the party's name, for five days."""
    details = _details_of(info, row)
    return details.name if details else None


def party_email(info: Info, row: strawberry.Parent[RequestRow]) -> str | None:
    """Give the party's address, for five days."""
    details = _details_of(info, row)
    return details.email if details else None


def reference(info: Info, row: strawberry.Parent[RequestRow]) -> str | None:
    """Give the mediator's own reference, for five days."""
    details = _details_of(info, row)
    return details.reference if details else None


@statement(RequestRow)
def _one() -> ClauseElement:
    me = bindparam("me", type_=Uuid())
    return _rows().where(_request.id == bindparam("id", type_=Uuid()), _request.mediator_id == me)


@statement(RequestRow)
def _page(backwards: bool, cursor: bool | None) -> ClauseElement:
    return page_statement(
        _rows(), _request.id, _NEWEST, backwards=backwards, cursor=cursor, parent=_request.mediator_id
    )


async def feedback_requests(
    info: Info, mediator: strawberry.Parent[MediatorRow], page: PageArguments
) -> Connection[RequestRow]:
    """Give a page of a mediator's own requests, newest first. Their details are null after five days.

    Raises:
        BadInput: the page's arguments don't fit together, or the cursor belongs to another list.
    """
    return await own_page(info.context, _page, _count(), _NEWEST, page, mediator.id)


async def _own(context: Context, request_id: UUID) -> RequestRow | None:
    async with context.database.reading() as reading:
        return await reading.first(_one(), id=request_id, me=context.account_id)


class _TodayRow(Row):
    today: date


@statement(_TodayRow)
def _today() -> ClauseElement:
    return select(cast(func.timezone("UTC", func.clock()), Date).label("today"))


class _DayKeyRow(Row):
    sealed: bytes


@statement(_DayKeyRow)
def _day_key() -> ClauseElement:
    return select(details_keys.c.sealed).where(details_keys.c.day == bindparam("day", type_=Date()))


async def day_key(transaction: Transaction, settings: Settings, day: date) -> bytes:
    """Give the sealed key of the details of a day's requests (in UTC). The day's first request makes it."""
    new = upsert(details_keys).values(day=day, sealed=new_day_key(settings, day))
    await transaction.run(new.on_conflict_do_nothing())
    return (await transaction.one(_day_key(), day=day)).sealed


@strawberry.input
class RequestFeedbackInput:
    """What a mediator enters to ask for feedback."""

    party_name: str
    party_email: str
    mediation_ended_on: date
    party_agreed: bool
    reference: str | None = None
    request_key: str | None = None


async def request_feedback(info: Info, input: RequestFeedbackInput) -> RequestRow | None:
    """Ask a party for feedback by email. Gives the request. A stopped address gets no email, and nothing shows that.

    Raises:
        Refused: something in the input needs fixing.
        Forbidden: the viewer has no paid access.
        RateLimited: there were too many attempts.
        BadInput: the `requestKey` is too long.
    """
    context, new = info.context, input
    context.require_paid()
    check = Check()
    name = check.name("partyName", new.party_name)
    email = check.email("partyEmail", new.party_email) or ""
    details = PartyDetails(name, email, check.line("reference", new.reference))
    check.day("mediationEndedOn", new.mediation_ended_on, context.database.latest_today())
    if not new.party_agreed:
        check.add("partyAgreed", Code.REQUIRED, _("Please confirm that the party agreed to be contacted."))
    check.done()
    new_id = uuid4()
    async with context.transaction() as transaction:
        if earlier := await earlier_result(context, transaction, "requestFeedback", once(input), new_id):
            return await transaction.first(_one(), id=earlier, me=context.account_id)
        await context.limiter.count(limits.REQUESTS_SENT, context.account_id)
        await context.limiter.count(limits.REQUESTS_TO, context.account_id, mailbox_hash(context.settings, email))
        if await is_own(transaction, context.account_id, email):
            refuse("partyEmail", Code.NOT_ALLOWED, _("This is your own address."))
        held = await held_for(context, email)
        owned = {"id": new_id, "mediator_id": context.account_id, "made_at": func.clock()}
        await transaction.run(
            insert(_requests).values(
                **owned,
                mediation_ended_on=new.mediation_ended_on,
                secret_hash=hash_secret(link_secret(context.settings, Opens.FEEDBACK_REQUEST, new_id)),
            )
        )
        today = (await transaction.one(_today())).today  # that of `made_at`: a transaction's clock stands still
        key = await day_key(transaction, context.settings, today)
        sealed = seal_details(context.settings, today, key, new_id, details)
        await transaction.run(insert(feedback_request_details).values(**owned, sealed=sealed))
        await enqueue_mail(transaction, mail.FEEDBACK_REQUEST, new_id, held, other_id=new_id)
    return await _own(context, new_id)


@strawberry.input
class WithdrawFeedbackRequestInput:
    """The request to withdraw."""

    id: strawberry.ID


async def withdraw_feedback_request(info: Info, input: WithdrawFeedbackRequestInput) -> UUID:
    """Withdraw one of the viewer's own requests, and give its id.

    Its details are deleted, its link stops working, and its email isn't sent if it hasn't been yet.

    Raises:
        Refused: it isn't one of the viewer's.
    """
    context, request_id = info.context, read_id(input.id)
    async with context.transaction() as transaction:
        withdrawn = await transaction.run(
            update(_requests)
            .where(_request.id == request_id, _request.mediator_id == context.account_id, _listed)
            .values(state=RequestState.WITHDRAWN)
        )
        if not withdrawn:
            refuse("id", Code.NOT_FOUND, _("There's no such request."))
        await transaction.run(delete(feedback_request_details).where(_details.id == request_id))
    return request_id


@strawberry.input
class StopRequestsInput:
    """The token from a request's email."""

    token: str


async def stop_requests(info: Info, input: StopRequestsInput) -> None:
    """Never email requests to the token's address again.

    Raises:
        Refused: the token isn't one of ours.
        RateLimited: there were too many attempts.
    """
    context = info.context
    await context.limiter.count(limits.LINK_TRIES, context.viewer.address)
    mark = read_stop_token(context.settings, input.token)
    if mark is None:
        refuse("token", Code.NOT_FOUND, _("This link isn't complete. Please open it again from the email."))
    async with context.transaction() as transaction:
        await transaction.run(upsert(stopped_addresses).values(address_hash=mark).on_conflict_do_nothing())
