"""Reading feedback, as far as the viewer's standing towards its mediator allows."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import NamedTuple
from uuid import UUID

import strawberry
from sqlalchemy import ClauseElement, ColumnElement, bindparam, cast, func, literal_column, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, aggregate_order_by
from sqlalchemy.types import Float, Text, Uuid

from models.feedback import ActedAs, Capacity, feedback_answers, feedback_origins
from models.feedback import feedback as feedback_table
from models.statement import Expression, Row, statement
from permissions.scopes import readable_answers, readable_feedback
from permissions.viewer import Standing
from resolvers.context import Info
from resolvers.entries import EntryList, EntryOrder
from resolvers.entry_columns import equals, in_year, year_of
from resolvers.entry_inputs import entry_order
from resolvers.entry_reading import entry, entry_page, of_parents
from resolvers.entry_rows import EntryRow
from resolvers.feedback_noted import note_answers, note_page, reads_as_administrator
from resolvers.inputs import read_id
from resolvers.mediator_row import MediatorRow
from resolvers.paging import Connection, PageArguments
from resolvers.selection import fields_below
from resolvers.survey import position, survey

_feedback, _answer, _origin = feedback_table.c, feedback_answers.c, feedback_origins.c
_YEAR = year_of(_feedback.received_on)


def answers_in_order(readable: ColumnElement[bool]) -> Expression:
    """Select the readable answers of a piece of feedback, in the survey's order."""
    each = func.jsonb_build_array(_answer.question, _answer.rating, _answer.text)
    # Part of the statement: as a parameter, the list cost as much as running the statement.
    asked = literal_column(f"'{{{','.join(one.key for one in survey().questions)}}}'", ARRAY(Text()))
    in_order = aggregate_order_by(each, func.array_position(asked, _answer.question), _answer.question)
    return (
        select(func.coalesce(func.jsonb_agg(in_order), func.jsonb_build_array(), type_=JSONB()))
        .where(_answer.feedback_id == _feedback.id, readable)
        .scalar_subquery()
    )


def _answers(standing: Standing) -> Expression:
    return answers_in_order(readable_answers(standing))


Answered = list[str | int | None]  # JSON of a question's key, the rating and the text


class FeedbackRow(EntryRow):
    """One piece of feedback. Its mediator reads only the answers, which a page has only if they're asked for."""

    capacity: str | None
    acted_as: str | None
    shared: bool | None
    year: int | None
    received_on: date | None
    by_invitation: bool | None
    answers: list[Answered] | None


# In order of ids, which are random, unless the viewer may know the day. Nothing else here shows when feedback came; its
# release and the notice do, as far as `RELEASE_LEAST` and `FEEDBACK_NOTICE` let them.
FEEDBACK = EntryList(
    type_name="Feedback",
    row=FeedbackRow,
    table=feedback_table,
    columns={
        "id": _feedback.id,
        "capacity": _feedback.capacity,
        "acted_as": _feedback.acted_as,
        "shared": _feedback.shared,
        "year": _YEAR,
        "received_on": _feedback.received_on,
        "by_invitation": _feedback.by_invitation,
        "answers": _answers,
    },
    filters={
        "year": in_year(_feedback.received_on),
        "capacity": equals(_feedback.capacity),
        "acted_as": equals(_feedback.acted_as),
        "shared": equals(_feedback.shared),
        "by_invitation": equals(_feedback.by_invitation),
    },
    sorts={"received_on": _feedback.received_on},
    searched={},
    default=("received_on",),
    expensive=frozenset({"answers"}),
    rows=readable_feedback,
)


strawberry.enum(ActedAs)
strawberry.enum(Capacity)


@strawberry.input(description="What to show: the rows that match every field you give.")
class FeedbackFilter:
    """The feedback to show."""

    year: int | None = None
    capacity: Capacity | None = None
    acted_as: ActedAs | None = None
    shared: bool | None = None
    by_invitation: bool | None = None


@entry_order(FEEDBACK, description="The columns that you can sort feedback by.")
class FeedbackOrder(EntryOrder):
    """The order to show it in."""


def feedback(
    info: Info,
    mediator: strawberry.Parent[MediatorRow],
    page: PageArguments,
    filter: FeedbackFilter | None = None,
    order_by: FeedbackOrder | None = None,
) -> Awaitable[Connection[EntryRow]] | Connection[EntryRow]:
    """Give a page of the feedback that the viewer may read.

    Raises:
        BadInput: the page's arguments don't fit together, or the cursor belongs to another list.
    """
    fields = fields_below(info)
    found = entry_page(info.context, FEEDBACK, mediator, page, filter, order_by, fields)
    return note_page(info.context, found) if "answers" in fields and reads_as_administrator(mediator) else found


