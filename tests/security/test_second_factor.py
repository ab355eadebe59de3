"""The second factor: set up, asked for, used once, lost and removed; and administrators who must have one."""

import asyncio
import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pyotp
import pytest

from models.account import Role
from resolvers import limits
from resolvers.totp import RECOVERY_CODES
from tests.hub import PASSWORD, Answer, Hub, Person, opened, payload, problems, text_of
from tests.world import put_token

WRONG = "000000"


def code_of(hub: Hub, secret: str, steps: int = 0) -> str:
    """The code that the owner's app shows, so many half minutes from now."""
    return pyotp.TOTP(secret).at(hub.database.now(), counter_offset=steps)


async def set_up(hub: Hub, person: Person, password: str = PASSWORD) -> Answer:
    return await hub.change("setUpSecondFactor", {"password": password}, "secret otpauthUri", by=person)


def with_new_session(hub: Hub, person: Person) -> Person:
    """The same person, with the cookie from the last answer."""
    fresh = replace(person, cookie=hub.client.cookies["session"])
    hub.client.cookies.clear()
    return fresh


async def protected(hub: Hub, person: Person) -> tuple[Person, str, list[str]]:
    """Set up somebody's second factor with the code of half a minute ago; return its secret and recovery codes too."""
    secret = payload(await set_up(hub, person))["secret"]
    answer = await hub.change("confirmSecondFactor", {"code": code_of(hub, secret, -1)}, "recoveryCodes", by=person)
    codes = payload(answer)["recoveryCodes"]
    return with_new_session(hub, person), secret, codes


async def sign_in_with(hub: Hub, person: Person, code: str | None, password: str = PASSWORD) -> Answer:
    """Try to sign in with a code."""
    return await hub.try_to_sign_in(person.email, password, code=code)


async def sessions_of(hub: Hub, person: Person) -> int:
    return len(await hub.rows("SELECT 1 FROM session WHERE account_id = $1", person.id))


async def everything(hub: Hub) -> list[Any]:
    tables = ("second_factor", "recovery_code", "session", "outbox")
    return [sorted(map(str, await hub.rows(f"SELECT * FROM {table}"))) for table in tables]


async def test_a_second_factor_counts_once_a_code_shows_that_the_app_has_it(hub: Hub) -> None:
    ann = await hub.mediator()
    made = payload(await set_up(hub, ann))
    uri = urlsplit(made["otpauthUri"])
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert unquote(uri.path) == f"/Mediation Logbook:{ann.email}"
    assert parse_qs(uri.query) == {"secret": [made["secret"]], "issuer": ["Mediation Logbook"]}
    assert payload(await hub.try_to_sign_in(ann.email)) == {
        "signedIn": True,
        "secondFactorRequired": False,
        "userErrors": [],
    }
    wrong = await hub.change("confirmSecondFactor", {"code": WRONG}, by=ann)
    assert problems(wrong) == [("code", "WRONG_CREDENTIALS")]
    assert not (await hub.ask("{ me { secondFactor } }", by=ann)).data["me"]["secondFactor"]
    code = " ".join(code_of(hub, made["secret"]))
    payload(await hub.change("confirmSecondFactor", {"code": code}, "recoveryCodes", by=ann))
    ann = with_new_session(hub, ann)
    assert (await hub.ask("{ me { secondFactor } }", by=ann)).data["me"]["secondFactor"]


async def test_signing_in_asks_for_a_code_only_after_the_right_password(hub: Hub) -> None:
    ann, secret, _ = await protected(hub, await hub.mediator())
    before = await everything(hub)
    unknown = await hub.change(
        "signIn", {"email": "nobody@demo.example", "password": "wrong", "code": WRONG}, "signedIn secondFactorRequired"
    )
    for code in (None, code_of(hub, secret)):
        assert (await sign_in_with(hub, ann, code, password="wrong")).body == unknown.body
    for code in (None, "  "):
        answer = await sign_in_with(hub, ann, code)
        assert problems(answer) == [("code", "REQUIRED")]
        assert answer.data["signIn"]["secondFactorRequired"]
        assert not answer.data["signIn"]["signedIn"]
        assert "set-cookie" not in answer.headers
    for code in (WRONG, "1234567", "abcdefgh", "x" * 3000):
        answer = await sign_in_with(hub, ann, code)
        assert problems(answer) == [("code", "WRONG_CREDENTIALS")]
        assert answer.data["signIn"]["secondFactorRequired"]
        assert "set-cookie" not in answer.headers
    after = await everything(hub)
    assert after[1:3] == before[1:3]
    assert payload(await sign_in_with(hub, ann, code_of(hub, secret)))["signedIn"]
    assert await sessions_of(hub, ann) == 2


