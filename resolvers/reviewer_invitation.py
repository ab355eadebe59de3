"""A mediator's invitations to review them: sending one, sending it again, revoking it, and which are open."""

from datetime import date
from typing import NoReturn
from uuid import UUID, uuid4

import strawberry
from sqlalchemy import ClauseElement, Date, bindparam, cast, delete, func, insert, select
from sqlalchemy.types import Uuid

from i18n import gettext as _
from jobs import mail
from jobs.outbox import enqueue_mail
from models.database import Transaction
from models.reviewer import reviewer_invitations
from models.statement import AnySelect, statement
from permissions.addresses import account_key
from permissions.secrets import INVITATION_LASTS, Opens, hash_secret, link_secret
from resolvers import limits
from resolvers.address import held_for, is_own
from resolvers.context import Context, Info
from resolvers.errors import Code, refuse
from resolvers.idempotency import earlier_result, once
from resolvers.inputs import read_id
from resolvers.mediator_row import MediatorRow
from resolvers.own_lists import own_page
from resolvers.paging import Connection, Count, ListedRow, PageArguments, Sort, page_statement
from resolvers.validation import Check
from settings import Settings

_its = reviewer_invitations.c
_LATEST = Sort("expires_at", _its.expires_at, descending=True, nullable=False)
_open = _its.expires_at > func.clock()


class InvitationRow(ListedRow):
    """An invitation that nobody has accepted yet; it looks the same whether or not its address has an account."""

    email: str
    expires_on: date


@statement(Count)
def _count() -> ClauseElement:
    return select(func.count().label("count")).where(_its.mediator_id == bindparam("parent", type_=Uuid()), _open)


def _rows() -> AnySelect:
    expires_on = cast(func.timezone("UTC", _its.expires_at), Date).label("expires_on")
    return select(_its.id, _its.email, expires_on).where(_open)


@statement(InvitationRow)
def _one() -> ClauseElement:
    own = _its.mediator_id == bindparam("me", type_=Uuid())
    return _rows().where(_its.id == bindparam("id", type_=Uuid()), own)


@statement(InvitationRow)
def _page(backwards: bool, cursor: bool | None) -> ClauseElement:
    return page_statement(_rows(), _its.id, _LATEST, backwards=backwards, cursor=cursor, parent=_its.mediator_id)


async def reviewer_invitations_of(
    info: Info, mediator: strawberry.Parent[MediatorRow], page: PageArguments
) -> Connection[InvitationRow]:
    """Give a page of a mediator's own open invitations, the latest first.

    Raises:
        BadInput: the page's arguments don't fit together, or the cursor belongs to another list.
    """
    return await own_page(info.context, _page, _count(), _LATEST, page, mediator.id)


@strawberry.input
class InviteReviewerInput:
    """The person to invite."""

    email: str
    request_key: str | None = None


async def invite_reviewer(info: Info, input: InviteReviewerInput) -> None:
    """Email someone an invitation to review the viewer. It looks the same whether or not they have an account.

    Raises:
        Refused: something in the input needs fixing.
        RateLimited: there were too many attempts.
        BadInput: the `requestKey` is too long.
    """
    context, check = info.context, Check()
    address = check.email("email", input.email) or ""
    check.done()
    new_id = uuid4()
    async with context.transaction() as transaction:
        if await earlier_result(context, transaction, "inviteReviewer", once(input), new_id):
            return
        await _send(context, transaction, new_id, address)


async def _send(context: Context, transaction: Transaction, new_id: UUID, address: str) -> None:
    """Make an invitation and queue its email. It replaces an earlier one to the address, whose link stops working."""
    await context.limiter.count(limits.INVITATIONS_SENT, context.account_id)
    if await is_own(transaction, context.account_id, address):
        refuse("email", Code.NOT_ALLOWED, _("You can't be your own reviewer."))
    held = await held_for(context, address)
    earlier = (_its.mediator_id == context.account_id, _its.email_key == account_key(address))
    await transaction.run(delete(reviewer_invitations).where(*earlier))
    await put_invitation(transaction, context.settings, new_id, context.account_id, address, held)


async def put_invitation(
    transaction: Transaction, settings: Settings, new_id: UUID, mediator_id: UUID, address: str, held: str | None = None
) -> None:
    """Add an invitation and queue its email; `held` is as in `enqueue_mail`."""
    due = await enqueue_mail(transaction, mail.REVIEWER_INVITED, new_id, held, other_id=mediator_id)
    await transaction.run(
        insert(reviewer_invitations).values(
            id=new_id,
            mediator_id=mediator_id,
            email=address,
            email_key=account_key(address),
            secret_hash=hash_secret(link_secret(settings, Opens.INVITATION, new_id)),
            expires_at=due + INVITATION_LASTS,
        )
    )


@strawberry.input
class ResendInvitationInput:
    """The invitation to send again."""

    id: strawberry.ID


async def resend_invitation(info: Info, input: ResendInvitationInput) -> InvitationRow | None:
    """Send one of the viewer's invitations again, as a new one with its full time. The earlier link stops working.

    Raises:
        Refused: it isn't one of the viewer's, or it's to their own address by now.
        RateLimited: there were too many attempts.
    """
    context, new_id = info.context, uuid4()
    async with context.transaction() as transaction:
        invited = await transaction.first(_one(), id=read_id(input.id), me=context.account_id)
        if invited is None:
            _refuse_invitation()
        await _send(context, transaction, new_id, invited.email)
        return await transaction.first(_one(), id=new_id, me=context.account_id)


@strawberry.input
class RevokeInvitationInput:
    """The invitation to revoke."""

    id: strawberry.ID


async def revoke_invitation(info: Info, input: RevokeInvitationInput) -> UUID:
    """Revoke one of the viewer's invitations. Gives its id. It isn't mailed if it hasn't been yet.

    Raises:
        Refused: it isn't one of the viewer's.
    """
    context, invitation_id = info.context, read_id(input.id)
    async with context.transaction() as transaction:
        own = (_its.id == invitation_id, _its.mediator_id == context.account_id)
        if not await transaction.run(delete(reviewer_invitations).where(*own)):
            _refuse_invitation()
    return invitation_id


def _refuse_invitation() -> NoReturn:
    refuse("id", Code.NOT_FOUND, _("There's no such invitation."))
