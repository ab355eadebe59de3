"""What is erased by the clock, and whose turn a recurring job is.

Every job here can run at any time, any number of times, in any worker.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from enum import StrEnum

import structlog
from sqlalchemy import ClauseElement, Date, and_, bindparam, cast, delete, func, or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.types import Integer, Interval, Text

from jobs.metrics import CHORE_RUNS
from jobs.mixing import have_rewritten
from models.account import account_links, api_tokens, pending_sign_ins, request_keys, sessions
from models.database import Database, Transaction
from models.feedback import details_keys, feedback, feedback_origins, feedback_request_details
from models.outbox import OutboxState, chores, data_exports, outbox
from models.reviewer import reviewer_invitations
from models.statement import Row, statement
from permissions.scopes import DETAILS_KEPT, details_kept
from permissions.secrets import PENDING_SIGN_IN_LASTS
from settings import Settings

log = structlog.get_logger()

REQUEST_KEY_KEPT = text("interval '24 hours'")
FINISHED_KEPT = text("interval '7 days'")
DEAD_KEPT = text("interval '30 days'")


async def erase_request_details(transaction: Transaction) -> int:
    """Delete the names, addresses and references of requests whose time is over; give how many.

    The key of a day goes with the last of that day.
    """
    first_kept = cast(func.timezone("UTC", func.clock() - DETAILS_KEPT), Date)
    if await transaction.run(delete(details_keys).where(details_keys.c.day < first_kept)):
        await have_rewritten(transaction, details_keys.name)
    return await transaction.run(delete(feedback_request_details).where(~details_kept()))


async def erase_origins(transaction: Transaction, settings: Settings) -> int:
    """Delete who gave feedback, and when, once it's older than `ORIGIN_KEPT`; give how many."""
    kept = func.make_interval(0, bindparam("months", settings.origin_kept, Integer()))
    today = cast(func.timezone("UTC", func.clock()), Date)
    old = select(feedback.c.id).where(feedback.c.received_on < today - kept)
    return await transaction.run(delete(feedback_origins).where(feedback_origins.c.id.in_(old)))


async def clean_up(transaction: Transaction, settings: Settings) -> None:
    """Delete spent and ended sessions, sign-ins, tokens, links, invitations, archives, keys, and finished work."""
    now = func.clock()
    idle, whole = timedelta(days=settings.session_idle_days), timedelta(days=settings.session_days)
    await transaction.run(
        delete(sessions).where(
            or_(
                sessions.c.used_at < now - bindparam("idle", idle, Interval()),
                sessions.c.created_at < now - bindparam("whole", whole, Interval()),
            )
        )
    )
    begun_before = now - bindparam("lasts", PENDING_SIGN_IN_LASTS, Interval())
    await transaction.run(delete(pending_sign_ins).where(pending_sign_ins.c.created_at < begun_before))
    # One without an end was made by an older version, and opens nothing.
    ended = or_(api_tokens.c.expires_at < now, api_tokens.c.expires_at.is_(None), api_tokens.c.revoked_at < now)
    await transaction.run(delete(api_tokens).where(ended))
    await transaction.run(delete(account_links).where(account_links.c.expires_at < now))
    await transaction.run(delete(reviewer_invitations).where(reviewer_invitations.c.expires_at < now))
    await transaction.run(delete(data_exports).where(data_exports.c.expires_at < now))
    await transaction.run(delete(request_keys).where(request_keys.c.made_at < now - REQUEST_KEY_KEPT))
    await transaction.run(
        delete(outbox).where(
            or_(
                and_(outbox.c.state != OutboxState.DEAD, outbox.c.finished_at < now - FINISHED_KEPT),
                outbox.c.finished_at < now - DEAD_KEPT,
            )
        )
    )


class Every(StrEnum):
    """How often a turn comes: a period of the database's clock, as PostgreSQL calls it."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"


class _Turn(Row):
    ran_at: datetime


@statement(_Turn)
def _due(every: Every) -> ClauseElement:
    """Claim a turn: a row comes back to exactly one worker in each period of the database's clock.

    A clock that was put back is in a different period, too, so it doesn't stop anything.
    """
    period = func.date_trunc(every.value, func.clock())
    return (
        insert(chores)
        .values(name=bindparam("chore", type_=Text()), ran_at=func.clock())
        .on_conflict_do_update(
            index_elements=[chores.c.name],
            set_={"ran_at": func.clock()},
            where=func.date_trunc(every.value, chores.c.ran_at) != period,
        )
        .returning(chores.c.ran_at)
    )


async def take_turn(
    database: Database, name: str, every: Every, job: Callable[[Transaction], Awaitable[int | None]]
) -> bool:
    """Run a recurring job if it's due, in the transaction that claims its turn; tell whether it was.

    If it fails, the turn can still be taken.
    """
    try:
        async with database.transaction() as transaction:
            turn = await transaction.first(_due(every), chore=name)
            if turn is not None:
                await job(transaction)
    except Exception:
        CHORE_RUNS.labels(name, "failed").inc()
        raise
    if turn is None:
        return False
    CHORE_RUNS.labels(name, "done").inc()
    log.info("chore", chore=name, at=turn.ran_at.isoformat())
    return True
