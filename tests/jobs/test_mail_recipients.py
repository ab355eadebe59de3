"""Letters: what each mail says and to whom at the moment it's sent, and when it's no longer sent at all."""

import re
from typing import Any

import pytest
from sqlalchemy import select

from jobs import mail
from jobs.mail import MAILS
from jobs.mail.declaration import Letter, Mail
from jobs.mail.facts import Facts
from jobs.outbox import MAKE_EXPORT, WorkRow, enqueue
from models.account import Role
from models.outbox import outbox
from models.statement import Statement
from permissions.secrets import hash_secret, read_stop_token, stop_marks
from tests.hub import PASSWORD, Hub, Person, payload
from tests.reviews import accept, agreed, appoint, decline
from tests.reviews import reviewer as confirmed_reviewer
from tests.world import put_feedback

REQUEST = {
    "partyName": "Pat Party",
    "partyEmail": "Pat@demo.example",
    "reference": "A-17",
    "mediationEndedOn": "2025-05-03",
    "partyAgreed": True,
}
ANSWERS = {"capacity": "PARTY", "actedAs": "MEDIATOR", "answers": [{"question": "impressed", "text": "praise"}]}


async def due(hub: Hub) -> dict[Mail[Facts], Letter | None]:
    """What would be mailed now; None if nothing would."""
    found: dict[Mail[Facts], Letter | None] = {}
    async with hub.worker.transaction() as transaction:
        for work in await transaction.all(Statement(select(outbox).where(outbox.c.kind != MAKE_EXPORT.name), WorkRow)):
            kind = MAILS[work.kind]
            assert kind not in found
            found[kind] = await kind.letter(transaction, hub.settings, work)
    return found


async def only(hub: Hub, kind: Mail[Facts]) -> Letter:
    """The only letter of that kind. It contains no address but the one for support."""
    found = (await due(hub))[kind]
    assert found is not None
    whole = found.message.subject + found.message.text + found.message.html
    assert set(re.findall(r"[\w.+-]+@[\w.-]+\w", whole)) == {"support@demo.example"}
    return found


def says(letter: Letter, *facts: str) -> bool:
    text = " ".join(letter.message.text.split())
    return all(fact in text for fact in facts)


def secret(letter: Letter, page: str) -> str:
    (token,) = set(re.findall(rf"http://127\.0\.0\.1:8000/{page}/(\S+)", letter.message.text))
    return str(token)


async def opens(hub: Hub, letter: Letter, page: str, table: str) -> bool:
    """Whether the link in the letter belongs to the only row of the table."""
    (row,) = await hub.rows(f"SELECT secret_hash FROM {table}")
    return bool(hash_secret(secret(letter, page)) == row["secret_hash"])


async def forget_mail(hub: Hub) -> None:
    await hub.rows("DELETE FROM outbox")


async def asked(hub: Hub, mediator: Person) -> str:
    made = payload(await hub.change("requestFeedback", REQUEST, "feedbackRequest { id }", by=mediator))
    return str(made["feedbackRequest"]["id"])


async def delete(hub: Hub, person: Person) -> None:
    """Delete an account, and forget the mails about that."""
    payload(await hub.change("deleteMyAccount", {"password": PASSWORD}, by=person))
    await hub.rows("DELETE FROM outbox WHERE kind = 'account_deleted'")


async def test_a_request_goes_to_the_party_with_details_that_help_them_remember(hub: Hub) -> None:
    await asked(hub, await hub.mediator(name="Mo Mediator"))
    letter = await only(hub, mail.FEEDBACK_REQUEST)
    assert letter.address == "Pat@demo.example"
    assert says(letter, "Hello Pat Party,", "Mo Mediator would like", "Their reference: A-17", "3 May 2025")
    assert await opens(hub, letter, "feedback", "feedback_request")
    stops = read_stop_token(hub.settings, secret(letter, "stop"))
    assert [stops] == stop_marks(hub.settings, "pat@demo.example")