# The owner is told about a wrong code.


async def told(hub: Hub, person: Person) -> int:
    """How many mails told somebody about a wrong code."""
    await hub.work()
    return len([mail for mail in hub.mails(person.email) if "wrong code" in mail["subject"]])


async def test_the_owner_is_told_about_wrong_codes_once_an_hour(hub: Hub) -> None:
    ann, secret, codes = await protected(hub, await hub.mediator())
    bob, _, _ = await protected(hub, await hub.mediator())
    for code, password in ((None, PASSWORD), ("", PASSWORD), (WRONG, "wrong"), (code_of(hub, secret), "wrong")):
        await sign_in_with(hub, ann, code, password)
    assert await told(hub, ann) == 0
    first = await sign_in_with(hub, ann, WRONG)
    again = await asyncio.gather(*(sign_in_with(hub, ann, code) for code in (WRONG, "abcdefgh", codes[0][:-1])))
    assert {str(answer.body) for answer in again} == {str(first.body)}
    assert await told(hub, ann) == 1
    async with hub.later(minutes=59) as then:  # the clock of tests moves only by whole hours: no time has passed
        await sign_in_with(then, ann, WRONG)
        assert await told(then, ann) == 1
    async with hub.later(hours=1) as then:
        await sign_in_with(then, ann, WRONG)
        await sign_in_with(then, ann, WRONG)
        assert await told(then, ann) == 2
    assert await told(hub, bob) == 0


async def test_between_two_mails_about_wrong_codes_a_full_hour_passes(hub: Hub) -> None:
    ann, _, _ = await protected(hub, await hub.mediator())
    await sign_in_with(hub, ann, WRONG)
    for passed, mails in (("59 minutes", 1), ("61 minutes", 2)):
        await hub.rows("UPDATE second_factor SET wrong_code_told_at = clock() - $1::text::interval", passed)
        await sign_in_with(hub, ann, WRONG)
        assert await told(hub, ann) == mails


async def test_the_owner_is_also_told_about_codes_past_the_limit(hub: Hub) -> None:
    ann, secret, _ = await protected(hub, await hub.mediator())
    for _ in range(10):
        await hub.app.state.limiter.count(limits.SECOND_FACTOR, ann.id)
    for code in (code_of(hub, secret), WRONG):
        assert (await sign_in_with(hub, ann, code)).codes == ["RATE_LIMITED"]
    assert await told(hub, ann) == 1


@pytest.mark.parametrize("mutation", ["removeSecondFactor", "renewRecoveryCodes", "createApiToken"])
async def test_every_change_that_takes_a_code_tells_the_owner_about_a_wrong_one(hub: Hub, mutation: str) -> None:
    ann, _, _ = await protected(hub, await hub.mediator())
    await hub.rows("UPDATE session SET created_at = clock() - interval '1 hour'")
    name = {"name": "T"} if mutation == "createApiToken" else {}
    for password, code, mails in (("wrong", WRONG, 0), (PASSWORD, "", 0), (PASSWORD, WRONG, 1), (PASSWORD, WRONG, 1)):
        assert problems(await hub.change(mutation, {"password": password, "code": code} | name, by=ann))
        assert await told(hub, ann) == mails
    assert await hub.rows("SELECT 1 FROM second_factor")
    assert not await hub.rows("SELECT 1 FROM api_token")


async def test_nobody_is_told_about_a_wrong_code_while_setting_up(hub: Hub) -> None:
    ann = await hub.mediator()
    payload(await set_up(hub, ann))
    assert problems(await hub.change("confirmSecondFactor", {"code": WRONG}, by=ann)) == [("code", "WRONG_CREDENTIALS")]
    assert await told(hub, ann) == 0


async def test_the_owner_is_told_about_a_wrong_code_even_while_redis_is_down(hub: Hub) -> None:
    ann, _, _ = await protected(hub, await hub.mediator())
    async with opened(hub.services, settings=hub.settings, redis_url="redis://127.0.0.1:1/0") as without:
        assert problems(await sign_in_with(without, ann, WRONG)) == [("code", "WRONG_CREDENTIALS")]
        assert await told(without, ann) == 1


