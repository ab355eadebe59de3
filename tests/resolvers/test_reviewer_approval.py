"""What administrators do about reviewers: confirm each once, approve an appointment where that's needed."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from uuid import UUID

import pytest

from models.account import Role
from resolvers import reviewer_needs
from settings import Approval
from tests.hub import PASSWORD, Hub, Person, opened, payload, problems, text_of
from tests.reviews import (
    accept,
    agreed,
    appoint,
    approve,
    confirm,
    end,
    invited,
    missing,
    read,
    reviewer,
    reviews,
    take_up,
)
from tests.world import put_feedback, put_token


@pytest.fixture
async def strict(hub: Hub) -> AsyncIterator[Hub]:
    """The same hub, where an administrator approves each appointment."""
    async with opened(hub.services, settings=hub.settings, reviewer_approval=Approval.EACH) as strict:
        yield strict


@pytest.fixture
async def open_hub(hub: Hub) -> AsyncIterator[Hub]:
    """The same hub, where administrators do nothing about reviewers."""
    async with opened(hub.services, settings=hub.settings, reviewer_approval=Approval.NONE) as open_hub:
        yield open_hub


async def unconfirmed(hub: Hub, by: Person) -> list[str]:
    found = (await hub.ask("{ unconfirmedReviewers { totalCount nodes { name } } }", by=by)).data
    names = [node["name"] for node in found["unconfirmedReviewers"]["nodes"]]
    assert found["unconfirmedReviewers"]["totalCount"] == len(names)
    return names


async def actions(hub: Hub) -> list[tuple[str, UUID, UUID]]:
    rows = await hub.rows(
        "SELECT action, actor_id, subject_id FROM audit_entry WHERE action <> 'ACCOUNT_READ' ORDER BY at"
    )
    return [tuple(row) for row in rows]


async def test_a_reviewer_is_confirmed_once_and_then_only_their_own_yes_counts(hub: Hub) -> None:
    first, second, admin = await hub.mediator(), await hub.mediator(), await hub.person(Role.ADMIN)
    chosen = await hub.person(Role.REVIEWER)
    for mediator in (first, second):
        await put_feedback(hub, mediator, shared=False)
    await agreed(hub, first, chosen)
    assert (await read(hub, chosen), await reviews(hub)) == ([], [(first.id, chosen.id, False)])
    assert await missing(hub, admin) == [["CONFIRMATION"]]
    assert await unconfirmed(hub, admin) == [chosen.name]

    assert payload(await confirm(hub, chosen, admin))["account"]["id"] == str(chosen.id)
    assert await read(hub, chosen) == [str(first.id)]
    assert (await unconfirmed(hub, admin), await missing(hub, admin)) == ([], [])
    assert await actions(hub) == [("REVIEWER_CONFIRMED", admin.id, chosen.id)]
    await hub.work()
    assert "An administrator has confirmed you as a reviewer" in text_of(hub.mail(chosen.email, "confirmed you"))
    assert "You're now the reviewer" in text_of(hub.mail(chosen.email, "now the reviewer"))
    assert f"{chosen.name} is now your reviewer" in text_of(hub.mail(first.email, "is now your"))

    await agreed(hub, second, chosen)
    assert set(await read(hub, chosen)) == {str(first.id), str(second.id)}


async def test_a_reviewer_confirmed_first_begins_when_they_accept(hub: Hub) -> None:
    mediator, chosen, admin = await hub.mediator(), await hub.person(Role.REVIEWER), await hub.person(Role.ADMIN)
    payload(await appoint(hub, mediator, chosen))
    payload(await confirm(hub, chosen, admin))
    assert (await reviews(hub), await missing(hub, admin)) == ([(mediator.id, chosen.id, False)], [["ACCEPTANCE"]])
    payload(await accept(hub, mediator, chosen))
    assert await reviews(hub) == [(mediator.id, chosen.id, True)]


async def test_the_present_reviewer_stays_until_the_next_is_confirmed(hub: Hub) -> None:
    mediator, old, new = await hub.mediator(), await reviewer(hub), await hub.person(Role.REVIEWER)
    admin = await hub.person(Role.ADMIN)
    await put_feedback(hub, mediator, shared=False)
    await hub.appointed(mediator, old)
    await agreed(hub, mediator, new)
    assert (await read(hub, old), await read(hub, new)) == ([str(mediator.id)], [])
    payload(await confirm(hub, new, admin))
    assert (await read(hub, old), await read(hub, new)) == ([], [str(mediator.id)])
    await hub.work()
    assert "no longer the reviewer" in text_of(hub.mail(old.email))


async def test_only_an_administrator_confirms_and_in_person(hub: Hub) -> None:
    mediator, chosen, admin = await hub.mediator(), await hub.person(Role.REVIEWER), await hub.person(Role.ADMIN)
    for by in (mediator, chosen, await hub.person(Role.DIRECTORY), None):
        assert set((await confirm(hub, chosen, by)).codes) == {"GRAPHQL_VALIDATION_FAILED"}
        assert set((await hub.ask("{ unconfirmedReviewers { totalCount } }", by=by)).codes) == {
            "GRAPHQL_VALIDATION_FAILED"
        }
    asked = {"accountId": str(chosen.id)}
    by_token = await hub.change("confirmReviewer", asked, token=await put_token(hub, admin))
    assert set(by_token.codes) == {"GRAPHQL_VALIDATION_FAILED"}
    assert problems(await confirm(hub, mediator, admin)) == [("accountId", "CONFLICT")]
    assert not await hub.rows("SELECT FROM account WHERE reviewer_confirmed_at IS NOT NULL")
    assert not await hub.rows("SELECT FROM audit_entry WHERE action <> 'API_TOKEN_CREATED'")
    payload(await confirm(hub, chosen, admin))
    assert problems(await confirm(hub, chosen, admin)) == [("accountId", "CONFLICT")]
    assert [action for action, *_ in await actions(hub) if action != "API_TOKEN_CREATED"] == ["REVIEWER_CONFIRMED"]


async def test_nobody_confirms_themselves_or_whom_they_asked_to_review_them(hub: Hub) -> None:
    judge = await hub.person(Role.MEDIATOR, Role.REVIEWER, Role.ADMIN, email="judge@demo.example")
    second = await hub.person(Role.REVIEWER, email="judge+2@demo.example")
    friend, admin = await hub.person(Role.REVIEWER), await hub.person(Role.ADMIN)
    payload(await appoint(hub, judge, friend))
    for concerned in (judge, second, friend):
        assert problems(await confirm(hub, concerned, judge)) == [("accountId", "NOT_ALLOWED")]
    assert not await hub.rows("SELECT FROM account WHERE reviewer_confirmed_at IS NOT NULL")
    assert not await hub.rows("SELECT FROM audit_entry WHERE action <> 'API_TOKEN_CREATED'")
    payload(await confirm(hub, friend, admin))


async def test_an_administrators_own_choice_of_reviewer_needs_another_administrator(hub: Hub) -> None:
    judge, friend, admin = (
        await hub.person(Role.MEDIATOR, Role.ADMIN),
        await reviewer(hub),
        await hub.person(Role.ADMIN),
    )
    await agreed(hub, judge, friend)
    assert await missing(hub, admin) == [["APPROVAL"]]
    assert problems(await approve(hub, judge, judge)) == [("id", "NOT_ALLOWED")]
    assert (await reviews(hub), await actions(hub)) == ([(judge.id, friend.id, False)], [])
    payload(await approve(hub, judge, admin))
    assert await reviews(hub) == [(judge.id, friend.id, True)]


async def test_a_reviewer_who_administers_does_not_approve_their_own_appointment(strict: Hub) -> None:
    mediator, both = await strict.mediator(), await reviewer(strict, Role.ADMIN)
    await agreed(strict, mediator, both)
    assert problems(await approve(strict, mediator, both)) == [("id", "NOT_ALLOWED")]
    assert await reviews(strict) == [(mediator.id, both.id, False)]


async def test_losing_the_role_ends_the_confirmation(hub: Hub) -> None:
    chosen, admin = await hub.person(Role.REVIEWER), await hub.person(Role.ADMIN)
    payload(await confirm(hub, chosen, admin))
    await hub.give_roles(chosen, Role.MEDIATOR, by=admin)
    await hub.give_roles(chosen, Role.REVIEWER, by=admin)
    assert await unconfirmed(hub, admin) == [chosen.name]
    await agreed(hub, await hub.mediator(), chosen)
    assert await missing(hub, admin) == [["CONFIRMATION"]]


async def test_a_mail_about_a_confirmation_that_was_ended_is_not_sent(hub: Hub) -> None:
    chosen, admin = await hub.person(Role.REVIEWER), await hub.person(Role.ADMIN)
    payload(await confirm(hub, chosen, admin))
    await hub.give_roles(chosen, Role.MEDIATOR, by=admin)
    await hub.work()
    assert not [mail for mail in hub.mails(chosen.email) if "confirmed you" in text_of(mail)]


async def test_confirming_and_accepting_at_once_bring_it_into_force(hub: Hub) -> None:
    admin = await hub.person(Role.ADMIN)
    for _ in range(3):
        mediator, chosen = await hub.mediator(), await hub.person(Role.REVIEWER)
        payload(await appoint(hub, mediator, chosen))
        for answer in await asyncio.gather(accept(hub, mediator, chosen), confirm(hub, chosen, admin)):
            payload(answer)
        assert (mediator.id, chosen.id, True) in await reviews(hub)


@pytest.mark.parametrize("first", ["accept", "approve"])
async def test_where_each_appointment_is_approved_the_two_yeses_come_in_any_order(strict: Hub, first: str) -> None:
    mediator, chosen, admin = await strict.mediator(), await reviewer(strict), await strict.person(Role.ADMIN)
    await put_feedback(strict, mediator, shared=False)
    payload(await appoint(strict, mediator, chosen))
    assert await missing(strict, admin) == [["ACCEPTANCE", "APPROVAL"]]
    left = {"accept": "APPROVAL", "approve": "ACCEPTANCE"}[first]
    for yes in (first, {"accept": "approve", "approve": "accept"}[first]):
        assert await read(strict, chosen) == []
        if yes == "accept":
            payload(await accept(strict, mediator, chosen))
        else:
            payload(await approve(strict, mediator, admin))
        if yes == first:
            assert await missing(strict, admin) == [[left]]
    assert await read(strict, chosen) == [str(mediator.id)]
    ((appointment_id,),) = await strict.rows("SELECT id FROM appointment")
    assert await actions(strict) == [("APPOINTMENT_APPROVED", admin.id, appointment_id)]


async def test_only_an_administrator_approves(strict: Hub) -> None:
    mediator, chosen = await strict.mediator(), await reviewer(strict)
    await agreed(strict, mediator, chosen)
    for by in (mediator, chosen, await strict.person(Role.DIRECTORY), None):
        assert set((await approve(strict, mediator, by)).codes) == {"GRAPHQL_VALIDATION_FAILED"}
    assert await reviews(strict) == [(mediator.id, chosen.id, False)]


async def test_approving_twice_counts_once(strict: Hub) -> None:
    mediator, chosen, admin = await strict.mediator(), await reviewer(strict), await strict.person(Role.ADMIN)
    payload(await appoint(strict, mediator, chosen))
    for _ in range(2):
        payload(await approve(strict, mediator, admin))
    assert len(await actions(strict)) == 1


async def test_an_invitation_waits_for_every_yes_too_and_replaces_nobody_before(strict: Hub) -> None:
    mediator, present, admin = await strict.mediator(), await reviewer(strict), await strict.person(Role.ADMIN)
    await strict.appointed(mediator, present)
    token = await invited(strict, mediator, "second@demo.example")
    payload(await take_up(strict, token, name="Second", password=PASSWORD))
    assert await missing(strict, admin) == [["CONFIRMATION", "APPROVAL"]]
    second = await strict.sign_in("second@demo.example")
    payload(await approve(strict, mediator, admin))
    assert await reviews(strict) == [(mediator.id, second.id, False), (mediator.id, present.id, True)]
    payload(await confirm(strict, second, admin))
    assert await reviews(strict) == [(mediator.id, second.id, True)]


async def test_where_administrators_do_nothing_a_new_reviewer_only_accepts(open_hub: Hub) -> None:
    mediator, chosen = await open_hub.mediator(), await open_hub.person(Role.REVIEWER)
    payload(await appoint(open_hub, mediator, chosen))
    assert await missing(open_hub, chosen) == [["ACCEPTANCE"]]
    payload(await accept(open_hub, mediator, chosen))
    assert await reviews(open_hub) == [(mediator.id, chosen.id, True)]


async def test_a_stricter_setting_counts_for_what_waits_already(hub: Hub, open_hub: Hub, strict: Hub) -> None:
    mediator, chosen, admin = await hub.mediator(), await hub.person(Role.REVIEWER), await hub.person(Role.ADMIN)
    payload(await appoint(open_hub, mediator, chosen))
    assert await missing(hub, admin) == [["ACCEPTANCE", "CONFIRMATION"]]
    payload(await accept(strict, mediator, chosen))
    assert await missing(open_hub, admin) == [["CONFIRMATION", "APPROVAL"]]  # a laxer one later takes nothing away
    assert await reviews(hub) == [(mediator.id, chosen.id, False)]


async def ring(hub: Hub, size: int) -> list[Person]:
    """People who each review the one before; the first would have to be reviewed by nobody yet."""
    people = [await reviewer(hub, Role.MEDIATOR) for _ in range(size)]
    for mediator, chosen in pairwise(people):
        await hub.appointed(mediator, chosen)
    return people


@pytest.mark.parametrize("size", [3, 6])
async def test_an_appointment_that_closes_a_ring_waits_for_an_administrator(hub: Hub, size: int) -> None:
    people, admin = await ring(hub, size), await hub.person(Role.ADMIN)
    last, first = people[-1], people[0]
    await agreed(hub, last, first)
    assert (last.id, first.id, False) in await reviews(hub)
    assert await missing(hub, admin) == [["APPROVAL"]]
    payload(await approve(hub, last, admin))
    assert (last.id, first.id, True) in await reviews(hub)


async def test_a_chain_that_is_no_ring_waits_for_nobody_else(hub: Hub) -> None:
    people, outsider = await ring(hub, 4), await hub.mediator()
    await agreed(hub, outsider, people[0])
    assert (outsider.id, people[0].id, True) in await reviews(hub)


async def test_a_ring_of_second_accounts_is_found_by_their_mailboxes(hub: Hub) -> None:
    ann, bob, cat = [await hub.mediator(email=f"{name}@demo.example") for name in ("ann", "bob", "cat")]
    ann2, bob2, cat2 = [await reviewer(hub, email=f"{name}+2@demo.example") for name in ("ann", "bob", "cat")]
    await hub.appointed(ann, bob2)
    await hub.appointed(bob, cat2)
    await agreed(hub, cat, ann2)
    assert (cat.id, ann2.id, False) in await reviews(hub)


async def test_a_ring_that_closes_while_an_appointment_waits_is_found_when_it_is_accepted(hub: Hub) -> None:
    one, two, three = [await reviewer(hub, Role.MEDIATOR) for _ in range(3)]
    payload(await appoint(hub, three, one))
    await hub.appointed(one, two)
    await hub.appointed(two, three)
    payload(await accept(hub, three, one))
    assert (three.id, one.id, False) in await reviews(hub)
    assert await missing(hub, await hub.person(Role.ADMIN)) == [["APPROVAL"]]


async def test_no_ring_closes_when_all_accept_at_once(hub: Hub) -> None:
    people = [await reviewer(hub, Role.MEDIATOR) for _ in range(3)]
    pairs = list(zip(people, people[1:] + people[:1], strict=True))
    for mediator, chosen in pairs:
        payload(await appoint(hub, mediator, chosen))
    for answer in await asyncio.gather(*(accept(hub, mediator, chosen) for mediator, chosen in pairs)):
        payload(answer)
    assert sorted(in_force for _, _, in_force in await reviews(hub)) == [False, True, True]


async def test_a_chain_too_long_to_follow_counts_as_a_ring(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    people, outsider = await ring(hub, 4), await hub.mediator()
    monkeypatch.setattr(reviewer_needs, "LONGEST_CHAIN", 3)
    reviewer_needs._ring.cache_clear()
    try:
        await agreed(hub, outsider, people[0])
    finally:
        reviewer_needs._ring.cache_clear()
    assert (outsider.id, people[0].id, False) in await reviews(hub)


async def test_a_ring_matters_to_nobody_where_administrators_do_nothing(open_hub: Hub) -> None:
    people = await ring(open_hub, 3)
    await agreed(open_hub, people[-1], people[0])
    assert (people[-1].id, people[0].id, True) in await reviews(open_hub)


async def test_confirming_leaves_out_what_may_never_come_into_force(hub: Hub) -> None:
    pat, ann, admin = await hub.mediator(email="pat@demo.example"), await hub.mediator(), await hub.person(Role.ADMIN)
    chosen = await hub.person(Role.REVIEWER)
    await agreed(hub, pat, chosen)
    await agreed(hub, ann, chosen)
    await hub.rows("UPDATE account SET email_key = 'pat+2@demo.example' WHERE id = $1", chosen.id)
    payload(await confirm(hub, chosen, admin))
    assert await reviews(hub) == [(pat.id, chosen.id, False), (ann.id, chosen.id, True)]
    assert problems(await approve(hub, pat, admin)) == [("id", "NOT_ALLOWED")]
    payload(await end(hub, pat, chosen, by=pat))
