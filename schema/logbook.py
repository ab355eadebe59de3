"""The logbook in the schema: cases, what they add up to, and the changes to them."""

import strawberry

from models.logbook import CaseRole
from resolvers.entry_import import ImportStatus
from resolvers.logbook import (
    LOGBOOK,
    add_logbook_entry,
    delete_logbook_entry,
    import_logbook_entries,
    update_logbook_entry,
)
from schema.connections import Minutes
from schema.entries import entry_type, facets_type
from schema.mutations import Payload, UserError, mutation


@entry_type(LOGBOOK, "One case in a mediator's logbook.")
class LogbookEntry:
    id: strawberry.ID
    ended_month: str = strawberry.field(description="Year and month of the last day, as in 2026-05.")
    version: int | None = strawberry.field(description="Counts the edits; give it back with an update.")


@facets_type(LOGBOOK, "What occurs in the entries that you may read, to filter by; of each at most 200.")
class LogbookFacets: ...


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
    add_logbook_entry = mutation(add_logbook_entry, AddLogbookEntryPayload)
    update_logbook_entry = mutation(update_logbook_entry, UpdateLogbookEntryPayload)
    delete_logbook_entry = mutation(delete_logbook_entry, DeleteLogbookEntryPayload)
    import_logbook_entries = mutation(
        import_logbook_entries,
        ImportLogbookEntriesPayload,
        description="Adds many entries. Equal ones are counted: as many as the logbook holds already are skipped.",
    )
