"""Deleting an account: nothing of it is left in any table, and the people concerned are told."""

import asyncio
from uuid import UUID

from models.account import Role
from tests.hub import PASSWORD, Hub, Person, payload, problems, text_of
from tests.world import put_cases, put_cpd, put_feedback

GIVEN = {
    "capacity": "PARTY",
    "actedAs": "MEDIATOR",
    "answers": [{"question": "listening", "rating": 4}, {"question": "impressed", "text": "Calm throughout"}],
}


async def whole_database(hub: Hub) -> dict[str, list[str]]:
    """Every row of every table in the catalogue, as text, except the counts of what went wrong while signing in."""
    tables = await hub.rows(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'sign_in_trouble'"
    )
    return {
        table["tablename"]: [row[0] for row in await hub.rows(f'SELECT t::text FROM "{table["tablename"]}" t')]
        for table in tables
    }


async def traces(hub: Hub, *of: object) -> dict[str, list[str]]:
    """Where any of these words is found, apart from ids in the audit log."""
    words = [str(word).lower() for word in of]
    found = {
        table: [row for row in rows if any(word in row.lower() for word in words)]
        for table, rows in (await whole_database(hub)).items()
        if table != "audit_entry"
    }
    return {table: rows for table, rows in found.items() if rows}


def named(person: Person) -> dict[str, str]:
    """What an administrator names somebody's account by to delete it."""
    return {"id": str(person.id), "email": person.email}


async def delete_own(hub: Hub, person: Person, password: str = PASSWORD) -> list[tuple[str | None, str]]:
    answer = await hub.change("deleteMyAccount", {"password": password}, "deleted", by=person)
    if not problems(answer):
        assert payload(answer)["deleted"]
        assert "max-age=0" in answer.headers["set-cookie"].lower()
    return problems(answer)


async def lived_in(hub: Hub) -> tuple[Person, Person, Person]:
    """A mediator who has used everything, their reviewer, and a mediator to whom they gave feedback."""
    payload(
        await hub.change(
            "signUp",
            {
                "name": "Wilhelmina Vanishing",
                "email": "Wilhelmina@demo.example",
                "password": PASSWORD,
                "requestKey": "k",
            },
        )
    )
    await hub.work()
    verify = hub.secret("Wilhelmina@demo.example", "verify")
    payload(await hub.change("verifyEmail", {"token": verify}))
    person = await hub.sign_in("wilhelmina@demo.example")
    reviewer, other = await hub.person(Role.REVIEWER), await hub.mediator()
    await hub.appointed(person, reviewer)
    await put_cases(hub, person, {"notes": "A secret of the case"})
    await put_cpd(hub, person, {"takeaways": "A secret of the training"})
    balance = {"role": "OTHER", "minutes": 60, "before": "2020-01-01", "requestKey": "k"}
    payload(await hub.change("addOpeningBalance", balance, by=person))
    await put_feedback(hub, person)
    request = {
        "partyName": "A party",
        "partyEmail": "party@demo.example",
        "reference": "The reference",
        "mediationEndedOn": "2024-01-01",
        "partyAgreed": True,
        "requestKey": "k",
    }
    payload(await hub.change("requestFeedback", request, by=person))
    payload(await hub.change("createApiToken", {"name": "The token", "requestKey": "k"}, by=person))
    payload(await hub.change("inviteReviewer", {"email": "friend@demo.example", "requestKey": "k"}, by=person))
    payload(await hub.change("inviteReviewer", {"email": person.email}, by=other))
    payload(await hub.change("requestPasswordReset", {"email": person.email}))
    payload(await hub.change("changeEmail", {"email": "next@demo.example", "password": PASSWORD}, by=person))
    payload(await hub.change("setUpSecondFactor", {"password": PASSWORD}, by=person))
    given = GIVEN | {"mediatorId": str(other.id), "name": "W", "email": "WILHELMINA@demo.example"}
    payload(await hub.change("giveFeedback", given))
    return person, reviewer, other


async def test_nothing_of_a_deleted_account_is_left_in_any_table(hub: Hub) -> None:
    person, reviewer, other = await lived_in(hub)
    everything = (person.id, person.name, person.email, "secret of the", "the reference", "the token", "next@demo")
    assert len(await traces(hub, *everything)) > 10
    assert await delete_own(hub, person) == []
    await hub.work()
    assert await traces(hub, *everything, "party@demo.example", "friend@demo.example") == {}
    assert (await hub.ask("{ me { id } }", by=person)).status == 401
    (audit,) = await hub.rows("SELECT * FROM audit_entry WHERE action = 'ACCOUNT_DELETED'")
    assert (audit["actor_id"], audit["subject_id"]) == (person.id, person.id)
    assert await hub.rows("SELECT 1 FROM account WHERE id = ANY($1)", [reviewer.id, other.id])


