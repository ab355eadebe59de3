"""A reviewer's answer to a mediator who appointed them: yes or no, and how they know each other.

Parties read how a reviewer knows the mediator before they answer anything.
"""

from typing import NamedTuple
from uuid import UUID

import strawberry
from sqlalchemy import func, select, update

from i18n import gettext as _
from jobs import mail
from jobs.outbox import enqueue
from models.database import Transaction
from models.outbox import AuditAction
from models.reviewer import TOO_CLOSE, Relation, appointments
from resolvers.account_row import lock_with_mailboxes
from resolvers.audit import note
from resolvers.context import Context, Info
from resolvers.errors import Code, refuse
from resolvers.inputs import read_id
from resolvers.reviewer_appointment import come_into_force, end_reviews, lock_appointments, lock_waiting
from resolvers.reviewer_needs import refuse_obstacle
from resolvers.validation import Check

strawberry.enum(Relation)


class Declared(NamedTuple):
    """How a reviewer says they know the mediator, and what they add in their own words."""

    relation: Relation
    details: str | None


def read_relation(check: Check, relation: Relation, details: str | None) -> Declared:
    """Check what a reviewer says about how they know the mediator."""
    words = check.line("relationDetails", details)
    if relation in TOO_CLOSE:
        check.add(
            "relation",
            Code.NOT_ALLOWED,
            _(
                "A reviewer has to be independent, so family members, employers and employees of the mediator can't "
                "review them. Please decline, so that the mediator can choose somebody else."
            ),
        )
    if relation is Relation.OTHER and words is None:
        check.add("relationDetails", Code.REQUIRED, _("Please say how you know each other."))
    return Declared(relation, words)


async def accept(context: Context, transaction: Transaction, mediator_id: UUID, declared: Declared, field: str) -> None:
    """Accept a waiting appointment as its reviewer. It comes into force if nothing else is missing.

    Call `lock_appointments` first.

    Raises:
        Refused: there's no such appointment, or the two can't review each other; the problem is with `field`.
    """
    reviewer_id = context.account_id
    people = await lock_with_mailboxes(transaction, mediator_id, reviewer_id)
    asked = (
        appointments.c.mediator_id == mediator_id,
        appointments.c.reviewer_id == reviewer_id,
        ~appointments.c.in_force,
    )
    appointment_id = await transaction.value(select(appointments.c.id).where(*asked), UUID)
    if appointment_id is None:
        refuse(field, Code.NOT_FOUND, _("This mediator isn't asking you any more."))
    await refuse_obstacle(transaction, people, mediator_id, reviewer_id, field)
    await transaction.run(
        update(appointments)
        .where(appointments.c.id == appointment_id)
        .values(
            accepted_at=func.coalesce(appointments.c.accepted_at, func.clock()),
            relation=declared.relation,
            relation_details=declared.details,
        )
    )
    await come_into_force(context, transaction, people, appointment_id)


@strawberry.input
class AcceptAppointmentInput:
    """The mediator who asks, and how the reviewer knows them."""

    mediator_id: strawberry.ID
    relation: Relation
    relation_details: str | None = None


async def accept_appointment(info: Info, input: AcceptAppointmentInput) -> None:
    """Accept a mediator's appointment, and say how you know them.

    Raises:
        Refused: something in the input needs fixing, the mediator isn't asking, or the reviewer isn't independent.
    """
    check = Check()
    declared = read_relation(check, input.relation, input.relation_details)
    check.done()
    async with info.context.transaction() as transaction:
        await lock_appointments(transaction)
        await accept(info.context, transaction, read_id(input.mediator_id), declared, "mediatorId")


@strawberry.input
class DeclineAppointmentInput:
    """The appointment to decline."""

    id: strawberry.ID


async def decline_appointment(info: Info, input: DeclineAppointmentInput) -> None:
    """Decline a waiting appointment, as its reviewer or as an administrator. The mediator keeps the reviewer they have.

    The mediator is told, but not by whom it was declined; the reviewer is told if it was an administrator.

    Raises:
        Refused: there's no such appointment, or the viewer may not decline it.
    """
    context, appointment_id = info.context, read_id(input.id)
    async with context.transaction() as transaction:
        asked, _people = await lock_waiting(context, transaction, appointment_id)
        is_reviewer = asked.reviewer_id == context.account_id
        await end_reviews(transaction, mediator_id=asked.mediator_id, reviewer_id=asked.reviewer_id)
        await enqueue(transaction, mail.APPOINTMENT_DECLINED, asked.mediator_id, other_id=asked.reviewer_id)
        if not is_reviewer:
            await enqueue(transaction, mail.REVIEW_DECLINED, asked.mediator_id, other_id=asked.reviewer_id)
            note(context, transaction, AuditAction.APPOINTMENT_DECLINED, appointment_id, of=asked.mediator_id)


@strawberry.input
class DeclareRelationInput:
    """How the reviewer knows a mediator whom they review."""

    mediator_id: strawberry.ID
    relation: Relation
    relation_details: str | None = None


async def declare_relation(info: Info, input: DeclareRelationInput) -> None:
    """Correct how you know a mediator whom you review.

    Raises:
        Refused: something in the input needs fixing, or the viewer doesn't review that mediator.
    """
    context, check = info.context, Check()
    declared = read_relation(check, input.relation, input.relation_details)
    check.done()
    async with context.transaction() as transaction:
        corrected = await transaction.run(
            update(appointments)
            .where(
                appointments.c.mediator_id == read_id(input.mediator_id),
                appointments.c.reviewer_id == context.account_id,
                appointments.c.in_force,
            )
            .values(relation=declared.relation, relation_details=declared.details)
        )
        if not corrected:
            refuse("mediatorId", Code.NOT_FOUND, _("You don't review this mediator."))
