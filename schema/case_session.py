"""The sessions of a case in the schema, and the changes to them."""

from datetime import date

import strawberry

from models.case_session import SessionKind
from models.logbook import Medium
from resolvers.case_session_changes import add_case_session, delete_case_session, update_case_session
from schema.mutations import Payload, mutation

strawberry.enum(SessionKind)


@strawberry.type(description="One session of a case. Only mediation sessions are contact hours.")
class CaseSession:
    id: strawberry.ID
    held_on: date | None
    held_month: str = strawberry.field(description="Year and month, such as 2026-05.")
    minutes: int
    kind: SessionKind
    medium: Medium
    version: int | None = strawberry.field(description="Goes up with each edit. Send it back when you update.")


@strawberry.type
class AddCaseSessionPayload(Payload):
    case_session: CaseSession | None = None


@strawberry.type
class UpdateCaseSessionPayload(Payload):
    case_session: CaseSession | None = None
    current: CaseSession | None = strawberry.field(
        default=None, description="The session as it is now, after a CONFLICT."
    )


@strawberry.type
class DeleteCaseSessionPayload(Payload):
    deleted_id: strawberry.ID | None = None


@strawberry.type
class CaseSessionMutations:
    add_case_session = mutation(add_case_session, AddCaseSessionPayload)
    update_case_session = mutation(update_case_session, UpdateCaseSessionPayload)
    delete_case_session = mutation(delete_case_session, DeleteCaseSessionPayload)
