"""What administrators look through: undelivered email."""

from sqlalchemy import ClauseElement, func, select

from models.outbox import OutboxState, outbox
from models.statement import statement
from resolvers.context import Info
from resolvers.paging import Connection, Count, ListedRow, PageArguments, Sort, list_page, page_statement

_BY_ID = Sort("id", None)
_dead = outbox.c.state == OutboxState.DEAD
_dead_rows = select(outbox.c.id, outbox.c.kind, outbox.c.attempts, outbox.c.smtp_code).where(_dead)


class DeadMailRow(ListedRow):
    """An email that was given up."""

    kind: str
    attempts: int
    smtp_code: int | None


@statement(DeadMailRow)
def _dead_page(backwards: bool, cursor: bool | None) -> ClauseElement:
    return page_statement(_dead_rows, outbox.c.id, _BY_ID, backwards=backwards, cursor=cursor)


@statement(Count)
def _dead_count() -> ClauseElement:
    return select(func.count().label("count")).select_from(outbox).where(_dead)


async def dead_mail(info: Info, page: PageArguments) -> Connection[DeadMailRow]:
    """Give a page of the emails that were given up, without their recipients or texts.

    Raises:
        BadInput: the page's arguments don't fit together, or the cursor belongs to another list.
    """
    return await list_page(info.context.database, _dead_page, _dead_count(), _BY_ID, page)
