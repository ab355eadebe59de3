"""CPD entries in the schema, and the changes to them."""

import strawberry

from resolvers.cpd import CPD, add_cpd_entry, delete_cpd_entry, update_cpd_entry
from resolvers.evidence import files
from schema.entries import entry_type, facets_type
from schema.evidence import EvidenceFile
from schema.mutations import Payload, mutation


@entry_type(CPD, "One activity of continuing professional development (CPD).")
class CpdEntry:
    id: strawberry.ID
    version: int | None = strawberry.field(description="Goes up with each edit. Send it back when you update.")
    has_certificate: bool = strawberry.field(description="Whether one of its files is a certificate.")
    files = strawberry.field(
        resolver=files, graphql_type=list[EvidenceFile] | None, description="What's attached to it."
    )


@facets_type(CPD, "Values to filter by, from the CPD entries that you may read.")
class CpdFacets: ...


@strawberry.type
class AddCpdEntryPayload(Payload):
    cpd_entry: CpdEntry | None = None


@strawberry.type
class UpdateCpdEntryPayload(Payload):
    cpd_entry: CpdEntry | None = None
    current: CpdEntry | None = strawberry.field(
        default=None, description="The CPD entry as it is now, after a CONFLICT."
    )


@strawberry.type
class DeleteCpdEntryPayload(Payload):
    deleted_id: strawberry.ID | None = None


@strawberry.type
class CpdMutations:
    add_cpd_entry = mutation(add_cpd_entry, AddCpdEntryPayload)
    update_cpd_entry = mutation(update_cpd_entry, UpdateCpdEntryPayload)
    delete_cpd_entry = mutation(delete_cpd_entry, DeleteCpdEntryPayload)