async def test_nothing_is_left_of_mail_that_had_not_gone_out_either(hub: Hub) -> None:
    person, _, _ = await lived_in(hub)
    await hub.rows(
        "INSERT INTO outbox (kind, subject_id, recipient, recipient_name, dedupe_key, state)"
        " VALUES ('email_changed', $1, 'wilhelmina-before@demo.example', 'Wilhelmina', 'k', 'DEAD')",
        person.id,
    )
    assert await delete_own(hub, person) == []
    left = await traces(hub, person.id, "wilhelmina")
    assert set(left) == {"outbox"}, "until the last mails to the owner and the reviewer have gone out"
    assert len(left["outbox"]) == 2
    await hub.work()
    assert await traces(hub, person.id, "wilhelmina") == {}
    assert "Everything in it is gone" in text_of(hub.mail(person.email))


async def test_feedback_given_from_a_deleted_account_stays_but_loses_its_origin(hub: Hub) -> None:
    person, _, other = await lived_in(hub)
    (given,) = await hub.rows("SELECT id FROM feedback WHERE mediator_id = $1", other.id)
    assert await hub.rows("SELECT 1 FROM feedback_origin WHERE id = $1", given["id"])
    assert await delete_own(hub, person) == []
    assert await hub.rows("SELECT 1 FROM feedback_answer WHERE feedback_id = $1", given["id"])
    assert not await hub.rows("SELECT 1 FROM feedback_origin WHERE id = $1", given["id"])


async def test_signing_up_with_somebody_elses_address_erases_nothing_of_theirs(hub: Hub) -> None:
    ann = await hub.mediator()
    giver = "giver@demo.example"
    await put_feedback(hub, ann, name="Giver", email=giver)
    payload(await hub.change("inviteReviewer", {"email": giver}, by=ann))
    stranger = await hub.person(Role.MEDIATOR, email=giver, verified=False)
    assert await delete_own(hub, stranger) == []
    assert not await hub.rows("SELECT FROM account WHERE id = $1", stranger.id)
    assert giver in [origin.email for origin in (await hub.origins()).values()]
    assert await hub.rows("SELECT FROM reviewer_invitation WHERE email_key = $1", giver)


async def test_the_other_side_of_each_review_is_told(hub: Hub) -> None:
    mediator, reviewer = await hub.mediator(), await hub.person(Role.REVIEWER)
    person = await hub.person(Role.MEDIATOR, Role.REVIEWER)
    await hub.appointed(mediator, person)
    await hub.appointed(person, reviewer)
    assert await delete_own(hub, person) == []
    await hub.work()
    (to_mediator,), (to_reviewer,) = hub.mails(mediator.email), hub.mails(reviewer.email)
    assert f"{person.name} is no longer your reviewer" in text_of(to_mediator)
    assert f"You're no longer the reviewer for {person.name}" in text_of(to_reviewer)
    assert await traces(hub, person.id, person.name) == {}


async def test_a_wrong_password_deletes_nothing(hub: Hub) -> None:
    person = await hub.mediator()
    before = await whole_database(hub)
    assert await delete_own(hub, person, "not the password") == [("password", "WRONG_CREDENTIALS")]
    assert await whole_database(hub) == before


async def test_the_last_administrator_cannot_be_deleted(hub: Hub) -> None:
    admin, mediator = await hub.person(Role.ADMIN), await hub.mediator()
    before = await whole_database(hub)
    assert await delete_own(hub, admin) == [(None, "NOT_ALLOWED")]
    assert problems(await hub.change("deleteAccount", named(admin), by=admin)) == [(None, "NOT_ALLOWED")]
    assert await whole_database(hub) == before
    colleague = await hub.person(Role.ADMIN)
    assert await delete_own(hub, admin) == []
    payload(await hub.change("deleteAccount", named(mediator), by=colleague))


