"""Feedback: requests and the details erased from them, answers, and their origin in a table of its own.

No column links a request to the feedback that answered it. A request's details are a row of their own, so that erasing
them means deleting it. The giver of a piece of feedback holds its receipt, of which only a hash is here.
"""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, LargeBinary, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from models.columns import (
    cascade_fk,
    one_of,
    random_id,
    secret_hash,
    server_default,
    table,
    text_column,
    timestamptz,
    today,
)


class Capacity(StrEnum):
    """The capacity in which the sender took part."""

    PARTY = "PARTY"
    PARTY_ADVISER = "PARTY_ADVISER"
    PROFESSIONAL = "PROFESSIONAL"
    OTHER = "OTHER"


class ActedAs(StrEnum):
    """What the mediator acted as."""

    MEDIATOR = "MEDIATOR"
    ADVOCATE = "ADVOCATE"


class RequestState(StrEnum):
    """Whether a request's link still works. The mediator never sees this."""

    OPEN = "OPEN"
    SPENT = "SPENT"
    WITHDRAWN = "WITHDRAWN"


class Admission(StrEnum):
    """Whether a piece of feedback counts.

    HELD: only once an administrator admits it, because many came from one place. DISCARDED: never, because it came from
    the mediator's own mailbox; only its receipt still shows it.
    """

    ADMITTED = "ADMITTED"
    HELD = "HELD"
    DISCARDED = "DISCARDED"


class FeedbackRequest(SQLModel, table=True):
    """A request to a party. `agreed_on`: when the mediator confirmed that the party agreed to be contacted."""

    __tablename__ = "feedback_request"
    __table_args__ = (
        Index("feedback_request_by_time", "mediator_id", "made_at", "id"),
        one_of("state", RequestState),
    )

    id: UUID = random_id()
    mediator_id: UUID = cascade_fk("mediator", index=False)
    made_at: datetime = timestamptz(default_now=True)
    agreed_on: date = today()
    mediation_ended_on: date
    secret_hash: bytes = secret_hash()
    state: str = server_default("'OPEN'")


class FeedbackRequestDetails(SQLModel, table=True):
    """The party and the reference, deleted 120 hours after the request was made."""

    __tablename__ = "feedback_request_details"

    id: UUID = cascade_fk("feedback_request", primary=True)
    mediator_id: UUID = cascade_fk("mediator")
    made_at: datetime = timestamptz(index=True)
    party_name: str = text_column()
    party_email: str = text_column()
    reference: str | None = text_column()


class StoppedAddress(SQLModel, table=True):
    """An address that gets no more requests, as a keyed hash."""

    __tablename__ = "stopped_address"

    address_hash: bytes = Field(sa_type=LargeBinary, primary_key=True)


class Feedback(SQLModel, table=True):
    """One piece of feedback. `released`: it's shared and has reached the mediator, if it's admitted.

    One that isn't is released along with others, so that no receipt tells. Until then, `share_alone` says that it need
    not wait for a group, `network_hash` which pieces without a request may be one person's, and `release_at` when the
    group that it's in will be released.
    """

    __table_args__ = (
        Index("feedback_by_day", "mediator_id", "received_on", "id"),
        Index("feedback_released", "mediator_id", "id", postgresql_where=text("released AND shared")),
        Index("feedback_unreleased", "id", postgresql_where=text("shared AND NOT released")),
        one_of("capacity", Capacity),
        one_of("acted_as", ActedAs),
        one_of("admission", Admission),
        UniqueConstraint("id", "admission", name="feedback_admission"),  # for its answers to refer to
    )

    id: UUID = random_id()
    mediator_id: UUID = cascade_fk("mediator", index=False)
    capacity: str = text_column()
    acted_as: str = text_column()
    shared: bool
    share_alone: bool = server_default("false")
    released: bool = server_default("false")
    release_at: datetime | None = timestamptz()
    network_hash: bytes | None = Field(default=None, sa_type=LargeBinary)
    by_invitation: bool
    received_on: date = today()
    admission: str = server_default("'ADMITTED'")
    receipt_hash: bytes | None = secret_hash(nullable=True)


RATINGS = range(1, 6)


class FeedbackAnswer(SQLModel, table=True):
    """The answer to one question: a rating from 1 to 5, or a text; both null is "not applicable".

    `admission` is always that of its piece of feedback. It's here too because the database's rules go by it.
    """

    __tablename__ = "feedback_answer"
    __table_args__ = (
        Index("feedback_answer_of_feedback", "mediator_id", "feedback_id"),
        CheckConstraint(f"rating BETWEEN {RATINGS[0]} AND {RATINGS[-1]}", name="rating_bounds"),
        ForeignKeyConstraint(
            ["feedback_id", "admission"],
            ["feedback.id", "feedback.admission"],
            name="feedback_answer_of_admission",
            ondelete="CASCADE",
            onupdate="CASCADE",
        ),
    )

    feedback_id: UUID = Field(primary_key=True)
    question: str = Field(primary_key=True)
    mediator_id: UUID = cascade_fk("mediator", index=False)
    reviewer_only: bool
    admission: str = server_default("'ADMITTED'")
    rating: int | None = None
    text: str | None = text_column()


class FeedbackOrigin(SQLModel, table=True):
    """The sender of a piece of feedback, and the time.

    Administrators read it, and a named notice tells the mediator the name (`jobs/feedback_notice.py`).
    """

    __tablename__ = "feedback_origin"

    id: UUID = cascade_fk("feedback", primary=True)
    name: str | None = text_column()
    email: str | None = text_column()
    email_key: str | None = Field(default=None, index=True)
    received_at: datetime = timestamptz(default_now=True)


class GoneFeedback(SQLModel, table=True):
    """A piece of feedback that's gone, but that the audit log names. Its mediator mustn't come across those entries."""

    __tablename__ = "gone_feedback"

    id: UUID = Field(primary_key=True)
    mediator_id: UUID = cascade_fk("mediator")


feedback_requests = table(FeedbackRequest)
feedback_request_details = table(FeedbackRequestDetails)
stopped_addresses = table(StoppedAddress)
feedback = table(Feedback)
feedback_answers = table(FeedbackAnswer)
feedback_origins = table(FeedbackOrigin)
