"""Exports of a page's table: CSV of the whole list as it is filtered and ordered, streamed page by page."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from web.client import execute
from web.csv_writer import stream
from web.listing import Column, View

_PAGE = 100  # rows: what is in memory at a time


async def export(
    request: Request, view: View, document: str, operation: str, path: Sequence[str], **variables: Any
) -> Response:
    """Answer with a table's CSV; `path` leads to the list in what the operation gives.

    PageError with its first rows is told as a page; later it ends the download, so that nobody takes a part for all.
    """
    rows = _walk(request, view, document, operation, path, variables)
    first = await anext(rows, None)
    columns = view.listing.exported
    body = stream([column.title for column in columns], _cells(columns, first, rows))
    headers = {"Content-Disposition": f'attachment; filename="{view.listing.name}.csv"'}
    return StreamingResponse(body, media_type="text/csv; charset=utf-8", headers=headers)


async def _walk(
    request: Request, view: View, document: str, operation: str, path: Sequence[str], variables: dict[str, Any]
) -> AsyncIterator[dict[str, Any]]:
    """Walk the list to its end."""
    after, more = None, True
    while more:
        found = await execute(request, document, operation, first=_PAGE, after=after, **view.choice(), **variables)
        for name in path:
            found = found[name]
        for row in found["nodes"]:
            yield row
        after, more = found["pageInfo"]["endCursor"], found["pageInfo"]["hasNextPage"]


async def _cells(
    columns: Sequence[Column], first: dict[str, Any] | None, rows: AsyncIterator[dict[str, Any]]
) -> AsyncIterator[dict[str, Any]]:
    if first is None:
        return
    yield {column.title: column.kind.cell(first[column.field]) for column in columns}
    async for row in rows:
        yield {column.title: column.kind.cell(row[column.field]) for column in columns}
