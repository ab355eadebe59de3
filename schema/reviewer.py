"""Reviewers, appointments and invitations in the schema."""

from typing import Any

import strawberry

from resolvers import reviewer
from resolvers.paging import page
from schema.changes import Payload, attempt, once
from schema.lists import Connection, Info, read_id


@strawberry.type(description="Somebody who reads a mediator's feedback to write their Feedback Digest.")
class Reviewer:
    id: strawberry.ID
    name: str


@strawberry.input
class AppointReviewerInput:
    reviewer_id: strawberry.ID


@strawberry.input
class InviteReviewerInput:
    email: str
    request_key: str | None = None


@strawberry.input(description="Ends your own review, or, with its mediator, one that you do.")
class EndReviewInput:
    mediator_id: strawberry.ID | None = None


@strawberry.input(description="Name and password make a new account; leave them out if you are signed in.")
class AcceptInvitationInput:
    token: str
    name: str | None = None
    password: str | None = None


@strawberry.type
class AppointReviewerPayload(Payload):
    reviewer: Reviewer | None = strawberry.field(default=None, description="Null while approval is waited for.")


@strawberry.type
class InviteReviewerPayload(Payload):
    invited: bool = False


@strawberry.type
class EndReviewPayload(Payload):
    ended: bool = False


@strawberry.type
class AcceptInvitationPayload(Payload):
    accepted: bool = False


@strawberry.type
class ReviewerQueries:
    @strawberry.field(description="Everybody who may be appointed, by name.")
    async def reviewers(
        self,
        info: Info,
        search: str | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Connection[Reviewer] | None:
        asked = page(first, after, last, before)
        found: Any = await reviewer.reviewer_page(info.context, search, asked)
        return found


@strawberry.type
class ReviewerMutations:
    @strawberry.mutation
    async def appoint_reviewer(self, info: Info, input: AppointReviewerInput) -> AppointReviewerPayload | None:
        async def change() -> dict[str, Any]:
            await reviewer.appoint(info.context, read_id(input.reviewer_id))
            return {
                "reviewer": as_reviewer(
                    await reviewer.reviewer_of(info.context, info.context.account_id, approved=True)
                )
            }

        return await attempt(AppointReviewerPayload, change())

    @strawberry.mutation
    async def invite_reviewer(self, info: Info, input: InviteReviewerInput) -> InviteReviewerPayload | None:
        async def change() -> dict[str, Any]:
            await reviewer.invite(info.context, input.email, once(input))
            return {"invited": True}

        return await attempt(InviteReviewerPayload, change())

    @strawberry.mutation
    async def end_review(self, info: Info, input: EndReviewInput) -> EndReviewPayload | None:
        async def change() -> dict[str, Any]:
            await reviewer.end(info.context, read_id(input.mediator_id) if input.mediator_id is not None else None)
            return {"ended": True}

        return await attempt(EndReviewPayload, change())

    @strawberry.mutation
    async def accept_invitation(self, info: Info, input: AcceptInvitationInput) -> AcceptInvitationPayload | None:
        async def change() -> dict[str, Any]:
            await reviewer.accept(info.context, input.token, input.name, input.password)
            return {"accepted": True}

        return await attempt(AcceptInvitationPayload, change())


def as_reviewer(row: Any) -> Reviewer | None:
    """Show a mediator's reviewer."""
    return Reviewer(id=strawberry.ID(str(row.reviewer_id)), name=row.name) if row else None
