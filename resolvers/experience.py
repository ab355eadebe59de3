"""The experience that a mediator's cases add up to.

A year's or another time's hours are those of its sessions. A case without sessions counts as one mediation session on
its last day. Without a time or years to tell apart, the cases alone have all that's needed, and sessions aren't read.
"""

import calendar
from collections import defaultdict
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from operator import attrgetter
from typing import Annotated, Literal
from uuid import UUID

import strawberry
from sqlalchemy import (
    ClauseElement,
    ColumnElement,
    Date,
    FromClause,
    and_,
    bindparam,
    case,
    distinct,
    func,
    literal,
    null,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.selectable import LateralFromClause
from sqlalchemy.types import Text, Uuid

from models.case_session import SessionKind, case_sessions
from models.logbook import AS_MEDIATOR, CaseRole, logbook_entries
from models.opening_balance import opening_balances
from models.statement import Expression, Row, statement
from permissions.viewer import Standing
from resolvers import entry_reading
from resolvers.context import Info
from resolvers.entry_columns import year_of
from resolvers.logbook import CONTACT
from resolvers.mediator_row import MediatorRow, SummedMediatorRow
from resolvers.selection import fields_below


class TotalRow(Row):
    """The totals of a mediator's cases: of all, of one role, of one year, or of one role in one year."""

    mediator_id: UUID
    role: str | None
    year: int | None
    minutes: int
    contact_minutes: int
    cases: int
    simulated: int


@dataclass
class Experience:
    """The totals of a mediator's cases, real or simulated as asked.

    Simulated hours have a total of their own, and so do those declared for the time before the logbook begins.
    """

    minutes: int = 0
    contact_minutes: int = 0
    cases: int = 0
    simulated_minutes: int = 0
    opening_minutes: int = 0
    by_role: list[TotalRow] = field(default_factory=list)
    by_year: list[TotalRow] = field(default_factory=list)
    by_role_and_year: list[TotalRow] = field(default_factory=list)


# What a document asks to be told apart, for which time, and whether for simulated cases.
Part = Literal["by_role", "by_year", "by_both", "begins", "ends", "simulated", "opening"]
Parts = frozenset[Part]
_IN_TIME: Parts = frozenset(("by_year", "by_both", "begins", "ends"))  # for these, it matters when a session was


_entry, _session = logbook_entries.c, case_sessions.c
_AS_MEDIATOR = bindparam("as_mediator", [role.value for role in AS_MEDIATOR], ARRAY(Text()))
_ROLES = {role.value: place for place, role in enumerate(CaseRole)}


@dataclass(frozen=True)
class _Counted:
    """What's added up: its tables, and what of them is its day, its minutes, and its minutes with people."""

    source: FromClause
    day: Expression
    minutes: Expression
    contact: Expression


_CASES = _Counted(logbook_entries, _entry.ended_on, _entry.minutes, CONTACT)


def _sessions(owner: Expression) -> _Counted:
    """Count the sessions of the cases that have any, and the other cases whole."""
    its = (_session.entry_id == _entry.id) & (_session.mediator_id == owner) & _entry.contact_minutes.is_not(None)
    with_people = (_session.id.is_(None), CONTACT), (_session.kind == SessionKind.MEDIATION, _session.minutes)
    return _Counted(
        logbook_entries.outerjoin(case_sessions, its),
        func.coalesce(_session.held_on, _entry.ended_on),
        func.coalesce(_session.minutes, _entry.minutes),
        case(*with_people, else_=0),
    )


def _in_roles(roles: Expression) -> ColumnElement[bool]:
    """Select the cases in some roles.

    Of an expression, so that no index of roles fits: all that's added up is in another one, and never in the table.
    """
    return (_entry.role + literal("", Text())) == func.any(roles)


def _sums(of: _Counted, parts: Parts = frozenset(), *only: ColumnElement[bool]) -> tuple[Expression, ...]:
    """Give the sums: of real cases, unless simulated ones are asked for; and the simulated minutes."""
    wanted = and_(_entry.simulated if "simulated" in parts else ~_entry.simulated, *only)
    cases = func.count(distinct(_entry.id)) if parts & _IN_TIME else func.count()
    return (
        func.coalesce(func.sum(of.minutes).filter(wanted), 0).label("minutes"),
        func.coalesce(func.sum(of.contact).filter(wanted), 0).label("contact_minutes"),
        cases.filter(wanted).label("cases"),
        func.coalesce(func.sum(of.minutes).filter(_entry.simulated, *only), 0).label("simulated"),
    )


@statement(TotalRow)
def _totals(parts: Parts, single: bool) -> ClauseElement:
    """Make the statement of the totals: the whole, with null for role and year, and those by role or year if asked."""
    owner = bindparam("parent", type_=Uuid()) if single else func.any(bindparam("parents", type_=ARRAY(Uuid())))
    of = _sessions(owner) if parts & _IN_TIME else _CASES
    mediator, role, year = _entry.mediator_id, _entry.role, year_of(of.day)
    in_roles = _in_roles(bindparam("roles", type_=ARRAY(Text())))
    sets = [tuple_(mediator)]
    for part, columns in (("by_role", (role,)), ("by_year", (year,)), ("by_both", (role, year))):
        sets += [tuple_(mediator, *columns)] if part in parts else []
    rows = select(
        mediator,
        (role if parts & {"by_role", "by_both"} else null()).label("role"),
        (year if parts & {"by_year", "by_both"} else null()).label("year"),
        *_sums(of, parts, *([in_roles] if parts & _IN_TIME else [])),
    )
    rows = rows.select_from(of.source).where(mediator == owner).group_by(func.grouping_sets(*sets))
    if not parts & _IN_TIME:  # with sessions, PostgreSQL would take this for far rarer than it is
        rows = rows.where(in_roles)
    if "begins" in parts:
        rows = rows.where(of.day >= bindparam("begins", type_=Date()))
    if "ends" in parts:
        rows = rows.where(of.day <= bindparam("ends", type_=Date()))
    return rows


class _OpeningRow(Row):
    mediator_id: UUID
    minutes: int


@statement(_OpeningRow)
def _opening() -> ClauseElement:
    """Add up what mediators declared for the time before their logbooks begin, in some roles."""
    its = opening_balances.c
    in_roles = its.role == func.any(bindparam("roles", type_=ARRAY(Text())))
    of_parents = its.mediator_id == func.any(bindparam("parents", type_=ARRAY(Uuid())))
    rows = select(its.mediator_id, func.sum(its.minutes).label("minutes"))
    return rows.where(of_parents, in_roles).group_by(its.mediator_id)


def whole_experience(mediator_id: Expression) -> LateralFromClause:
    """Add up all of a mediator's cases as mediator, for joining to the mediator's row."""
    sums = select(*_sums(_CASES)).select_from(logbook_entries)
    return sums.where(_entry.mediator_id == mediator_id, _in_roles(_AS_MEDIATOR)).lateral("whole")


def _added_up(rows: Sequence[TotalRow]) -> Experience:
    """Put a mediator's totals together: years ascending, roles in the order of their enumeration."""
    total = Experience()
    for row in rows:
        if row.role is None and row.year is None:
            total.minutes, total.contact_minutes, total.cases = row.minutes, row.contact_minutes, row.cases
            total.simulated_minutes = row.simulated
        elif row.cases:
            into = total.by_year if row.role is None else total.by_role if row.year is None else total.by_role_and_year
            into.append(row)
    total.by_role.sort(key=lambda row: _ROLES[row.role or ""])
    total.by_year.sort(key=attrgetter("year"))
    total.by_role_and_year.sort(key=lambda row: (_ROLES[row.role or ""], row.year))
    return total


def _whole_months(begins: date | None, ends: date | None) -> tuple[date | None, date | None]:
    """Widen a time to whole months."""
    return (
        begins and begins.replace(day=1),
        ends and ends.replace(day=calendar.monthrange(ends.year, ends.month)[1]),
    )


def experience(
    info: Info,
    mediator: strawberry.Parent[MediatorRow],
    roles: Annotated[
        list[CaseRole] | None, strawberry.argument(description="Without this: lead mediator and co-mediator.")
    ] = None,
    from_: Annotated[
        date | None,
        strawberry.argument(
            name="from", description="The first day to count. For a directory, the first of its month counts instead."
        ),
    ] = None,
    to: Annotated[
        date | None,
        strawberry.argument(
            description="The last day to count. For a directory, the last of its month counts instead."
        ),
    ] = None,
    simulated: Annotated[bool, strawberry.argument(description="Add up simulated cases instead of real ones.")] = False,
) -> Awaitable[Experience] | Experience:
    """Add up a mediator's cases in some roles and some time. All mediators of a request share one statement.

    Days are for the mediator and administrators alone, so for others the time is widened to whole months.
    """
    fields, context = fields_below(info), info.context
    if not Standing(mediator.standing) & (Standing.SELF | Standing.ADMIN):
        from_, to = _whole_months(from_, to)
    chosen: dict[Part, bool] = {
        "by_role": "byRole" in fields,
        "by_year": "byYear" in fields,
        "by_both": "byRoleAndYear" in fields,
        "begins": from_ is not None,
        "ends": to is not None,
        "simulated": simulated,
        # They're in no year, and nobody declares simulations.
        "opening": "openingMinutes" in fields and not (from_ or to or simulated),
    }
    parts: Parts = frozenset(part for part, is_asked in chosen.items() if is_asked)
    if not parts and roles is None and isinstance(mediator, SummedMediatorRow):
        return Experience(mediator.minutes, mediator.contact_minutes, mediator.cases, mediator.simulated)
    wanted = tuple(dict.fromkeys(AS_MEDIATOR if roles is None else roles))

    async def load(parents: list[UUID]) -> list[Experience]:
        values, single = entry_reading.of_parents(parents), len(parents) == 1
        values |= {"roles": [role.value for role in wanted]}
        values |= {name: day for name, day in (("begins", from_), ("ends", to)) if day is not None}
        opening = dict[UUID, int]()
        async with context.database.reading() as reading:
            rows = await reading.all(_totals(parts - {"opening"}, single), **values)
            if "opening" in parts:
                found = await reading.all(_opening(), parents=parents, roles=values["roles"])
                opening = {row.mediator_id: row.minutes for row in found}
        grouped: dict[UUID, list[TotalRow]] = defaultdict(list)
        for row in rows:
            grouped[row.mediator_id].append(row)
        return [replace(_added_up(grouped[one]), opening_minutes=opening.get(one, 0)) for one in parents]

    return context.load(load, ("experience", wanted, from_, to, parts), mediator.id)
