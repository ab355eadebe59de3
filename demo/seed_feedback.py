"""What parties did in the demo: the requests they got, and the feedback they gave."""

from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from demo.seed_practice import pick, seeded_id, sometimes
from jobs import mail
from jobs.outbox import enqueue
from models.database import Transaction
from models.feedback import (
    ActedAs,
    Admission,
    Capacity,
    feedback,
    feedback_answers,
    feedback_origins,
    feedback_request_details,
    feedback_requests,
    spent_links,
)
from permissions.sealing import Origin, PartyDetails, mailbox_hashes, seal_details, seal_origin
from permissions.secrets import Opens, hash_secret, link_secret, spent_marks
from resolvers.feedback_request import day_key
from resolvers.survey import Question, QuestionKind, survey
from settings import Settings

_CAPACITIES = {
    Capacity.PARTY: 6.0,
    Capacity.PARTY_ADVISER: 3.0,
    Capacity.PROFESSIONAL: 1.0,
    Capacity.OTHER: 0.4,
}
# By the key of a question that's answered in words; a new question stays unanswered here.
_TEXTS = {
    "impressed": (
        "They never lost their patience, even when we did.",
        "They remembered small things that I had said at the start.",
        "The calm way in which they explained what would come next.",
        "They told both of us plainly what they could not do for us.",
        "They asked the one question that nobody had asked in two years.",
        "How well the meeting was prepared. No time was lost.",
        "I felt taken seriously, also when I was upset.",
    ),
    "could_be_better": (
        "Shorter sessions. After four hours I only wanted to go home.",
        "A summary by mail after each meeting would have helped.",
        "They could have stopped the other side earlier.",
        "More time for the details of the agreement at the end.",
        "I would have liked to know beforehand that we would sit in separate rooms.",
        "Nothing that I can think of.",
    ),
    "for_reviewer": (
        "I was more at ease once the advisers had left the room.",
        "I had the impression that they knew the other side's adviser well. It did no harm.",
        "I would answer the same if my name stood here.",
        "The outcome was not what I had hoped for, but I do not blame them.",
    ),
}


async def add_feedback(
    transaction: Transaction, settings: Settings, chance: Random, mediator_id: UUID, now: datetime, years: int
) -> None:
    """Add what parties answered about a mediator over so many years: shared or not, with or without a name."""
    rows, answers, origins = [], [], []
    well_liked = chance.uniform(3.6, 4.7)
    for _ in range(years * chance.randint(2, 4)):
        feedback_id, received_at = seeded_id(chance), now - timedelta(days=chance.uniform(0.2, 365 * years))
        acted_as = pick(chance, {ActedAs.MEDIATOR: 7.0, ActedAs.ADVOCATE: 1.0})
        shared = chance.random() < 0.6
        rows.append(
            {
                "id": feedback_id,
                "mediator_id": mediator_id,
                "capacity": pick(chance, _CAPACITIES),
                "acted_as": acted_as,
                "shared": shared,
                "released": shared,
                "by_invitation": chance.random() < 0.6,
                "received_on": received_at.date(),
            }
        )
        owner = {"feedback_id": feedback_id, "mediator_id": mediator_id}
        answers += [owner | answer for answer in _answers(chance, acted_as, well_liked)]
        origins.append({"id": feedback_id, **_origin(settings, feedback_id, received_at, chance)})
    await transaction.insert(feedback, rows)
    await transaction.insert(feedback_answers, answers)
    await transaction.insert(feedback_origins, origins)


