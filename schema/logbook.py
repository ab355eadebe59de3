"""Logbook entries and experience in the schema."""

from datetime import date
from enum import Enum
from typing import Any

import strawberry
from strawberry import UNSET

from models.logbook import CaseRole, Medium, Outcome
from resolvers import entry_changes
from resolvers.logbook import LOGBOOK
from schema.changes import Payload, attempt
from schema.lists import Info, Minutes, OrderDirection, given, read_id

for word in (CaseRole, Medium, Outcome):
    strawberry.enum(word)


@strawberry.type(description="One case in a mediator's logbook.")
class LogbookEntry:
    id: strawberry.ID
    role: CaseRole
    medium: Medium
    started_on: date | None
    ended_on: date | None
    ended_month: str = strawberry.field(description="Year and month of the last day, as in 2026-05.")
    minutes: int
    dispute_kind: str | None
    country: str | None
    party_count: int | None
    outcome: Outcome | None
    simulated: bool
    reference: str | None
    parties: str | None
    did_well: str | None
    found_challenging: str | None
    notes: str | None
    version: int | None = strawberry.field(description="Counts the edits; give it back with an update.")


@strawberry.input(description="What to show; every field that is given must fit.")
class LogbookFilter:
    role: CaseRole | None = None
    medium: Medium | None = None
    year: int | None = strawberry.field(default=None, description="The year of the last day.")
    dispute_kind: str | None = None
    country: str | None = None
    outcome: Outcome | None = None
    simulated: bool | None = None
    text: str | None = strawberry.field(default=None, description="Looked for in every text that you may read.")


@strawberry.enum
class LogbookOrderField(Enum):
    """What a logbook can be sorted by."""

    ROLE = "role"
    MEDIUM = "medium"
    STARTED_ON = "started_on"
    ENDED_ON = "ended_on"
    ENDED_MONTH = "ended_month"
    MINUTES = "minutes"
    DISPUTE_KIND = "dispute_kind"
    COUNTRY = "country"
    PARTY_COUNT = "party_count"
    OUTCOME = "outcome"
    SIMULATED = "simulated"
    REFERENCE = "reference"
    PARTIES = "parties"


@strawberry.input
class LogbookOrder:
    field: LogbookOrderField
    direction: OrderDirection = OrderDirection.ASC


@strawberry.type(description="What was done in one role.")
class RoleHours:
    role: CaseRole
    minutes: Minutes
    cases: int


@strawberry.type(description="What ended in one year.")
class YearHours:
    year: int
    minutes: Minutes
    cases: int


@strawberry.type(description="What a logbook adds up to. Simulated cases count in `simulatedMinutes` alone.")
class Experience:
    minutes: Minutes
    cases: int
    simulated_minutes: Minutes
    by_role: list[RoleHours]
    by_year: list[YearHours]


@strawberry.input(description="A new entry. Dates are days; `minutes` is the duration.")
class AddLogbookEntryInput:
    role: CaseRole
    medium: Medium
    started_on: date
    ended_on: date
    minutes: int
    dispute_kind: str | None = None
    country: str | None = None
    party_count: int | None = None
    outcome: Outcome = Outcome.NOT_KNOWN
    simulated: bool = False
    reference: str | None = None
    parties: str | None = None
    did_well: str | None = None
    found_challenging: str | None = None
    notes: str | None = None
    request_key: str | None = None


@strawberry.input(description="Changes to an entry; what is left out stays as it is.")
class UpdateLogbookEntryInput:
    id: strawberry.ID
    version: int
    role: CaseRole | None = UNSET
    medium: Medium | None = UNSET
    started_on: date | None = UNSET
    ended_on: date | None = UNSET
    minutes: int | None = UNSET
    dispute_kind: str | None = UNSET
    country: str | None = UNSET
    party_count: int | None = UNSET
    outcome: Outcome | None = UNSET
    simulated: bool | None = UNSET
    reference: str | None = UNSET
    parties: str | None = UNSET
    did_well: str | None = UNSET
    found_challenging: str | None = UNSET
    notes: str | None = UNSET


@strawberry.input
class DeleteLogbookEntryInput:
    id: strawberry.ID


@strawberry.type
class AddLogbookEntryPayload(Payload):
    logbook_entry: LogbookEntry | None = None


@strawberry.type
class UpdateLogbookEntryPayload(Payload):
    logbook_entry: LogbookEntry | None = None
    current: LogbookEntry | None = strawberry.field(default=None, description="As it stands now, for a CONFLICT.")


@strawberry.type
class DeleteLogbookEntryPayload(Payload):
    deleted_id: strawberry.ID | None = None


@strawberry.type
class LogbookMutations:
    @strawberry.mutation
    async def add_logbook_entry(self, info: Info, input: AddLogbookEntryInput) -> AddLogbookEntryPayload | None:
        async def change() -> dict[str, Any]:
            entry_id = await entry_changes.add_entry(info.context, LOGBOOK, given(input), input.request_key)
            return {"logbook_entry": await entry_changes.own_entry(info.context, LOGBOOK, entry_id)}

        return await attempt(AddLogbookEntryPayload, change())

    @strawberry.mutation
    async def update_logbook_entry(
        self, info: Info, input: UpdateLogbookEntryInput
    ) -> UpdateLogbookEntryPayload | None:
        async def change() -> dict[str, Any]:
            entry_id = read_id(input.id)
            await entry_changes.update_entry(info.context, LOGBOOK, entry_id, input.version, given(input))
            return {"logbook_entry": await entry_changes.own_entry(info.context, LOGBOOK, entry_id)}

        return await attempt(UpdateLogbookEntryPayload, change())

    @strawberry.mutation
    async def delete_logbook_entry(
        self, info: Info, input: DeleteLogbookEntryInput
    ) -> DeleteLogbookEntryPayload | None:
        async def change() -> dict[str, Any]:
            return {"deleted_id": await entry_changes.delete_entry(info.context, LOGBOOK, read_id(input.id))}

        return await attempt(DeleteLogbookEntryPayload, change())