async def test_a_request_is_not_mailed_after_its_five_days(hub: Hub) -> None:
    await asked(hub, await hub.mediator())
    async with hub.later(hours=119) as later:
        assert (await due(later))[mail.FEEDBACK_REQUEST]
    async with hub.later(hours=120) as later:
        assert (await due(later)) == {mail.FEEDBACK_REQUEST: None}


@pytest.mark.parametrize("event", ["withdrawn", "answered", "stopped", "mediator gone", "no mediator any more"])
async def test_a_request_is_not_mailed_after_it_became_pointless(hub: Hub, event: str) -> None:
    mediator = await hub.mediator()
    request_id = await asked(hub, mediator)
    letter = await only(hub, mail.FEEDBACK_REQUEST)
    if event == "withdrawn":
        payload(await hub.change("withdrawFeedbackRequest", {"id": request_id}, by=mediator))
    elif event == "answered":
        payload(await hub.change("giveFeedback", {"token": secret(letter, "feedback"), **ANSWERS}))
    elif event == "stopped":
        payload(await hub.change("stopRequests", {"token": secret(letter, "stop")}))
    elif event == "mediator gone":
        await delete(hub, mediator)
    else:
        await hub.give_roles(mediator, Role.REVIEWER, by=await hub.person(Role.ADMIN))
    assert (await due(hub)).get(mail.FEEDBACK_REQUEST) is None


@pytest.mark.parametrize(
    ("name", "called"), [("Gil Giver", "Gil Giver left feedback"), (None, "A party left feedback")]
)
@pytest.mark.parametrize(("share", "said"), [(True, "chose to share it"), (False, "chose not to share it")])
async def test_the_notice_names_the_giver_as_typed_and_says_nothing_about_what_they_wrote(
    hub: Hub, name: str | None, called: str, share: bool, said: str
) -> None:
    mediator = await hub.mediator(name="Mo Mediator")
    facts = {"mediatorId": str(mediator.id), "name": name, "email": "gil@demo.example", "share": share, **ANSWERS}
    payload(await hub.change("giveFeedback", facts))
    letter = await only(hub, mail.FEEDBACK_RECEIVED)
    assert letter.address == mediator.email
    assert says(letter, "Hello Mo Mediator,", called, said, "You don't have a reviewer yet.")
    assert not says(letter, "praise")


async def test_the_notice_names_the_current_reviewer_and_nobody_who_waits(hub: Hub) -> None:
    mediator, waiting, present = await hub.mediator(), *[await hub.person(Role.REVIEWER, name=n) for n in ("Wu", "Ria")]
    feedback_id = await put_feedback(hub, mediator, name="Gil Giver")
    await hub.waiting(mediator, waiting)
    await forget_mail(hub)
    async with hub.worker.transaction() as transaction:
        await enqueue(transaction, mail.FEEDBACK_RECEIVED, feedback_id)
    assert says(await only(hub, mail.FEEDBACK_RECEIVED), "You don't have a reviewer yet.")
    await hub.appointed(mediator, present)
    assert says(await only(hub, mail.FEEDBACK_RECEIVED), "Your reviewer, Ria, can read it now.")


async def test_the_notice_does_not_name_a_deleted_giver_and_is_not_sent_for_a_deleted_mediator(hub: Hub) -> None:
    mediator, giver = await hub.mediator(), await hub.person(Role.REVIEWER, email="gil@demo.example")
    facts = {"mediatorId": str(mediator.id), "name": "Gil Giver", "email": "gil@demo.example", **ANSWERS}
    payload(await hub.change("giveFeedback", facts))
    await delete(hub, giver)
    assert says(await only(hub, mail.FEEDBACK_RECEIVED), "A party left feedback")
    await delete(hub, mediator)
    assert await due(hub) == {}  # what was queued about somebody is deleted with their account


