"""A reviewer's answer: accepting, declining, and saying how they know the mediator."""

import asyncio
from typing import Any

import pytest

from models.account import Role
from tests.hub import Answer, Hub, Person, payload, problems, text_of
from tests.reviews import accept, agreed, appoint, approve, decline, missing, read, reviewer, reviews
from tests.world import put_feedback, put_token

SUBJECT = """query($id: ID!) {
  feedbackSubject(id: $id) { reviewerName reviewerRelation reviewerRelationDetails }
}"""


async def told(hub: Hub, mediator: Person) -> dict[str, str | None]:
    """What parties are told about a mediator's reviewer before they answer."""
    found: dict[str, str | None] = (await hub.ask(SUBJECT, {"id": str(mediator.id)})).data["feedbackSubject"]
    return found


async def own(hub: Hub, mediator: Person) -> dict[str, Any]:
    """What a mediator sees of their reviewers."""
    fields = "reviewer { id } waitingReviewer { id } reviewerRelation reviewerRelationDetails"
    found: dict[str, Any] = (await hub.ask(f"{{ me {{ mediator {{ {fields} }} }} }}", by=mediator)).data["me"]
    return {**found["mediator"]}


async def declare(hub: Hub, mediator: Person, by: Person | None, relation: str, **facts: str) -> Answer:
    asked = {"mediatorId": str(mediator.id), "relation": relation}
    return await hub.change("declareRelation", asked | facts, "declared", by=by)


async def test_only_the_reviewer_who_is_asked_accepts_and_not_with_a_token(hub: Hub) -> None:
    mediator, chosen, stranger = await hub.mediator(), await reviewer(hub), await reviewer(hub)
    payload(await appoint(hub, mediator, chosen))
    before = await hub.rows("SELECT * FROM appointment")
    assert problems(await accept(hub, mediator, stranger)) == [("mediatorId", "NOT_FOUND")]
    for by in (mediator, await hub.person(Role.ADMIN), await hub.person(Role.DIRECTORY), None):
        assert set((await accept(hub, mediator, by)).codes) == {"GRAPHQL_VALIDATION_FAILED"}
    asked = {"mediatorId": str(mediator.id), "relation": "COLLEAGUE"}
    by_token = await hub.change("acceptAppointment", asked, token=await put_token(hub, chosen))
    assert set(by_token.codes) == {"GRAPHQL_VALIDATION_FAILED"}
    assert await hub.rows("SELECT * FROM appointment") == before
    payload(await accept(hub, mediator, chosen))
    assert await reviews(hub) == [(mediator.id, chosen.id, True)]
    assert problems(await accept(hub, mediator, chosen)) == [("mediatorId", "NOT_FOUND")]


@pytest.mark.parametrize("relation", ["FAMILY", "EMPLOYER", "EMPLOYEE"])
async def test_somebody_too_close_is_told_why_they_cannot_review_and_nothing_changes(hub: Hub, relation: str) -> None:
    mediator, chosen = await hub.mediator(), await reviewer(hub)
    payload(await appoint(hub, mediator, chosen))
    refused = await accept(hub, mediator, chosen, relation)
    assert problems(refused) == [("relation", "NOT_ALLOWED")]
    assert "has to be independent" in str(refused.body)
    ((accepted_at, stored),) = await hub.rows("SELECT accepted_at, relation FROM appointment")
    assert (accepted_at, stored) == (None, None)
    payload(await accept(hub, mediator, chosen, "COLLEAGUE"))
    assert problems(await declare(hub, mediator, chosen, relation)) == [("relation", "NOT_ALLOWED")]
    assert (await told(hub, mediator))["reviewerRelation"] == "COLLEAGUE"


@pytest.mark.parametrize(
    ("details", "code"),
    [(None, "REQUIRED"), (" ", "REQUIRED"), ("\u200b", "REQUIRED"), ("two\nlines", "INVALID"), ("x" * 201, "TOO_LONG")],
)
async def test_another_relation_is_explained_on_one_short_line(hub: Hub, details: str | None, code: str) -> None:
    mediator, chosen = await hub.mediator(), await reviewer(hub)
    payload(await appoint(hub, mediator, chosen))
    refused = await accept(hub, mediator, chosen, "OTHER", relationDetails=details)
    assert problems(refused) == [("relationDetails", code)]
    assert not await hub.rows("SELECT FROM appointment WHERE accepted_at IS NOT NULL")


