"""Reviewers: chosen from the list, replaced and ended; nobody reviews themselves, and no two people each other."""

import asyncio
from uuid import uuid4

import pytest

from models.account import Role
from tests.hub import PASSWORD, Hub, Person, payload, problems, text_of
from tests.reviews import accept, agreed, appoint, end, invite, invited, read, reviewer, reviews, take_up
from tests.world import put_feedback


async def test_a_mediator_appoints_from_the_list_and_the_reviewer_is_asked(hub: Hub) -> None:
    mediator, chosen = await hub.mediator(), await reviewer(hub)
    await put_feedback(hub, mediator, shared=False)
    listed = (await hub.ask("{ reviewers { nodes { id name } } }", by=mediator)).data["reviewers"]["nodes"]
    assert listed == [{"id": str(chosen.id), "name": chosen.name}]
    answer = await appoint(hub, mediator, chosen)
    assert payload(answer)["waitingReviewer"] == listed[0]
    assert (await read(hub, chosen), await reviews(hub)) == ([], [(mediator.id, chosen.id, False)])
    await hub.work()
    asked = hub.mail(chosen.email)
    assert f"{mediator.name} asks you to be their reviewer" in text_of(asked)
    assert f"on your home page: {hub.settings.base_url} " in text_of(asked)
    assert f"{chosen.name} will be your reviewer once they've accepted" in text_of(hub.mail(mediator.email))

    payload(await accept(hub, mediator, chosen))
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


async def move(hub: Hub, person: Person, email: str) -> None:
    """Let somebody have another address."""
    await hub.rows("UPDATE account SET email = $2, email_key = lower($2) WHERE id = $1", person.id, email)


async def test_nobody_reviews_themselves_with_a_second_account_in_the_same_mailbox(hub: Hub) -> None:
    person, second = await hub.mediator(email="Pat@demo.example"), await hub.person(email="pat+2@DEMO.example")
    third = await hub.person(Role.REVIEWER, email="pat+3@demo.example")
    for own in (second, third):
        assert problems(await appoint(hub, person, own)) == [("reviewerId", "NOT_ALLOWED")]
    await move(hub, person, "x@demo.example")
    token = await invited(hub, person, "pat+2@demo.example")
    await move(hub, person, "pat@demo.example")
    assert problems(await take_up(hub, token, by=second)) == [("token", "NOT_ALLOWED")]
    assert await reviews(hub) == []


@pytest.mark.parametrize("address", ["pat@demo.example", "Pat+me@DEMO.example"])
async def test_whoever_moved_into_the_mediators_mailbox_meanwhile_cannot_accept(hub: Hub, address: str) -> None:
    person, second = await hub.mediator(email="pat@demo.example"), await reviewer(hub)
    payload(await appoint(hub, person, second))
    if address != person.email:
        await move(hub, second, address)
    else:
        await move(hub, person, second.email.replace("@", "+2@"))
    assert problems(await accept(hub, person, second)) == [("mediatorId", "NOT_ALLOWED")]
    ((accepted_at, relation),) = await hub.rows("SELECT accepted_at, relation FROM appointment")
    assert (accepted_at, relation, await reviews(hub)) == (None, None, [(person.id, second.id, False)])


async def test_two_people_do_not_review_each_other_with_second_accounts(hub: Hub) -> None:
    ann, bob = await hub.mediator(email="ann@demo.example"), await hub.mediator(email="bob@demo.example")
    ann2 = await hub.person(Role.REVIEWER, email="ann+2@demo.example")
    bob2 = await hub.person(Role.REVIEWER, email="bob+2@demo.example")
    payload(await appoint(hub, ann, bob2))
    assert problems(await appoint(hub, bob, ann2)) == [("reviewerId", "NOT_ALLOWED")]
    assert await reviews(hub) == [(ann.id, bob2.id, False)]
    await hub.rows("DELETE FROM appointment")
    for _ in range(3):
        answers = await asyncio.gather(appoint(hub, ann, bob2), appoint(hub, bob, ann2))
        assert sorted(map(str, map(problems, answers))) == ["[('reviewerId', 'NOT_ALLOWED')]", "[]"]
        await hub.rows("DELETE FROM appointment")


