"""One's own account: signing up, in and out, and the links in mails."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from models.account import Role
from permissions.addresses import wire_address
from permissions.passwords import hash_password
from tests.hub import PASSWORD, Answer, Hub, Person, payload, problems, text_of
from tests.waiting import until

NEW = "another good password"


def sign_up_input(email: str, **facts: Any) -> dict[str, Any]:
    return {"name": "Anna Demo", "email": email, "password": PASSWORD} | facts


async def me(hub: Hub, person: Person) -> Answer:
    return await hub.ask("{ me { email name emailVerifiedAt } }", by=person)


async def is_signed_in(hub: Hub, person: Person) -> bool:
    return (await me(hub, person)).status == 200


async def mailed_secret(hub: Hub, to: str, page: str) -> str:
    await hub.work()
    return hub.secret(to, page)


async def test_sign_up_creates_a_private_unverified_mediator(hub: Hub) -> None:
    answer = await hub.change("signUp", sign_up_input("anna@demo.example"), "mailSent")
    assert payload(answer)["mailSent"]
    (row,) = await hub.rows("SELECT * FROM account JOIN mediator USING (id)")
    assert row["roles"] == ["MEDIATOR"]
    assert row["visibility"] == "PRIVATE"
    assert row["email_verified_at"] is None
    assert PASSWORD not in str(row)


async def test_sign_up_answers_the_same_whether_or_not_the_address_has_an_account(hub: Hub) -> None:
    known = await hub.mediator()
    before = await hub.rows("SELECT * FROM account")
    fresh = await hub.change("signUp", sign_up_input("fresh@demo.example"), "mailSent")
    again = await hub.change("signUp", sign_up_input(known.email.upper(), password=NEW), "mailSent")
    assert fresh.body == again.body
    assert (fresh.status, set(fresh.headers)) == (again.status, set(again.headers))
    await hub.work()
    (mail,) = hub.mails(known.email)
    assert "It already has an account" in text_of(mail)
    assert [row for row in await hub.rows("SELECT * FROM account") if row["id"] == known.id] == before


async def test_two_domains_that_an_older_rule_mixed_up_have_two_accounts(hub: Hub) -> None:
    for email in ("pat@strasse.example", "pat@straße.example"):
        payload(await hub.change("signUp", sign_up_input(email)))
        payload(await hub.change("verifyEmail", {"token": await mailed_secret(hub, wire_address(email), "verify")}))
    keys = {row["email_key"] for row in await hub.rows("SELECT email_key FROM account")}
    assert keys == {"pat@strasse.example", "pat@xn--strae-oqa.example"}
    payload(await hub.change("signUp", sign_up_input("PAT@xn--strae-oqa.example")))
    await hub.work()
    assert "It already has an account" in text_of(hub.mail("pat@xn--strae-oqa.example"))
    assert (await hub.sign_in("pat@STRAßE.example")).email == "pat@straße.example"


@pytest.mark.parametrize("name", ["\u2800", "\u3164", "\uffa0\u200b", "\ufe0f", "\u0301"])
async def test_a_name_needs_something_visible(hub: Hub, name: str) -> None:
    assert problems(await hub.change("signUp", sign_up_input("anna@demo.example", name=name))) == [("name", "REQUIRED")]
    assert not await hub.rows("SELECT 1 FROM account")
    person = await hub.mediator()
    assert problems(await hub.change("updateAccount", {"name": name}, by=person)) == [("name", "REQUIRED")]
    assert (await me(hub, person)).data["me"]["name"] == person.name


async def test_an_unverified_address_goes_to_the_last_person_to_sign_up_with_it(hub: Hub) -> None:
    squatted = await hub.change("signUp", sign_up_input("victim@demo.example", name="Squatter"))
    payload(squatted)
    squatter = await hub.sign_in("victim@demo.example")
    payload(await hub.change("signUp", sign_up_input("Victim@demo.example", name="Victim", password=NEW)))
    payload(await hub.change("verifyEmail", {"token": await mailed_secret(hub, "Victim@demo.example", "verify")}))
    assert not await is_signed_in(hub, squatter)
    assert problems(await hub.try_to_sign_in("victim@demo.example")) == [(None, "WRONG_CREDENTIALS")]
    victim = await hub.sign_in("victim@demo.example", NEW)
    assert victim.name == "Victim"


async def test_sign_up_never_changes_an_account_that_an_administrator_created(hub: Hub) -> None:
    admin = await hub.person(Role.ADMIN)
    payload(await hub.change("createDirectory", {"name": "Guide", "email": "guide@demo.example"}, by=admin))
    await hub.work()
    made = await hub.rows("SELECT * FROM account")
    payload(await hub.change("signUp", sign_up_input("guide@demo.example")))
    assert await hub.rows("SELECT * FROM account") == made
    assert await hub.rows("SELECT 1 FROM account_link WHERE purpose = 'SET_PASSWORD'")
    assert problems(await hub.try_to_sign_in("guide@demo.example")) == [(None, "WRONG_CREDENTIALS")]


async def test_two_sign_ups_at_once_create_one_account(hub: Hub) -> None:
    answers = await asyncio.gather(
        *(hub.change("signUp", sign_up_input(email)) for email in ("anna@demo.example", "ANNA@demo.example"))
    )
    for answer in answers:
        payload(answer)
    assert len(await hub.rows("SELECT 1 FROM account")) == 1


async def test_a_repeated_sign_up_sends_one_mail(hub: Hub) -> None:
    asked = sign_up_input("anna@demo.example", requestKey="once")
    answers = await asyncio.gather(*(hub.change("signUp", asked, "mailSent") for _ in range(5)))
    assert [answer.body for answer in answers] == [answers[0].body] * 5
    await hub.work()
    assert len(hub.mails()) == 1


async def test_an_unverified_account_can_only_correct_itself(hub: Hub) -> None:
    person = await hub.person(Role.MEDIATOR, verified=False)
    other = await hub.person(Role.REVIEWER)
    assert (await me(hub, person)).data["me"]["email"] == person.email
    request = {
        "partyName": "P",
        "partyEmail": "p@demo.example",
        "mediationEndedOn": "2024-01-01",
        "partyAgreed": True,
    }
    refused = [
        await hub.change("requestFeedback", request, by=person),
        await hub.change("inviteReviewer", {"email": "r@demo.example"}, by=person),
        await hub.change("appointReviewer", {"reviewerId": str(other.id)}, by=person),
        await hub.change("createApiToken", {"name": "T"}, by=person),
        await hub.ask("{ directories { nodes { id } } }", by=person),
        await hub.ask("{ reviewers { nodes { id } } }", by=person),
    ]
    assert [answer.codes for answer in refused] == [["FORBIDDEN"]] * len(refused)
    for table in ("feedback_request", "reviewer_invitation", "appointment", "api_token", "outbox"):
        assert not await hub.rows(f"SELECT 1 FROM {table}")
    payload(await hub.change("updateAccount", {"name": "Mended"}, by=person))


async def test_a_verification_link_works_once_and_for_48_hours(hub: Hub) -> None:
    for email in ("late@demo.example", "soon@demo.example"):
        payload(await hub.change("signUp", sign_up_input(email)))
    late, soon = [await mailed_secret(hub, f"{who}@demo.example", "verify") for who in ("late", "soon")]
    async with hub.later(hours=47) as then:
        payload(await then.change("verifyEmail", {"token": soon}))
        assert problems(await then.change("verifyEmail", {"token": soon})) == [("token", "NOT_FOUND")]
    async with hub.later(hours=49) as then:
        assert problems(await then.change("verifyEmail", {"token": late})) == [("token", "NOT_FOUND")]
    verified = await hub.rows("SELECT email FROM account WHERE email_verified_at IS NOT NULL")
    assert [row["email"] for row in verified] == ["soon@demo.example"]


async def test_an_address_signs_in_whatever_its_case(hub: Hub) -> None:
    person = await hub.mediator(email="Mixed.Case@demo.example")
    for typed in ("mixed.case@demo.example", "  MIXED.CASE@DEMO.EXAMPLE "):
        assert (await hub.sign_in(typed)).id == person.id


async def test_sign_in_answers_the_same_to_a_wrong_password_and_an_unknown_address(hub: Hub) -> None:
    person = await hub.mediator()
    wrong = await hub.try_to_sign_in(person.email, NEW)
    unknown = await hub.try_to_sign_in("nobody@demo.example")
    assert problems(wrong) == [(None, "WRONG_CREDENTIALS")]
    assert wrong.body == unknown.body
    assert "set-cookie" not in wrong.headers
    assert "set-cookie" not in unknown.headers


async def test_the_session_is_in_a_cookie_that_scripts_cannot_read_and_nowhere_else(hub: Hub) -> None:
    person = await hub.mediator()
    answer = await hub.change("signIn", {"email": person.email, "password": PASSWORD}, "signedIn")
    secret = hub.client.cookies["session"]
    hub.client.cookies.clear()
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert secret not in str(answer.body)
    assert not [row for row in await hub.rows("SELECT secret_hash FROM session") if secret.encode() in row[0]]


async def test_signing_in_again_ends_the_browsers_earlier_session(hub: Hub) -> None:
    person = await hub.mediator()
    payload(await hub.change("signIn", {"email": person.email, "password": PASSWORD}, by=person))
    hub.client.cookies.clear()
    assert not await is_signed_in(hub, person)


async def test_sign_out_ends_the_session_and_removes_the_cookie(hub: Hub) -> None:
    person = await hub.mediator()
    answer = await hub.ask("mutation { signOut { signedOut userErrors { code } } }", by=person)
    assert payload(answer)["signedOut"]
    assert "max-age=0" in answer.headers["set-cookie"].lower()
    again = await me(hub, person)
    assert (again.status, again.codes) == (401, ["UNAUTHENTICATED"])


async def test_a_reset_link_sets_the_password_once_and_ends_all_sessions(hub: Hub) -> None:
    person = await hub.mediator()
    payload(await hub.change("requestPasswordReset", {"email": person.email.upper()}))
    secret = await mailed_secret(hub, person.email, "password")
    payload(await hub.change("resetPassword", {"token": secret, "password": NEW}))
    assert not await is_signed_in(hub, person)
    assert problems(await hub.try_to_sign_in(person.email)) == [(None, "WRONG_CREDENTIALS")]
    await hub.sign_in(person.email, NEW)
    again = await hub.change("resetPassword", {"token": secret, "password": PASSWORD})
    assert problems(again) == [("token", "NOT_FOUND")]
    await hub.sign_in(person.email, NEW)
    await hub.work()
    told = hub.mail(person.email)
    assert "password" in told["subject"].lower()
    assert secret not in told["text"]


async def test_a_reset_link_used_twice_at_once_works_once(hub: Hub) -> None:
    person = await hub.mediator()
    payload(await hub.change("requestPasswordReset", {"email": person.email}))
    secret = await mailed_secret(hub, person.email, "password")
    answers = await asyncio.gather(
        *(hub.change("resetPassword", {"token": secret, "password": f"{NEW} {place}"}) for place in range(2))
    )
    assert sorted(map(str, map(problems, answers))) == ["[('token', 'NOT_FOUND')]", "[]"]


async def reset_links(hub: Hub, person: Person, number: int) -> list[str]:
    secrets = []
    for _ in range(number):
        payload(await hub.change("requestPasswordReset", {"email": person.email}))
        secrets.append(await mailed_secret(hub, person.email, "password"))
    return secrets


async def test_a_reset_link_ends_after_two_hours(hub: Hub) -> None:
    person = await hub.mediator()
    secrets = await reset_links(hub, person, 2)
    async with hub.later(hours=3) as then:
        for secret in secrets:
            late = await then.change("resetPassword", {"token": secret, "password": NEW})
            assert problems(late) == [("token", "NOT_FOUND")]
    await hub.sign_in(person.email)


async def test_asking_for_another_reset_link_ends_none_and_using_one_ends_all(hub: Hub) -> None:
    person = await hub.mediator()
    first, *others = await reset_links(hub, person, 3)
    payload(await hub.change("resetPassword", {"token": first, "password": NEW}))
    for other in others:
        again = await hub.change("resetPassword", {"token": other, "password": f"{NEW} again"})
        assert problems(again) == [("token", "NOT_FOUND")]
    await hub.sign_in(person.email, NEW)


async def test_a_reset_answers_the_same_for_an_unknown_address(hub: Hub) -> None:
    person = await hub.mediator()
    known = await hub.change("requestPasswordReset", {"email": person.email}, "mailSent")
    unknown = await hub.change("requestPasswordReset", {"email": "nobody@demo.example"}, "mailSent")
    assert known.body == unknown.body
    await hub.work()
    assert [mail["to"] for mail in hub.mails()] == [person.email]


async def test_a_link_opens_only_what_it_is_for(hub: Hub) -> None:
    person = await hub.person(Role.MEDIATOR, verified=False)
    payload(await hub.change("requestPasswordReset", {"email": person.email}))
    secret = await mailed_secret(hub, person.email, "password")
    assert problems(await hub.change("verifyEmail", {"token": secret})) == [("token", "NOT_FOUND")]
    invitation = {"token": secret, "relation": "COLLEAGUE"}
    assert problems(await hub.change("acceptInvitation", invitation)) == [("token", "NOT_FOUND")]
    payload(await hub.change("resetPassword", {"token": secret, "password": NEW}))


async def change_email(hub: Hub, person: Person, email: str, password: str = PASSWORD) -> Answer:
    return await hub.change("changeEmail", {"email": email, "password": password}, "mailSent", by=person)


async def email_of(hub: Hub, person: Person) -> str:
    (row,) = await hub.rows("SELECT email FROM account WHERE id = $1", person.id)
    return str(row["email"])


async def test_a_new_address_counts_once_its_link_is_used_and_the_old_one_gets_a_mail(hub: Hub) -> None:
    person = await hub.mediator()
    payload(await change_email(hub, person, "New@demo.example"))
    secret = await mailed_secret(hub, "New@demo.example", "verify")
    assert await email_of(hub, person) == person.email
    payload(await hub.change("verifyEmail", {"token": secret}))
    assert await email_of(hub, person) == "New@demo.example"
    await hub.work()
    (told,) = hub.mails(person.email)
    assert "was changed" in text_of(told)
    assert "new@demo.example" not in text_of(told).lower()
    assert problems(await hub.change("verifyEmail", {"token": secret})) == [("token", "NOT_FOUND")]
    assert (await hub.sign_in("new@DEMO.example")).id == person.id
    assert problems(await hub.try_to_sign_in(person.email)) == [(None, "WRONG_CREDENTIALS")]
    (row,) = await hub.rows("SELECT recipient, recipient_name FROM outbox WHERE kind = 'email_changed'")
    assert tuple(row) == (None, None)


async def test_changing_the_address_takes_the_password(hub: Hub) -> None:
    person = await hub.mediator()
    answer = await change_email(hub, person, "new@demo.example", NEW)
    assert problems(answer) == [("password", "WRONG_CREDENTIALS")]
    assert not await hub.rows("SELECT 1 FROM account_link")
    await hub.work()
    assert hub.mails() == []


async def test_changing_to_a_taken_address_tells_only_its_owner(hub: Hub) -> None:
    person, owner = await hub.mediator(), await hub.mediator()
    taken = await change_email(hub, person, owner.email.upper())
    free = await change_email(hub, person, "free@demo.example")
    assert taken.body == free.body
    await hub.work()
    (mail,) = hub.mails(owner.email)
    assert "It already has an account" in text_of(mail)
    assert person.name not in text_of(mail)
    assert "/verify/" not in text_of(mail)


async def test_two_accounts_that_move_to_the_same_address_at_once_do_not_both_get_it(hub: Hub) -> None:
    people = [await hub.mediator() for _ in range(2)]
    secrets = []
    for person in people:
        payload(await change_email(hub, person, "wanted@demo.example"))
        secrets.append(await mailed_secret(hub, "wanted@demo.example", "verify"))
    answers = await asyncio.gather(*(hub.change("verifyEmail", {"token": secret}) for secret in secrets))
    assert sorted(map(str, map(problems, answers))) == ["[('token', 'NOT_FOUND')]", "[]"]
    assert len(await hub.rows("SELECT 1 FROM account WHERE email = 'wanted@demo.example'")) == 1


async def test_signing_up_with_somebody_elses_address_does_not_keep_them_from_it(hub: Hub) -> None:
    person = await hub.mediator()
    payload(await hub.change("signUp", sign_up_input("wanted@demo.example")))
    await mailed_secret(hub, "wanted@demo.example", "verify")
    payload(await change_email(hub, person, "wanted@demo.example"))
    payload(await hub.change("verifyEmail", {"token": await mailed_secret(hub, "wanted@demo.example", "verify")}))
    assert await email_of(hub, person) == "wanted@demo.example"


async def test_a_link_mailed_to_the_old_address_stops_working_after_the_move(hub: Hub) -> None:
    person = await hub.mediator()
    payload(await hub.change("requestPasswordReset", {"email": person.email}))
    reset = await mailed_secret(hub, person.email, "password")
    payload(await change_email(hub, person, "new@demo.example"))
    payload(await hub.change("verifyEmail", {"token": await mailed_secret(hub, "new@demo.example", "verify")}))
    answer = await hub.change("resetPassword", {"token": reset, "password": NEW})
    assert problems(answer) == [("token", "NOT_FOUND")]


async def test_a_new_password_ends_what_somebody_with_the_stolen_one_began(hub: Hub) -> None:
    person = await hub.mediator()
    thief = await hub.sign_in(person.email)
    payload(await change_email(hub, thief, "thief@demo.example"))
    secret = await mailed_secret(hub, "thief@demo.example", "verify")
    changed = await hub.change("changePassword", {"currentPassword": PASSWORD, "newPassword": NEW}, by=person)
    payload(changed)
    hub.client.cookies.clear()
    assert not await is_signed_in(hub, thief)
    assert problems(await hub.change("verifyEmail", {"token": secret})) == [("token", "NOT_FOUND")]
    assert await email_of(hub, person) == person.email


async def test_changing_the_password_ends_every_session_and_gives_this_browser_a_new_one(hub: Hub) -> None:
    person = await hub.mediator()
    elsewhere = await hub.sign_in(person.email)
    payload(await hub.change("changePassword", {"currentPassword": PASSWORD, "newPassword": NEW}, by=person))
    fresh = Person(person.id, person.name, person.email, hub.client.cookies["session"])
    hub.client.cookies.clear()
    assert [await is_signed_in(hub, one) for one in (person, elsewhere, fresh)] == [False, False, True]
    await hub.work()
    (told,) = hub.mails(person.email)
    assert "password" in told["subject"].lower()


async def test_a_wrong_current_password_changes_nothing(hub: Hub) -> None:
    person = await hub.mediator()
    answer = await hub.change("changePassword", {"currentPassword": NEW, "newPassword": NEW}, by=person)
    assert problems(answer) == [("currentPassword", "WRONG_CREDENTIALS")]
    assert await is_signed_in(hub, person)
    await hub.sign_in(person.email)


@asynccontextmanager
async def changing(hub: Hub, sql: str, *values: object) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Hold a change open and commit it at the end. Yields a function that returns once another change waits for it."""
    connection = await asyncpg.connect(hub.services.admin_url)

    async def others_wait() -> None:
        async def waits() -> bool:
            return bool(await hub.rows("SELECT 1 FROM pg_locks WHERE NOT granted"))

        await until(waits)

    try:
        async with connection.transaction():
            await connection.execute(sql, *values)
            yield others_wait
    finally:
        await connection.close()


