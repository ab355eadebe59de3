"""The logbook in the schema: cases, their totals, and changes to them."""

import strawberry

from models.logbook import CaseRole
from resolvers.case_session import sessions
from resolvers.entry_import import ImportStatus
from resolvers.logbook import (
    LOGBOOK,
    add_logbook_entry,
    delete_logbook_entry,
    import_logbook_entries,
    update_logbook_entry,
)
from schema.case_session import CaseSession
from schema.connections import Minutes
from schema.entries import entry_type, facets_type
from schema.mutations import Payload, UserError, mutation


@entry_type(LOGBOOK, "One case in a mediator's logbook.")
class LogbookEntry:
    id: strawberry.ID
    ended_month: str = strawberry.field(description="Year and month of the last day, such as 2026-05.")
    contact_minutes: int = strawberry.field(
        description="The minutes of mediation sessions; or all, if the case has no sessions."
    )
    sessions = strawberry.field(
        resolver=sessions,
        graphql_type=list[CaseSession] | None,
        description="In their order. Without any, the case counts as one mediation session on its last day.",
    )
    version: int | None = strawberry.field(description="Goes up with each edit. Send it back when you update.")


@facets_type(LOGBOOK, "Values to filter by, from the cases that you may read. At most 200 of each.")
class LogbookFacets: ...


@strawberry.type(description="Totals for one role.")
class RoleHours:
    role: CaseRole
    minutes: Minutes
    contact_minutes: Minutes
    cases: int


@strawberry.type(description="Totals for one year: its sessions, and the cases they belong to.")
class YearHours:
    year: int
    minutes: Minutes
    contact_minutes: Minutes
    cases: int


@strawberry.type(description="Totals for one role in one year.")
class RoleYearHours:
    role: CaseRole
    year: int
    minutes: Minutes
    contact_minutes: Minutes
    cases: int


@strawberry.type(
    description="A logbook's totals, as lead mediator and co-mediator unless you ask for other `roles`. Hours count on "
    "the days of their sessions, so a case that goes on into another year counts in both."
)
class Experience:
    minutes: Minutes
    contact_minutes: Minutes = strawberry.field(description="The minutes of mediation sessions.")
    cases: int
    simulated_minutes: Minutes = strawberry.field(
        description="Simulated cases. They count in nothing else, unless you ask for them."
    )
    opening_minutes: Minutes = strawberry.field(
        description="What the mediator declared for the time before the logbook. It's in no year, and counts in "
        "nothing else here; 0 if you ask for a time or for simulated cases."
    )
    by_role: list[RoleHours]
    by_year: list[YearHours]
    by_role_and_year: list[RoleYearHours]


@strawberry.type
class AddLogbookEntryPayload(Payload):
    logbook_entry: LogbookEntry | None = None


@strawberry.type(description="The result for one case.")
class ImportOutcome:
    status: ImportStatus
    problems: list[UserError] = strawberry.field(
        description="What to fix, if it failed. Each `field` is a field of the case."
    )


@strawberry.type
class ImportLogbookEntriesPayload(Payload):
    imported: int = 0
    skipped: int = strawberry.field(default=0, description="How many cases the logbook already had.")
    failed: int = 0
    outcomes: list[ImportOutcome] = strawberry.field(
        default_factory=list, description="One for each case, in the order you sent them."
    )


@strawberry.type
class UpdateLogbookEntryPayload(Payload):
    logbook_entry: LogbookEntry | None = None
    current: LogbookEntry | None = strawberry.field(
        default=None, description="The case as it is now, after a CONFLICT."
    )


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
        description="Adds many cases, and skips those the logbook already has. Equal cases are matched one for one.",
    )
