"""The notice: how a mediator hears that feedback about them came, as `FEEDBACK_NOTICE` says.

A discreet one says that something came the day before, and nothing must tell more: not when it's sent, not how often,
not its row. So there's one row for each mediator and day, however much comes. It's due at a random moment of the next
day, when nothing can be added to it any more, has no id but the mediator's, and isn't stamped with the moment when it
was written, which is that of the feedback's origin.
"""

from datetime import timedelta
from random import uniform
from uuid import UUID

from sqlalchemy import ClauseElement, bindparam, cast, extract, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.types import BigInteger, Interval, Text, Uuid

from jobs import mail
from jobs.outbox import HELD, enqueue_mail
from models.database import Transaction
from models.outbox import outbox
from models.statement import Row, statement
from settings import Notice, Settings


async def queue_notice(
    transaction: Transaction, settings: Settings, feedback_id: UUID, mediator_id: UUID, *, over: bool
) -> None:
    """Write the mail about a piece of feedback, if there is one. `over`: the mediator has had enough named ones."""
    if settings.feedback_notice is Notice.NAMED:
        await enqueue_mail(transaction, mail.FEEDBACK_RECEIVED, feedback_id, str(mediator_id) if over else None)
    elif settings.feedback_notice is Notice.DISCREET:
        wait = timedelta(days=uniform(1, 2))  # noqa: S311 - no secret
        await transaction.run(_discreet(), mediator_id=mediator_id, whose=f"{_PLACE}{mediator_id}:", wait=wait)


_PLACE = f"{HELD}{mail.DISCREET_NOTICE.name}:"  # it waits on purpose


@statement(Row)
def _discreet() -> ClauseElement:
    today = func.date_trunc("day", func.clock(), "UTC")
    due = today + bindparam("wait", type_=Interval())
    return (
        insert(outbox)
        .inline()
        .values(
            kind=mail.DISCREET_NOTICE.name,
            subject_id=bindparam("mediator_id", type_=Uuid()),
            dedupe_key=bindparam("whose", type_=Text()) + cast(cast(extract("epoch", today), BigInteger), Text),
            next_at=due,
            created_at=due,
        )
        .on_conflict_do_nothing()
    )
