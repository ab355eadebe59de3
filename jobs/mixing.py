"""Removes what PostgreSQL's storage keeps of what was written together.

A row keeps the number of the transaction that wrote it, and a place in its table. Answering a request writes the
answers, their origin and the mark of the used link in one transaction, so somebody with the files or a dump could tell
which of them belong together, and in which order they came. So once a day they're all rewritten, in one transaction
and in random order, and then each table in the order of its random ids, without the earlier versions of its rows.

Between the two steps, a mark says which tables are still to be rewritten; a worker that ends there leaves it to the
next one.
"""

from datetime import timedelta

from sqlalchemy import ClauseElement, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.types import Interval, LargeBinary

from models.database import Database, Transaction
from models.feedback import feedback, feedback_answers, feedback_origins, feedback_requests, spent_links
from models.outbox import chores
from models.statement import Row, statement
from permissions.scopes import link_works
from permissions.secrets import spent_marks
from settings import Settings

LEAST = 20  # pieces rewritten at once, if there are so many
MIXED = tuple(table.name for table in (feedback, feedback_answers, feedback_origins, spent_links))

LONGEST = 3600.0  # seconds; if it were cut off, it would begin again, and lock the table again

_FORGOTTEN_WITHIN = timedelta(days=120)  # a month after the link has ended, even if no worker ran in the meantime
_MARK = "rewrite "


class _OverRow(Row):
    secret_hash: bytes


@statement(_OverRow)
def _over() -> ClauseElement:
    recent = feedback_requests.c.made_at > func.clock() - bindparam("within", _FORGOTTEN_WITHIN, Interval())
    return select(feedback_requests.c.secret_hash).where(~link_works(), recent)


async def _forget_spent(transaction: Transaction, settings: Settings) -> None:
    """Delete the marks of used links that wouldn't work any more anyway."""
    over = [mark for row in await transaction.all(_over()) for mark in spent_marks(settings, row.secret_hash)]
    if over:
        marks = bindparam("marks", over, ARRAY(LargeBinary()))
        await transaction.run(delete(spent_links).where(spent_links.c.mark == func.any(marks)))


async def mix(transaction: Transaction, settings: Settings) -> None:
    """Rewrite what parties gave since the last time, in random order, with at least `LEAST` pieces in all."""
    await _forget_spent(transaction, settings)
    if await transaction.value(select(func.mix_answers(LEAST)), int):
        await have_rewritten(transaction, *MIXED)


async def have_rewritten(transaction: Transaction, *tables: str) -> None:
    """Have whole tables rewritten, without what was deleted or overwritten, once this transaction has committed."""
    marks = [{"name": f"{_MARK}{table}"} for table in tables]
    await transaction.run(insert(chores).values(marks).on_conflict_do_nothing())


class _MarkRow(Row):
    name: str


@statement(_MarkRow)
def _marked() -> ClauseElement:
    return select(chores.c.name).where(chores.c.name.startswith(_MARK)).order_by(chores.c.name)


async def rewrite_tables(database: Database) -> int:
    """Write the tables again that are marked for it. Gives how many were; the others are in use, and have to wait."""
    async with database.reading() as reading:
        marked = await reading.all(_marked())
    return sum([await _rewrite(database, row.name) for row in marked])


async def _rewrite(database: Database, mark: str) -> bool:
    async with database.transaction() as transaction:
        table = mark.removeprefix(_MARK)
        done = await transaction.call(func.rewrite(table), LONGEST)
        if done:
            await transaction.run(delete(chores).where(chores.c.name == mark))
    return bool(done)
