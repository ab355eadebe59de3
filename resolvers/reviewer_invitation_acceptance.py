"""Accepting an invitation to review a mediator, with an existing account or a new one. It's the reviewer's own yes."""

from dataclasses import replace
from typing import NamedTuple, NoReturn
from uuid import UUID, uuid4

import strawberry
from sqlalchemy import ClauseElement, and_, bindparam, func, select, update
from sqlalchemy.types import LargeBinary

from i18n import gettext as _
from models.account import Role, accounts
from models.database import Transaction
from models.reviewer import Relation, reviewer_invitations
from models.statement import Row, statement
from permissions.secrets import hash_secret
from permissions.viewer import Viewer
from resolvers import limits
from resolvers.access import end_sessions
from resolvers.account_row import lock_with_mailboxes, put_account
from resolvers.address import mark_verified
from resolvers.context import Context, Info
from resolvers.errors import Code, refuse
from resolvers.passwords import hash_in_turn
from resolvers.reviewer_answer import accept, read_relation
from resolvers.reviewer_appointment import choose_reviewer, lock_appointments
from resolvers.validation import Check


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
    """An invitation's token, how the reviewer knows the mediator, and what a new account needs."""

    token: str
    relation: Relation
    relation_details: str | None = None
    name: str | None = None
    password: str | None = None


async def accept_invitation(info: Info, input: AcceptInvitationInput) -> None:
    """Accept an invitation, with a name and password for a new account or signed in to the account at that address.

    The mediator's other invitations end. The reviewer has said yes; an administrator's yes may still be missing.

    Raises:
        Refused: something in the input needs fixing, or the invitation doesn't work.
        RateLimited: there were too many attempts.
    """
    context, link = info.context, hash_secret(input.token)
    await context.limiter.count(limits.LINK_TRIES, context.viewer.address)
    async with context.database.opened_by(link).reading() as reading:
        invitation = await reading.first(_invitation(), hash=link)
    if invitation is None:
        _refuse_invitation()
    check = Check()
    declared = read_relation(check, input.relation, input.relation_details)
    if invitation.account_id:
        check.done()
    # Before the transaction begins, because waiting for a hash mustn't hold a connection.
    new = None if invitation.account_id else await _new_reviewer(context, check, invitation.email, input)
    if new:
        # Only the owner of the address has the link: from here on, they act as the account that they make.
        viewer = Viewer(new.id, frozenset({Role.REVIEWER}), verified=True, address=context.viewer.address)
        context = replace(context, viewer=viewer)
    async with context.transaction(link=link) as transaction:
        await lock_appointments(transaction)
        invitation = await transaction.first(_invitation(), hash=link)
        if invitation is None:
            _refuse_invitation()
        await _become_reviewer(context, transaction, invitation, new)
        if not await transaction.value(select(func.end_invitations()), int):
            _refuse_invitation()
        await choose_reviewer(context, transaction, invitation.mediator_id, context.account_id, "token")
        await accept(context, transaction, invitation.mediator_id, declared, "token")


async def _become_reviewer(
    context: Context, transaction: Transaction, invitation: _InvitationRow, new: "_NewReviewer | None"
) -> None:
    """Make the new account, or give the viewer's own the role."""
    if invitation.account_id is None and new is not None:
        # Before the new address is taken: the mediator may be moving to it.
        await lock_with_mailboxes(transaction, invitation.mediator_id)
        made = await put_account(
            transaction, new.id, new.name, invitation.email, Role.REVIEWER, password_hash=new.password_hash
        )
        if not made:
            _refuse_signed_out()  # an account was made meanwhile
    elif invitation.account_id is None or invitation.account_id != context.viewer.account_id:
        _refuse_signed_out()
    people = await lock_with_mailboxes(transaction, invitation.mediator_id, context.account_id)
    roles = people[context.account_id].roles if context.account_id in people else ()
    await transaction.run(
        update(accounts).where(accounts.c.id == context.account_id).values(roles=sorted({*roles, Role.REVIEWER.value}))
    )
    # The link was sent to the account's address, no matter who signed up with it.
    if await mark_verified(transaction, context.account_id):
        await end_sessions(transaction, context.account_id, but=context.viewer.session_id)


def _refuse_invitation() -> NoReturn:
    refuse("token", Code.NOT_FOUND, _("This invitation no longer works. Please ask for a new one."))


def _refuse_signed_out() -> NoReturn:
    refuse(
        "token",
        Code.SIGN_IN_REQUIRED,
        _("There's already an account with this address. Please sign in to it to accept."),
    )


class _NewReviewer(NamedTuple):
    id: UUID
    name: str
    password_hash: str


async def _new_reviewer(context: Context, check: Check, email: str, input: AcceptInvitationInput) -> _NewReviewer:
    name = check.name("name", input.name)
    password = check.password("password", input.password or "", context.settings.organisation_name, name, email)
    check.done()
    return _NewReviewer(uuid4(), name, await hash_in_turn(context, password))
