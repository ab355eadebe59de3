"""Accounts: signing up, emailed links, and changing or deleting your own account."""

from datetime import datetime
from uuid import UUID, uuid4

import strawberry
from asyncpg import UniqueViolationError
from sqlalchemy import ClauseElement, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.types import Uuid

from jobs import mail
from models.account import LinkPurpose, Role, accounts
from models.database import Transaction
from models.mediator import Visibility, mediators
from models.statement import statement
from permissions.secrets import VERIFY_LASTS, Opens, hash_secret, link_secret
from resolvers import limits
from resolvers.access import end_sessions, has_second_factor, lock_own
from resolvers.account_deletion import erase_account
from resolvers.account_row import lock_with_administrators, named, put_account
from resolvers.address import (
    has_address,
    held_for,
    mark_verified,
    move_address,
    takes_turn_of,
    tell_registered,
    unproven,
)
from resolvers.context import Context, Info
from resolvers.idempotency import earlier_result, once
from resolvers.links import mail_link, refuse_link, use_link
from resolvers.mediator import own as own_mediator
from resolvers.mediator_row import MediatorRow
from resolvers.paging import ListedRow
from resolvers.passwords import hash_in_turn
from resolvers.sign_in import confirm_password
from resolvers.validation import Check
from settings import Settings

# What an account's owner and administrators see.
ACCOUNT_ROWS = select(
    accounts.c.id,
    accounts.c.name,
    accounts.c.email,
    accounts.c.roles,
    accounts.c.email_verified_at,
    accounts.c.paid_until,
    accounts.c.reviewer_confirmed_at,
    accounts.c.created_at,
    has_second_factor().label("second_factor"),
)


class AccountRow(ListedRow):
    """An account, as its owner and administrators see it."""

    name: str
    email: str
    roles: list[str]
    email_verified_at: datetime | None
    paid_until: datetime | None
    reviewer_confirmed_at: datetime | None
    created_at: datetime
    second_factor: bool


@statement(AccountRow)
def _account() -> ClauseElement:
    return ACCOUNT_ROWS.where(accounts.c.id == bindparam("id", type_=Uuid()))


async def account_of(context: Context, account_id: UUID) -> AccountRow | None:
    """Load one account."""
    async with context.database.reading() as reading:
        return await reading.first(_account(), id=account_id)


strawberry.enum(Role)
strawberry.enum(Visibility)


async def me(info: Info) -> AccountRow | None:
    """Load the viewer's own account."""
    return await account_of(info.context, info.context.account_id)


async def mediator(info: Info) -> MediatorRow | None:
    """Load the viewer's own profile; None if they aren't a mediator."""
    return await own_mediator(info.context)


@strawberry.input(description="A new mediator's account.")
class SignUpInput:
    """A new mediator."""

    name: str
    email: str
    password: str
    visibility: Visibility = Visibility.PRIVATE
    request_key: str | None = None


async def sign_up(info: Info, input: SignUpInput) -> None:
    """Make a mediator's account and email it a link that verifies its address.

    If the address already has an account, the answer is the same and its owner gets an email about it.

    Raises:
        Refused: something in the input needs fixing.
        RateLimited: there were too many attempts.
        BadInput: the `requestKey` is too long.
    """
    context, password = info.context, input.password
    await context.limiter.count(limits.SIGN_UP, context.viewer.address)
    check = Check()
    name, address = check.name("name", input.name), check.email("email", input.email) or ""
    check.password("password", password, context.settings.organisation_name, name, address)
    check.done()
    password_hash = await hash_in_turn(context, password)
    new_id = uuid4()
    async with context.transaction() as transaction:
        if await earlier_result(context, transaction, "signUp", once(input), new_id):
            return
        held = await held_for(context, address)
        await transaction.run(delete(accounts).where(unproven(address)))
        if not await put_account(transaction, new_id, name, address, Role.MEDIATOR, password_hash=password_hash):
            await tell_registered(transaction, address, held)
            return
        await add_profile(context.settings, transaction, new_id, input.visibility)
        await mail_link(
            context,
            transaction,
            new_id,
            LinkPurpose.VERIFY_EMAIL,
            VERIFY_LASTS,
            mail.VERIFY_EMAIL,
            held,
            other_id=takes_turn_of(address),
        )


