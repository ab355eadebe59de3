"""Learnings in the schema: reflections from cases and CPD entries."""

from datetime import date

import strawberry

from resolvers.learning import LearningKind, LearningSource


@strawberry.type(description="A reflection that a mediator wrote in a case or CPD entry.")
class Learning:
    id: strawberry.ID
    date: date
    source: LearningSource
    kind: LearningKind
    text: str
    entry_id: strawberry.ID


@strawberry.type(description="Values to filter by, from the learnings that you may read.")
class LearningFacets:
    years: list[int] = strawberry.field(description="Newest first.")