async def test_an_invitation_goes_to_the_invited_person_and_works(hub: Hub) -> None:
    mediator = await hub.mediator(name="Mo Mediator")
    payload(await hub.change("inviteReviewer", {"email": "Ria@demo.example"}, by=mediator))
    letter = await only(hub, mail.REVIEWER_INVITED)
    assert letter.address == "Ria@demo.example"
    assert says(letter, "Mo Mediator invites you to be their reviewer")
    assert await opens(hub, letter, "invitation", "reviewer_invitation")


@pytest.mark.parametrize("event", ["expired", "replaced", "accepted", "mediator gone"])
async def test_an_invitation_that_is_over_is_not_mailed(hub: Hub, event: str) -> None:
    mediator = await hub.mediator()
    payload(await hub.change("inviteReviewer", {"email": "ria@demo.example"}, by=mediator))
    letter = await only(hub, mail.REVIEWER_INVITED)
    if event == "replaced":
        await hub.rows("UPDATE outbox SET kind = 'review_ended'")  # so that it isn't mistaken for the next one
        payload(await hub.change("inviteReviewer", {"email": "RIA@demo.example"}, by=mediator))
        await hub.rows("DELETE FROM outbox WHERE kind = 'reviewer_invited'")
        await hub.rows("UPDATE outbox SET kind = 'reviewer_invited'")
    elif event == "accepted":
        facts = {"token": secret(letter, "invitation"), "name": "Ria", "password": PASSWORD, "relation": "COLLEAGUE"}
        payload(await hub.change("acceptInvitation", facts))
    elif event == "mediator gone":
        await delete(hub, mediator)
    async with hub.later(hours=14 * 24 if event == "expired" else 1) as later:
        assert (await due(later)).get(mail.REVIEWER_INVITED) is None


async def test_both_sides_of_a_review_are_told_about_it(hub: Hub) -> None:
    mediator, reviewer = await hub.mediator(name="Mo"), await confirmed_reviewer(hub, name="Ria")
    await agreed(hub, mediator, reviewer)
    to_reviewer, to_mediator = await only(hub, mail.REVIEWER_APPOINTED), await only(hub, mail.APPOINTMENT_MADE)
    assert (to_reviewer.address, to_mediator.address) == (reviewer.email, mediator.email)
    assert says(to_reviewer, "Hello Ria,", "You're now the reviewer for Mo.")
    assert says(to_mediator, "Hello Mo,", "Ria is now your reviewer.")


async def test_a_review_that_has_ended_is_no_longer_announced_but_its_end_is(hub: Hub) -> None:
    mediator, reviewer = await hub.mediator(name="Mo"), await confirmed_reviewer(hub, name="Ria")
    await agreed(hub, mediator, reviewer)
    sides = {"mediatorId": str(mediator.id), "reviewerId": str(reviewer.id)}
    payload(await hub.change("endReview", sides, by=mediator))
    found = await due(hub)
    assert (found[mail.REVIEWER_APPOINTED], found[mail.APPOINTMENT_MADE]) == (None, None)
    to_reviewer, to_mediator = await only(hub, mail.REVIEW_ENDED), await only(hub, mail.APPOINTMENT_ENDED)
    assert (to_reviewer.address, to_mediator.address) == (reviewer.email, mediator.email)
    assert says(to_reviewer, "You're no longer the reviewer for Mo,")
    assert says(to_mediator, "Ria is no longer your reviewer,")


@pytest.mark.parametrize(
    ("who", "kind", "words"),
    [
        ("mediator", mail.REVIEW_ENDED, "You're no longer the reviewer for Mo,"),
        ("reviewer", mail.APPOINTMENT_ENDED, "Ria is no longer your reviewer,"),
    ],
)
async def test_only_the_person_who_is_left_hears_that_the_other_is_gone(
    hub: Hub, who: str, kind: Mail[Facts], words: str
) -> None:
    people = {"mediator": await hub.mediator(name="Mo"), "reviewer": await hub.person(Role.REVIEWER, name="Ria")}
    await hub.appointed(people["mediator"], people["reviewer"])
    await delete(hub, people.pop(who))
    (left,) = people.values()
    letter = await only(hub, kind)
    assert letter.address == left.email
    assert says(letter, words)
    await delete(hub, left)
    assert not any((await due(hub)).values())


