"""Invitations: sent, listed, sent again, revoked and accepted."""

import asyncio
from typing import Any

import pytest

from models.account import Role
from tests.hub import PASSWORD, Answer, Hub, Person, payload, problems, secret_in, text_of
from tests.reviews import appoint, invite, invited, missing, read, reviewer, reviews, take_up
from tests.world import put_feedback


async def listed(hub: Hub, mediator: Person) -> list[dict[str, Any]]:
    """A mediator's open invitations."""
    document = "{ me { mediator { reviewerInvitations { totalCount nodes { id email expiresOn } } } } }"
    found = (await hub.ask(document, by=mediator)).data["me"]["mediator"]["reviewerInvitations"]
    assert found["totalCount"] == len(found["nodes"])
    return [*found["nodes"]]


async def resend(hub: Hub, invitation_id: str, by: Person | None) -> Answer:
    return await hub.change("resendInvitation", {"id": invitation_id}, "invitation { id email expiresOn }", by=by)


async def revoke(hub: Hub, invitation_id: str, by: Person | None) -> Answer:
    return await hub.change("revokeInvitation", {"id": invitation_id}, "revokedId", by=by)


async def test_an_invitation_answers_the_same_for_known_and_unknown_addresses(hub: Hub) -> None:
    mediator, known = await hub.mediator(), await hub.mediator()
    answers = [await invite(hub, mediator, email) for email in (known.email, "new@demo.example")]
    assert answers[0].body == answers[1].body
    assert [one.keys() for one in await listed(hub, mediator)] == [{"id", "email", "expiresOn"}] * 2
    await hub.work()
    mails = [hub.mail(email) for email in (known.email, "new@demo.example")]
    texts = [text_of(mail).replace(secret_in(mail, "invitation"), "") for mail in mails]
    assert texts[0] == texts[1]


async def test_somebody_new_accepts_with_a_name_and_a_password(hub: Hub) -> None:
    mediator, admin = await hub.mediator(), await hub.person(Role.ADMIN)
    await put_feedback(hub, mediator, shared=False)
    token = await invited(hub, mediator, "New@demo.example")
    short = await take_up(hub, token, name="", password="short", relation="FAMILY")
    assert problems(short) == [("relation", "NOT_ALLOWED"), ("name", "REQUIRED"), ("password", "TOO_SHORT")]
    assert len(await hub.rows("SELECT 1 FROM account")) == 2
    payload(await take_up(hub, token, name="New Reviewer", password=PASSWORD))
    made = await hub.sign_in("new@demo.example")
    assert (await read(hub, made), await missing(hub, made)) == ([], [["CONFIRMATION"]])
    payload(await hub.change("confirmReviewer", {"accountId": str(made.id)}, by=admin))
    assert await read(hub, made) == [str(mediator.id)]
    (row,) = await hub.rows("SELECT roles, email_verified_at FROM account WHERE id = $1", made.id)
    assert row["roles"] == ["REVIEWER"]
    assert row["email_verified_at"] is not None
    again = await take_up(hub, token, name="Another", password=PASSWORD)
    assert problems(again) == [("token", "NOT_FOUND")]
    await hub.work()
    # They said yes by accepting, so they aren't asked once more.
    assert not [one for one in hub.mails(made.email) if "asks you" in one["subject"]]


async def test_an_invitation_accepted_several_times_at_once_makes_one_reviewer(hub: Hub) -> None:
    mediator = await hub.mediator()
    token = await invited(hub, mediator, "new@demo.example")
    answers = await asyncio.gather(*(take_up(hub, token, name="New", password=PASSWORD) for _ in range(3)))
    assert sorted(bool(problems(answer)) for answer in answers) == [False, True, True]
    assert len(await hub.rows("SELECT 1 FROM account")) == 2
    assert len(await reviews(hub)) == 1


async def test_two_invitations_to_one_new_address_accepted_at_once_make_one_account(hub: Hub) -> None:
    mediators = [await hub.mediator() for _ in range(2)]
    tokens = [await invited(hub, mediator, "new@demo.example") for mediator in mediators]
    answers = await asyncio.gather(*(take_up(hub, token, name="New", password=PASSWORD) for token in tokens))
    assert sorted(map(str, map(problems, answers))) == ["[('token', 'SIGN_IN_REQUIRED')]", "[]"]
    assert len(await hub.rows("SELECT 1 FROM account")) == 3


