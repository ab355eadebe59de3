"""API tokens: what's needed to create one, when it ends, what it may do, and that its owner is told."""

import re
from datetime import UTC, date, datetime, timedelta
from itertools import chain, combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.account import Role
from permissions.viewer import Standing
from resolvers.tokens import TOKEN_LASTS, last_moment
from resolvers.validation import Check
from schema.build import projection
from tests.hub import PASSWORD, Answer, Hub, Person, payload, problems, text_of
from tests.security.test_second_factor import WRONG, code_of, protected
from tests.web.reading import everything

ME = "{ me { id roles } }"


async def make(hub: Hub, person: Person, **facts: Any) -> Answer:
    return await hub.change("createApiToken", {"name": "Program", **facts}, "token apiToken { expiresAt }", by=person)


async def signed_in_ago(hub: Hub, interval: str) -> None:
    await hub.rows("UPDATE session SET created_at = clock() - $1::text::interval", interval)


# What's needed to create one.


@pytest.mark.parametrize(("ago", "fresh"), [("1 second", True), ("9 minutes", True), ("11 minutes", False)])
async def test_creating_a_token_takes_the_password_ten_minutes_after_signing_in(
    hub: Hub, ago: str, fresh: bool
) -> None:
    ann = await hub.mediator()
    await signed_in_ago(hub, ago)
    before = await everything(hub)
    answer = await make(hub, ann)
    if fresh:
        assert payload(answer)["token"]
        return
    assert problems(answer) == [("password", "REQUIRED")]
    assert "more than ten minutes ago" in answer.data["createApiToken"]["userErrors"][0]["message"]
    assert problems(await make(hub, ann, password="")) == [("password", "REQUIRED")]
    assert await everything(hub) == before
    assert payload(await make(hub, ann, password=PASSWORD))["token"]


@pytest.mark.parametrize("ago", ["1 second", "2 hours"])
async def test_a_wrong_password_creates_no_token(hub: Hub, ago: str) -> None:
    ann, bob = await hub.mediator(), await hub.mediator()
    await signed_in_ago(hub, ago)
    before = await everything(hub)
    assert problems(await make(hub, ann, password="not my password")) == [("password", "WRONG_CREDENTIALS")]
    assert (await hub.change("createApiToken", {"name": "T", "password": PASSWORD})).codes[:1] == [
        "GRAPHQL_VALIDATION_FAILED"
    ]
    assert await everything(hub) == before
    assert payload(await make(hub, bob, password=PASSWORD))["token"]


async def test_a_changed_password_counts_as_signing_in(hub: Hub) -> None:
    ann = await hub.mediator()
    await signed_in_ago(hub, "2 hours")
    change = {"currentPassword": PASSWORD, "newPassword": "another good password"}
    payload(await hub.change("changePassword", change, by=ann))
    made = await hub.change("createApiToken", {"name": "T"}, "token")
    hub.client.cookies.clear()
    assert payload(made)["token"]


async def test_with_a_second_factor_the_password_needs_a_code_too(hub: Hub) -> None:
    ann, secret, _ = await protected(hub, await hub.mediator())
    assert payload(await make(hub, ann))["token"]
    await signed_in_ago(hub, "2 hours")
    for given_code, problem in (
        ({}, "REQUIRED"),
        ({"code": ""}, "REQUIRED"),
        ({"code": WRONG}, "WRONG_CREDENTIALS"),
    ):
        assert problems(await make(hub, ann, password=PASSWORD, **given_code)) == [("code", problem)]
    assert problems(await make(hub, ann, code=code_of(hub, secret))) == [("password", "REQUIRED")]
    assert len(await hub.rows("SELECT 1 FROM api_token")) == 1
    facts = {"password": PASSWORD, "code": code_of(hub, secret), "requestKey": "k"}
    assert payload(await make(hub, ann, **facts))["token"]
    assert (
        payload(await make(hub, ann, **facts))["token"] is None
    )  # the code is used up, and the token has been created