async def test_a_mediator_whose_choice_waits_is_told_so_until_it_is_decided_and_the_reviewer_is_asked(hub: Hub) -> None:
    mediator, reviewer = await hub.mediator(name="Mo"), await confirmed_reviewer(hub, name="Ria")
    payload(await appoint(hub, mediator, reviewer))
    to_mediator, to_reviewer = await only(hub, mail.APPOINTMENT_WAITING), await only(hub, mail.REVIEW_ASKED)
    assert (to_mediator.address, to_reviewer.address) == (mediator.email, reviewer.email)
    assert says(to_mediator, "Hello Mo,", "Ria will be your reviewer once they've accepted")
    assert says(to_reviewer, "Hello Ria,", "Mo asks you to be their reviewer.", hub.settings.base_url)
    assert set(await due(hub)) == {mail.APPOINTMENT_WAITING, mail.REVIEW_ASKED}
    payload(await accept(hub, mediator, reviewer))
    found = await due(hub)
    assert (found[mail.APPOINTMENT_WAITING], found[mail.REVIEW_ASKED]) == (None, None)
    assert found[mail.REVIEWER_APPOINTED]
    assert found[mail.APPOINTMENT_MADE]


async def test_a_reviewer_who_has_accepted_is_not_asked_while_an_administrator_is_missing(hub: Hub) -> None:
    mediator, reviewer = await hub.mediator(), await hub.person(Role.REVIEWER)
    await agreed(hub, mediator, reviewer)
    found = await due(hub)
    assert found[mail.REVIEW_ASKED] is None
    assert found[mail.APPOINTMENT_WAITING]


async def test_a_reviewer_is_told_of_their_confirmation_unless_it_is_gone_again(hub: Hub) -> None:
    admin, reviewer = await hub.person(Role.ADMIN), await hub.person(Role.REVIEWER, Role.MEDIATOR, name="Ria")
    payload(await hub.change("confirmReviewer", {"accountId": str(reviewer.id)}, by=admin))
    letter = await only(hub, mail.REVIEWER_CONFIRMED)
    assert letter.address == reviewer.email
    assert says(letter, "Hello Ria,", "An administrator has confirmed you as a reviewer")
    await hub.give_roles(reviewer, Role.MEDIATOR, by=admin)
    assert (await due(hub))[mail.REVIEWER_CONFIRMED] is None


async def test_both_sides_of_an_appointment_that_is_declined_are_told(hub: Hub) -> None:
    admin, mediator = await hub.person(Role.ADMIN), await hub.mediator(name="Mo")
    reviewer = await hub.person(Role.REVIEWER, name="Ria")
    payload(await appoint(hub, mediator, reviewer))
    payload(await decline(hub, mediator, by=admin))
    assert (await due(hub))[mail.APPOINTMENT_WAITING] is None
    to_mediator, to_reviewer = await only(hub, mail.APPOINTMENT_DECLINED), await only(hub, mail.REVIEW_DECLINED)
    assert (to_mediator.address, to_reviewer.address) == (mediator.email, reviewer.email)
    assert says(to_mediator, "Hello Mo,", "You chose Ria as your reviewer, but this was declined, by them or by an")
    assert says(to_reviewer, "Hello Ria,", "Mo chose you as their reviewer, but an administrator has declined this.")


