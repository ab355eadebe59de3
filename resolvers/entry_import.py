"""Importing many entries at once. Each is checked as if it were added alone; those the list already has are skipped.

Equal entries are legitimate, so copies are counted: the import skips as many as the list already has.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID, uuid4

import strawberry
from pydantic import JsonValue, TypeAdapter
from sqlalchemy import ClauseElement, ColumnElement, Integer, bindparam, cast, column, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import Text, Uuid

from i18n import gettext as _
from i18n import number
from models.database import Transaction
from models.mediator import mediators
from models.statement import Expression, Row, Values, statement
from permissions.viewer import Standing
from resolvers import limits
from resolvers.access import keep_profile
from resolvers.context import Context
from resolvers.entries import OwnedList
from resolvers.entry_changes import columns_written, writable
from resolvers.errors import Code, NotFound, Problem, Refused, refuse
from resolvers.idempotency import Once, earlier_answer, keep_answer

MAX_ENTRIES = 5_000
_AT_A_TIME = 200  # entries to check before other requests get a turn


@strawberry.enum(
    description="IMPORTED: added, or in a dry run, would have been. SKIPPED: already in the logbook. "
    "FAILED: needs fixing. LEFT_OUT: nothing wrong with it, but another case failed."
)
class ImportStatus(StrEnum):
    """The result for one entry."""

    IMPORTED = "IMPORTED"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"
    LEFT_OUT = "LEFT_OUT"


@dataclass(frozen=True)
class ImportOutcome:
    """The result for one entry, and what to fix if it failed."""

    status: ImportStatus
    problems: tuple[Problem, ...] = ()


_me = bindparam("me", type_=Uuid())
# A mediator's imports take turns. Feedback and single entries refer to this row too, but needn't wait.
_TURN = select(mediators.c.id).where(mediators.c.id == _me).with_for_update(key_share=True)


class _NewRow(Row):
    place: int


@statement(_NewRow)
def _new(of: OwnedList) -> ClauseElement:
    """Give the places of the entries in the parameter `rows` that the list doesn't have yet."""
    columns = [into.c[name] for into in (of.table, of.private) for name in writable(of, into)]
    given = (
        func.jsonb_to_recordset(bindparam("rows", type_=JSONB()))
        .table_valued(column("place", Integer), *(column(one.name, one.type) for one in columns))
        .render_derived(name="given", with_types=True)
    )

    def content(*parts: Expression) -> ColumnElement[str]:
        return func.md5(cast(func.jsonb_build_array(*parts), Text))

    of_given, of_held = content(*(given.c[one.name] for one in columns)), content(*columns)
    copies = (
        select(
            given.c.place,
            of_given.label("content"),
            func.row_number().over(partition_by=of_given, order_by=given.c.place).label("number"),
        )
        .select_from(given)
        .subquery("copies")
    )
    held = (
        select(of_held.label("content"), func.count().label("number"))
        .select_from(of.source(Standing.SELF))
        .where(of.table.c.mediator_id == _me)
        .group_by(of_held)
        .subquery("held")
    )
    return (
        select(copies.c.place)
        .select_from(copies.outerjoin(held, held.c.content == copies.c.content))
        .where(copies.c.number > func.coalesce(held.c.number, 0))
    )


async def _checked(
    context: Context, of: OwnedList, entries: Sequence[Values], *, confirmed: bool
) -> tuple[dict[int, Values], dict[int, tuple[Problem, ...]]]:
    """Check each entry. Gives the valid ones as they're to be stored, and the problems of the others, by place."""
    sound, failed = {}, {}
    latest = context.database.latest_today()
    for place, entry in enumerate(entries):
        if place % _AT_A_TIME == 0:
            await asyncio.sleep(0)
        try:
            sound[place] = of.check(entry, latest, confirmed=confirmed)
        except Refused as refused:
            failed[place] = refused.problems
    return sound, failed


async def _write(context: Context, transaction: Transaction, of: OwnedList, entries: list[Values]) -> None:
    keys = [{"id": uuid4(), "mediator_id": context.account_id} for _ in entries]
    for table in (of.table, of.private):
        names = columns_written(of, table)
        rows = [key | {name: entry[name] for name in names} for key, entry in zip(keys, entries, strict=True)]
        await transaction.insert(table, rows)


async def import_entries(
    context: Context,
    of: OwnedList,
    entries: Sequence[Values],
    *,
    all_or_nothing: bool,
    dry_run: bool,
    confirmed: bool,
    once: Once,
) -> list[ImportOutcome]:
    """Import entries for the viewer. Gives the result for each, in their order.

    With `all_or_nothing`, one entry that fails leaves out all others. A `dry_run` writes nothing, so it needs no key.
    `confirmed`: very long days are meant so.

    Raises:
        Refused: there are no entries, or too many, or the key was used for a different import.
        Forbidden: the viewer has no paid access.
        NotFound: the viewer isn't a mediator.
        RateLimited: there were too many attempts.
        BadInput: the `requestKey` is too long.
    """
    context.require_paid()
    if not 1 <= len(entries) <= MAX_ENTRIES:
        refuse("entries", Code.OUT_OF_RANGE, _("Please send 1 to %(most)s cases at a time.", most=number(MAX_ENTRIES)))
    await context.limiter.count(limits.IMPORTS, context.account_id)
    change = f"import{of.type_name}"
    if dry_run:
        once = replace(once, key=None)
    sound, failed = await _checked(context, of, entries, confirmed=confirmed)
    async with context.transaction() as transaction:
        await keep_profile(context, transaction)
        if await transaction.value(_TURN, UUID, me=context.account_id) is None:
            raise NotFound
        if earlier := await earlier_answer(context, transaction, change, once):
            return _read(earlier)
        names = [*writable(of, of.table), *writable(of, of.private)]
        rows = [{"place": place} | {name: entry[name] for name in names} for place, entry in sound.items()]
        new = {row.place for row in await transaction.all(_new(of), rows=rows, me=context.account_id)}
        is_left_out = all_or_nothing and bool(failed)
        outcomes = [
            ImportOutcome(ImportStatus.FAILED, failed[place])
            if place in failed
            else ImportOutcome(ImportStatus.SKIPPED)
            if place not in new
            else ImportOutcome(ImportStatus.LEFT_OUT if is_left_out else ImportStatus.IMPORTED)
            for place in range(len(entries))
        ]
        if not dry_run and not is_left_out:
            if new:
                await _write(context, transaction, of, [sound[place] for place in sorted(new)])
            await keep_answer(context, transaction, change, once, _written(outcomes))
    return outcomes


_Kept = list[tuple[ImportStatus, list[tuple[str | None, str, Code]]]]
_kept: TypeAdapter[_Kept] = TypeAdapter(_Kept)


def _written(outcomes: list[ImportOutcome]) -> list[JsonValue]:
    return [[one.status, [[p.field, p.message, p.code] for p in one.problems]] for one in outcomes]


def _read(answer: list[JsonValue]) -> list[ImportOutcome]:
    return [
        ImportOutcome(status, tuple(Problem(*problem) for problem in problems))
        for status, problems in _kept.validate_python(answer)
    ]