async def test_somebody_with_an_account_has_to_sign_in_to_accept(hub: Hub) -> None:
    mediator, known, other = await hub.mediator(), await hub.mediator(), await hub.mediator()
    token = await invited(hub, mediator, known.email.capitalize())
    for by in (None, other):
        answer = await take_up(hub, token, by=by, name="Thief", password="a password of mine")
        assert problems(answer) == [("token", "SIGN_IN_REQUIRED")]
    assert await reviews(hub) == []
    payload(await take_up(hub, token, by=known))
    assert await reviews(hub) == [(mediator.id, known.id, False)]
    (row,) = await hub.rows("SELECT name, roles FROM account WHERE id = $1", known.id)
    assert tuple(row) == (known.name, ["MEDIATOR", "REVIEWER"])


async def test_a_confirmed_reviewer_who_accepts_an_invitation_begins_at_once(hub: Hub) -> None:
    mediator, present, chosen = await hub.mediator(), await reviewer(hub), await reviewer(hub)
    await hub.appointed(mediator, present)
    token = await invited(hub, mediator, chosen.email)
    assert await reviews(hub) == [(mediator.id, present.id, True)]
    payload(await take_up(hub, token, by=chosen, relation="OTHER", relationDetails="We met once"))
    assert await reviews(hub) == [(mediator.id, chosen.id, True)]
    ((relation, details),) = await hub.rows("SELECT relation, relation_details FROM appointment")
    assert (relation, details) == ("OTHER", "We met once")


@pytest.mark.parametrize("relation", ["FAMILY", "EMPLOYER", "EMPLOYEE"])
async def test_somebody_too_close_cannot_accept_an_invitation_either(hub: Hub, relation: str) -> None:
    mediator, chosen = await hub.mediator(), await reviewer(hub)
    token = await invited(hub, mediator, chosen.email)
    assert problems(await take_up(hub, token, by=chosen, relation=relation)) == [("relation", "NOT_ALLOWED")]
    assert (await reviews(hub), len(await listed(hub, mediator))) == ([], 1)


async def test_an_invitation_ends_after_two_weeks(hub: Hub) -> None:
    mediator = await hub.mediator()
    token = await invited(hub, mediator, "new@demo.example")
    async with hub.later(days=15) as then:
        answer = await take_up(then, token, name="New", password=PASSWORD)
        assert problems(answer) == [("token", "NOT_FOUND")]
        assert await listed(then, await then.sign_in(mediator.email)) == []
        await then.work()
    assert not await hub.rows("SELECT 1 FROM reviewer_invitation")
    assert len(await hub.rows("SELECT 1 FROM account")) == 1


async def test_inviting_an_address_again_ends_the_earlier_link(hub: Hub) -> None:
    mediator = await hub.mediator()
    first = await invited(hub, mediator, "new@demo.example")
    second = await invited(hub, mediator, "NEW@demo.example")
    assert problems(await take_up(hub, first, name="New", password=PASSWORD)) == [("token", "NOT_FOUND")]
    payload(await take_up(hub, second, name="New", password=PASSWORD))


async def test_an_old_invitation_does_not_replace_a_reviewer_chosen_later(hub: Hub) -> None:
    mediator, chosen, other = await hub.mediator(), await reviewer(hub), await hub.mediator()
    token = await invited(hub, mediator, "new@demo.example")
    kept = await invited(hub, other, "new@demo.example")
    payload(await appoint(hub, mediator, chosen))
    assert problems(await take_up(hub, token, name="New", password=PASSWORD)) == [("token", "NOT_FOUND")]
    assert await reviews(hub) == [(mediator.id, chosen.id, False)]
    payload(await take_up(hub, kept, name="New", password=PASSWORD))


async def test_the_first_who_accepts_ends_the_mediators_other_invitations_and_nobody_elses(hub: Hub) -> None:
    mediator, other = await hub.mediator(), await hub.mediator()
    first, second = [await invited(hub, mediator, f"{name}@demo.example") for name in ("one", "two")]
    kept = await invited(hub, other, "three@demo.example")
    payload(await take_up(hub, first, name="One", password=PASSWORD))
    assert problems(await take_up(hub, second, name="Two", password=PASSWORD)) == [("token", "NOT_FOUND")]
    payload(await take_up(hub, kept, name="Three", password=PASSWORD))


async def test_a_mediator_sees_their_own_invitations_and_nobody_else_does(hub: Hub) -> None:
    mediator, other = await hub.mediator(), await hub.mediator()
    await invited(hub, mediator, "New@demo.example")
    (shown,) = await listed(hub, mediator)
    expires = hub.database.now().date().toordinal() + 14
    assert shown["email"] == "New@demo.example"
    assert shown["expiresOn"] == hub.database.now().date().fromordinal(expires).isoformat()
    assert await listed(hub, other) == []
    chosen = await reviewer(hub)
    await hub.appointed(mediator, chosen)
    for by in (chosen, await hub.person(Role.ADMIN)):
        assert set((await hub.ask_about(mediator, "reviewerInvitations { totalCount }", by=by)).codes) == {
            "GRAPHQL_VALIDATION_FAILED"
        }
    both = await hub.person(Role.MEDIATOR, Role.ADMIN)
    private = (await hub.ask_about(mediator, "reviewerInvitations { nodes { email } }", by=both)).data
    assert private["mediator"]["reviewerInvitations"] is None


