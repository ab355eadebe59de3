"""Feedback: requests and the details erased from them, answers, and their origin in a table of its own.

Nothing links a request to the feedback that answered it: no column, and nothing that PostgreSQL keeps about rows. So
answering doesn't touch the request's row, and what it writes is soon rewritten (`jobs/mixing.py`). A request's
details are a row of their own, so that erasing them means deleting it. They and origins are sealed
(`permissions/sealing.py`). The giver of a piece of feedback holds its receipt, of which only a hash is here.
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
    """Whether its mediator has withdrawn a request."""

    OPEN = "OPEN"
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


class DetailsKey(SQLModel, table=True):
    """The sealed key of a day: the details of that day's requests are sealed with it. Deleted once they're all gone.

    Backups leave this table out, so that they hold no details that anybody can read.
    """

    __tablename__ = "details_key"

    day: date = Field(primary_key=True)
    sealed: bytes = Field(sa_type=LargeBinary)


class FeedbackRequestDetails(SQLModel, table=True):
    """The party and the reference, sealed, and deleted 120 hours after the request was made."""

    __tablename__ = "feedback_request_details"

    id: UUID = cascade_fk("feedback_request", primary=True)
    mediator_id: UUID = cascade_fk("mediator")
    made_at: datetime = timestamptz(index=True)
    sealed: bytes = Field(sa_type=LargeBinary)


class SpentLink(SQLModel, table=True):
    """A request's link that was used, as a keyed hash: without the key, nobody can tell whose it was."""

    __tablename__ = "spent_link"
    __table_args__ = (Index("spent_link_unmixed", "mark", postgresql_where=text("NOT mixed")),)

    mark: bytes = Field(sa_type=LargeBinary, primary_key=True)
    mixed: bool = server_default("false")


class StoppedAddress(SQLModel, table=True):
    """An address that gets no more requests, as a keyed hash."""

    __tablename__ = "stopped_address"

    address_hash: bytes = Field(sa_type=LargeBinary, primary_key=True)


class Feedback(SQLModel, table=True):
    """One piece of feedback. `released`: it's shared and has reached the mediator, if it's admitted.

    One that isn't is released along with others, so that no receipt tells. Until then, `share_alone` says that it need
    not wait for a group, `network_hash` which pieces without a request may be one person's, and `release_at` when the
    group that it's in will be released. `mixed`: it was rewritten, among others.
    """

    __table_args__ = (
        Index("feedback_by_day", "mediator_id", "received_on", "id"),
        Index("feedback_released", "mediator_id", "id", postgresql_where=text("released AND shared")),
        Index("feedback_unmixed", "id", postgresql_where=text("NOT mixed")),
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
    mixed: bool = server_default("false")
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
    """The sender of a piece of feedback, and the time, sealed. `mailbox_hash` finds it by the sender's address.

    Administrators read it, and a named notice tells the mediator the name (`jobs/feedback_notice.py`).
    """

    __tablename__ = "feedback_origin"

    id: UUID = cascade_fk("feedback", primary=True)
    sealed: bytes = Field(sa_type=LargeBinary)
    mailbox_hash: bytes | None = Field(default=None, sa_type=LargeBinary, index=True)


feedback_requests = table(FeedbackRequest)
details_keys = table(DetailsKey)
feedback_request_details = table(FeedbackRequestDetails)
spent_links = table(SpentLink)
stopped_addresses = table(StoppedAddress)
feedback = table(Feedback)
feedback_answers = table(FeedbackAnswer)
feedback_origins = table(FeedbackOrigin)
