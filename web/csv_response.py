"""Exports of a page's table: CSV of the whole list as it is filtered and ordered, streamed page by page."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from resolvers.paging import MAX_PAGE_SIZE  # rows in memory at a time
from web.client import query
from web.csv_writer import stream
from web.listing import ListColumn, Listing, View
from web.page import Audience, Page, page

Row = dict[str, Any]
Spread = Callable[[Row], Iterable[Row]]


def csv_export(
    path: str,
    audience: Audience,
    listing: Listing,
    *,
    document: str,
    operation: str,
    found_at: Sequence[str],
    variables: Callable[[Request], dict[str, Any]] | None = None,
    spread: Spread | None = None,
) -> Page:
    """Declare the export of a table as a page.

    `found_at` leads to the list in the operation's result. `variables` gives the ones that come from the path, if any.
    `spread` makes several rows of one.
    """

    async def answer(request: Request) -> Response:
        view = View(request, listing, path)
        more = variables(request) if variables else {}
        return await csv_response(request, view, operation, found_at, spread, **more)

    return page(path, audience, document=document)(answer)


async def csv_response(
    request: Request,
    view: View,
    operation: str,
    found_at: Sequence[str],
    spread: Spread | None = None,
    **variables: Any,
) -> Response:
    """Answer with a table's CSV; `found_at` leads to the list in the operation's result.

    An error in its first rows is shown as a page; a later one breaks off the download, so that nobody mistakes a part
    for the whole.
    """
    rows = _walk(request, view, operation, found_at, variables)
    if spread:
        rows = _spread(rows, spread)
    first = await anext(rows, None)
    columns = view.listing.exported
    body = stream([str(column.title) for column in columns], _cells(columns, first, rows))
    headers = {"Content-Disposition": f'attachment; filename="{view.listing.name}.csv"'}
    return StreamingResponse(body, media_type="text/csv; charset=utf-8", headers=headers)


async def _walk(
    request: Request, view: View, operation: str, found_at: Sequence[str], variables: dict[str, Any]
) -> AsyncIterator[dict[str, Any]]:
    """Walk the list to its end."""
    after, more = None, True
    while more:
        found = await query(request, operation, first=MAX_PAGE_SIZE, after=after, **view.choice(), **variables)
        for name in found_at:
            found = found[name]
        for row in found["nodes"]:
            yield row
        after, more = found["pageInfo"]["endCursor"], found["pageInfo"]["hasNextPage"]


async def _spread(rows: AsyncIterator[Row], spread: Spread) -> AsyncIterator[Row]:
    async for row in rows:
        for one in spread(row):
            yield one


async def _cells(
    columns: Sequence[ListColumn], first: dict[str, Any] | None, rows: AsyncIterator[dict[str, Any]]
) -> AsyncIterator[dict[str, Any]]:
    if first is None:
        return
    yield _row(columns, first)
    async for row in rows:
        yield _row(columns, row)


def _row(columns: Sequence[ListColumn], row: dict[str, Any]) -> dict[str, Any]:
    return {str(column.title): column.kind.cell(row[column.field]) for column in columns}
