"""Continuing professional development, and learnings, in the schema."""

from datetime import date
from enum import Enum
from typing import Any

import strawberry
from strawberry import UNSET

from models.cpd import CpdKind
from resolvers import entry_changes
from resolvers.cpd import CPD
from resolvers.learning import LearningKind, LearningSource
from schema.changes import Payload, attempt, once
from schema.lists import Info, OrderDirection, given, read_id

for word in (CpdKind, LearningKind, LearningSource):
    strawberry.enum(word)


@strawberry.type(description="One piece of continuing professional development.")
class CpdEntry:
    id: strawberry.ID
    kind: CpdKind
    title: str
    provider: str | None
    started_on: date
    ended_on: date
    minutes: int
    evidence_url: str | None
    takeaways: str | None
    version: int | None = strawberry.field(description="Counts the edits; give it back with an update.")


@strawberry.input(description="What to show; every field that is given must fit.")
class CpdFilter:
    kind: CpdKind | None = None
    year: int | None = strawberry.field(default=None, description="The year of the last day.")
    text: str | None = strawberry.field(default=None, description="Looked for in every text that you may read.")


@strawberry.enum
class CpdOrderField(Enum):
    """What CPD can be sorted by."""

    KIND = "kind"
    TITLE = "title"
    PROVIDER = "provider"
    STARTED_ON = "started_on"
    ENDED_ON = "ended_on"
    MINUTES = "minutes"


@strawberry.input
class CpdOrder:
    field: CpdOrderField
    direction: OrderDirection = OrderDirection.ASC


@strawberry.type(description="A reflection, drawn from a logbook or CPD entry.")
class Learning:
    id: strawberry.ID
    date: date
    source: LearningSource
    kind: LearningKind
    text: str
    entry_id: strawberry.ID


@strawberry.input(description="What to show; every field that is given must fit.")
class LearningFilter:
    source: LearningSource | None = None
    kind: LearningKind | None = None
    year: int | None = None
    text: str | None = None


@strawberry.enum
class LearningOrderField(Enum):
    """What learnings can be sorted by."""

    DATE = "date"
    SOURCE = "source"
    KIND = "kind"


@strawberry.input
class LearningOrder:
    field: LearningOrderField
    direction: OrderDirection = OrderDirection.ASC


@strawberry.type(description="What occurs in the entries that you may read, to filter by.")
class CpdFacets:
    years: list[int] = strawberry.field(description="Of the last days, the newest first.")


@strawberry.type(description="What occurs in the reflections that you may read, to filter by.")
class LearningFacets:
    years: list[int] = strawberry.field(description="The newest first.")


@strawberry.input(description="A new entry. Dates are days; `minutes` is the duration.")
class AddCpdEntryInput:
    kind: CpdKind
    title: str
    started_on: date
    ended_on: date
    minutes: int
    provider: str | None = None
    evidence_url: str | None = None
    takeaways: str | None = None
    request_key: str | None = None


@strawberry.input(description="Changes to an entry; what is left out stays as it is.")
class UpdateCpdEntryInput:
    id: strawberry.ID
    version: int
    kind: CpdKind | None = UNSET
    title: str | None = UNSET
    provider: str | None = UNSET
    started_on: date | None = UNSET
    ended_on: date | None = UNSET
    minutes: int | None = UNSET
    evidence_url: str | None = UNSET
    takeaways: str | None = UNSET


@strawberry.input
class DeleteCpdEntryInput:
    id: strawberry.ID


@strawberry.type
class AddCpdEntryPayload(Payload):
    cpd_entry: CpdEntry | None = None


@strawberry.type
class UpdateCpdEntryPayload(Payload):
    cpd_entry: CpdEntry | None = None
    current: CpdEntry | None = strawberry.field(default=None, description="As it stands now, for a CONFLICT.")


@strawberry.type
class DeleteCpdEntryPayload(Payload):
    deleted_id: strawberry.ID | None = None


@strawberry.type
class CpdMutations:
    @strawberry.mutation
    async def add_cpd_entry(self, info: Info, input: AddCpdEntryInput) -> AddCpdEntryPayload | None:
        async def change() -> dict[str, Any]:
            entry_id = await entry_changes.add_entry(info.context, CPD, given(input), once(input))
            return {"cpd_entry": await entry_changes.own_entry(info.context, CPD, entry_id)}

        return await attempt(AddCpdEntryPayload, change())

    @strawberry.mutation
    async def update_cpd_entry(self, info: Info, input: UpdateCpdEntryInput) -> UpdateCpdEntryPayload | None:
        async def change() -> dict[str, Any]:
            entry_id = read_id(input.id)
            await entry_changes.update_entry(info.context, CPD, entry_id, input.version, given(input))
            return {"cpd_entry": await entry_changes.own_entry(info.context, CPD, entry_id)}

        return await attempt(UpdateCpdEntryPayload, change())

    @strawberry.mutation
    async def delete_cpd_entry(self, info: Info, input: DeleteCpdEntryInput) -> DeleteCpdEntryPayload | None:
        async def change() -> dict[str, Any]:
            return {"deleted_id": await entry_changes.delete_entry(info.context, CPD, read_id(input.id))}

        return await attempt(DeleteCpdEntryPayload, change())