async def test_a_repeat_with_another_proof_of_who_asks_creates_no_second_token(hub: Hub) -> None:
    """A code is different each time, so it can't be what tells one request from another."""
    ann, secret, codes = await protected(hub, await hub.mediator())
    await signed_in_ago(hub, "2 hours")
    proof = {"password": PASSWORD, "code": code_of(hub, secret)}
    assert payload(await make(hub, ann, **proof, requestKey="k"))["token"]
    made = await hub.rows("SELECT * FROM api_token")
    for again in (proof, {"password": PASSWORD, "code": codes[0]}, {"password": PASSWORD}, {}):
        assert payload(await make(hub, ann, **again, requestKey="k"))["token"] is None
    wrong = await make(hub, ann, password="not my password", requestKey="k")
    assert problems(wrong) == [("password", "WRONG_CREDENTIALS")]
    other = await make(hub, ann, **proof, name="Other", requestKey="k")
    assert problems(other) == [("requestKey", "REPEATED_KEY")]
    assert await hub.rows("SELECT * FROM api_token") == made


async def test_a_token_can_neither_create_nor_revoke_tokens(hub: Hub) -> None:
    ann = await hub.mediator()
    token = payload(await make(hub, ann))["token"]
    (row,) = await hub.rows("SELECT id FROM api_token")
    for name, facts in (
        ("createApiToken", {"name": "T", "password": PASSWORD}),
        ("revokeApiToken", {"id": str(row[0])}),
    ):
        assert "GRAPHQL_VALIDATION_FAILED" in (await hub.change(name, facts, token=token)).codes
    assert (await hub.ask(ME, token=token)).data["me"]
    assert len(await hub.rows("SELECT 1 FROM api_token")) == 1


# When it ends.


async def test_a_token_ends_after_a_year_by_default(hub: Hub) -> None:
    ann = await hub.mediator()
    made = payload(await make(hub, ann))
    left = datetime.fromisoformat(made["apiToken"]["expiresAt"]) - hub.database.now()
    assert TOKEN_LASTS - timedelta(minutes=5) < left <= TOKEN_LASTS
    async with hub.later(days=364) as then:
        assert (await then.ask(ME, token=made["token"])).status == 200
    async with hub.later(days=366) as then:
        assert (await then.ask(ME, token=made["token"])).codes == ["UNAUTHENTICATED"]


async def test_a_token_without_an_end_opens_nothing(hub: Hub) -> None:
    token = payload(await make(hub, await hub.mediator()))["token"]
    await hub.rows("UPDATE api_token SET expires_at = NULL")
    assert (await hub.ask(ME, token=token)).codes == ["UNAUTHENTICATED"]


async def test_a_token_must_end_in_the_future_and_within_two_years(hub: Hub) -> None:
    ann = await hub.mediator()
    now = hub.database.now()
    for wrong in (timedelta(days=733), timedelta(days=36500), timedelta(0), -timedelta(seconds=1), -TOKEN_LASTS):
        assert problems(await make(hub, ann, expiresAt=(now + wrong).isoformat())) == [("expiresAt", "OUT_OF_RANGE")]
    assert not await hub.rows("SELECT 1 FROM api_token")
    for right in (timedelta(minutes=5), TOKEN_LASTS, 2 * TOKEN_LASTS):
        assert payload(await make(hub, ann, expiresAt=(now + right).isoformat()))["token"]


@given(st.integers(0, 150 * 366 * 86400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)))
def test_two_years_end_with_the_day_of_the_same_date(now: datetime) -> None:
    last = last_moment(now)
    assert (last + timedelta(microseconds=1)).time() == datetime.min.time()
    same = (now.year + 2, now.month, now.day)
    assert (last.year, last.month, last.day) == (same if same[1:] != (2, 29) else (now.year + 2, 3, 1))
    assert Check().moment("expiresAt", last) == last


def test_two_years_from_a_leap_day_end_with_1_march() -> None:
    assert last_moment(datetime(2028, 2, 29, 12, tzinfo=UTC)).date() == date(2030, 3, 1)


# What it may do.

SOME = [*chain.from_iterable(combinations(Role, number) for number in (1, 2))]