async def test_parties_and_the_mediator_read_how_they_know_each_other_once_it_is_in_force(hub: Hub) -> None:
    mediator, chosen = await hub.mediator(), await hub.person(Role.REVIEWER)
    nobody = {"reviewerName": None, "reviewerRelation": None, "reviewerRelationDetails": None}
    payload(await appoint(hub, mediator, chosen))
    before = await own(hub, mediator)
    payload(await accept(hub, mediator, chosen, "OTHER", relationDetails=" We sang in one choir "))
    # Nothing tells the mediator that the reviewer has accepted and only an administrator is missing.
    assert await own(hub, mediator) == before
    assert await told(hub, mediator) == nobody
    payload(await hub.change("confirmReviewer", {"accountId": str(chosen.id)}, by=await hub.person(Role.ADMIN)))
    declared = {"reviewerRelation": "OTHER", "reviewerRelationDetails": "We sang in one choir"}
    assert await told(hub, mediator) == {"reviewerName": chosen.name} | declared
    assert await own(hub, mediator) == {"reviewer": {"id": str(chosen.id)}, "waitingReviewer": None} | declared


async def test_a_reviewer_corrects_how_they_know_the_mediator(hub: Hub) -> None:
    mediator, chosen, stranger = await hub.mediator(), await reviewer(hub), await reviewer(hub)
    await hub.appointed(mediator, chosen)
    undeclared = {"reviewerName": chosen.name, "reviewerRelation": None, "reviewerRelationDetails": None}
    assert await told(hub, mediator) == undeclared
    assert problems(await declare(hub, mediator, stranger, "COLLEAGUE")) == [("mediatorId", "NOT_FOUND")]
    for by in (mediator, await hub.person(Role.ADMIN), None):
        assert set((await declare(hub, mediator, by, "COLLEAGUE")).codes) == {"GRAPHQL_VALIDATION_FAILED"}
    assert await told(hub, mediator) == undeclared
    payload(await declare(hub, mediator, chosen, "SAME_PROVIDER", relationDetails="Both at one court"))
    assert await told(hub, mediator) == undeclared | {
        "reviewerRelation": "SAME_PROVIDER",
        "reviewerRelationDetails": "Both at one court",
    }


async def test_a_reviewer_declines_and_the_mediator_is_told_but_not_by_whom(hub: Hub) -> None:
    mediator, present, chosen = await hub.mediator(), await reviewer(hub), await reviewer(hub)
    await put_feedback(hub, mediator, shared=False)
    await hub.appointed(mediator, present)
    payload(await appoint(hub, mediator, chosen))
    await hub.work()
    hub.mail(mediator.email)  # that it waits
    hub.mail(chosen.email)  # that they're asked
    before = await reviews(hub)
    assert problems(await decline(hub, mediator, by=present)) == [("id", "NOT_FOUND")]
    for by in (mediator, await hub.person(Role.DIRECTORY), None):
        assert set((await decline(hub, mediator, by=by)).codes) == {"GRAPHQL_VALIDATION_FAILED"}
    by_token = await decline(hub, mediator, token=await put_token(hub, chosen))
    assert set(by_token.codes) == {"GRAPHQL_VALIDATION_FAILED"}
    assert await reviews(hub) == before
    await hub.work()
    hub.mail(chosen.email)  # that a token was created

    assert payload(await decline(hub, mediator, by=chosen))["declined"]
    assert await reviews(hub) == [(mediator.id, present.id, True)]
    assert (await read(hub, present), await read(hub, chosen)) == ([str(mediator.id)], [])
    await hub.work()
    assert "this was declined, by them or by an administrator" in text_of(hub.mail(mediator.email))
    assert [one for one in hub.mails(chosen.email) if "declined" in text_of(one)] == []
    assert not await hub.rows("SELECT FROM audit_entry WHERE action <> 'API_TOKEN_CREATED'")
    assert problems(await accept(hub, mediator, chosen)) == [("mediatorId", "NOT_FOUND")]
    payload(await appoint(hub, mediator, chosen))  # nothing keeps them from being chosen again


