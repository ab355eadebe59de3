"""Logbook entries: what the list of them can do, and the experience that they add up to."""

from collections import defaultdict
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Date, bindparam, func, literal_column, null, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.selectable import LateralFromClause
from sqlalchemy.types import Text, Uuid

from i18n import lazy_gettext
from models.database import Row, Statement
from models.logbook import MONTH, CaseRole, Medium, Outcome, logbook_entries, logbook_private
from resolvers.checks import PARTIES_MOST, Check
from resolvers.context import Context
from resolvers.entries import OwnedList, camel, equals, in_year, opening, year_of

_entry, _private = logbook_entries.c, logbook_private.c
_PRIVATE = ("reference", "parties", "did_well", "found_challenging", "notes")


def _checked(values: dict[str, Any], latest: date) -> dict[str, Any]:
    check = Check()
    values = dict(values)
    for name in ("dispute_kind", "country"):
        values[name] = check.line(camel(name), values[name])
    for name in _PRIVATE:
        values[name] = check.text(camel(name), values[name])
    check.days(values["started_on"], values["ended_on"], latest)
    check.minutes(values["minutes"])
    if values["party_count"] is not None:
        check.number("partyCount", values["party_count"], 1, PARTIES_MOST, lazy_gettext("parties"))
    check.done()
    return values


_COLUMNS: dict[str, Any] = {
    "id": _entry.id,
    "role": _entry.role,
    "medium": _entry.medium,
    "started_on": _entry.started_on,
    "ended_on": _entry.ended_on,
    "ended_month": func.to_char(_entry.ended_on, "YYYY-MM"),
    "minutes": _entry.minutes,
    "dispute_kind": _entry.dispute_kind,
    "country": _entry.country,
    "party_count": _entry.party_count,
    "outcome": _entry.outcome,
    "simulated": _entry.simulated,
    "version": _entry.version,
    **{name: _private[name] for name in _PRIVATE},
}

LOGBOOK = OwnedList(
    type_name="LogbookEntry",
    table=logbook_entries,
    private=logbook_private,
    columns=_COLUMNS,
    filters={
        "role": equals(_entry.role),
        "medium": equals(_entry.medium),
        "year": in_year(_entry.ended_on),
        "dispute_kind": equals(_entry.dispute_kind),
        "country": equals(_entry.country),
        "outcome": equals(_entry.outcome),
        "simulated": equals(_entry.simulated),
    },
    sorts={
        **{name: _COLUMNS[name] for name in _COLUMNS if name not in {"id", "version", *_PRIVATE}},
        "ended_month": literal_column(MONTH, Date()),
        "reference": opening(_private.reference),
        "parties": opening(_private.parties),
    },
    nullable=frozenset({"dispute_kind", "country", "party_count", "reference", "parties"}),
    searched=("dispute_kind", "country", *_PRIVATE),
    default=("ended_on", "ended_month"),
    dear=frozenset(_PRIVATE),
    facets={"years": year_of(_entry.ended_on), "dispute_kinds": _entry.dispute_kind, "countries": _entry.country},
    check=_checked,
)


@dataclass(frozen=True)
class LogbookFilter:
    """What to show; every field that is set must fit."""

    role: CaseRole | None = None
    medium: Medium | None = None
    year: int | None = None
    dispute_kind: str | None = None
    country: str | None = None
    outcome: Outcome | None = None
    simulated: bool | None = None
    text: str | None = None


@dataclass
class Experience:
    """What a mediator's entries add up to. Simulated cases stand on a line of their own and count nowhere else."""

    minutes: int = 0
    cases: int = 0
    simulated_minutes: int = 0
    by_role: list[Row] = field(default_factory=list)
    by_year: list[Row] = field(default_factory=list)


_SUMS = (
    func.coalesce(func.sum(_entry.minutes).filter(~_entry.simulated), 0).label("minutes"),
    func.count().filter(~_entry.simulated).label("cases"),
    func.coalesce(func.sum(_entry.minutes).filter(_entry.simulated), 0).label("simulated"),
)
_YEAR = year_of(_entry.ended_on)
_ROLES = {role.value: place for place, role in enumerate(CaseRole)}


@cache
def _totals(for_role: bool, alone: bool, by_role: bool, by_year: bool) -> Statement:
    """Make the statement of the sums: the whole, for which role and year are null, and by each of them if asked."""
    role, year = _entry.role, _YEAR
    sets = [tuple_(_entry.mediator_id)]
    sets += [tuple_(_entry.mediator_id, part) for part, wanted in ((role, by_role), (year, by_year)) if wanted]
    owner = bindparam("parent", type_=Uuid()) if alone else func.any(bindparam("parents", type_=ARRAY(Uuid())))
    rows = (
        select(
            _entry.mediator_id,
            (role if by_role else null()).label("role"),
            (year if by_year else null()).label("year"),
            *_SUMS,
        )
        .where(_entry.mediator_id == owner)
        .group_by(func.grouping_sets(*sets))
    )
    return Statement(rows.where(role == bindparam("role", type_=Text())) if for_role else rows)


def whole(mediator_id: ColumnElement[Any]) -> LateralFromClause:
    """Add up all of a mediator's entries, to be joined to the mediator's row."""
    return select(*_SUMS).where(_entry.mediator_id == mediator_id).lateral("whole")


def _added_up(rows: Sequence[Row]) -> Experience:
    """Put a mediator's sums together; years ascend, roles come in the order of the enumeration."""
    total = Experience()
    for row in rows:
        if row.role is None and row.year is None:
            total.minutes, total.cases, total.simulated_minutes = row.minutes, row.cases, row.simulated
        elif row.cases:
            (total.by_year if row.role is None else total.by_role).append(row)
    total.by_role.sort(key=lambda row: _ROLES[row.role])
    total.by_year.sort(key=attrgetter("year"))
    return total


def experience(
    context: Context, mediator: Row, role: CaseRole | None, fields: frozenset[str] | None = None
) -> Awaitable[Experience] | Experience:
    """Add up a mediator's entries, of one role if asked; one statement for all mediators of a request.

    `fields` are the names, written as in GraphQL, among which are all that the sums are read for; None: any.
    """
    parts = (True, True) if fields is None else ("byRole" in fields, "byYear" in fields)
    if role is None and parts == (False, False) and hasattr(mediator, "minutes"):  # the row was loaded with it
        return Experience(mediator.minutes, mediator.cases, mediator.simulated)

    async def load(parents: list[UUID]) -> list[Experience]:
        alone = len(parents) == 1
        values: dict[str, Any] = {"parent": parents[0]} if alone else {"parents": parents}
        if role is not None:
            values["role"] = role
        async with context.database.reading() as reading:
            rows = await reading.all(_totals(role is not None, alone, *parts), **values)
        grouped: dict[UUID, list[Row]] = defaultdict(list)
        for row in rows:
            grouped[row.mediator_id].append(row)
        return [_added_up(grouped[parent]) for parent in parents]

    return context.load(load, ("experience", role, parts), mediator.id)
