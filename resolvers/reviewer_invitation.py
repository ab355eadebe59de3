"""Invitations to review a mediator: sending one, and accepting it with an existing account or a new one."""

from typing import NamedTuple, NoReturn
from uuid import UUID, uuid4

import strawberry
from sqlalchemy import ClauseElement, and_, bindparam, delete, func, insert, select, update
from sqlalchemy.types import LargeBinary

from i18n import gettext as _
from jobs import mail
from jobs.outbox import enqueue_mail
from models.account import Role, accounts
from models.reviewer import reviewer_invitations
from models.statement import Row, statement
from permissions.addresses import account_key
from permissions.secrets import (
    INVITATION_LASTS,
    Opens,
    hash_secret,
    link_secret,
)
from resolvers import limits
from resolvers.access import end_sessions
from resolvers.account_row import lock_with_mailboxes, put_account
from resolvers.address import held_for, is_own, mark_verified
from resolvers.context import Context, Info
from resolvers.errors import Code, refuse
from resolvers.idempotency import earlier_result, once
from resolvers.passwords import hash_in_turn
from resolvers.reviewer_appointment import put_reviewer
from resolvers.validation import Check


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
        await context.limiter.count(limits.INVITATIONS_SENT, context.account_id)
        if await is_own(transaction, context.account_id, address):
            refuse("email", Code.NOT_ALLOWED, _("You can't be your own reviewer."))
        held = await held_for(context, address)
        await transaction.run(
            delete(reviewer_invitations).where(
                reviewer_invitations.c.mediator_id == context.account_id,
                reviewer_invitations.c.email_key == account_key(address),
            )
        )
        due = await enqueue_mail(transaction, mail.REVIEWER_INVITED, new_id, held, other_id=context.account_id)
        await transaction.run(
            insert(reviewer_invitations).values(
                id=new_id,
                mediator_id=context.account_id,
                email=address,
                email_key=account_key(address),
                secret_hash=hash_secret(link_secret(context.settings, Opens.INVITATION, new_id)),
                expires_at=due + INVITATION_LASTS,
            )
        )


class _InvitationRow(Row):
    mediator_id: UUID
    email: str
    account_id: UUID | None


_invited = bindparam("hash", type_=LargeBinary())
_works = and_(reviewer_invitations.c.secret_hash == _invited, reviewer_invitations.c.expires_at > func.clock())


@statement(_InvitationRow)
def _invitation() -> ClauseElement:
    """Select an invitation that works, with the account at its address."""
    of_address = select(accounts.c.id).where(accounts.c.email_key == reviewer_invitations.c.email_key).scalar_subquery()
    return select(
        reviewer_invitations.c.mediator_id, reviewer_invitations.c.email, of_address.label("account_id")
    ).where(_works)


@strawberry.input(description="Give a name and password for a new account. Leave them out if you're signed in.")
class AcceptInvitationInput:
    """An invitation's token, and what a new account needs."""

    token: str
    name: str | None = None
    password: str | None = None


async def accept_invitation(info: Info, input: AcceptInvitationInput) -> None:
    """Accept an invitation, with a name and password for a new account or signed in to the account at that address.

    Raises:
        Refused: something in the input needs fixing, or the invitation doesn't work.
        RateLimited: there were too many attempts.
    """
    context, token = info.context, input.token
    await context.limiter.count(limits.LINK_TRIES, context.viewer.address)
    hashed = hash_secret(token)
    async with context.database.reading() as reading:
        invitation = await reading.first(_invitation(), hash=hashed)
    if invitation is None:
        _refuse_invitation()
    # Before the transaction begins, because waiting for a hash mustn't hold a connection.
    new = None if invitation.account_id else await _new_reviewer(context, invitation.email, input)
    async with context.transaction() as transaction:
        invitation = await transaction.first(_invitation(), hash=hashed)
        if invitation is None:
            _refuse_invitation()
        account_id = invitation.account_id
        if account_id is None and new is not None:
            # Before the new address is taken: the mediator may be moving to it.
            await lock_with_mailboxes(transaction, invitation.mediator_id)
            account_id = uuid4()
            if not await put_account(
                transaction, account_id, new.name, invitation.email, Role.REVIEWER, password_hash=new.password_hash
            ):
                _refuse_signed_out()  # an account was made meanwhile
        elif account_id is None or account_id != context.viewer.account_id:
            _refuse_signed_out()
        people = await lock_with_mailboxes(transaction, invitation.mediator_id, account_id)
        roles = people[account_id].roles if account_id in people else ()
        if not await transaction.run(delete(reviewer_invitations).where(_works), hash=hashed):
            _refuse_invitation()
        await transaction.run(
            update(accounts).where(accounts.c.id == account_id).values(roles=sorted({*roles, Role.REVIEWER.value}))
        )
        # The link was sent to the account's address, no matter who signed up with it.
        if await mark_verified(transaction, account_id):
            await end_sessions(transaction, account_id, but=context.viewer.session_id)
        await put_reviewer(context, transaction, invitation.mediator_id, account_id, "token")


def _refuse_invitation() -> NoReturn:
    refuse("token", Code.NOT_FOUND, _("This invitation no longer works. Please ask for a new one."))


def _refuse_signed_out() -> NoReturn:
    refuse(
        "token",
        Code.SIGN_IN_REQUIRED,
        _("There's already an account with this address. Please sign in to it to accept."),
    )


class _NewReviewer(NamedTuple):
    name: str
    password_hash: str


async def _new_reviewer(context: Context, email: str, input: AcceptInvitationInput) -> _NewReviewer:
    check = Check()
    name = check.name("name", input.name)
    password = check.password("password", input.password or "", context.settings.organisation_name, name, email)
    check.done()
    return _NewReviewer(name, await hash_in_turn(context, password))