async def test_a_code_works_once_and_earlier_codes_no_longer_work_after_it(hub: Hub) -> None:
    ann, secret, _ = await protected(hub, await hub.mediator())
    confirmed_with = code_of(hub, secret, -1)
    assert problems(await sign_in_with(hub, ann, confirmed_with)) == [("code", "WRONG_CREDENTIALS")]
    code = code_of(hub, secret, 1)
    answers = await asyncio.gather(*(sign_in_with(hub, ann, code) for _ in range(3)))
    assert sorted(answer.data["signIn"]["signedIn"] for answer in answers) == [False, False, True]
    for used in (code, code_of(hub, secret), code_of(hub, secret, -1)):
        assert problems(await sign_in_with(hub, ann, used)) == [("code", "WRONG_CREDENTIALS")]


async def test_a_code_works_in_its_own_half_minute_and_those_next_to_it(hub: Hub) -> None:
    ann, secret, _ = await protected(hub, await hub.mediator())
    for steps in (-120, -2, 2, 120):
        assert problems(await sign_in_with(hub, ann, code_of(hub, secret, steps))) == [("code", "WRONG_CREDENTIALS")]
    async with hub.later(hours=1) as then:
        assert problems(await sign_in_with(then, ann, code_of(hub, secret, 1))) == [("code", "WRONG_CREDENTIALS")]
        assert payload(await sign_in_with(then, ann, code_of(then, secret)))["signedIn"]


async def test_a_recovery_code_works_once_and_its_owner_is_told(hub: Hub) -> None:
    ann, _, codes = await protected(hub, await hub.mediator())
    bob, _, _ = await protected(hub, await hub.mediator())
    assert len(set(codes)) == RECOVERY_CODES == 10
    assert all(re.fullmatch(r"([a-z2-7]{4}-){5}[a-z2-7]{4}", code) for code in codes)
    assert problems(await sign_in_with(hub, bob, codes[0])) == [("code", "WRONG_CREDENTIALS")]
    typed = f" {codes[0].upper().replace('-', ' ')} "
    answers = await asyncio.gather(*(sign_in_with(hub, ann, typed) for _ in range(3)))
    assert sorted(answer.data["signIn"]["signedIn"] for answer in answers) == [False, False, True]
    assert problems(await sign_in_with(hub, ann, codes[0])) == [("code", "WRONG_CREDENTIALS")]
    assert payload(await sign_in_with(hub, ann, codes[9]))["signedIn"]
    await hub.work()
    used = [mail for mail in hub.mails(ann.email) if "recovery code was used" in mail["subject"]]
    assert len(used) == 2
    assert not [mail for mail in hub.mails(bob.email) if "recovery" in mail["subject"]]


async def test_secrets_and_codes_are_stored_sealed_or_hashed(hub: Hub) -> None:
    ann, secret, codes = await protected(hub, await hub.mediator())
    bob, _, _ = await protected(hub, await hub.mediator())
    stored = str(await everything(hub))
    assert secret not in stored
    for code in codes:
        assert code not in stored
        assert code.replace("-", "") not in stored
    await hub.rows(
        "UPDATE second_factor SET last_step = NULL, sealed = (SELECT sealed FROM second_factor WHERE account_id = $1)",
        ann.id,
    )
    assert problems(await sign_in_with(hub, bob, code_of(hub, secret))) == [("code", "WRONG_CREDENTIALS")]
    async with opened(hub.services, settings=hub.settings, secret_key="another key of 32 characters....") as other:
        assert problems(await sign_in_with(other, ann, code_of(hub, secret))) == [("code", "WRONG_CREDENTIALS")]


async def test_guessing_codes_is_limited_per_account_wherever_it_comes_from(hub: Hub) -> None:
    ann, secret, codes = await protected(hub, await hub.mediator())
    for _ in range(10):
        await hub.app.state.limiter.count(limits.SECOND_FACTOR, ann.id)
    for code in (WRONG, code_of(hub, secret), codes[0]):
        answer = await sign_in_with(hub, ann, code)
        assert answer.codes == ["RATE_LIMITED"]
        assert 0 < answer.body["errors"][0]["extensions"]["retryAfter"] <= 3600
    assert problems(await hub.try_to_sign_in(ann.email)) == [("code", "REQUIRED")]
    removing = {"password": PASSWORD, "code": code_of(hub, secret)}
    assert (await hub.change("removeSecondFactor", removing, by=ann)).codes == ["RATE_LIMITED"]
    assert (await hub.change("renewRecoveryCodes", removing, by=ann)).codes == ["RATE_LIMITED"]
    bob = await hub.mediator()
    await protected(hub, bob)
    for _ in range(10):
        await hub.app.state.limiter.count(limits.SECOND_FACTOR, bob.id)
    assert problems(await hub.try_to_sign_in(bob.email, "wrong")) == [(None, "WRONG_CREDENTIALS")]