@pytest.mark.parametrize("role", Role)
async def test_a_person_is_told_of_a_role_that_was_added_unless_it_is_gone_again(hub: Hub, role: Role) -> None:
    admin, other = await hub.person(Role.ADMIN), next(one for one in Role if one is not role)
    person = await hub.person(other)
    change = {"accountId": str(person.id), "role": role}
    payload(await hub.change("addRole", change, by=admin))
    letter = await only(hub, mail.ROLE_ADDED[role])
    assert letter.address == person.email
    payload(await hub.change("removeRole", change, by=admin))
    assert (await due(hub))[mail.ROLE_ADDED[role]] is None
    letter = await only(hub, mail.ROLE_REMOVED[role])
    assert letter.address == person.email
    await forget_mail(hub)
    payload(await hub.change("addRole", change, by=admin))
    assert list(await due(hub)) == [mail.ROLE_ADDED[role]]


async def test_a_role_that_is_back_before_the_mail_goes_out_is_not_said_to_be_gone(hub: Hub) -> None:
    admin, person = await hub.person(Role.ADMIN), await hub.person(Role.MEDIATOR, Role.REVIEWER)
    change = {"accountId": str(person.id), "role": "MEDIATOR"}
    for mutation in ("removeRole", "addRole"):
        payload(await hub.change(mutation, change, by=admin))
    found = await due(hub)
    assert found[mail.ROLE_REMOVED[Role.MEDIATOR]] is None
    assert found[mail.ROLE_ADDED[Role.MEDIATOR]]


async def test_a_new_account_is_asked_to_verify_its_address(hub: Hub) -> None:
    facts = {"name": "Ada Account", "email": "ada@demo.example", "password": PASSWORD}
    payload(await hub.change("signUp", facts))
    letter = await only(hub, mail.VERIFY_EMAIL)
    assert letter.address == "ada@demo.example"
    assert says(letter, "Hello Ada Account,", "within 48 hours")
    assert await opens(hub, letter, "verify", "account_link")


async def test_a_link_that_waited_says_how_long_it_still_works_and_is_not_mailed_once_it_does_not(hub: Hub) -> None:
    person = await hub.person(Role.REVIEWER, name="Ada Account")
    payload(await hub.change("requestPasswordReset", {"email": person.email}))
    letter = await only(hub, mail.RESET_PASSWORD)
    assert letter.address == person.email
    assert says(letter, "Hello Ada Account,", "within 2 hours")
    assert await opens(hub, letter, "password", "account_link")
    async with hub.later(hours=1) as later:
        assert says(await only(later, mail.RESET_PASSWORD), "within 1 hour:")
    async with hub.later(hours=2) as later:
        assert await due(later) == {mail.RESET_PASSWORD: None}


@pytest.mark.parametrize("event", ["used", "account gone"])
async def test_a_link_that_no_longer_works_is_not_mailed(hub: Hub, event: str) -> None:
    person = await hub.person(Role.REVIEWER)
    payload(await hub.change("requestPasswordReset", {"email": person.email}))
    letter = await only(hub, mail.RESET_PASSWORD)
    if event == "used":
        payload(await hub.change("resetPassword", {"token": secret(letter, "password"), "password": "another one"}))
    else:
        await delete(hub, person)
    assert (await due(hub)).get(mail.RESET_PASSWORD) is None


async def test_a_link_that_was_replaced_is_not_mailed(hub: Hub) -> None:
    person = await hub.person(Role.REVIEWER)
    payload(await hub.change("changeEmail", {"email": "new@demo.example", "password": PASSWORD}, by=person))
    queued = await hub.rows("DELETE FROM outbox RETURNING subject_id")
    payload(await hub.change("changeEmail", {"email": "newer@demo.example", "password": PASSWORD}, by=person))
    await hub.rows("UPDATE outbox SET subject_id = $1", queued[0]["subject_id"])
    assert await due(hub) == {mail.CHANGE_EMAIL: None}


async def test_a_mail_of_one_kind_never_contains_a_link_of_another(hub: Hub) -> None:
    person = await hub.person(Role.REVIEWER)
    payload(await hub.change("requestPasswordReset", {"email": person.email}))
    await hub.rows("UPDATE outbox SET kind = 'verify_email'")
    assert await due(hub) == {mail.VERIFY_EMAIL: None}


