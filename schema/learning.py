"""Learnings in the schema: reflections, drawn from logbook and CPD."""

from datetime import date

import strawberry

from resolvers.learning import LearningKind, LearningSource


@strawberry.type(description="A reflection, drawn from a logbook or CPD entry.")
class Learning:
    id: strawberry.ID
    date: date
    source: LearningSource
    kind: LearningKind
    text: str
    entry_id: strawberry.ID


@strawberry.type(description="What occurs in the reflections that you may read, to filter by.")
class LearningFacets:
    years: list[int] = strawberry.field(description="Newest first.")