async def test_two_people_who_came_to_ask_each_other_by_moving_do_not_review_each_other(hub: Hub) -> None:
    ann, bob = await hub.mediator(), await hub.mediator(email="bob@demo.example")
    ann2, bob2 = await reviewer(hub), await reviewer(hub, email="bob+2@demo.example")
    payload(await appoint(hub, ann, bob2))
    payload(await appoint(hub, bob, ann2))
    await move(hub, ann2, ann.email.replace("@", "+2@"))
    for mediator, chosen in ((ann, bob2), (bob, ann2)):
        assert problems(await accept(hub, mediator, chosen)) == [("mediatorId", "NOT_ALLOWED")]
    assert not await hub.rows("SELECT FROM appointment WHERE in_force OR accepted_at IS NOT NULL")


async def test_nobody_reviews_themselves_by_moving_to_the_address_they_invited(hub: Hub) -> None:
    person = await hub.mediator()
    token = await invited(hub, person, "second@demo.example")
    payload(await hub.change("changeEmail", {"email": "second@demo.example", "password": PASSWORD}, by=person))
    await hub.work()
    verification = hub.secret("second@demo.example", "verify")
    payload(await hub.change("verifyEmail", {"token": verification}, by=person))
    assert problems(await take_up(hub, token, by=person)) == [("token", "NOT_ALLOWED")]
    assert await reviews(hub) == []
    (row,) = await hub.rows("SELECT roles FROM account")
    assert row["roles"] == ["MEDIATOR"]


async def test_two_people_do_not_review_each_other(hub: Hub) -> None:
    one, other = [await reviewer(hub, Role.MEDIATOR) for _ in range(2)]
    payload(await appoint(hub, one, other))
    assert problems(await appoint(hub, other, one)) == [("reviewerId", "NOT_ALLOWED")]
    payload(await accept(hub, one, other))
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
    assert problems(await take_up(hub, token, by=other)) == [("token", "NOT_ALLOWED")]
    assert await reviews(hub) == [(other.id, one.id, False)]


async def test_accepting_and_appointing_at_once_do_not_deadlock(hub: Hub) -> None:
    for _ in range(3):
        one, other = [await reviewer(hub, Role.MEDIATOR) for _ in range(2)]
        token = await invited(hub, one, other.email)
        answers = await asyncio.gather(take_up(hub, token, by=other), appoint(hub, other, one))
        assert sorted(len(problems(answer)) for answer in answers) == [0, 1]


async def test_a_new_reviewer_takes_over_when_they_accept_and_the_old_one_is_told(hub: Hub) -> None:
    mediator, old, new = await hub.mediator(), await reviewer(hub), await reviewer(hub)
    await put_feedback(hub, mediator, shared=False)
    await agreed(hub, mediator, old)
    payload(await appoint(hub, mediator, new))
    assert (await read(hub, old), await read(hub, new)) == ([str(mediator.id)], [])
    await hub.work()
    hub.mail(new.email)  # that they're asked
    hub.mail(old.email)  # that they were appointed
    payload(await accept(hub, mediator, new))
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
    assert payload(await appoint(hub, mediator, chosen))["waitingReviewer"]["id"] == str(chosen.id)
    assert await hub.rows("SELECT * FROM appointment") == before
    payload(await accept(hub, mediator, chosen))
    before = await hub.rows("SELECT * FROM appointment")
    assert payload(await appoint(hub, mediator, chosen))["waitingReviewer"] is None
    assert await hub.rows("SELECT * FROM appointment") == before
    await hub.work()
    assert len(hub.mails(chosen.email)) == 1


async def test_another_choice_takes_the_place_of_the_one_that_waits(hub: Hub) -> None:
    mediator, first, second = await hub.mediator(), await reviewer(hub), await reviewer(hub)
    payload(await appoint(hub, mediator, first))
    payload(await appoint(hub, mediator, second))
    assert problems(await accept(hub, mediator, first)) == [("mediatorId", "NOT_FOUND")]
    assert await reviews(hub) == [(mediator.id, second.id, False)]
    await hub.work()
    assert hub.mails(first.email) == []


