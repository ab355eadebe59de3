"""Whether feedback counts: many pieces from one place wait for an administrator, and a mediator's own never do.

Nobody who gives feedback can tell whether theirs counts: it's stored, answered and shown by its receipt in any case.
"""

from uuid import UUID

from sqlalchemy import select

from jobs.feedback_notice import queue_notice
from models.account import accounts
from models.database import Transaction
from models.feedback import Admission
from resolvers import limits
from resolvers.address import is_own
from resolvers.context import Context
from settings import Notice


async def admission_of(
    context: Context, transaction: Transaction, mediator_id: UUID, email: str | None, *, by_request: bool
) -> Admission:
    """Say whether a piece of feedback counts that the viewer gives, perhaps with an address.

    It runs the same statements in any case, so timing tells nobody whose address it is.
    """
    viewer = select(accounts.c.email_key).where(accounts.c.id == context.viewer.account_id)
    own = await is_own(transaction, mediator_id, email, await transaction.value(viewer, str))
    over = not by_request and await context.limiter.is_over(limits.FEEDBACK_ABOUT, mediator_id, context.viewer.address)
    return Admission.DISCARDED if own else Admission.HELD if over else Admission.ADMITTED


async def tell_mediator(
    context: Context,
    transaction: Transaction,
    feedback_id: UUID,
    mediator_id: UUID,
    admission: Admission,
    *,
    by_request: bool,
) -> None:
    """Queue the notice about a piece of feedback. Unless it's admitted, that's undone after it was written."""
    named = context.settings.feedback_notice is Notice.NAMED and not by_request
    over = named and await context.limiter.is_over(limits.NOTICES_TO, mediator_id)
    await transaction.savepoint()
    await queue_notice(transaction, context.settings, feedback_id, mediator_id, over=over)
    await (transaction.release() if admission is Admission.ADMITTED else transaction.rollback_to())
