"""Accounts: signing up, the links in mails, changing and deleting one's own."""

from typing import NoReturn
from uuid import UUID, uuid4

import strawberry
from asyncpg import UniqueViolationError
from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.types import Uuid

from i18n import gettext as _
from jobs import mail
from jobs.outbox import enqueue
from models.account import LinkPurpose, Role, account_links, accounts, second_factors
from models.database import Row, Statement, Transaction
from models.mediator import Visibility, mediators
from permissions.addresses import account_key
from permissions.secrets import (
    RESET_LASTS,
    VERIFY_LASTS,
    Opens,
    device_token,
    fold_name,
    hash_secret,
    link_secret,
)
from resolvers import limits
from resolvers.access import end_all, end_pending, end_sessions, has_second_factor, lock_own
from resolvers.address import (
    has_address,
    held_for,
    mark_verified,
    move_address,
    reset_held_for,
    takes_turn_of,
    tell_registered,
    unproven,
)
from resolvers.checks import Check
from resolvers.context import Context, Info
from resolvers.deletion import erase_account, lock_account
from resolvers.errors import Code, NotFound, refuse
from resolvers.links import linked_account, mail_link, use_link
from resolvers.mediator import own as own_mediator
from resolvers.passwords import hash_password
from resolvers.repeats import earlier_result, once
from resolvers.sign_in import begin_session, confirm_password
from settings import Settings

# What the account's owner and administrators see of it.
ACCOUNT_ROWS = select(
    accounts.c.id,
    accounts.c.name,
    accounts.c.email,
    accounts.c.roles,
    accounts.c.email_verified_at,
    accounts.c.paid_until,
    accounts.c.created_at,
    has_second_factor().label("second_factor"),
)
_ACCOUNT = Statement(ACCOUNT_ROWS.where(accounts.c.id == bindparam("id", type_=Uuid())))


async def account_of(context: Context, account_id: UUID) -> Row | None:
    """Load one account."""
    async with context.database.reading() as reading:
        return await reading.first(_ACCOUNT, id=account_id)


strawberry.enum(Role)
strawberry.enum(Visibility)


async def me(info: Info) -> Row | None:
    """Load the viewer's own account."""
    return await account_of(info.context, info.context.account_id)


async def mediator(info: Info) -> Row | None:
    """Load the viewer's own profile, None if they are no mediator."""
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
    """Make a mediator's account and mail it a link that verifies its address.

    The answer is the same where the address has an account: its owner is told by mail. Raises Refused and RateLimited.
    """
    context, password = info.context, input.password
    await context.limiter.count(limits.SIGN_UP, context.viewer.address)
    check = Check()
    name, address = check.name("name", input.name), check.email("email", input.email) or ""
    check.password("password", password, context.settings.organisation_name, name, address)
    check.done()
    password_hash = await hash_password(context, password)
    new_id = uuid4()
    async with context.transaction() as transaction:
        if await earlier_result(context, transaction, "signUp", once(input), new_id):
            return
        held = await held_for(context, address)
        await transaction.run(delete(accounts).where(unproven(address)))
        made = await transaction.run(
            insert(accounts)
            .values(
                id=new_id,
                name=name,
                name_key=fold_name(name),
                email=address,
                email_key=account_key(address),
                password_hash=password_hash,
                roles=[Role.MEDIATOR.value],
            )
            .on_conflict_do_nothing()
        )
        if not made:
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
    """Give an account a mediator's profile, unless it has one."""
    link = link_secret(settings, Opens.PERSONAL_LINK, account_id)
    await transaction.run(
        insert(mediators)
        .values(id=account_id, visibility=visibility, feedback_link_hash=hash_secret(link))
        .on_conflict_do_nothing()
    )


@strawberry.input
class VerifyEmailInput:
    """The token of a mailed link."""

    token: str


async def verify_email(info: Info, input: VerifyEmailInput) -> None:
    """Use a link that shows an address to be one's own: of a new account, or a new address of an old one.

    Whoever else was signed in had not shown it: every session but this browser's ends. Raises Refused and RateLimited.
    """
    context, token = info.context, input.token
    await context.limiter.count(limits.LINK_TRIES, context.viewer.address)
    try:
        async with context.transaction() as transaction:
            link = await use_link(transaction, token, LinkPurpose.VERIFY_EMAIL, LinkPurpose.CHANGE_EMAIL)
            if link is None:
                _refuse_link()
            if link.purpose == LinkPurpose.CHANGE_EMAIL:
                await move_address(transaction, link.account_id, link.new_email)
            await mark_verified(transaction, link.account_id)
            await end_sessions(transaction, link.account_id, but=context.viewer.session_id)
    except UniqueViolationError:  # somebody else has shown the new address to be theirs meanwhile
        _refuse_link()


def _refuse_link() -> NoReturn:
    refuse("token", Code.NOT_FOUND, _("This link no longer works. Please ask for a new one."))


@strawberry.input
class RequestPasswordResetInput:
    """Whose password to set anew."""

    email: str


async def request_password_reset(info: Info, input: RequestPasswordResetInput) -> None:
    """Mail a link that sets a new password, if there is such an account.

    The answer is the same if not, and so is what is done for it: the worker finds that there is nothing to send.
    Raises Refused and RateLimited.
    """
    context = info.context
    await context.limiter.count(limits.RESET_ADDRESS, context.viewer.address)
    check = Check()
    address = check.email("email", input.email) or ""
    check.done()
    held = await reset_held_for(context, address)
    async with context.transaction() as transaction:
        account_id = await transaction.value(select(accounts.c.id).where(has_address(address)))
        await mail_link(
            context,
            transaction,
            account_id or uuid4(),
            LinkPurpose.RESET_PASSWORD,
            RESET_LASTS,
            mail.RESET_PASSWORD,
            held,
        )