async def test_no_session_begins_with_a_password_that_changes_meanwhile(hub: Hub) -> None:
    person = await hub.mediator()
    new_hash = await hash_password(NEW)
    change = "UPDATE account SET password_hash = $1"
    async with changing(hub, change, new_hash) as others_wait:
        signing_in = asyncio.create_task(hub.try_to_sign_in(person.email))
        await others_wait()
    assert problems(await signing_in) == [(None, "WRONG_CREDENTIALS")]
    assert len(await hub.rows("SELECT 1 FROM session")) == 1
    await hub.sign_in(person.email, NEW)


NEEDS_PASSWORD = {
    "changePassword": {"currentPassword": PASSWORD, "newPassword": NEW},
    "changeEmail": {"email": "thief@demo.example", "password": PASSWORD},
    "setUpSecondFactor": {"password": PASSWORD},
    "createApiToken": {"name": "T", "password": PASSWORD},
    "deleteMyAccount": {"password": PASSWORD},
}
ENDED = """
    WITH ended AS (DELETE FROM session WHERE account_id = $1)
    UPDATE account SET password_hash = 'another' WHERE id = $1
"""


@pytest.mark.parametrize("mutation", NEEDS_PASSWORD)
async def test_the_old_password_does_nothing_once_it_has_been_reset(hub: Hub, mutation: str) -> None:
    """Not even with a request that had begun, and had its password checked, before."""
    person = await hub.mediator()
    await hub.person(Role.ADMIN)
    async with changing(hub, ENDED, person.id) as others_wait:
        under_way = asyncio.create_task(hub.change(mutation, NEEDS_PASSWORD[mutation], by=person))
        await others_wait()
    answer = await under_way
    assert answer.codes == ["UNAUTHENTICATED"]
    assert "set-cookie" not in answer.headers
    assert [row[0] for row in await hub.rows("SELECT password_hash FROM account WHERE id = $1", person.id)] == [
        "another"
    ]
    for table in ("session", "account_link", "api_token", "second_factor"):
        assert not await hub.rows(f"SELECT 1 FROM {table} WHERE account_id = $1", person.id)
    assert not await hub.rows("SELECT 1 FROM outbox")