async def test_sending_an_invitation_again_gives_it_its_full_time_and_a_new_link(hub: Hub) -> None:
    mediator, other = await hub.mediator(), await hub.mediator()
    first = await invited(hub, mediator, "new@demo.example")
    (shown,) = await listed(hub, mediator)
    async with hub.later(days=10) as then:
        for by in (other, await hub.person(Role.MEDIATOR, Role.ADMIN)):
            assert problems(await resend(then, shown["id"], by)) == [("id", "NOT_FOUND")]
        for nobody in (await reviewer(hub), None):
            assert set((await resend(then, shown["id"], nobody)).codes) == {"GRAPHQL_VALIDATION_FAILED"}
        assert await listed(then, mediator) == [shown]
        again = payload(await resend(then, shown["id"], mediator))["invitation"]
        assert await listed(then, mediator) == [again]
        assert again["email"] == "new@demo.example"
        assert again["expiresOn"] > shown["expiresOn"]
        await then.work()
        second = then.secret("new@demo.example", "invitation")
        assert problems(await take_up(then, first, name="New", password=PASSWORD)) == [("token", "NOT_FOUND")]
        payload(await take_up(then, second, name="New", password=PASSWORD))
        assert problems(await resend(then, again["id"], mediator)) == [("id", "NOT_FOUND")]


async def test_sending_again_counts_as_inviting(hub: Hub) -> None:
    mediator = await hub.mediator()
    payload(await invite(hub, mediator, "new@demo.example"))
    (shown,) = await listed(hub, mediator)
    for _ in range(19):
        shown = payload(await resend(hub, shown["id"], mediator))["invitation"]
    refused = await resend(hub, shown["id"], mediator)
    assert refused.codes == ["RATE_LIMITED"]
    assert await listed(hub, mediator) == [shown]


async def test_an_invitation_to_what_became_ones_own_address_is_not_sent_again(hub: Hub) -> None:
    mediator = await hub.mediator()
    payload(await invite(hub, mediator, "new@demo.example"))
    (shown,) = await listed(hub, mediator)
    await hub.rows("UPDATE account SET email_key = 'new+2@demo.example' WHERE id = $1", mediator.id)
    assert [code for _, code in problems(await resend(hub, shown["id"], mediator))] == ["NOT_ALLOWED"]
    assert await listed(hub, mediator) == [shown]


async def test_a_mediator_revokes_an_invitation_and_its_link_stops_working(hub: Hub) -> None:
    mediator, other = await hub.mediator(), await hub.mediator()
    token = await invited(hub, mediator, "new@demo.example")
    kept = await invited(hub, other, "new@demo.example")
    (shown,) = await listed(hub, mediator)
    assert problems(await revoke(hub, shown["id"], other)) == [("id", "NOT_FOUND")]
    for nobody in (await reviewer(hub), await hub.person(Role.ADMIN), None):
        assert set((await revoke(hub, shown["id"], nobody)).codes) == {"GRAPHQL_VALIDATION_FAILED"}
    assert await listed(hub, mediator) == [shown]
    assert payload(await revoke(hub, shown["id"], mediator))["revokedId"] == shown["id"]
    assert problems(await revoke(hub, shown["id"], mediator)) == [("id", "NOT_FOUND")]
    assert problems(await take_up(hub, token, name="New", password=PASSWORD)) == [("token", "NOT_FOUND")]
    payload(await take_up(hub, kept, name="New", password=PASSWORD))


async def test_an_invitation_that_was_revoked_is_not_mailed(hub: Hub) -> None:
    mediator = await hub.mediator()
    payload(await invite(hub, mediator, "new@demo.example"))
    (shown,) = await listed(hub, mediator)
    payload(await revoke(hub, shown["id"], mediator))
    await hub.work()
    assert hub.mails() == []


async def test_an_invitation_sent_many_times_at_once_with_one_key_is_one_mail(hub: Hub) -> None:
    mediator = await hub.mediator()
    answers = await asyncio.gather(*(invite(hub, mediator, "n@demo.example", requestKey="once") for _ in range(20)))
    assert [answer.body for answer in answers] == [answers[0].body] * 20
    await hub.work()
    assert len(hub.mails()) == 1
