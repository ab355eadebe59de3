"""Giving feedback without an account: one completed survey, through a request's link, a personal link or a choice."""

from dataclasses import dataclass
from typing import NoReturn
from uuid import UUID, uuid4

import strawberry
from sqlalchemy import insert
from sqlalchemy.dialects.postgresql import insert as upsert

from i18n import gettext as _
from i18n import lazy_gettext
from models.database import Transaction
from models.feedback import (
    RATINGS,
    ActedAs,
    Admission,
    Capacity,
    feedback,
    feedback_answers,
    feedback_origins,
    spent_links,
)
from models.statement import Values
from permissions.scopes import LINK_DAYS
from permissions.sealing import Origin, mailbox_hashes, seal_origin
from permissions.secrets import hash_receipt, hash_secret, network_hash, receipt_code, spent_marks
from resolvers import limits
from resolvers.context import Context, Info
from resolvers.errors import BadInput, Code, refuse
from resolvers.feedback_admission import admission_of, tell_mediator
from resolvers.feedback_giving_subject import LinkState, SubjectRow, link_state, read_link, request_by_link, subject_by
from resolvers.idempotency import attempt, once
from resolvers.inputs import read_id
from resolvers.survey import QuestionKind, question
from resolvers.validation import Check


@strawberry.input
class FeedbackAnswerInput:
    """The answer to one question, as typed."""

    question: str
    rating: int | None = None
    text: str | None = None
    not_applicable: bool = False


@strawberry.input(description="A completed survey. Give exactly one of token, link and mediatorId.")
class GiveFeedbackInput:
    """One completed survey: the mediator (exactly one of the three) and the answers."""

    capacity: Capacity
    acted_as: ActedAs
    answers: list[FeedbackAnswerInput]
    token: str | None = None
    link: str | None = None
    mediator_id: strawberry.ID | None = None
    share: bool = False
    share_alone: bool = False
    name: str | None = None
    email: str | None = None
    request_key: str | None = None


@dataclass(frozen=True)
class Given:
    """What's answered: that the survey was received, and the code of its receipt, which is shown only then."""

    receipt: str
    received: bool = True


async def give_feedback(info: Info, input: GiveFeedbackInput) -> Given:
    """Store a completed survey, queue the notice about it, use up the request's link, and give the receipt.

    Raises:
        Refused: something in the input needs fixing, or the link doesn't work.
        BadInput: there isn't exactly one of token, link and mediatorId, or the `requestKey` is too long.
        RateLimited: there were too many attempts.
    """
    context, new = info.context, input
    link = read_link(new.link) if new.link is not None else None
    chosen = read_id(new.mediator_id) if new.mediator_id is not None else None
    by = [given for given in (new.token, link, chosen) if given is not None]
    if len(by) != 1:
        raise BadInput(_("Give exactly one of token, link and mediatorId."))
    limit = limits.LINK_TRIES if new.token is not None else limits.OPEN_FEEDBACK
    await context.limiter.count(limit, context.viewer.address)
    check, new_id, by_request = Check(), uuid4(), new.token is not None
    name, email = check.line("name", new.name), check.email("email", new.email, required=False)
    answers = _checked(check, new.answers)
    check.done()
    async with context.transaction(link=hash_secret(new.token) if new.token is not None else None) as transaction:
        # This tells a repeat from a second answer. It's before checking the link, which the first answer used up.
        trying = await attempt(context, transaction, "giveFeedback", once(input), by[0])
        receipt = receipt_code(context.settings, trying.common)
        if trying.repeats:
            return Given(receipt)
        about = await _whom(context, transaction, new.token, link, chosen)
        if about.id == context.viewer.account_id:
            refuse(None, Code.NOT_ALLOWED, _("You can't give feedback about yourself."))
        admission = await admission_of(context, transaction, about.id, email, by_request=by_request)
        await _store(context, transaction, new_id, about.id, new, admission, receipt)
        await transaction.run(insert(feedback_answers).values(_rows(new_id, about.id, admission, answers)))
        await _store_origin(context, transaction, new_id, name, email)
        await tell_mediator(context, transaction, new_id, about.id, admission, by_request=by_request)
    return Given(receipt)


async def _whom(
    context: Context, transaction: Transaction, token: str | None, link: str | None, chosen: UUID | None
) -> SubjectRow:
    """Find the mediator that the survey is about, and use up the request's link."""
    if token is not None:
        return await _use_link(context, transaction, hash_secret(token))
    if link is not None:
        return await transaction.first(subject_by("link"), hash=hash_secret(link)) or _no_such("link")
    return await transaction.first(subject_by("choice"), id=chosen) or _no_such("mediatorId")