async def has(hub: Hub, token: str) -> set[str]:
    """The fields of Query that a token has, which projections differ by; without a role, it isn't shown any."""
    if (await hub.ask(ME, token=token)).codes:
        return of(set())
    answer = await hub.ask("{ __schema { queryType { fields { name } } } }", token=token)
    return {field["name"] for field in answer.data["__schema"]["queryType"]["fields"]}


def of(roles: set[Role]) -> set[str]:
    standing = {Role.MEDIATOR: 1, Role.REVIEWER: 2, Role.DIRECTORY: 4, Role.ADMIN: 8}
    query = projection(Standing.PUBLIC | Standing(sum(standing[role] for role in roles)), by_token=True).query_type
    assert query is not None
    return set(query.fields)


@pytest.mark.parametrize("before", SOME)
async def test_a_token_has_the_roles_that_its_owner_had_and_still_has(hub: Hub, before: tuple[Role, ...]) -> None:
    admin, ann = await hub.person(Role.ADMIN), await hub.person(*before)
    token = payload(await make(hub, ann))["token"]
    had = set(before)
    assert await has(hub, token) == of(had)
    for now in (set(Role), {Role.REVIEWER}, {Role.MEDIATOR, Role.REVIEWER}, {*before}):
        await hub.give_roles(ann, *now, by=admin)
        had &= now  # a role that was lost and comes back counts as gained later
        assert await has(hub, token) == of(had)
        fresh = payload(await make(hub, ann))["token"]
        assert await has(hub, fresh) == of(now)


async def test_a_role_gained_later_does_not_let_a_token_read_anybody_else(hub: Hub) -> None:
    admin, ann, bob = await hub.person(Role.ADMIN), await hub.mediator(), await hub.mediator()
    token = payload(await make(hub, ann))["token"]
    payload(await hub.change("addRole", {"accountId": str(ann.id), "role": "ADMIN"}, by=admin))
    everybody = "{ mediators { nodes { id } } }"
    assert len((await hub.ask(everybody, by=ann)).data["mediators"]["nodes"]) == 2
    assert (await hub.ask(everybody, token=token)).data["mediators"]["nodes"] == [{"id": str(ann.id)}]
    one = await hub.ask("query($id: ID!) { mediator(id: $id) { id } }", {"id": str(bob.id)}, token=token)
    assert one.codes == ["NOT_FOUND"]


# Its owner is told.


async def test_the_owner_of_a_new_token_is_told_by_mail_what_it_is_and_when_it_ends(hub: Hub) -> None:
    ann = await hub.mediator(name="Ann")
    typed = "Sheets https://evil.example =?utf-8?q?x?= \u202e now"
    made = payload(await hub.change("createApiToken", {"name": typed}, "token apiToken { expiresAt }", by=ann))
    (work,) = await hub.rows("SELECT * FROM outbox")
    assert "Sheets" not in str(work)
    assert made["token"] not in str(work)
    await hub.work()
    (mail,) = hub.mails()
    assert (mail["to"], mail["subject"]) == (ann.email, "An API token was created for your account")
    text, end = text_of(mail), datetime.fromisoformat(made["apiToken"]["expiresAt"])
    for words in ("Hello Ann,", "Sheets", f"expires on {end.day} {end:%b %Y}", "If you didn't", "support@demo.example"):
        assert words in text
    assert "evil" not in str(mail)
    assert made["token"] not in str(mail)
    payload(await make(hub, ann, requestKey="k"))
    payload(await make(hub, ann, requestKey="k"))
    await hub.work()
    assert len(hub.mails(ann.email)) == 2


async def test_nobody_is_told_about_a_token_that_is_already_gone(hub: Hub) -> None:
    ann = await hub.mediator()
    payload(await make(hub, ann))
    await hub.rows("DELETE FROM api_token")
    await hub.work()
    assert hub.mails() == []


# What ends with the password.