async def test_setting_up_takes_the_password_and_replaces_only_an_unconfirmed_secret(hub: Hub) -> None:
    ann = await hub.mediator()
    assert problems(await set_up(hub, ann, "wrong")) == [("password", "WRONG_CREDENTIALS")]
    assert problems(await hub.change("confirmSecondFactor", {"code": WRONG}, by=ann)) == [(None, "NOT_FOUND")]
    assert not await hub.rows("SELECT 1 FROM second_factor")
    first = payload(await set_up(hub, ann))["secret"]
    second = payload(await set_up(hub, ann))["secret"]
    assert first != second
    late = await hub.change("confirmSecondFactor", {"code": code_of(hub, first)}, by=ann)
    assert problems(late) == [("code", "WRONG_CREDENTIALS")]
    payload(await hub.change("confirmSecondFactor", {"code": code_of(hub, second)}, "recoveryCodes", by=ann))
    ann = with_new_session(hub, ann)
    before = await everything(hub)
    assert problems(await set_up(hub, ann)) == [(None, "NOT_ALLOWED")]
    again = await hub.change("confirmSecondFactor", {"code": code_of(hub, second, 1)}, by=ann)
    assert problems(again) == [(None, "NOT_FOUND")]
    assert await everything(hub) == before


async def test_adding_or_removing_one_ends_every_other_session_and_the_owner_is_told(hub: Hub) -> None:
    ann = await hub.mediator()
    elsewhere = await hub.sign_in(ann.email)
    old = ann
    ann, secret, codes = await protected(hub, ann)
    for ended in (elsewhere, old):
        assert (await hub.ask("{ me { id } }", by=ended)).codes == ["UNAUTHENTICATED"]
    await hub.work()
    (told,) = hub.mails(ann.email)
    assert "Signing in now asks for a code" in told["subject"]
    assert secret not in str(told)
    assert not [code for code in codes if code in str(told)]
    for given, problem in (
        ({"password": "wrong", "code": code_of(hub, secret)}, ("password", "WRONG_CREDENTIALS")),
        ({"password": PASSWORD, "code": WRONG}, ("code", "WRONG_CREDENTIALS")),
        ({"password": PASSWORD, "code": ""}, ("code", "REQUIRED")),
    ):
        assert problems(await hub.change("removeSecondFactor", given, by=ann)) == [problem]
    payload(await sign_in_with(hub, ann, code_of(hub, secret)))
    remove = {"password": PASSWORD, "code": codes[3]}
    assert payload(await hub.change("removeSecondFactor", remove, "removed", by=ann))["removed"]
    before, ann = ann, with_new_session(hub, ann)
    assert (await hub.ask("{ me { id } }", by=before)).codes == ["UNAUTHENTICATED"]
    assert not (await hub.ask("{ me { secondFactor } }", by=ann)).data["me"]["secondFactor"]
    assert await hub.rows("SELECT 1 FROM recovery_code") == []
    assert payload(await hub.try_to_sign_in(ann.email))["signedIn"]
    assert problems(await hub.change("removeSecondFactor", remove, by=ann)) == [(None, "NOT_FOUND")]
    await hub.work()
    assert "no longer asks for a code" in " ".join(mail["subject"] for mail in hub.mails(ann.email))


async def test_new_recovery_codes_replace_the_earlier_ones(hub: Hub) -> None:
    ann, secret, old = await protected(hub, await hub.mediator())
    for given in ({"password": "wrong", "code": old[0]}, {"password": PASSWORD, "code": WRONG}):
        assert problems(await hub.change("renewRecoveryCodes", given, "recoveryCodes", by=ann))
    renew = {"password": PASSWORD, "code": code_of(hub, secret)}
    new = payload(await hub.change("renewRecoveryCodes", renew, "recoveryCodes", by=ann))["recoveryCodes"]
    assert len({*new} - {*old}) == 10
    assert problems(await sign_in_with(hub, ann, old[0])) == [("code", "WRONG_CREDENTIALS")]
    assert payload(await sign_in_with(hub, ann, new[0]))["signedIn"]


