"""Reviewers: appointed, invited, approved, replaced and ended."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from models.account import Role
from tests.hub import PASSWORD, Answer, Hub, Person, opened, payload, problems, secret_in, text_of
from tests.world import put_feedback, put_token

FEEDBACK = "{ mediators(standing: REVIEWER) { nodes { id feedback { nodes { id } } } } }"


@pytest.fixture
async def strict(hub: Hub) -> AsyncIterator[Hub]:
    """The same hub, where an administrator has to approve each appointment."""
    async with opened(hub.services, settings=hub.settings, reviewer_approval=True) as strict:
        yield strict


async def reviewer(hub: Hub, *roles: Role) -> Person:
    return await hub.person(Role.REVIEWER, *roles)


async def appoint(hub: Hub, mediator: Person, chosen: Person) -> Answer:
    return await hub.change("appointReviewer", {"reviewerId": str(chosen.id)}, "reviewer { id name }", by=mediator)


async def invite(hub: Hub, mediator: Person, email: str, **facts: Any) -> Answer:
    return await hub.change("inviteReviewer", {"email": email, **facts}, "invited", by=mediator)


async def invited(hub: Hub, mediator: Person, email: str) -> str:
    """Invite somebody, and return the secret of the link they got."""
    payload(await invite(hub, mediator, email))
    await hub.work()
    return hub.secret(email, "invitation")


async def end(hub: Hub, mediator: Person, chosen: Person | None, by: Person) -> Answer:
    """End a review; without a reviewer, take back invitations."""
    sides = {"mediatorId": str(mediator.id)} | ({"reviewerId": str(chosen.id)} if chosen else {})
    return await hub.change("endReview", sides, "ended", by=by)


async def accept(hub: Hub, token: str, by: Person | None = None, **facts: str) -> Answer:
    return await hub.change("acceptInvitation", {"token": token, **facts}, "accepted", by=by)


async def reviews(hub: Hub) -> list[tuple[Any, Any, bool]]:
    rows = await hub.rows("SELECT mediator_id, reviewer_id, approved FROM appointment ORDER BY approved")
    return [tuple(row) for row in rows]


async def read(hub: Hub, by: Person) -> list[str]:
    """The mediators whose feedback somebody reads as a reviewer."""
    nodes = (await hub.ask(FEEDBACK, by=by)).data["mediators"]["nodes"]
    return [node["id"] for node in nodes if node["feedback"]["nodes"]]


async def test_a_mediator_appoints_from_the_list_and_both_are_told(hub: Hub) -> None:
    mediator, chosen = await hub.mediator(), await reviewer(hub)
    await put_feedback(hub, mediator, shared=False)
    listed = (await hub.ask("{ reviewers { nodes { id name } } }", by=mediator)).data["reviewers"]["nodes"]
    assert listed == [{"id": str(chosen.id), "name": chosen.name}]
    answer = await appoint(hub, mediator, chosen)
    assert payload(answer)["reviewer"] == listed[0]
    assert await read(hub, chosen) == [str(mediator.id)]
    await hub.work()
    assert f"You're now the reviewer for {mediator.name}" in text_of(hub.mail(chosen.email))
    assert f"{chosen.name} is now your reviewer" in text_of(hub.mail(mediator.email))


async def test_appointing_somebody_who_is_not_a_reviewer_looks_like_an_unknown_id(hub: Hub) -> None:
    mediator, colleague = await hub.mediator(), await hub.mediator()
    nobody = Person(uuid4(), "", "", "")
    refused = [await appoint(hub, mediator, one) for one in (colleague, nobody)]
    assert refused[0].body == refused[1].body
    assert problems(refused[0]) == [("reviewerId", "NOT_FOUND")]
    assert await reviews(hub) == []


async def test_nobody_reviews_themselves(hub: Hub) -> None:
    person = await reviewer(hub, Role.MEDIATOR)
    assert problems(await appoint(hub, person, person)) == [("reviewerId", "NOT_ALLOWED")]
    for own in (person.email, person.email.upper(), f" {person.email} ", person.email.replace("@", "+x@")):
        assert problems(await invite(hub, person, own)) == [("email", "NOT_ALLOWED")]
    assert await reviews(hub) == []
    await hub.work()
    assert hub.mails() == []


async def test_nobody_reviews_themselves_with_a_second_account_in_the_same_mailbox(hub: Hub) -> None:
    person, second = await hub.mediator(email="Pat@demo.example"), await hub.person(email="pat+2@DEMO.example")
    third = await hub.person(Role.REVIEWER, email="pat+3@demo.example")
    for own in (second, third):
        assert problems(await appoint(hub, person, own)) == [("reviewerId", "NOT_ALLOWED")]
    await hub.rows("UPDATE account SET email = 'x@demo.example', email_key = 'x@demo.example' WHERE id = $1", person.id)
    token = await invited(hub, person, "pat+2@demo.example")
    await hub.rows(
        "UPDATE account SET email = 'pat@x.example', email_key = 'pat@demo.example' WHERE id = $1", person.id
    )
    assert problems(await accept(hub, token, by=second)) == [("token", "NOT_ALLOWED")]
    assert await reviews(hub) == []


async def test_two_people_do_not_review_each_other_with_second_accounts(hub: Hub) -> None:
    ann, bob = await hub.mediator(email="ann@demo.example"), await hub.mediator(email="bob@demo.example")
    ann2 = await hub.person(Role.REVIEWER, email="ann+2@demo.example")
    bob2 = await hub.person(Role.REVIEWER, email="bob+2@demo.example")
    payload(await appoint(hub, ann, bob2))
    assert problems(await appoint(hub, bob, ann2)) == [("reviewerId", "NOT_ALLOWED")]
    assert await reviews(hub) == [(ann.id, bob2.id, True)]
    await hub.rows("DELETE FROM appointment")
    for _ in range(3):
        answers = await asyncio.gather(appoint(hub, ann, bob2), appoint(hub, bob, ann2))
        assert sorted(map(str, map(problems, answers))) == ["[('reviewerId', 'NOT_ALLOWED')]", "[]"]
        await hub.rows("DELETE FROM appointment")


async def test_nobody_reviews_themselves_by_moving_to_the_address_they_invited(hub: Hub) -> None:
    person = await hub.mediator()
    token = await invited(hub, person, "second@demo.example")
    payload(await hub.change("changeEmail", {"email": "second@demo.example", "password": PASSWORD}, by=person))
    await hub.work()
    verification = hub.secret("second@demo.example", "verify")
    payload(await hub.change("verifyEmail", {"token": verification}, by=person))
    assert problems(await accept(hub, token, by=person)) == [("token", "NOT_ALLOWED")]
    assert await reviews(hub) == []
    (row,) = await hub.rows("SELECT roles FROM account")
    assert row["roles"] == ["MEDIATOR"]


async def test_two_people_do_not_review_each_other(hub: Hub) -> None:
    one, other = [await reviewer(hub, Role.MEDIATOR) for _ in range(2)]
    payload(await appoint(hub, one, other))
    assert problems(await appoint(hub, other, one)) == [("reviewerId", "NOT_ALLOWED")]
    assert await reviews(hub) == [(one.id, other.id, True)]


async def test_two_people_do_not_review_each_other_even_when_both_appoint_at_once(hub: Hub) -> None:
    one, other = [await reviewer(hub, Role.MEDIATOR) for _ in range(2)]
    for _ in range(3):
        answers = await asyncio.gather(appoint(hub, one, other), appoint(hub, other, one))
        assert sorted(map(str, map(problems, answers))) == ["[('reviewerId', 'NOT_ALLOWED')]", "[]"]
        assert len(await reviews(hub)) == 1
        await hub.rows("DELETE FROM appointment")


async def test_two_people_do_not_review_each_other_by_invitation_either(hub: Hub) -> None:
    one, other = [await reviewer(hub, Role.MEDIATOR) for _ in range(2)]
    token = await invited(hub, one, other.email)
    payload(await appoint(hub, other, one))
    assert problems(await accept(hub, token, by=other)) == [("token", "NOT_ALLOWED")]
    assert await reviews(hub) == [(other.id, one.id, True)]


async def test_accepting_and_appointing_at_once_do_not_deadlock(hub: Hub) -> None:
    for _ in range(3):
        one, other = [await reviewer(hub, Role.MEDIATOR) for _ in range(2)]
        token = await invited(hub, one, other.email)
        answers = await asyncio.gather(accept(hub, token, by=other), appoint(hub, other, one))
        assert sorted(len(problems(answer)) for answer in answers) == [0, 1]


async def test_a_new_reviewer_takes_over_at_once_and_the_old_one_is_told(hub: Hub) -> None:
    mediator, old, new = await hub.mediator(), await reviewer(hub), await reviewer(hub)
    await put_feedback(hub, mediator, shared=False)
    payload(await appoint(hub, mediator, old))
    payload(await appoint(hub, mediator, new))
    assert (await read(hub, old), await read(hub, new)) == ([], [str(mediator.id)])
    by_id = "query($id: ID!) { mediator(id: $id) { id } }"
    gone = await hub.ask(by_id, {"id": str(mediator.id)}, by=old)
    assert (gone.body["data"], gone.codes) == ({"mediator": None}, ["NOT_FOUND"])
    await hub.work()
    assert "no longer the reviewer" in text_of(hub.mail(old.email))
    assert "You're now the reviewer" in text_of(hub.mail(new.email))


async def test_appointing_the_same_reviewer_again_changes_nothing(hub: Hub) -> None:
    mediator, chosen = await hub.mediator(), await reviewer(hub)
    payload(await appoint(hub, mediator, chosen))
    before = await hub.rows("SELECT * FROM appointment")
    payload(await appoint(hub, mediator, chosen))
    assert await hub.rows("SELECT * FROM appointment") == before
    await hub.work()
    assert len(hub.mails(chosen.email)) == 1


async def test_either_side_ends_a_review_and_access_ends_with_it(hub: Hub) -> None:
    mediator, chosen, stranger = await hub.mediator(), await reviewer(hub), await reviewer(hub)
    await put_feedback(hub, mediator, shared=False)
    for by in (mediator, chosen):
        await hub.appointed(mediator, chosen)
        assert await read(hub, chosen) == [str(mediator.id)]
        for reviewer_of in (chosen, stranger, None):
            assert problems(await end(hub, mediator, reviewer_of, by=stranger)) == [(None, "NOT_FOUND")]
        signed_out = await hub.change("endReview", {"mediatorId": str(mediator.id), "reviewerId": str(chosen.id)})
        assert set(signed_out.codes) == {"GRAPHQL_VALIDATION_FAILED"}
        assert await reviews(hub) == [(mediator.id, chosen.id, True)]
        assert payload(await end(hub, mediator, chosen, by=by))["ended"]
        assert await read(hub, chosen) == []
        await hub.work()
        assert "no longer the reviewer" in text_of(hub.mail(chosen.email))
        assert "no longer your reviewer" in text_of(hub.mail(mediator.email))
        assert problems(await end(hub, mediator, chosen, by=by)) == [(None, "NOT_FOUND")]


async def test_a_stale_page_ends_no_review_but_the_one_it_showed(hub: Hub) -> None:
    mediator, old, new = await hub.mediator(), await reviewer(hub), await reviewer(hub)
    await hub.appointed(mediator, new)
    invitation = await invited(hub, mediator, "friend@demo.example")
    for by in (mediator, old, new):
        assert problems(await end(hub, mediator, old, by=by)) == [(None, "NOT_FOUND")]
    assert problems(await end(hub, new, mediator, by=mediator)) == [(None, "NOT_FOUND")]
    assert await reviews(hub) == [(mediator.id, new.id, True)]
    assert len(await hub.rows("SELECT FROM reviewer_invitation")) == 1
    payload(await end(hub, mediator, None, by=mediator))  # takes back the invitation, and only that
    assert await reviews(hub) == [(mediator.id, new.id, True)]
    assert problems(await accept(hub, invitation, name="Friend", password=PASSWORD)) == [("token", "NOT_FOUND")]
    assert problems(await end(hub, mediator, None, by=mediator)) == [(None, "NOT_FOUND")]


async def test_a_review_and_a_choice_that_waits_are_ended_one_by_one(strict: Hub) -> None:
    mediator, present, next_one = await strict.mediator(), await reviewer(strict), await reviewer(strict)
    await strict.appointed(mediator, present)
    payload(await appoint(strict, mediator, next_one))
    assert problems(await end(strict, mediator, present, by=next_one)) == [(None, "NOT_FOUND")]
    payload(await end(strict, mediator, present, by=mediator))
    assert await reviews(strict) == [(mediator.id, next_one.id, False)]
    payload(await end(strict, mediator, next_one, by=mediator))
    assert await reviews(strict) == []


async def test_an_invitation_answers_the_same_for_known_and_unknown_addresses(hub: Hub) -> None:
    mediator, known = await hub.mediator(), await hub.mediator()
    answers = [await invite(hub, mediator, email) for email in (known.email, "new@demo.example")]
    assert answers[0].body == answers[1].body
    await hub.work()
    mails = [hub.mail(email) for email in (known.email, "new@demo.example")]
    texts = [text_of(mail).replace(secret_in(mail, "invitation"), "") for mail in mails]
    assert texts[0] == texts[1]


async def test_somebody_new_accepts_with_a_name_and_a_password(hub: Hub) -> None:
    mediator = await hub.mediator()
    await put_feedback(hub, mediator, shared=False)
    token = await invited(hub, mediator, "New@demo.example")
    short = await accept(hub, token, name="", password="short")
    assert problems(short) == [("name", "REQUIRED"), ("password", "TOO_SHORT")]
    assert len(await hub.rows("SELECT 1 FROM account")) == 1
    payload(await accept(hub, token, name="New Reviewer", password=PASSWORD))
    made = await hub.sign_in("new@demo.example")
    assert await read(hub, made) == [str(mediator.id)]
    (row,) = await hub.rows("SELECT roles, email_verified_at FROM account WHERE id = $1", made.id)
    assert row["roles"] == ["REVIEWER"]
    assert row["email_verified_at"] is not None
    again = await accept(hub, token, name="Another", password=PASSWORD)
    assert problems(again) == [("token", "NOT_FOUND")]


async def test_an_invitation_accepted_several_times_at_once_makes_one_reviewer(hub: Hub) -> None:
    mediator = await hub.mediator()
    token = await invited(hub, mediator, "new@demo.example")
    answers = await asyncio.gather(*(accept(hub, token, name="New", password=PASSWORD) for _ in range(3)))
    assert sorted(bool(problems(answer)) for answer in answers) == [False, True, True]
    assert len(await hub.rows("SELECT 1 FROM account")) == 2
    assert len(await reviews(hub)) == 1


async def test_two_invitations_to_one_new_address_accepted_at_once_make_one_account(hub: Hub) -> None:
    mediators = [await hub.mediator() for _ in range(2)]
    tokens = [await invited(hub, mediator, "new@demo.example") for mediator in mediators]
    answers = await asyncio.gather(*(accept(hub, token, name="New", password=PASSWORD) for token in tokens))
    assert sorted(map(str, map(problems, answers))) == ["[('token', 'SIGN_IN_REQUIRED')]", "[]"]
    assert len(await hub.rows("SELECT 1 FROM account")) == 3


async def test_somebody_with_an_account_has_to_sign_in_to_accept(hub: Hub) -> None:
    mediator, known, other = await hub.mediator(), await hub.mediator(), await hub.mediator()
    token = await invited(hub, mediator, known.email.capitalize())
    for by in (None, other):
        answer = await accept(hub, token, by=by, name="Thief", password="a password of mine")
        assert problems(answer) == [("token", "SIGN_IN_REQUIRED")]
    assert await reviews(hub) == []
    payload(await accept(hub, token, by=known))
    assert await reviews(hub) == [(mediator.id, known.id, True)]
    (row,) = await hub.rows("SELECT name, roles FROM account WHERE id = $1", known.id)
    assert tuple(row) == (known.name, ["MEDIATOR", "REVIEWER"])


async def test_an_invitation_ends_after_two_weeks(hub: Hub) -> None:
    mediator = await hub.mediator()
    token = await invited(hub, mediator, "new@demo.example")
    async with hub.later(days=15) as then:
        answer = await accept(then, token, name="New", password=PASSWORD)
        assert problems(answer) == [("token", "NOT_FOUND")]
        await then.work()
    assert not await hub.rows("SELECT 1 FROM reviewer_invitation")
    assert len(await hub.rows("SELECT 1 FROM account")) == 1


async def test_inviting_an_address_again_ends_the_earlier_link(hub: Hub) -> None:
    mediator = await hub.mediator()
    first = await invited(hub, mediator, "new@demo.example")
    second = await invited(hub, mediator, "NEW@demo.example")
    assert problems(await accept(hub, first, name="New", password=PASSWORD)) == [("token", "NOT_FOUND")]
    payload(await accept(hub, second, name="New", password=PASSWORD))


async def test_an_old_invitation_does_not_replace_a_reviewer_chosen_later(hub: Hub) -> None:
    mediator, chosen = await hub.mediator(), await reviewer(hub)
    token = await invited(hub, mediator, "new@demo.example")
    payload(await appoint(hub, mediator, chosen))
    assert problems(await accept(hub, token, name="New", password=PASSWORD)) == [("token", "NOT_FOUND")]
    assert await reviews(hub) == [(mediator.id, chosen.id, True)]


async def test_a_mediator_takes_an_invitation_back(hub: Hub) -> None:
    mediator, other = await hub.mediator(), await hub.mediator()
    token = await invited(hub, mediator, "new@demo.example")
    kept = await invited(hub, other, "new@demo.example")
    payload(await end(hub, mediator, None, by=mediator))
    assert problems(await accept(hub, token, name="New", password=PASSWORD)) == [("token", "NOT_FOUND")]
    payload(await accept(hub, kept, name="New", password=PASSWORD))


async def test_an_invitation_that_was_taken_back_is_not_mailed(hub: Hub) -> None:
    mediator = await hub.mediator()
    payload(await invite(hub, mediator, "new@demo.example"))
    payload(await end(hub, mediator, None, by=mediator))
    await hub.work()
    assert hub.mails() == []


async def test_an_invitation_sent_many_times_at_once_with_one_key_is_one_mail(hub: Hub) -> None:
    mediator = await hub.mediator()
    answers = await asyncio.gather(*(invite(hub, mediator, "n@demo.example", requestKey="once") for _ in range(20)))
    assert [answer.body for answer in answers] == [answers[0].body] * 20
    await hub.work()
    assert len(hub.mails()) == 1


async def test_where_approval_is_required_an_appointment_waits_and_gives_no_access(strict: Hub) -> None:
    mediator, chosen, admin = await strict.mediator(), await reviewer(strict), await strict.person(Role.ADMIN)
    await put_feedback(strict, mediator, shared=False)
    assert payload(await appoint(strict, mediator, chosen))["reviewer"] is None
    own = "{ me { mediator { reviewer { id } waitingReviewer { id } } } }"
    shown = (await strict.ask(own, by=mediator)).data["me"]["mediator"]
    assert shown == {"reviewer": None, "waitingReviewer": {"id": str(chosen.id)}}
    assert await read(strict, chosen) == []
    await strict.work()
    assert [mail["to"] for mail in strict.mails()] == [mediator.email]
    assert "An administrator needs to approve this first" in text_of(strict.mail())

    waiting = "{ waitingAppointments { nodes { id mediatorId reviewerId } } }"
    (asked,) = (await strict.ask(waiting, by=admin)).data["waitingAppointments"]["nodes"]
    assert (asked["mediatorId"], asked["reviewerId"]) == (str(mediator.id), str(chosen.id))
    payload(await strict.change("approveAppointment", {"id": asked["id"]}, "approved", by=admin))
    assert await read(strict, chosen) == [str(mediator.id)]
    await strict.work()
    assert "You're now the reviewer" in text_of(strict.mail(chosen.email))
    (audit,) = await strict.rows("SELECT * FROM audit_entry WHERE action LIKE 'APPOINTMENT%'")
    assert (audit["action"], audit["actor_id"]) == ("APPOINTMENT_APPROVED", admin.id)
    again = await strict.change("approveAppointment", {"id": asked["id"]}, by=admin)
    assert problems(again) == [("id", "NOT_FOUND")]


async def test_where_approval_is_required_an_invitation_waits_too(strict: Hub) -> None:
    mediator = await strict.mediator()
    token = await invited(strict, mediator, "second@demo.example")
    payload(await accept(strict, token, name="Second", password=PASSWORD))
    assert [approved for _, _, approved in await reviews(strict)] == [False]


async def test_the_current_reviewer_stays_until_the_next_is_approved(strict: Hub) -> None:
    mediator, old, new = await strict.mediator(), await reviewer(strict), await reviewer(strict)
    admin = await strict.person(Role.ADMIN)
    await put_feedback(strict, mediator, shared=False)
    await strict.appointed(mediator, old)
    payload(await appoint(strict, mediator, new))
    assert (await read(strict, old), await read(strict, new)) == ([str(mediator.id)], [])
    (asked,) = await strict.rows("SELECT id FROM appointment WHERE NOT approved")
    payload(await strict.change("approveAppointment", {"id": str(asked["id"])}, by=admin))
    assert (await read(strict, old), await read(strict, new)) == ([], [str(mediator.id)])
    await strict.work()
    assert "no longer the reviewer" in text_of(strict.mail(old.email))


async def test_a_mediator_who_changes_their_mind_ends_a_waiting_appointment(strict: Hub) -> None:
    mediator, chosen, admin = await strict.mediator(), await reviewer(strict), await strict.person(Role.ADMIN)
    payload(await appoint(strict, mediator, chosen))
    (asked,) = await strict.rows("SELECT id FROM appointment")
    payload(await end(strict, mediator, chosen, by=mediator))
    late = await strict.change("approveAppointment", {"id": str(asked["id"])}, by=admin)
    assert problems(late) == [("id", "NOT_FOUND")]
    await strict.work()
    assert strict.mails() == []


async def test_a_waiting_appointment_counts_as_one_side_of_a_pair_too(strict: Hub) -> None:
    one, other = [await reviewer(strict, Role.MEDIATOR) for _ in range(2)]
    payload(await appoint(strict, one, other))
    assert problems(await appoint(strict, other, one)) == [("reviewerId", "NOT_ALLOWED")]


async def test_approving_and_ending_at_once_leave_no_appointment(strict: Hub) -> None:
    mediator, old, new = await strict.mediator(), await reviewer(strict), await reviewer(strict)
    admin = await strict.person(Role.ADMIN)
    await strict.appointed(mediator, old)
    payload(await appoint(strict, mediator, new))
    (asked,) = await strict.rows("SELECT id FROM appointment WHERE NOT approved")
    approved, ended = await asyncio.gather(
        strict.change("approveAppointment", {"id": str(asked["id"])}, by=admin),
        end(strict, mediator, new, by=mediator),
    )
    assert problems(approved) in ([], [("id", "NOT_FOUND")])
    payload(ended)
    left = await reviews(strict)
    assert left == ([] if not problems(approved) else [(mediator.id, old.id, True)])


async def test_an_administrator_declines_an_appointment_and_both_sides_are_told(strict: Hub) -> None:
    mediator, present, chosen = await strict.mediator(), await reviewer(strict), await reviewer(strict)
    admin = await strict.person(Role.ADMIN)
    await put_feedback(strict, mediator, shared=False)
    await strict.appointed(mediator, present)
    payload(await appoint(strict, mediator, chosen))
    await strict.work()
    strict.mail(mediator.email)  # that it waits
    (asked,) = await strict.rows("SELECT id FROM appointment WHERE NOT approved")
    decline = ("declineAppointment", {"id": str(asked["id"])}, "declined")
    before = await reviews(strict)
    for by in (mediator, present, chosen, await strict.person(Role.DIRECTORY), None):
        assert set((await strict.change(*decline, by=by)).codes) == {"GRAPHQL_VALIDATION_FAILED"}
    by_token = await strict.change(*decline, token=await put_token(strict, admin))
    assert set(by_token.codes) == {"GRAPHQL_VALIDATION_FAILED"}
    assert await reviews(strict) == before
    await strict.work()
    strict.mail(admin.email)  # that a token was created

    assert payload(await strict.change(*decline, by=admin))["declined"]
    assert await reviews(strict) == [(mediator.id, present.id, True)]
    assert (await read(strict, present), await read(strict, chosen)) == ([str(mediator.id)], [])
    await strict.work()
    assert f"You chose {chosen.name} as your reviewer, but" in text_of(strict.mail(mediator.email))
    assert f"{mediator.name} chose you as their reviewer, but" in text_of(strict.mail(chosen.email))
    assert strict.mails(present.email) == []
    (audit,) = await strict.rows("SELECT * FROM audit_entry WHERE action LIKE 'APPOINTMENT%'")
    assert (audit["action"], audit["actor_id"], audit["subject_id"]) == ("APPOINTMENT_DECLINED", admin.id, asked["id"])
    for mutation in ("declineAppointment", "approveAppointment"):
        assert problems(await strict.change(mutation, decline[1], by=admin)) == [("id", "NOT_FOUND")]
    payload(await appoint(strict, mediator, chosen))  # nothing keeps them from being chosen again


async def test_an_appointment_in_force_cannot_be_declined(hub: Hub) -> None:
    mediator, chosen, admin = await hub.mediator(), await reviewer(hub), await hub.person(Role.ADMIN)
    await hub.appointed(mediator, chosen)
    ((appointment_id,),) = await hub.rows("SELECT id FROM appointment")
    refused = await hub.change("declineAppointment", {"id": str(appointment_id)}, by=admin)
    assert problems(refused) == [("id", "NOT_FOUND")]
    assert await reviews(hub) == [(mediator.id, chosen.id, True)]
    assert not await hub.rows("SELECT FROM audit_entry")


async def test_approving_and_declining_at_once_do_one_of_the_two(strict: Hub) -> None:
    mediator, chosen, admin = await strict.mediator(), await reviewer(strict), await strict.person(Role.ADMIN)
    payload(await appoint(strict, mediator, chosen))
    ((asked,),) = await strict.rows("SELECT id FROM appointment")
    approved, declined = await asyncio.gather(
        *(strict.change(f"{verb}Appointment", {"id": str(asked)}, by=admin) for verb in ("approve", "decline"))
    )
    assert sorted([problems(approved), problems(declined)]) == [[], [("id", "NOT_FOUND")]]
    assert await reviews(strict) == ([(mediator.id, chosen.id, True)] if not problems(approved) else [])
    (done,) = await strict.rows("SELECT action FROM audit_entry")
    assert done["action"] == ("APPOINTMENT_APPROVED" if not problems(approved) else "APPOINTMENT_DECLINED")


async def test_somebody_whose_role_is_taken_away_no_longer_reviews_anybody(hub: Hub) -> None:
    mediator, chosen, admin = await hub.mediator(), await reviewer(hub), await hub.person(Role.ADMIN)
    await hub.appointed(mediator, chosen)
    await hub.give_roles(chosen, Role.MEDIATOR, by=admin)
    subject = await hub.ask("query($id: ID!) { feedbackSubject(id: $id) { reviewerName } }", {"id": str(mediator.id)})
    assert subject.data["feedbackSubject"]["reviewerName"] is None
    await hub.work()
    assert "no longer your reviewer" in text_of(hub.mail(mediator.email))
    assert await reviews(hub) == []