async def test_an_administrator_declines_an_appointment_and_both_sides_are_told(hub: Hub) -> None:
    mediator, chosen, admin = await hub.mediator(), await reviewer(hub), await hub.person(Role.ADMIN)
    payload(await appoint(hub, mediator, chosen))
    await hub.work()
    hub.mail(mediator.email)  # that it waits
    hub.mail(chosen.email)  # that they're asked
    ((asked,),) = await hub.rows("SELECT id FROM appointment")
    by_token = await decline(hub, mediator, token=await put_token(hub, admin))
    assert set(by_token.codes) == {"GRAPHQL_VALIDATION_FAILED"}
    assert payload(await decline(hub, mediator, by=admin))["declined"]
    assert await reviews(hub) == []
    await hub.work()
    assert "this was declined, by them or by an administrator" in text_of(hub.mail(mediator.email))
    assert f"{mediator.name} chose you as their reviewer, but" in text_of(hub.mail(chosen.email))
    (audit,) = await hub.rows("SELECT * FROM audit_entry WHERE action <> 'API_TOKEN_CREATED'")
    assert (audit["action"], audit["actor_id"], audit["subject_id"]) == ("APPOINTMENT_DECLINED", admin.id, asked)
    for mutation in ("declineAppointment", "approveAppointment"):
        assert problems(await hub.change(mutation, {"id": str(asked)}, by=admin)) == [("id", "NOT_FOUND")]


async def test_an_appointment_in_force_can_be_neither_declined_nor_approved(hub: Hub) -> None:
    mediator, chosen, admin = await hub.mediator(), await reviewer(hub), await hub.person(Role.ADMIN)
    await hub.appointed(mediator, chosen)
    ((appointment_id,),) = await hub.rows("SELECT id FROM appointment")
    for mutation, by in (("declineAppointment", admin), ("declineAppointment", chosen), ("approveAppointment", admin)):
        refused = await hub.change(mutation, {"id": str(appointment_id)}, by=by)
        assert problems(refused) == [("id", "NOT_FOUND")]
    assert await reviews(hub) == [(mediator.id, chosen.id, True)]
    assert not await hub.rows("SELECT FROM audit_entry WHERE action <> 'API_TOKEN_CREATED'")


async def test_approving_and_declining_at_once_do_one_of_the_two(hub: Hub) -> None:
    mediator, chosen, admin = await hub.mediator(), await reviewer(hub), await hub.person(Role.ADMIN)
    await hub.waiting(mediator, chosen)
    payload(await accept(hub, mediator, chosen))
    approved, declined = await asyncio.gather(approve(hub, mediator, admin), decline(hub, mediator, by=admin))
    assert sorted([problems(approved), problems(declined)]) == [[], [("id", "NOT_FOUND")]]
    assert await reviews(hub) == ([(mediator.id, chosen.id, True)] if not problems(approved) else [])
    (done,) = await hub.rows("SELECT action FROM audit_entry")
    assert done["action"] == ("APPOINTMENT_APPROVED" if not problems(approved) else "APPOINTMENT_DECLINED")


async def test_a_reviewer_sees_who_asks_them_and_what_is_missing(hub: Hub) -> None:
    mediator, other, chosen = await hub.mediator(), await hub.mediator(), await hub.person(Role.REVIEWER)
    await agreed(hub, mediator, chosen)
    await hub.waiting(other, await reviewer(hub))
    fields = "id mediatorId mediatorName reviewerId reviewerName missing"
    (asked,) = (await hub.ask(f"{{ waitingAppointments {{ nodes {{ {fields} }} }} }}", by=chosen)).data[
        "waitingAppointments"
    ]["nodes"]
    assert asked | {"mediatorName": mediator.name, "reviewerName": chosen.name} == asked
    assert (asked["mediatorId"], asked["reviewerId"]) == (str(mediator.id), str(chosen.id))
    assert await missing(hub, chosen) == [["CONFIRMATION"]]
    for by in (mediator, None):
        assert set((await hub.ask("{ waitingAppointments { totalCount } }", by=by)).codes) == {
            "GRAPHQL_VALIDATION_FAILED"
        }