async def test_either_side_ends_a_review_and_access_ends_with_it(hub: Hub) -> None:
    mediator, chosen, stranger = await hub.mediator(), await reviewer(hub), await reviewer(hub)
    await put_feedback(hub, mediator, shared=False)
    for by in (mediator, chosen):
        await hub.appointed(mediator, chosen)
        assert await read(hub, chosen) == [str(mediator.id)]
        for reviewer_of in (chosen, stranger):
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
    for by in (mediator, old, new):
        assert problems(await end(hub, mediator, old, by=by)) == [(None, "NOT_FOUND")]
    assert problems(await end(hub, new, mediator, by=mediator)) == [(None, "NOT_FOUND")]
    assert await reviews(hub) == [(mediator.id, new.id, True)]


async def test_a_review_and_a_choice_that_waits_are_ended_one_by_one(hub: Hub) -> None:
    mediator, present, next_one = await hub.mediator(), await reviewer(hub), await reviewer(hub)
    await hub.appointed(mediator, present)
    payload(await appoint(hub, mediator, next_one))
    assert problems(await end(hub, mediator, present, by=next_one)) == [(None, "NOT_FOUND")]
    payload(await end(hub, mediator, present, by=mediator))
    assert await reviews(hub) == [(mediator.id, next_one.id, False)]
    payload(await end(hub, mediator, next_one, by=mediator))
    assert await reviews(hub) == []


async def test_a_mediator_who_changes_their_mind_takes_a_choice_back_before_anybody_is_asked(hub: Hub) -> None:
    mediator, chosen = await hub.mediator(), await reviewer(hub)
    payload(await appoint(hub, mediator, chosen))
    payload(await end(hub, mediator, chosen, by=mediator))
    assert problems(await accept(hub, mediator, chosen)) == [("mediatorId", "NOT_FOUND")]
    await hub.work()
    assert (hub.mails(), await reviews(hub)) == ([], [])


async def test_accepting_and_ending_at_once_leave_no_appointment(hub: Hub) -> None:
    mediator, old, new = await hub.mediator(), await reviewer(hub), await reviewer(hub)
    await hub.appointed(mediator, old)
    payload(await appoint(hub, mediator, new))
    accepted, ended = await asyncio.gather(accept(hub, mediator, new), end(hub, mediator, new, by=mediator))
    assert problems(accepted) in ([], [("mediatorId", "NOT_FOUND")])
    payload(ended)
    left = await reviews(hub)
    assert left == ([] if not problems(accepted) else [(mediator.id, old.id, True)])


async def test_somebody_whose_role_is_taken_away_no_longer_reviews_anybody(hub: Hub) -> None:
    mediator, asking, chosen = await hub.mediator(), await hub.mediator(), await reviewer(hub)
    admin = await hub.person(Role.ADMIN)
    await hub.appointed(mediator, chosen)
    await hub.waiting(asking, chosen)
    await hub.give_roles(chosen, Role.MEDIATOR, by=admin)
    subject = await hub.ask("query($id: ID!) { feedbackSubject(id: $id) { reviewerName } }", {"id": str(mediator.id)})
    assert subject.data["feedbackSubject"]["reviewerName"] is None
    await hub.work()
    assert "no longer your reviewer" in text_of(hub.mail(mediator.email))
    assert hub.mails(asking.email) == []
    assert await reviews(hub) == []


async def test_a_reviewer_who_ends_what_still_waits_declines_it(hub: Hub) -> None:
    mediator, chosen = await hub.mediator(), await reviewer(hub)
    await hub.waiting(mediator, chosen)
    payload(await end(hub, mediator, chosen, by=chosen))
    await hub.work()
    assert "this was declined, by them or by an administrator" in text_of(hub.mail(mediator.email))
    assert (hub.mails(chosen.email), await reviews(hub)) == ([], [])
