"""The sessions of a case, read with their case."""

from collections import defaultdict
from collections.abc import Awaitable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import strawberry
from sqlalchemy import ClauseElement, bindparam, func, null, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Uuid

from models.case_session import case_sessions
from models.statement import Row, statement
from permissions.policy import allows
from permissions.viewer import Standing
from resolvers.context import Info
from resolvers.entries import bits
from resolvers.logbook import LogbookRow

_its = case_sessions.c
_MONTH = func.to_char(_its.held_on, "YYYY-MM")


class CaseSessionRow(Row):
    """One session, with the standing that its case was loaded with."""

    standing: int
    id: UUID
    entry_id: UUID
    held_on: date | None
    held_month: str
    minutes: int
    kind: str
    medium: str
    version: int | None


def session_columns(standing: Standing) -> list[Any]:
    """Give the columns of a session, as far as a standing may read them."""
    held_on = _its.held_on if allows(standing, "CaseSession", "heldOn") else null()
    version = _its.version if allows(standing, "CaseSession", "version") else null()
    return [
        bits(standing),
        _its.id,
        _its.entry_id,
        held_on.label("held_on"),
        _MONTH.label("held_month"),
        _its.minutes,
        _its.kind,
        _its.medium,
        version.label("version"),
    ]


@statement(CaseSessionRow)
def _of_cases(standing: Standing) -> ClauseElement:
    """Select the sessions of cases, in their order as far as the standing may know it."""
    order = _its.held_on if allows(standing, "CaseSession", "heldOn") else _MONTH
    ids = func.any(bindparam("ids", type_=ARRAY(Uuid())))
    return select(*session_columns(standing)).where(_its.entry_id == ids).order_by(order, _its.id)


def sessions(info: Info, case: strawberry.Parent[LogbookRow]) -> Awaitable[Sequence[CaseSessionRow]]:
    """Give a case's sessions, the first one first. All cases of a request share one statement."""
    standing, context = Standing(case.standing), info.context

    async def load(ids: list[UUID]) -> Sequence[Sequence[CaseSessionRow]]:
        async with context.database.reading() as reading:
            rows = await reading.all(_of_cases(standing), ids=ids)
        found: dict[UUID, list[CaseSessionRow]] = defaultdict(list)
        for row in rows:
            found[row.entry_id].append(row)
        return [found[one] for one in ids]

    return context.load(load, ("sessions", standing), case.id)