async def belongings(hub: Hub, person: Person) -> dict[str, int]:
    """How many things still open an account."""
    counted = {
        "session": "SELECT count(*) FROM session WHERE account_id = $1",
        "api_token": "SELECT count(*) FROM api_token WHERE account_id = $1 AND revoked_at IS NULL",
        "data_export": "SELECT count(*) FROM data_export WHERE account_id = $1",
    }
    return {table: (await hub.rows(sql, person.id))[0][0] for table, sql in counted.items()}


async def with_belongings(hub: Hub) -> tuple[Person, str]:
    """Somebody with two sessions, a token, and two copies of their data, one of them not made yet."""
    ann = await hub.mediator()
    await hub.sign_in(ann.email)
    token = payload(await make(hub, ann))["token"]
    payload(await hub.change("exportMyData", {}, by=ann))
    await hub.work()
    payload(await hub.change("exportMyData", {}, by=ann))
    assert await belongings(hub, ann) == {"session": 2, "api_token": 1, "data_export": 2}
    return ann, token


async def reset(hub: Hub, person: Person) -> Answer:
    payload(await hub.change("requestPasswordReset", {"email": person.email}))
    await hub.work()
    # It's somewhere among their mails: mails sent at the same moment arrive in any order.
    (secret,) = re.findall(r"/password/([\w=-]+)", " ".join(map(text_of, hub.mails(person.email))))
    answer = await hub.change("resetPassword", {"token": secret, "password": "another good password"})
    hub.client.cookies.clear()
    return answer


async def change(hub: Hub, person: Person, **more: Any) -> Answer:
    typed = {"currentPassword": PASSWORD, "newPassword": "another good password", **more}
    answer = await hub.change("changePassword", typed, by=person)
    hub.client.cookies.clear()
    return answer


@pytest.mark.parametrize("how", ["reset", "changed", "changed by default", "signed out by an administrator"])
async def test_tokens_links_and_sessions_end_with_the_password(hub: Hub, how: str) -> None:
    other, _ = await with_belongings(hub)
    ann, token = await with_belongings(hub)
    if how == "reset":
        payload(await reset(hub, ann))
        left = 0
    elif how == "signed out by an administrator":
        admin = await hub.person(Role.ADMIN)
        payload(await hub.change("signOutAccount", {"accountId": str(ann.id)}, by=admin))
        left = 0
    else:
        payload(await change(hub, ann, **({"endOthers": True} if how == "changed" else {})))
        left = 1  # this browser's new session
    assert await belongings(hub, ann) == {"session": left, "api_token": 0, "data_export": 0}
    assert await belongings(hub, other) == {"session": 2, "api_token": 1, "data_export": 2}
    for asked in (await hub.ask(ME, by=ann), await hub.ask(ME, token=token)):
        assert (asked.status, asked.codes) == (401, ["UNAUTHENTICATED"])
    await hub.work()
    assert (await belongings(hub, ann))["data_export"] == 0


async def test_a_changed_password_leaves_tokens_links_and_sessions_if_asked_to(hub: Hub) -> None:
    ann, token = await with_belongings(hub)
    payload(await change(hub, ann, endOthers=False))
    assert await belongings(hub, ann) == {"session": 2, "api_token": 1, "data_export": 2}
    assert (await hub.ask(ME, token=token)).status == 200


@pytest.mark.parametrize("wrong", [{"currentPassword": "wrong"}, {"newPassword": "short"}])
async def test_a_password_that_is_not_changed_ends_nothing(hub: Hub, wrong: dict[str, str]) -> None:
    ann, _ = await with_belongings(hub)
    before = await belongings(hub, ann)
    assert problems(await change(hub, ann, **wrong))
    assert problems(await hub.change("resetPassword", {"token": "x" * 43, "password": "another good password"}))
    assert await belongings(hub, ann) == before


@pytest.mark.parametrize("how", [reset, change])
async def test_a_second_factor_that_is_still_being_set_up_goes_with_the_password(hub: Hub, how: Any) -> None:
    ann = await hub.mediator()
    payload(await hub.change("setUpSecondFactor", {"password": PASSWORD}, "secret", by=ann))
    payload(await how(hub, ann))
    assert not await hub.rows("SELECT 1 FROM second_factor")