async def _use_link(context: Context, transaction: Transaction, hashed: bytes) -> SubjectRow:
    marks = spent_marks(context.settings, hashed)
    request = await transaction.first(request_by_link(), hash=hashed, marks=marks)
    if request is None:
        _no_such("token")
    state = link_state(request)
    if state is LinkState.OPEN:
        used = await transaction.run(upsert(spent_links).values(mark=marks[0]).on_conflict_do_nothing())
        state = LinkState.OPEN if used else LinkState.SPENT  # at the same moment
    if state is not LinkState.OPEN:
        code = Code.SPENT if state is LinkState.SPENT else Code.EXPIRED
        refuse("token", code, _CLOSED[state] % {"days": LINK_DAYS})
    return await transaction.first(subject_by("id"), id=request.mediator_id) or _no_such("token")


async def _store_origin(
    context: Context, transaction: Transaction, feedback_id: UUID, name: str | None, email: str | None
) -> None:
    origin = Origin(name, email, context.database.now())
    await transaction.run(
        insert(feedback_origins).values(
            id=feedback_id,
            sealed=seal_origin(context.settings, feedback_id, origin),
            mailbox_hash=mailbox_hashes(context.settings, email)[0] if email else None,
        )
    )


_CLOSED = {
    LinkState.SPENT: lazy_gettext("This link has been used, and your answers have arrived. Thank you."),
    LinkState.EXPIRED: lazy_gettext("This link has expired. It worked for %(days)s days."),
    LinkState.WITHDRAWN: lazy_gettext("This request was withdrawn. There's nothing you need to do."),
}


def _no_such(field: str) -> NoReturn:
    refuse(field, Code.NOT_FOUND, _("There's nobody here to give feedback about. Please check the link."))


def _checked(check: Check, given: list[FeedbackAnswerInput]) -> list[FeedbackAnswerInput]:
    """Check the answers against the survey. Blank answers don't count."""
    kept: dict[str, FeedbackAnswerInput] = {}
    for place, answer in enumerate(given):
        field = f"answers.{place}"
        asked = question(answer.question)
        text = check.text(f"{field}.text", answer.text)
        if asked is None:
            check.add(f"{field}.question", Code.INVALID, _("The survey has no such question."))
        elif answer.question in kept:
            check.add(f"{field}.question", Code.INVALID, _("Please answer each question once."))
        elif answer.not_applicable and (answer.rating is not None or text is not None):
            check.add(field, Code.INVALID, _("Please either answer this question or mark it as not applicable."))
        elif asked.kind is QuestionKind.TEXT and answer.rating is not None:
            check.add(f"{field}.rating", Code.INVALID, _("Please answer this question in words."))
        elif asked.kind is QuestionKind.RATING and text is not None:
            check.add(f"{field}.text", Code.INVALID, _("Please answer this question with a rating."))
        elif answer.rating is not None and answer.rating not in RATINGS:
            check.add(
                f"{field}.rating",
                Code.OUT_OF_RANGE,
                _("Please choose a rating from %(least)s to %(most)s.", least=RATINGS[0], most=RATINGS[-1]),
            )
        elif answer.rating is not None or text is not None or answer.not_applicable:
            kept[answer.question] = FeedbackAnswerInput(
                question=answer.question, rating=answer.rating, text=text, not_applicable=answer.not_applicable
            )
    if not kept:
        check.add("answers", Code.REQUIRED, _("Please answer at least one question."))
    return list(kept.values())


async def _store(
    context: Context,
    transaction: Transaction,
    feedback_id: UUID,
    mediator_id: UUID,
    new: GiveFeedbackInput,
    admission: Admission,
    receipt: str,
) -> None:
    network = network_hash(context.settings, mediator_id, context.viewer.address)
    await transaction.run(
        insert(feedback).values(
            id=feedback_id,
            mediator_id=mediator_id,
            capacity=new.capacity,
            acted_as=new.acted_as,
            shared=new.share,
            share_alone=new.share and new.share_alone,
            released=new.share and not context.settings.release_least,
            network_hash=network if new.share and new.token is None else None,
            by_invitation=new.token is not None,
            admission=admission,
            receipt_hash=hash_receipt(receipt),
        )
    )


def _rows(
    feedback_id: UUID, mediator_id: UUID, admission: Admission, answers: list[FeedbackAnswerInput]
) -> list[Values]:
    """Give the rows of the answers."""
    of = {"feedback_id": feedback_id, "mediator_id": mediator_id, "admission": admission}
    rows = []
    for answer in answers:
        asked = question(answer.question)
        rows.append(
            of
            | {
                "question": answer.question,
                "reviewer_only": asked is None or asked.reviewer_only,
                "rating": answer.rating,
                "text": answer.text,
            }
        )
    return rows