async def test_of_two_administrators_who_leave_at_once_one_stays(hub: Hub) -> None:
    admins = [await hub.person(Role.ADMIN) for _ in range(2)]
    found = await asyncio.gather(*(delete_own(hub, admin) for admin in admins))
    assert sorted(map(str, found)) == ["[(None, 'NOT_ALLOWED')]", "[]"]
    assert len(await hub.rows("SELECT 1 FROM account")) == 1


async def test_of_two_administrators_who_delete_each_other_at_once_one_stays(hub: Hub) -> None:
    one, other = [await hub.person(Role.ADMIN) for _ in range(2)]
    answers = await asyncio.gather(
        hub.change("deleteAccount", named(other), "deletedId", by=one),
        hub.change("deleteAccount", named(one), "deletedId", by=other),
    )
    assert not [code for answer in answers for code in answer.codes if code == "INTERNAL_SERVER_ERROR"]
    assert len(await hub.rows("SELECT 1 FROM account")) == 1


async def test_an_administrator_deletes_an_account_and_its_owner_is_told(hub: Hub) -> None:
    admin = await hub.person(Role.ADMIN)
    person, _, _ = await lived_in(hub)
    answer = await hub.change("deleteAccount", named(person), "deletedId", by=admin)
    assert payload(answer)["deletedId"] == str(person.id)
    await hub.work()
    assert await traces(hub, person.id, person.name, person.email) == {}
    assert "Everything in it is gone" in text_of(hub.mail(person.email))
    (audit,) = await hub.rows("SELECT * FROM audit_entry WHERE action = 'ACCOUNT_DELETED'")
    assert (audit["actor_id"], audit["subject_id"]) == (admin.id, person.id)
    gone = await hub.change("deleteAccount", named(person), by=admin)
    never = await hub.change("deleteAccount", named(person) | {"id": str(UUID(int=7))}, by=admin)
    assert gone.body == never.body
    assert problems(gone) == [("id", "NOT_FOUND")]


async def test_an_administrator_who_names_another_address_deletes_nothing_and_learns_nothing(hub: Hub) -> None:
    admin, person, other = await hub.person(Role.ADMIN), await hub.mediator(), await hub.mediator()
    before = await whole_database(hub)
    wrong = [other.email, f"x{person.email}", "nobody@demo.example", person.name, str(person.id), "", " "]
    answers = [await hub.change("deleteAccount", named(person) | {"email": one}, by=admin) for one in wrong]
    assert problems(answers[0]) == [("email", "INVALID")]
    assert [answer.body for answer in answers] == [answers[0].body] * len(wrong)
    assert person.email not in str(answers[0].body)
    # Whether the account may be deleted at all isn't said either.
    last = await hub.change("deleteAccount", named(admin) | {"email": person.email}, by=admin)
    assert last.body == answers[0].body
    without = await hub.change("deleteAccount", {"id": str(person.id)}, by=admin)
    assert without.codes == ["BAD_USER_INPUT"]
    for by in (person, other, None):
        denied = await hub.change("deleteAccount", named(person), by=by)
        assert set(denied.codes) == {"GRAPHQL_VALIDATION_FAILED"}
    assert await whole_database(hub) == before


async def test_an_address_names_its_account_however_it_is_written(hub: Hub) -> None:
    admin, person = await hub.person(Role.ADMIN), await hub.mediator(email="Pat@demo.example")
    payload(await hub.change("deleteAccount", named(person) | {"email": " pAT@DEMO.example\n"}, by=admin))
    assert not await hub.rows("SELECT FROM account WHERE id = $1", person.id)


async def test_nothing_is_added_to_an_account_while_it_is_being_deleted(hub: Hub) -> None:
    person = await hub.mediator()
    entry = {
        "kind": "OTHER",
        "title": "T",
        "startedOn": "2024-01-01",
        "endedOn": "2024-01-01",
        "minutes": 1,
    }
    deletion = hub.change("deleteMyAccount", {"password": PASSWORD}, by=person)
    late = hub.ask(
        "mutation($password: String!, $entry: AddCpdEntryInput!) {"
        " deleteMyAccount(input: { password: $password }) { deleted }"
        " addCpdEntry(input: $entry) { cpdEntry { id } }"
        ' createApiToken(input: { name: "T" }) { token } }',
        {"password": PASSWORD, "entry": entry},
        by=person,
    )
    _, answer = await asyncio.gather(deletion, late)
    assert set(answer.codes) <= {"NOT_FOUND", "UNAUTHENTICATED"}
    assert answer.codes
    assert not await hub.rows("SELECT 1 FROM account")
