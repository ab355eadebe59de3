"""The lists that each mediator has for themselves alone: their requests and their invitations."""

from collections.abc import Callable, Sequence
from uuid import UUID

from models.statement import Statement
from resolvers.context import Context
from resolvers.paging import PARENT, Connection, Count, ListedT, PageArguments, Sort, connection, counting, page_values


async def own_page(
    context: Context,
    rows: Callable[[bool, bool | None], Statement[ListedT]],
    counted: Statement[Count],
    sort: Sort,
    asked: PageArguments,
    mediator_id: UUID,
) -> Connection[ListedT]:
    """Give a page of a mediator's own list. Those of several mediators take one statement.

    `rows` makes it, from "backwards" and "cursor" as `page_statement` takes them; `counted` counts the whole list of
    the mediator `parent`.

    Raises:
        BadInput: the cursor belongs to another list.
    """
    cursor, paging = page_values(sort, asked)

    async def pages(parents: list[UUID]) -> Sequence[list[ListedT]]:
        async with context.database.reading() as reading:
            found = await reading.all(rows(asked.backwards, cursor), parents=parents, **paging)
        return [[row for row in found if row[PARENT] == parent] for parent in parents]

    found = await context.load(pages, (rows, asked), mediator_id)
    return connection(found, sort, asked, counting(context.database, counted, parent=mediator_id))
