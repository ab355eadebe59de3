"""Receipts: what somebody who gave feedback can do about it later, with nothing but the code they were shown."""

from datetime import date
from typing import NoReturn
from uuid import UUID

import strawberry
from sqlalchemy import ClauseElement, delete, select, true, update

from i18n import gettext as _
from models.account import accounts
from models.feedback import feedback
from models.statement import Row, Values, statement
from permissions.scopes import by_receipt
from permissions.secrets import hash_receipt, network_hash
from resolvers import limits
from resolvers.context import Context, Info
from resolvers.errors import Code, NotFound, refuse
from resolvers.feedback import Answered, answers_in_order

_feedback = feedback.c


class ReceiptRow(Row):
    """A piece of feedback as its giver sees it again: what they said, and what becomes of it, to the day."""

    mediator_id: UUID
    mediator_name: str
    received_on: date
    capacity: str
    acted_as: str
    shared: bool
    share_alone: bool
    released: bool
    by_invitation: bool
    answers: list[Answered]


@statement(ReceiptRow)
def _receipt() -> ClauseElement:
    return (
        select(
            _feedback.mediator_id,
            accounts.c.name.label("mediator_name"),
            _feedback.received_on,
            _feedback.capacity,
            _feedback.acted_as,
            _feedback.shared,
            _feedback.share_alone,
            _feedback.released,
            _feedback.by_invitation,
            answers_in_order(true()).label("answers"),
        )
        .select_from(feedback.join(accounts, accounts.c.id == _feedback.mediator_id))
        .where(by_receipt())
    )


async def _held(context: Context, code: str) -> Values:
    """Count an attempt, and give the parameters of `by_receipt`."""
    await context.limiter.count(limits.LINK_TRIES, context.viewer.address)
    return {"receipt": hash_receipt(code), "viewer": context.viewer.account_id}


async def feedback_receipt(info: Info, code: str) -> ReceiptRow:
    """Show a piece of feedback to somebody with its receipt.

    Raises:
        NotFound: there's no such receipt any more, or the feedback is about the viewer.
        RateLimited: there were too many attempts.
    """
    context = info.context
    held = await _held(context, code)
    async with context.database.opened_by(held["receipt"]).reading() as reading:
        row = await reading.first(_receipt(), **held)
    if row is None:
        raise NotFound
    return row


@strawberry.input
class ChangeFeedbackSharingInput:
    """The code of a receipt, and whether the mediator may read the answers, even if they arrive alone."""

    code: str
    share: bool
    share_alone: bool = False


async def change_feedback_sharing(info: Info, input: ChangeFeedbackSharingInput) -> ReceiptRow:
    """Share a piece of feedback, or no longer, as long as it hasn't been released. Gives the receipt.

    Raises:
        Refused: there's no such receipt, the feedback is about the viewer, or it's been released.
        RateLimited: there were too many attempts.
    """
    context, new = info.context, input
    held = await _held(context, new.code)
    async with context.transaction(link=held["receipt"]) as transaction:
        row = await transaction.first(_receipt(), **held)
        if row is None:
            _no_such_receipt()
        hashed = network_hash(context.settings, row.mediator_id, context.viewer.address)
        changed = await transaction.run(
            update(feedback)
            .where(by_receipt(), ~_feedback.released)
            .values(
                shared=new.share,
                share_alone=new.share and new.share_alone,
                network_hash=hashed if new.share and not row.by_invitation else None,
            ),
            **held,
        )
        if not changed:
            refuse(
                "share",
                Code.CONFLICT,
                _("Your answers have been released, so this can't be changed any more. You can still erase them."),
            )
        return await transaction.one(_receipt(), **held)


@strawberry.input
class EraseFeedbackInput:
    """The code of a receipt."""

    code: str


async def erase_feedback(info: Info, input: EraseFeedbackInput) -> None:
    """Erase a piece of feedback with its answers and origin, released or not.

    Raises:
        Refused: there's no such receipt, or the feedback is about the viewer.
        RateLimited: there were too many attempts.
    """
    held = await _held(info.context, input.code)
    async with info.context.transaction(link=held["receipt"]) as transaction:
        if not await transaction.run(delete(feedback).where(by_receipt()), **held):
            _no_such_receipt()


def _no_such_receipt() -> NoReturn:
    refuse("code", Code.NOT_FOUND, _("We have no feedback with this receipt. Please check the code."))