async def test_a_new_address_is_asked_to_confirm_and_the_old_one_is_told(hub: Hub) -> None:
    person = await hub.person(Role.REVIEWER, name="Ada Account")
    payload(await hub.change("changeEmail", {"email": "new@demo.example", "password": PASSWORD}, by=person))
    letter = await only(hub, mail.CHANGE_EMAIL)
    assert letter.address == "new@demo.example"
    assert says(letter, "Hello Ada Account,", "within 48 hours")
    assert await opens(hub, letter, "verify", "account_link")
    payload(await hub.change("verifyEmail", {"token": secret(letter, "verify")}))
    assert (await due(hub))[mail.CHANGE_EMAIL] is None
    told = await only(hub, mail.EMAIL_CHANGED)
    assert told.address == person.email
    assert says(told, "Hello Ada Account,", "The email address of your account was changed.")


async def test_mail_about_an_account_goes_to_its_current_address(hub: Hub) -> None:
    person = await hub.person(Role.REVIEWER, name="Ada Account")
    async with hub.worker.transaction() as transaction:
        await enqueue(transaction, mail.PASSWORD_CHANGED, person.id)
        await enqueue(transaction, mail.ALREADY_REGISTERED, person.id)
    await hub.rows("UPDATE account SET email = 'now@demo.example'")
    for kind in (mail.PASSWORD_CHANGED, mail.ALREADY_REGISTERED):
        letter = await only(hub, kind)
        assert letter.address == "now@demo.example"
        assert says(letter, "Hello Ada Account,")
    await hub.rows("DELETE FROM account")
    assert set((await due(hub)).values()) == {None}


async def test_people_who_delete_their_account_are_told_although_nothing_else_is_left(hub: Hub) -> None:
    person = await hub.person(Role.REVIEWER, name="Ada Account")
    payload(await hub.change("deleteMyAccount", {"password": PASSWORD}, by=person))
    letter = await only(hub, mail.ACCOUNT_DELETED)
    assert letter.address == person.email
    assert says(letter, "Hello Ada Account,", "Everything in it is gone")


async def test_a_directory_gets_a_link_that_sets_its_password(hub: Hub) -> None:
    admin = await hub.person(Role.ADMIN)
    payload(await hub.change("createDirectory", {"name": "Demo Court", "email": "court@demo.example"}, by=admin))
    letter = await only(hub, mail.DIRECTORY_ACCESS)
    assert letter.address == "court@demo.example"
    assert says(letter, "Hello Demo Court,", "You now have directory access")
    assert await opens(hub, letter, "password", "account_link")


async def test_an_export_is_announced_from_when_it_is_made_until_it_expires(hub: Hub) -> None:
    person = await hub.person(Role.REVIEWER, name="Ada Account")
    made = payload(await hub.change("exportMyData", {}, "dataExport { id }", by=person))
    await forget_mail(hub)
    async with hub.worker.transaction() as transaction:
        await enqueue(transaction, mail.EXPORT_READY, made["dataExport"]["id"])
    assert await due(hub) == {mail.EXPORT_READY: None}
    await hub.rows("UPDATE data_export SET ready_at = now(), expires_at = now() + interval '7 days', archive = ''")
    letter = await only(hub, mail.EXPORT_READY)
    assert letter.address == person.email
    assert says(letter, "Hello Ada Account,", "The copy of your data is ready.")
    assert await opens(hub, letter, "export", "data_export")
    async with hub.later(days=7) as later:
        assert await due(later) == {mail.EXPORT_READY: None}


async def test_a_link_in_a_name_is_left_out_of_a_mail(hub: Hub) -> None:
    facts: dict[str, Any] = {"name": "Win https://evil.example now", "email": "ada@demo.example", "password": PASSWORD}
    payload(await hub.change("signUp", facts))
    letter = await only(hub, mail.VERIFY_EMAIL)
    assert says(letter, "Hello Win now,")
    assert "evil" not in letter.message.html
