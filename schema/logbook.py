"""Logbook entries and experience in the schema."""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from enum import Enum
from typing import Any

import strawberry
from strawberry import UNSET
from strawberry.types.arguments import InputContext
from strawberry.types.base import get_object_definition

from models.logbook import CaseRole, Medium, Outcome
from resolvers import entry_changes
from resolvers.entries import camel
from resolvers.entry_import import ImportStatus, import_entries
from resolvers.logbook import LOGBOOK
from schema.changes import Payload, UserError, attempt, once
from schema.lists import Info, Minutes, OrderDirection, given, read_id

for word in (CaseRole, Medium, Outcome):
    strawberry.enum(word)
strawberry.enum(
    ImportStatus,
    description="IMPORTED, or in a dry run, would be. SKIPPED: the logbook holds it. FAILED: something is to mend. "
    "LEFT_OUT: sound and new, but another failed.",
)


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
    REFERENCE = strawberry.enum_value("reference", description="By the first 100 characters.")
    PARTIES = strawberry.enum_value("parties", description="By the first 100 characters.")


@strawberry.input
class LogbookOrder:
    field: LogbookOrderField
    direction: OrderDirection = OrderDirection.ASC


@strawberry.type(description="What occurs in the entries that you may read, to filter by; of each at most 200.")
class LogbookFacets:
    years: list[int] = strawberry.field(description="Of the last days, the newest first.")
    dispute_kinds: list[str] = strawberry.field(description="By alphabet.")
    countries: list[str] | None = strawberry.field(description="By alphabet.")


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


@strawberry.input(description="One case. Dates are days; `minutes` is the duration.")
class ImportedLogbookEntryInput:
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


def _read_entry(type_: type, value: Mapping[str, Any], _context: InputContext) -> Any:
    return type_(**{_PYTHON_NAMES[name]: given for name, given in value.items()})


_entry_input = get_object_definition(ImportedLogbookEntryInput, strict=True)
_PYTHON_NAMES = {camel(field.python_name): field.python_name for field in _entry_input.fields}
# Thousands come at once, and nothing else runs until all are read. Strawberry's own way takes ten times as long, for it
# looks in every field for more to convert; these are scalars, all of them read already.
_entry_input.from_input = _read_entry


@strawberry.input(description="A new entry. Dates are days; `minutes` is the duration.")
class AddLogbookEntryInput(ImportedLogbookEntryInput):
    request_key: str | None = None


@strawberry.input(description="Many new entries at once: 1 to 5,000, as far as a request has room for them.")
class ImportLogbookEntriesInput:
    entries: list[ImportedLogbookEntryInput]
    all_or_nothing: bool = strawberry.field(default=False, description="Write nothing if any entry fails.")
    dry_run: bool = strawberry.field(default=False, description="Write nothing, and tell what would happen.")
    request_key: str | None = strawberry.field(
        default=None,
        description="A repeat within 24 hours gets the first answer. Nothing is kept for a key where "
        "nothing was written: of a dry run, and where all was left out.",
    )


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


@strawberry.type(description="What became of one of the entries.")
class ImportOutcome:
    status: ImportStatus
    problems: list[UserError] = strawberry.field(description="What to mend, if it failed; fields are the entry's.")


@strawberry.type
class ImportLogbookEntriesPayload(Payload):
    imported: int = 0
    skipped: int = strawberry.field(default=0, description="How many the logbook holds already.")
    failed: int = 0
    outcomes: list[ImportOutcome] = strawberry.field(default_factory=list, description="In the order of the entries.")


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
            entry_id = await entry_changes.add_entry(info.context, LOGBOOK, given(input), once(input))
            return {"logbook_entry": await entry_changes.own_entry(info.context, LOGBOOK, entry_id)}

        return await attempt(AddLogbookEntryPayload, change())

    @strawberry.mutation(
        description="Adds many entries. Equal ones are counted: as many as the logbook holds already are skipped."
    )
    async def import_logbook_entries(
        self, info: Info, input: ImportLogbookEntriesInput
    ) -> ImportLogbookEntriesPayload | None:
        async def change() -> dict[str, Any]:
            outcomes: Any = await import_entries(
                info.context,
                LOGBOOK,
                [vars(entry) for entry in input.entries],
                all_or_nothing=input.all_or_nothing,
                dry_run=input.dry_run,
                once=once(input),
            )
            counted = Counter(one.status for one in outcomes)
            return {
                "imported": counted[ImportStatus.IMPORTED],
                "skipped": counted[ImportStatus.SKIPPED],
                "failed": counted[ImportStatus.FAILED],
                "outcomes": outcomes,
            }

        return await attempt(ImportLogbookEntriesPayload, change())

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