async def add_held(
    transaction: Transaction, settings: Settings, chance: Random, mediator_id: UUID, now: datetime
) -> None:
    """Add a piece of feedback that waits for the administrator, as if many had come from one place."""
    feedback_id = seeded_id(chance)
    owner = {"feedback_id": feedback_id, "mediator_id": mediator_id, "admission": Admission.HELD}
    row = {
        "id": feedback_id,
        "mediator_id": mediator_id,
        "capacity": Capacity.OTHER,
        "acted_as": ActedAs.MEDIATOR,
        "shared": True,
        "by_invitation": False,
        "received_on": now.date(),
        "admission": Admission.HELD,
    }
    await transaction.insert(feedback, [row])
    await transaction.insert(
        feedback_answers, [owner | answer for answer in _answers(chance, ActedAs.MEDIATOR, well_liked=5)]
    )
    await transaction.insert(feedback_origins, [{"id": feedback_id, **_origin(settings, feedback_id, now, chance)}])


def _answers(chance: Random, acted_as: ActedAs, well_liked: float) -> list[dict[str, Any]]:
    made = []
    for question in survey().questions:
        rating = _rating(chance, acted_as, question, well_liked)
        text = sometimes(chance, 0.6, _TEXTS[question.key]) if question.key in _TEXTS else None
        if question.kind is QuestionKind.RATING or text:
            made.append(
                {
                    "question": question.key,
                    "reviewer_only": question.reviewer_only,
                    "rating": rating,
                    "text": text,
                }
            )
    return made


def _rating(chance: Random, acted_as: ActedAs, question: Question, well_liked: float) -> int | None:
    """Rate from 1 to 5; None is "not applicable"."""
    does_not_apply = question.key == "neutrality" and acted_as is ActedAs.ADVOCATE
    if question.kind is not QuestionKind.RATING or does_not_apply or chance.random() < 0.05:
        return None
    return min(5, max(1, round(chance.gauss(well_liked, 0.8))))


def _origin(settings: Settings, feedback_id: UUID, received_at: datetime, chance: Random) -> dict[str, bytes | None]:
    name, email = _party(chance)
    given = chance.random()
    named, reachable = given < 0.6, given < 0.4
    origin = Origin(name if named else None, email if reachable else None, received_at)
    return {
        "sealed": seal_origin(settings, feedback_id, origin),
        "mailbox_hash": mailbox_hashes(settings, email)[0] if reachable else None,
    }


def _party(chance: Random) -> tuple[str, str]:
    number = chance.randint(1, 99)
    return f"Demo Party {number}", f"party{number}@demo.example"


async def add_requests(
    transaction: Transaction, settings: Settings, chance: Random, mediator_id: UUID, now: datetime, *, fresh: int
) -> None:
    """Add a mediator's requests: older ones, whose details are erased, and `fresh` ones inside their five days.

    The first of the fresh ones is made now: it's open, and its mail goes out.
    """
    ages = [timedelta(days=chance.uniform(6, 300)) for _ in range(chance.randint(3, 8))]
    ages += [timedelta(hours=37 * place) for place in range(fresh)]
    rows, details, used = [], [], []
    for age in ages:
        request_id, made_at = seeded_id(chance), now - age
        owned = {"id": request_id, "mediator_id": mediator_id, "made_at": made_at}
        secret_hash = hash_secret(link_secret(settings, Opens.FEEDBACK_REQUEST, request_id))
        if age and chance.random() < 0.5:
            used.append({"mark": spent_marks(settings, secret_hash)[0]})
        ended_on = (made_at - timedelta(days=chance.randint(1, 20))).date()
        rows.append({**owned, "agreed_on": made_at.date(), "mediation_ended_on": ended_on, "secret_hash": secret_hash})
        if age < timedelta(hours=120):
            name, email = _party(chance)
            party = PartyDetails(name, email, f"Demo case {made_at:%Y}-{chance.randint(1, 99):02}")
            key = await day_key(transaction, settings, made_at.date())
            details.append({**owned, "sealed": seal_details(settings, made_at.date(), key, request_id, party)})
        if not age:
            await enqueue(transaction, mail.FEEDBACK_REQUEST, request_id)
    await transaction.run(insert(feedback_requests).values(rows))
    if details:
        await transaction.run(insert(feedback_request_details).values(details))
    if used:
        await transaction.run(insert(spent_links).values(used))