async def add_profile(
    settings: Settings, transaction: Transaction, account_id: UUID, visibility: Visibility = Visibility.PRIVATE
) -> None:
    """Give an account a mediator's profile if it has none."""
    link = link_secret(settings, Opens.PERSONAL_LINK, account_id)
    await transaction.run(
        insert(mediators)
        .values(id=account_id, visibility=visibility, feedback_link_hash=hash_secret(link))
        .on_conflict_do_nothing()
    )


@strawberry.input
class VerifyEmailInput:
    """The token from an emailed link."""

    token: str


async def verify_email(info: Info, input: VerifyEmailInput) -> None:
    """Use the link that proves an address is the user's own, either a new account's or a new one for an old account.

    Nobody signed in until now has proved that, so every session ends except this browser's.

    Raises:
        Refused: the link doesn't work, or the address now belongs to another account.
        RateLimited: there were too many attempts.
    """
    context, token = info.context, input.token
    await context.limiter.count(limits.LINK_TRIES, context.viewer.address)
    try:
        async with context.transaction() as transaction:
            link = await use_link(transaction, token, LinkPurpose.VERIFY_EMAIL, LinkPurpose.CHANGE_EMAIL)
            if link is None:
                refuse_link()
            if link.purpose == LinkPurpose.CHANGE_EMAIL and link.new_email is not None:
                await move_address(transaction, link.account_id, link.new_email)
            await mark_verified(transaction, link.account_id)
            await end_sessions(transaction, link.account_id, but=context.viewer.session_id)
    except UniqueViolationError:  # someone else has verified the new address meanwhile
        refuse_link()


@strawberry.input
class UpdateAccountInput:
    """The viewer's new name."""

    name: str


async def update_account(info: Info, input: UpdateAccountInput) -> AccountRow | None:
    """Change the viewer's own name. Gives the account.

    Raises:
        Refused: something in the input needs fixing.
    """
    context, check = info.context, Check()
    name = check.name("name", input.name)
    check.done()
    async with context.transaction() as transaction:
        await transaction.run(update(accounts).where(accounts.c.id == context.account_id).values(named(name)))
    return await account_of(context, context.account_id)


@strawberry.input
class ChangeEmailInput:
    """The viewer's new address, and their password."""

    email: str
    password: str


async def change_email(info: Info, input: ChangeEmailInput) -> None:
    """Email a link to a new address. The account's address changes once the link is used.

    If the address already has an account, the answer is the same and its owner gets an email about it.

    Raises:
        Refused: something in the input needs fixing.
        RateLimited: there were too many attempts.
        Unauthenticated: the viewer's session has ended in the meantime.
    """
    context, check = info.context, Check()
    address = check.email("email", input.email) or ""
    check.done()
    await confirm_password(context, "password", input.password)
    await context.limiter.count(limits.INVITATIONS_SENT, context.account_id)
    held = await held_for(context, address)
    async with context.transaction() as transaction:
        await lock_own(context, transaction)
        taken = has_address(address) & (accounts.c.id != context.account_id) & ~unproven(address)
        if await transaction.value(select(accounts.c.id).where(taken), UUID):
            await tell_registered(transaction, address, held)
            return
        await mail_link(
            context,
            transaction,
            context.account_id,
            LinkPurpose.CHANGE_EMAIL,
            VERIFY_LASTS,
            mail.CHANGE_EMAIL,
            held,
            # Several accounts may ask to move to one address; none replaces another's email.
            other_id=context.account_id,
            new_email=address,
        )


@strawberry.input
class DeleteMyAccountInput:
    """The viewer's password, so that nobody else can delete their account."""

    password: str


async def delete_my_account(info: Info, input: DeleteMyAccountInput) -> None:
    """Delete the viewer's own account and everything in it.

    Raises:
        Refused: the password is wrong, or the viewer is the last administrator.
        RateLimited: there were too many attempts.
        Unauthenticated: the viewer's session has ended in the meantime.
    """
    context = info.context
    await confirm_password(context, "password", input.password)
    async with context.transaction() as transaction:
        await lock_with_administrators(transaction, context.account_id)  # all in order of their ids
        await lock_own(context, transaction)
        await erase_account(context, transaction, context.account_id)
    context.new_session = ""
