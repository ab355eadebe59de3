"""A sign-in that waits for its code: what it consists of, how long it lasts, how many tries it has, what ends it."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import partial

import httpx
import pytest

from jobs.restore import settle
from models.account import Role
from permissions.secrets import address_hash
from resolvers import limits
from resolvers.sign_in import MAX_TRIES
from tests.hub import PASSWORD, Answer, Hub, Person, opened, payload, problems, text_of
from tests.resolvers.test_account import changing
from tests.resolvers.test_limits import use_up
from tests.security.test_second_factor import WRONG, code_of, protected, sessions_of, told
from tests.web.reading import FOREIGN, everything, is_a_page
from tests.web.reading import problems as page_problems
from tests.world import put_token

NEW = "another good password"
CHANGED = """
    WITH ended AS (DELETE FROM pending_sign_in WHERE account_id = $1)
    UPDATE account SET password_hash = 'another' WHERE id = $1
"""
ENDED = [("pendingSignIn", "EXPIRED")]


async def begun(hub: Hub, person: Person) -> str:
    """Enter the right password, and return the secret of the pending sign-in."""
    given = {"email": person.email, "password": PASSWORD}
    answer = await hub.change("signIn", given, "signedIn secondFactorRequired pendingSignIn")
    assert problems(answer) == [("code", "REQUIRED")]
    assert "set-cookie" not in answer.headers
    return str(answer.data["signIn"]["pendingSignIn"])


async def finish(hub: Hub, pending: str, code: str) -> Answer:
    answer = await hub.change("finishSignIn", {"pendingSignIn": pending, "code": code}, "signedIn")
    hub.client.cookies.clear()
    return answer


async def count(hub: Hub) -> int:
    return len(await hub.rows("SELECT 1 FROM pending_sign_in"))


async def test_the_right_code_finishes_a_pending_sign_in_once(hub: Hub) -> None:
    ann, secret, codes = await protected(hub, await hub.mediator())
    pending = await begun(hub, ann)
    answers = await asyncio.gather(*(finish(hub, pending, code) for code in (code_of(hub, secret), *codes[:2])))
    assert sorted(answer.data["finishSignIn"]["signedIn"] for answer in answers) == [False, False, True]
    assert ENDED in [problems(answer) for answer in answers]
    assert problems(await finish(hub, pending, codes[3])) == ENDED
    assert await sessions_of(hub, ann) == 2
    assert await count(hub) == 0


async def test_finishing_a_pending_sign_in_signs_the_browser_in(hub: Hub) -> None:
    ann, secret, _ = await protected(hub, await hub.mediator())
    given = {"pendingSignIn": await begun(hub, ann), "code": code_of(hub, secret)}
    payload(await hub.change("finishSignIn", given))
    assert {*hub.client.cookies} == {"session", "device"}
    assert (await hub.ask("{ me { id } }")).data["me"]["id"] == str(ann.id)


async def test_a_sign_in_is_pending_only_if_just_the_code_is_missing(hub: Hub) -> None:
    ann, secret, _ = await protected(hub, await hub.mediator())
    bob = await hub.mediator()
    for given in (
        {"email": ann.email, "password": "wrong"},
        {"email": ann.email, "password": PASSWORD, "code": WRONG},
        {"email": ann.email, "password": PASSWORD, "code": code_of(hub, secret)},
        {"email": bob.email, "password": PASSWORD},
        {"email": "nobody@demo.example", "password": PASSWORD},
    ):
        answer = await hub.change("signIn", given, "pendingSignIn")
        hub.client.cookies.clear()
        assert answer.data["signIn"]["pendingSignIn"] is None
    assert await count(hub) == 0


async def test_a_pending_sign_in_has_256_random_bits_kept_as_a_hash_and_no_password(hub: Hub) -> None:
    ann, _, _ = await protected(hub, await hub.mediator())
    one, two = await begun(hub, ann), await begun(hub, ann)
    assert one != two
    assert len(one) == len(two) == 43
    stored = str(await everything(hub))
    for secret in (one, two, PASSWORD):
        assert secret not in stored


async def test_after_a_wrong_code_it_waits_for_another_and_the_owner_is_told_by_mail(hub: Hub) -> None:
    ann, secret, _ = await protected(hub, await hub.mediator())
    pending = await begun(hub, ann)
    for code, problem in ((WRONG, "WRONG_CREDENTIALS"), ("", "REQUIRED"), ("abcdefgh", "WRONG_CREDENTIALS")):
        answer = await finish(hub, pending, code)
        assert problems(answer) == [("code", problem)]
        assert "set-cookie" not in answer.headers
    assert await told(hub, ann) == 1
    assert payload(await finish(hub, pending, code_of(hub, secret)))["signedIn"]


async def test_the_tenth_try_is_the_last(hub: Hub) -> None:
    ann, secret, _ = await protected(hub, await hub.mediator())
    pending = await begun(hub, ann)
    await hub.rows("UPDATE pending_sign_in SET tries = $1", MAX_TRIES - 1)
    assert problems(await finish(hub, pending, WRONG)) == [("code", "WRONG_CREDENTIALS")]
    assert problems(await finish(hub, pending, code_of(hub, secret))) == ENDED
    assert payload(await finish(hub, await begun(hub, ann), code_of(hub, secret)))["signedIn"]


async def test_every_try_is_counted_however_many_come_at_once(hub: Hub) -> None:
    ann, _, _ = await protected(hub, await hub.mediator())
    pending = await begun(hub, ann)
    await asyncio.gather(*(finish(hub, pending, WRONG) for _ in range(5)))
    (row,) = await hub.rows("SELECT tries FROM pending_sign_in")
    assert row["tries"] == 5


async def test_the_limits_on_signing_in_and_on_codes_apply_to_a_pending_sign_in(hub: Hub) -> None:
    ann, secret, _ = await protected(hub, await hub.mediator())
    key = address_hash(hub.settings, ann.email)
    pending = await begun(hub, ann)
    for limit, by in (
        (limits.SIGN_IN_ADDRESS, ("127.0.0.1",)),
        (limits.SIGN_IN_ACCOUNT, (key, "127.0.0.1")),
        (limits.SIGN_IN_STRANGERS, (key,)),
        (limits.SECOND_FACTOR, (ann.id,)),
    ):
        await use_up(hub, limit, *by)
        assert (await finish(hub, pending, code_of(hub, secret))).codes == ["RATE_LIMITED"], limit
        await hub.app.state.limiter.forget(limit, *by)
    assert await told(hub, ann) == 1, "about codes past their limit"
    assert payload(await finish(hub, pending, code_of(hub, secret)))["signedIn"]
    assert await use_up(hub, limits.SIGN_IN_ACCOUNT, key, "127.0.0.1") == 10, "earlier attempts are forgotten"


async def test_a_pending_sign_in_lasts_ten_minutes_and_is_then_erased(hub: Hub) -> None:
    ann, secret, _ = await protected(hub, await hub.mediator())
    pending = await begun(hub, ann)
    for passed, kept in (("9 minutes 50 seconds", 1), ("10 minutes", 0)):
        await hub.rows("UPDATE pending_sign_in SET created_at = clock() - $1::text::interval", passed)
        answer = await finish(hub, pending, WRONG)
        assert problems(answer) == ([("code", "WRONG_CREDENTIALS")] if kept else ENDED)
        await hub.rows("DELETE FROM chore")
        await hub.work()
        assert await count(hub) == kept
    assert problems(await finish(hub, pending, code_of(hub, secret))) == ENDED


async def test_a_pending_sign_in_takes_only_its_own_accounts_codes(hub: Hub) -> None:
    ann, _, _ = await protected(hub, await hub.mediator())
    bob, secret, codes = await protected(hub, await hub.mediator())
    pending = await begun(hub, ann)
    for code in (code_of(hub, secret), codes[0]):
        assert problems(await finish(hub, pending, code)) == [("code", "WRONG_CREDENTIALS")]
    for unknown in ("", "x", "x" * 43, bob.cookie):
        assert problems(await finish(hub, unknown, code_of(hub, secret))) == ENDED
    assert payload(await finish(hub, await begun(hub, bob), code_of(hub, secret)))["signedIn"]
    assert await count(hub) == 1


async def test_an_api_token_cannot_finish_a_pending_sign_in(hub: Hub) -> None:
    ann, secret, _ = await protected(hub, await hub.mediator())
    token = await put_token(hub, ann)
    given = {"pendingSignIn": await begun(hub, ann), "code": code_of(hub, secret)}
    assert "GRAPHQL_VALIDATION_FAILED" in (await hub.change("finishSignIn", given, token=token)).codes


# What ends it.


async def changes_password(hub: Hub, ann: Person, codes: list[str], *, end_others: bool) -> None:
    given = {"currentPassword": PASSWORD, "newPassword": NEW, "endOthers": end_others}
    payload(await hub.change("changePassword", given, by=ann))


async def resets_password(hub: Hub, ann: Person, codes: list[str]) -> None:
    payload(await hub.change("requestPasswordReset", {"email": ann.email}))
    await hub.work()
    # It's somewhere among their mails: mails sent at the same moment arrive in any order.
    (link,) = re.findall(r"/password/([\w=-]+)", " ".join(map(text_of, hub.mails(ann.email))))
    payload(await hub.change("resetPassword", {"token": link, "password": NEW}))


async def is_signed_out(hub: Hub, ann: Person, codes: list[str]) -> None:
    admin = await hub.person(Role.ADMIN)
    payload(await hub.change("signOutAccount", {"accountId": str(ann.id)}, by=admin))


async def removes_factor(hub: Hub, ann: Person, codes: list[str]) -> None:
    payload(await hub.change("removeSecondFactor", {"password": PASSWORD, "code": codes[5]}, by=ann))


async def deletes_account(hub: Hub, ann: Person, codes: list[str]) -> None:
    payload(await hub.change("deleteMyAccount", {"password": PASSWORD}, by=ann))


@pytest.mark.parametrize(
    "end",
    [
        partial(changes_password, end_others=True),
        partial(changes_password, end_others=False),
        resets_password,
        is_signed_out,
        removes_factor,
        deletes_account,
    ],
)
async def test_whatever_ends_sessions_or_the_password_ends_only_ones_own_pending_sign_in(
    hub: Hub, end: Callable[[Hub, Person, list[str]], Awaitable[None]]
) -> None:
    ann, secret, codes = await protected(hub, await hub.mediator())
    bob, bobs, _ = await protected(hub, await hub.mediator())
    pending, other = await begun(hub, ann), await begun(hub, bob)
    await end(hub, ann, codes)
    hub.client.cookies.clear()
    assert await count(hub) == 1
    assert problems(await finish(hub, pending, code_of(hub, secret))) == ENDED
    assert payload(await finish(hub, other, code_of(hub, bobs)))["signedIn"]


async def test_changing_the_password_while_the_code_is_checked_ends_a_pending_sign_in(hub: Hub) -> None:
    ann, secret, _ = await protected(hub, await hub.mediator())
    pending = await begun(hub, ann)
    async with changing(hub, CHANGED, ann.id) as others_wait:
        under_way = asyncio.create_task(finish(hub, pending, code_of(hub, secret)))
        await others_wait()
    assert problems(await under_way) == ENDED
    assert await sessions_of(hub, ann) == 1


async def test_restoring_a_backup_ends_pending_sign_ins(hub: Hub) -> None:
    ann, _, _ = await protected(hub, await hub.mediator())
    await begun(hub, ann)
    async with hub.database.transaction() as transaction:
        await settle(transaction, hub.settings, None)
    assert await count(hub) == 0


# The page.


async def first_step(hub: Hub, person: Person, **more: str) -> httpx.Response:
    response = await hub.client.post("/signin", data={"email": person.email, "password": PASSWORD} | more)
    assert is_a_page(response)
    return response


async def test_the_page_asks_for_the_code_in_a_second_step_and_keeps_nothing_from_the_first(hub: Hub) -> None:
    ann, secret, _ = await protected(hub, await hub.mediator())
    first = await first_step(hub, ann, next="/graphiql")
    kept, *attributes = first.headers["set-cookie"].split("; ")
    assert sorted(attributes) == ["HttpOnly", "Max-Age=600", "Path=/", "SameSite=lax"]
    name, _, pending = kept.partition("=")
    assert name == "pending"
    for text in (PASSWORD, ann.email, pending):
        assert text not in first.text
    assert 'autocomplete="one-time-code"' in first.text
    assert 'type="password"' not in first.text
    assert dict(re.findall(r'<input type="hidden" name="(.*?)" value="(.*?)"', first.text)) == {"next": "/graphiql"}
    wrong = await hub.client.post("/signin", data={"next": "/graphiql", "code": WRONG})
    assert is_a_page(wrong, 422)
    assert [field for field, _ in page_problems(wrong)] == ["code"]
    assert "set-cookie" not in wrong.headers
    done = await hub.client.post("/signin", data={"next": "/graphiql", "code": code_of(hub, secret)})
    assert (done.status_code, done.headers["location"]) == (303, "/graphiql")
    assert {*hub.client.cookies} == {"session", "device"}, "the cookie of the first step is gone"


async def test_over_tls_the_pending_cookie_is_secure_and_bound_to_its_host(hub: Hub) -> None:
    ann, _, _ = await protected(hub, await hub.mediator())
    async with opened(hub.services, settings=hub.settings, base_url="https://logbook.demo.example") as tls:
        kept = (await first_step(tls, ann)).headers["set-cookie"]
        assert kept.startswith("__Host-pending=")
        assert "; Secure" in kept


async def test_the_page_asks_for_the_password_again_if_nothing_is_pending(hub: Hub) -> None:
    ann, secret, _ = await protected(hub, await hub.mediator())
    await first_step(hub, ann)
    pending = hub.client.cookies["pending"]
    form = {"next": "/logbook", "code": code_of(hub, secret)}

    async def sent(here: Hub, secret: str) -> httpx.Response:
        here.client.cookies.clear()
        return await here.client.post("/signin", data=form, headers={"cookie": f"pending={secret}"} if secret else {})

    async with hub.later(minutes=11) as then:
        late = await sent(then, pending)
    other_browser, forged = await sent(hub, ""), await sent(hub, "x" * 43)
    assert (await sent(hub, pending)).status_code == 303
    for response in (late, other_browser, forged, await sent(hub, pending)):
        assert is_a_page(response, 422)
        assert page_problems(response) == [(None, "Your sign-in has expired. Please enter your password again.")]
        assert 'type="password"' in response.text
        assert 'name="next" value="/logbook"' in response.text
        assert response.headers["set-cookie"].startswith('pending=""; HttpOnly; Max-Age=0')


async def test_too_many_codes_get_told_when_to_try_again_and_the_sign_in_still_waits(hub: Hub) -> None:
    ann, secret, _ = await protected(hub, await hub.mediator())
    await first_step(hub, ann)
    await use_up(hub, limits.SECOND_FACTOR, ann.id)
    held = await hub.client.post("/signin", data={"code": code_of(hub, secret)})
    assert is_a_page(held, 429)
    assert int(held.headers["retry-after"]) > 0
    assert 'name="code"' in held.text
    await hub.app.state.limiter.forget(limits.SECOND_FACTOR, ann.id)
    assert (await hub.client.post("/signin", data={"code": code_of(hub, secret)})).status_code == 303


async def test_a_token_or_another_site_cannot_finish_a_pending_sign_in(hub: Hub) -> None:
    ann, secret, _ = await protected(hub, await hub.mediator())
    token = await put_token(hub, ann)
    await first_step(hub, ann)
    form = {"code": code_of(hub, secret)}
    by_token = await hub.client.post("/signin", data=form, headers={"authorization": f"Bearer {token}"})
    assert is_a_page(by_token, 404)
    for headers in FOREIGN:
        assert is_a_page(await hub.client.post("/signin", data=form, headers=headers), 403)
    assert await sessions_of(hub, ann) == 1
    assert (await hub.client.post("/signin", data=form)).status_code == 303