async def test_a_new_password_by_mail_leaves_the_second_factor_as_it_is(hub: Hub) -> None:
    ann, secret, _ = await protected(hub, await hub.mediator())
    payload(await hub.change("requestPasswordReset", {"email": ann.email}))
    await hub.work()
    # It's somewhere among their mails: mails sent at the same moment arrive in any order.
    (link,) = re.findall(r"/password/([\w=-]+)", " ".join(map(text_of, hub.mails(ann.email))))
    payload(await hub.change("resetPassword", {"token": link, "password": "another good password"}))
    hub.client.cookies.clear()
    assert problems(await hub.try_to_sign_in(ann.email, "another good password")) == [("code", "REQUIRED")]
    assert payload(await sign_in_with(hub, ann, code_of(hub, secret), password="another good password"))["signedIn"]


async def test_no_session_begins_without_a_code_while_a_factor_is_being_added(hub: Hub) -> None:
    ann = await hub.mediator()
    secret = payload(await set_up(hub, ann))["secret"]
    confirm = hub.change("confirmSecondFactor", {"code": code_of(hub, secret)}, "recoveryCodes", by=ann)
    await asyncio.gather(confirm, *(hub.try_to_sign_in(ann.email) for _ in range(3)))
    hub.client.cookies.clear()
    assert await sessions_of(hub, ann) == 1


async def test_an_api_token_cannot_touch_the_second_factor(hub: Hub) -> None:
    ann = await hub.mediator()
    token = await put_token(hub, ann)
    for name, given in (
        ("setUpSecondFactor", {"password": PASSWORD}),
        ("confirmSecondFactor", {"code": WRONG}),
        ("removeSecondFactor", {"password": PASSWORD, "code": WRONG}),
        ("renewRecoveryCodes", {"password": PASSWORD, "code": WRONG}),
    ):
        answer = await hub.change(name, given, token=token)
        assert "GRAPHQL_VALIDATION_FAILED" in answer.codes
    assert (await hub.ask("{ me { secondFactor } }", token=token)).data == {"me": {"secondFactor": False}}


@pytest.fixture
async def strict(hub: Hub) -> Any:
    async with opened(hub.services, settings=hub.settings, admin_second_factor=True) as strict:
        yield strict


async def test_an_administrator_who_must_have_one_can_only_set_it_up(hub: Hub, strict: Hub) -> None:
    admin, ann = await strict.person(Role.ADMIN), await strict.mediator()
    token = await put_token(hub, admin)
    add_role = ("addRole", {"accountId": str(ann.id), "role": "ADMIN"})
    for who in ({"by": admin}, {"token": token}):
        assert (await strict.ask("{ me { email secondFactor } }", **who)).data["me"]["secondFactor"] is False
        for query in ("{ accounts { nodes { id } } }", "{ auditLog { nodes { id } } }", "{ mediators { totalCount } }"):
            answer = await strict.ask(query, **who)
            assert answer.codes == ["FORBIDDEN"]
            assert list(answer.body["data"].values()) == [None]
    assert (await strict.change(*add_role, by=admin)).codes == ["FORBIDDEN"]
    assert (await strict.change("createApiToken", {"name": "t"}, by=admin)).codes == ["FORBIDDEN"]
    assert (await hub.rows("SELECT roles FROM account WHERE id = $1", ann.id))[0]["roles"] == ["MEDIATOR"]
    admin, _, _ = await protected(strict, admin)
    for who in ({"by": admin}, {"token": token}):
        assert (await strict.ask("{ accounts { totalCount } }", **who)).data["accounts"]["totalCount"] == 2


async def test_nobody_else_needs_one_and_without_the_setting_neither_do_administrators(hub: Hub, strict: Hub) -> None:
    ann, admin = await strict.mediator(), await strict.person(Role.ADMIN)
    assert (await strict.ask("{ directories { totalCount } }", by=ann)).data
    assert (await hub.ask("{ accounts { totalCount } }", by=admin)).data


async def test_administrators_see_who_has_a_second_factor(hub: Hub) -> None:
    admin = await hub.person(Role.ADMIN)
    ann, _, _ = await protected(hub, await hub.mediator(name="Ann"))
    nodes = (await hub.ask("{ accounts { nodes { id secondFactor } } }", by=admin)).data["accounts"]["nodes"]
    assert {node["id"]: node["secondFactor"] for node in nodes} == {str(ann.id): True, str(admin.id): False}