async def feedback_piece(info: Info, mediator: strawberry.Parent[MediatorRow], id: strawberry.ID) -> EntryRow:
    """Load one piece of feedback.

    Raises:
        NotFound: the viewer's list doesn't show it.
    """
    row = await entry(info.context, FEEDBACK, mediator, read_id(id))
    if "answers" in fields_below(info) and reads_as_administrator(mediator):
        await note_answers(info.context, [row])
    return row


class Answer(NamedTuple):
    """The answer to one question; rating (1 to 5) and text are both null for "not applicable"."""

    question: str
    rating: int | None
    text: str | None


# Like `Answer._make`, without checking the length: a page of feedback has hundreds of answers.
_as_answer: Callable[[Answered], Answer] = partial(tuple.__new__, Answer)


def answers(row: strawberry.Parent[FeedbackRow]) -> list[Answer]:
    """Give the answers that the row was loaded with, in the survey's order."""
    return [*map(_as_answer, row.answers or ())]


@dataclass(frozen=True)
class QuestionSummary:
    """One question's ratings in a year: their number, mean and (population) standard deviation."""

    question: str
    count: int
    average: float
    spread: float


@dataclass(frozen=True)
class FeedbackYear:
    """A year's feedback: the number of pieces, and each question's summary in the survey's order."""

    year: int
    count: int
    questions: list[QuestionSummary]


@dataclass(frozen=True)
class FeedbackSummary:
    """All years, latest first."""

    years: list[FeedbackYear]


class SummaryRow(Row):
    """One question's ratings in a year; with no question, a year in which no question was rated."""

    mediator_id: UUID
    year: int
    year_count: int
    question: str | None
    count: int | None
    average: float | None
    spread: float | None


@statement(SummaryRow)
def _summary(single: bool) -> ClauseElement:
    """Make the statement of the summaries. PostgreSQL plans it once for one mediator's (`single`)."""
    owner = bindparam("parent", type_=Uuid()) if single else func.any(bindparam("parents", type_=ARRAY(Uuid())))
    per_year = (
        select(_feedback.mediator_id, _YEAR.label("year"), func.count().label("count"))
        .where(_feedback.mediator_id == owner, readable_feedback(Standing.REVIEWER))
        .group_by(_feedback.mediator_id, _YEAR)
        .cte("per_year")
    )
    per_question = (
        select(
            _feedback.mediator_id,
            _YEAR.label("year"),
            _answer.question,
            func.count().label("count"),
            cast(func.avg(_answer.rating), Float).label("average"),
            cast(func.stddev_pop(_answer.rating), Float).label("spread"),
        )
        .join(feedback_answers, _answer.feedback_id == _feedback.id)
        # For the answers too, because they have an index for it.
        .where(_feedback.mediator_id == owner, _answer.mediator_id == owner, _answer.rating.is_not(None))
        .where(readable_feedback(Standing.REVIEWER))
        .group_by(_feedback.mediator_id, _YEAR, _answer.question)
        .cte("per_question")
    )
    year, question = per_year.c, per_question.c
    return (
        select(
            year.mediator_id,
            year.year,
            year["count"].label("year_count"),
            question.question,
            question["count"],
            question.average,
            question.spread,
        )
        .outerjoin(per_question, (question.mediator_id == year.mediator_id) & (question.year == year.year))
        .order_by(year.year.desc())
    )


async def feedback_summary(info: Info, mediator: strawberry.Parent[MediatorRow]) -> FeedbackSummary:
    """Sum up all of a mediator's feedback by year, for viewers who may read all of it."""

    async def load(parents: list[UUID]) -> list[FeedbackSummary]:
        async with info.context.database.reading() as reading:
            rows = await reading.all(_summary(len(parents) == 1), **of_parents(parents))
        return [_years([row for row in rows if row.mediator_id == parent]) for parent in parents]

    return await info.context.load(load, "summary", mediator.id)


def _years(rows: Sequence[SummaryRow]) -> FeedbackSummary:
    years: dict[int, FeedbackYear] = {}
    for row in rows:
        year = years.setdefault(row.year, FeedbackYear(row.year, row.year_count, []))
        if row.question is not None and row.count is not None and row.average is not None and row.spread is not None:
            year.questions.append(QuestionSummary(row.question, row.count, row.average, row.spread))
    for year in years.values():
        year.questions.sort(key=lambda one: (position(one.question), one.question))
    return FeedbackSummary(list(years.values()))