@strawberry.input
class ResetPasswordInput:
    """The token of a mailed link, and the new password."""

    token: str
    password: str


async def reset_password(info: Info, input: ResetPasswordInput) -> None:
    """Set a password by a mailed link, which also shows the address to be one's own; all else that opens it ends.

    Raises Refused and RateLimited.
    """
    context, token, password = info.context, input.token, input.password
    await context.limiter.count(limits.LINK_TRIES, context.viewer.address)
    check = Check()
    check.password("password", password, context.settings.organisation_name)
    check.done()
    purposes = LinkPurpose.RESET_PASSWORD, LinkPurpose.SET_PASSWORD
    async with context.database.reading() as reading:
        account_id = await linked_account(reading, token, *purposes)
    if account_id is None:
        _refuse_link()
    hashed = await _hash_own(context, account_id, "password", password)
    async with context.transaction() as transaction:
        link = await use_link(transaction, token, *purposes)
        if link is None:
            _refuse_link()
        await _set_password(context, transaction, link.account_id, hashed)
        await end_all(transaction, link.account_id)
        await mark_verified(transaction, link.account_id)
        if link.purpose == LinkPurpose.RESET_PASSWORD:
            await enqueue(transaction, mail.PASSWORD_CHANGED, link.account_id)


async def _hash_own(context: Context, account_id: UUID, field: str, password: str) -> str:
    """Check a password that is to be an account's, and hash it. Raises NotFound if there is no such account.

    Before any transaction begins: whoever waits for a hash, perhaps for seconds, must not hold a connection meanwhile.
    """
    async with context.database.reading() as reading:
        account = await reading.first(select(accounts.c.name, accounts.c.email).where(accounts.c.id == account_id))
    if account is None:
        raise NotFound
    check = Check()
    check.password(field, password, account.name, account.email)
    check.done()
    return await hash_password(context, password)


async def _set_password(context: Context, transaction: Transaction, account_id: UUID, hashed: str) -> None:
    """Set a password. What was begun with the old one ends: mailed links, a factor's set-up, pending sign-ins.

    This browser counts as the owner's from now on: it was given the password before, or a link from their mail.
    """
    context.new_device = device_token(context.settings, hashed)
    await transaction.run(update(accounts).where(accounts.c.id == account_id).values(password_hash=hashed))
    await end_pending(transaction, account_id)
    unconfirmed = (second_factors.c.account_id == account_id) & second_factors.c.confirmed_at.is_(None)
    await transaction.run(delete(second_factors).where(unconfirmed))
    await transaction.run(
        delete(account_links).where(
            account_links.c.account_id == account_id, account_links.c.purpose != LinkPurpose.VERIFY_EMAIL
        )
    )


@strawberry.input
class ChangePasswordInput:
    """The viewer's present password and the new one."""

    current_password: str
    new_password: str
    end_others: bool = strawberry.field(
        default=True,
        description="Whether all else that opens your account ends: other sessions, API tokens, links to your data.",
    )


async def change_password(info: Info, input: ChangePasswordInput) -> None:
    """Change one's own password; this browser gets a new session.

    With `end_others`, all else that opens the account ends: other sessions, API tokens, links to copies of its data.
    Raises Refused and RateLimited.
    """
    context, new = info.context, input.new_password
    check = Check()
    check.password("newPassword", new, context.settings.organisation_name)
    check.done()
    await confirm_password(context, "currentPassword", input.current_password)
    hashed = await _hash_own(context, context.account_id, "newPassword", new)
    async with context.transaction() as transaction:
        await lock_own(context, transaction)
        await _set_password(context, transaction, context.account_id, hashed)
        if input.end_others:
            await end_all(transaction, context.account_id)
        await begin_session(context, transaction, context.account_id)
        await enqueue(transaction, mail.PASSWORD_CHANGED, context.account_id)


@strawberry.input
class UpdateAccountInput:
    """The viewer's new name."""

    name: str


async def update_account(info: Info, input: UpdateAccountInput) -> Row | None:
    """Change one's own name; give the account. Raises Refused."""
    context, check = info.context, Check()
    name = check.name("name", input.name)
    check.done()
    async with context.transaction() as transaction:
        await transaction.run(
            update(accounts).where(accounts.c.id == context.account_id).values(name=name, name_key=fold_name(name))
        )
    return await account_of(context, context.account_id)


@strawberry.input
class ChangeEmailInput:
    """The viewer's new address, and their password."""

    email: str
    password: str


async def change_email(info: Info, input: ChangeEmailInput) -> None:
    """Mail a link to a new address, which is the account's once the link is used.

    The answer is the same where the address has an account: its owner is told by mail. Raises Refused and RateLimited.
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
        if await transaction.first(select(accounts.c.id).where(taken)):
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
            # Several accounts may ask to move to one address, and none takes another's mail away.
            other_id=context.account_id,
            new_email=address,
        )


@strawberry.input
class DeleteMyAccountInput:
    """The viewer's password, so that nobody else deletes their account."""

    password: str


async def delete_my_account(info: Info, input: DeleteMyAccountInput) -> None:
    """Delete one's own account and everything of it. Raises Refused and RateLimited."""
    context = info.context
    await confirm_password(context, "password", input.password)
    async with context.transaction() as transaction:
        await lock_account(transaction, context.account_id)  # with all administrators, in their order
        await lock_own(context, transaction)
        await erase_account(context, transaction, context.account_id)
    context.new_session = ""