async def test_an_address_taken_at_the_last_moment_stays_with_the_account_that_took_it(hub: Hub) -> None:
    person, other = await hub.mediator(), await hub.mediator()
    payload(await change_email(hub, person, "wanted@demo.example"))
    secret = await mailed_secret(hub, "wanted@demo.example", "verify")
    take = "UPDATE account SET email = 'wanted@demo.example', email_key = 'wanted@demo.example' WHERE id = $1"
    async with changing(hub, take, other.id) as others_wait:
        verifying = asyncio.create_task(hub.change("verifyEmail", {"token": secret}))
        await others_wait()
    assert problems(await verifying) == [("token", "NOT_FOUND")]
    assert await email_of(hub, person) == person.email
    assert hub.mails(person.email) == []


async def test_only_their_owner_sees_and_ends_sessions(hub: Hub) -> None:
    person, other = await hub.mediator(), await hub.mediator()
    elsewhere = await hub.sign_in(person.email)
    listed = (await hub.ask("{ me { sessions { id current } } }", by=person)).data["me"]["sessions"]
    assert sorted(session["current"] for session in listed) == [False, True]
    (theirs,) = [session["id"] for session in listed if not session["current"]]
    foreign = await hub.change("endSession", {"id": theirs}, by=other)
    assert problems(foreign) == [("id", "NOT_FOUND")]
    assert await is_signed_in(hub, elsewhere)
    payload(await hub.change("endSession", {"id": theirs}, by=person))
    assert not await is_signed_in(hub, elsewhere)
    assert await is_signed_in(hub, person)


async def test_ending_ones_own_session_removes_the_cookie(hub: Hub) -> None:
    person = await hub.mediator()
    (listed,) = (await hub.ask("{ me { sessions { id } } }", by=person)).data["me"]["sessions"]
    answer = await hub.change("endSession", listed, by=person)
    payload(answer)
    assert "max-age=0" in answer.headers["set-cookie"].lower()
    assert not await is_signed_in(hub, person)


async def test_people_change_only_their_own_name(hub: Hub) -> None:
    person, other = await hub.mediator(), await hub.mediator()
    answer = await hub.change("updateAccount", {"name": "  Åsa  Demo "}, "account { name }", by=person)
    assert payload(answer)["account"]["name"] == "Åsa  Demo"
    names = await hub.rows("SELECT id, name, name_key FROM account")
    assert {row["id"]: row["name"] for row in names}[other.id] == other.name
    assert {row["id"]: row["name_key"] for row in names}[person.id] == "asa demo"
