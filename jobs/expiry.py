"""What is erased or released by the clock. Every job here can run at any time, any number of times, in any worker."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Literal

import structlog
from sqlalchemy import ClauseElement, and_, bindparam, delete, func, or_, text, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.types import Interval, Text

from jobs.metrics import CHORES
from jobs.outbox import release_from_clock
from models.account import account_links, api_tokens, pending_sign_ins, request_keys, sessions
from models.database import Database, Transaction
from models.feedback import feedback, feedback_request_details
from models.outbox import OutboxState, chores, data_exports, outbox
from models.reviewer import reviewer_invitations
from models.statement import Row, Statement, statement
from permissions.scopes import details_kept
from permissions.secrets import PENDING_SIGN_IN_LASTS
from settings import Release, Settings

log = structlog.get_logger()

REQUEST_KEY_KEPT = text("interval '24 hours'")
FINISHED_KEPT = text("interval '7 days'")
DEAD_KEPT = text("interval '30 days'")


async def erase_request_details(transaction: Transaction) -> int:
    """Delete names, addresses and references of requests whose days are over; give how many."""
    return await transaction.run(delete(feedback_request_details).where(~details_kept()))


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
    # One without an end, which an older version made, opens nothing.
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


async def release_shared(transaction: Transaction) -> int:
    """Let the mediators see what was shared with them since the last batch; give how many."""
    return await transaction.run(
        update(feedback).where(feedback.c.shared, ~feedback.c.released).values(released=true())
    )


class _Turn(Row):
    ran_at: datetime


@statement(_Turn)
def _due(every: Literal["minute", "hour", "day"]) -> ClauseElement:
    """Claim a chore's turn: a row comes back to exactly one worker in each period of the database's clock.

    A clock that was put back is in another period too, so it stops nothing.
    """
    period = func.date_trunc(every, func.clock())
    return (
        insert(chores)
        .values(name=bindparam("chore", type_=Text()), ran_at=func.clock())
        .on_conflict_do_update(
            index_elements=[chores.c.name],
            set_={"ran_at": func.clock()},
            where=func.date_trunc(every, chores.c.ran_at) != period,
        )
        .returning(chores.c.ran_at)
    )


async def run_chores(database: Database, settings: Settings) -> list[str]:
    """Run what is due and give the names of what ran; each is a transaction of its own, and stops no other."""
    chores_due: list[tuple[str, Statement[_Turn], Callable[[Transaction], Awaitable[object]]]] = [
        ("erase_request_details", _due("minute"), erase_request_details),
        ("release_from_clock", _due("minute"), release_from_clock),
        ("clean_up", _due("hour"), lambda transaction: clean_up(transaction, settings)),
        (
            "release_shared",
            _due("day") if settings.shared_release is Release.DAILY else _due("minute"),
            release_shared,
        ),
    ]
    ran = []
    for name, due, job in chores_due:
        try:
            async with database.transaction() as transaction:
                turn = await transaction.first(due, chore=name)
                if turn is not None:
                    await job(transaction)
            if turn is not None:
                CHORES.labels(name, "done").inc()
                log.info("chore", chore=name, at=turn.ran_at.isoformat())
                ran.append(name)
        except Exception as error:  # it is tried again at the next sweep
            CHORES.labels(name, "failed").inc()
            log.error("chore_failed", chore=name, exc_info=error)
    return ran
