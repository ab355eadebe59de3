"""What goes wrong while somebody signs in is counted for the audit log, and tells nobody who has an account."""

from uuid import UUID

import pytest

from models.account import Role
from resolvers import limits
from tests.hub import PASSWORD, Hub, problems
from tests.security.test_second_factor import WRONG, protected, sign_in_with
from tests.web.reading import exhausted
from tests.world import statements

NOBODY = "nobody@demo.example"
WRONG_CREDENTIALS = [(None, "WRONG_CREDENTIALS")]


async def entries(hub: Hub) -> list[tuple[str, UUID | None, UUID, UUID, int]]:
    """Action, actor, subject, account and count of each entry."""
    rows = await hub.rows("SELECT action, actor_id, subject_id, account_id, count FROM audit_entry ORDER BY sequence")
    return [tuple(row) for row in rows]


async def test_wrong_passwords_are_one_entry_an_hour_once_the_hour_is_over(hub: Hub) -> None:
    ann, bea = await hub.mediator(), await hub.mediator()
    for person, times in ((ann, 3), (bea, 1)):
        for _ in range(times):
            assert problems(await hub.try_to_sign_in(person.email, "not the password")) == WRONG_CREDENTIALS
    await hub.work()
    assert await entries(hub) == []
    async with hub.later(hours=1) as then:
        await then.try_to_sign_in(ann.email, "not the password")
        await then.work()
        found = [("WRONG_PASSWORD", None, one.id, one.id, times) for one, times in ((ann, 3), (bea, 1))]
        assert sorted(await entries(then)) == sorted(found)
    async with hub.later(hours=5) as then:  # the worker was away: nothing is lost
        await then.work()
        assert (await entries(then))[2:] == [("WRONG_PASSWORD", None, ann.id, ann.id, 1)]
        assert await then.rows("SELECT FROM sign_in_trouble") == []
        (hours,) = await then.rows("SELECT count(DISTINCT at), bool_and(at = date_trunc('hour', at)) FROM audit_entry")
        assert tuple(hours) == (2, True)


async def test_signing_in_as_it_should_be_is_not_in_the_log(hub: Hub) -> None:
    ann = await hub.mediator()
    await hub.sign_in(ann.email)
    assert await hub.rows("SELECT FROM sign_in_trouble") == []


async def test_an_address_without_an_account_gets_no_entry_and_is_stored_nowhere(hub: Hub) -> None:
    for password in ("not the password", PASSWORD):
        await hub.try_to_sign_in(NOBODY, password)
    (row,) = await hub.rows("SELECT t::text AS text, has_account, count FROM sign_in_trouble t")
    assert (row["has_account"], row["count"]) == (False, 2)
    assert "nobody" not in row["text"]
    async with hub.later(hours=1) as then:
        await then.work()
        assert await entries(then) == []
        assert await then.rows("SELECT FROM sign_in_trouble") == []


@pytest.mark.parametrize("times", [1, 2, 12])
async def test_an_attempt_runs_the_same_statements_for_an_unknown_address(hub: Hub, times: int) -> None:
    ann, run = await hub.mediator(), []
    for address in (ann.email, NOBODY):
        for _ in range(times - 1):
            await hub.try_to_sign_in(address, "not the password")
        async with statements(hub) as last:
            await hub.try_to_sign_in(address, "not the password")
        run.append(last)
    assert run[0] == run[1]
    assert any("sign_in_trouble" in one for one in run[0])


async def test_somebody_who_is_locked_out_is_counted_as_that(hub: Hub) -> None:
    ann = await hub.mediator()
    for _ in range(11):
        answer = await hub.try_to_sign_in(ann.email, "not the password")
    assert answer.codes == ["RATE_LIMITED"]
    async with hub.later(hours=1) as then:
        await then.work()
        found = await entries(then)
    assert sorted(found) == [("LOCKED_OUT", None, ann.id, ann.id, 1), ("WRONG_PASSWORD", None, ann.id, ann.id, 10)]


async def test_wrong_codes_and_too_many_of_them_are_counted(hub: Hub) -> None:
    ann, *_ = await protected(hub, await hub.mediator())
    for _ in range(2):
        await sign_in_with(hub, ann, WRONG)
    await exhausted(hub, limits.SECOND_FACTOR, 8, ann.id)
    assert (await sign_in_with(hub, ann, WRONG)).codes == ["RATE_LIMITED"]
    async with hub.later(hours=1) as then:
        await then.work()
        found = await entries(then)
    assert sorted(found) == [("LOCKED_OUT", None, ann.id, ann.id, 1), ("WRONG_CODE", None, ann.id, ann.id, 2)]


async def test_a_password_guessed_by_somebody_who_is_signed_in_is_counted(hub: Hub) -> None:
    ann = await hub.mediator()
    guess = {"password": "not the password"}
    assert problems(await hub.change("deleteMyAccount", guess, by=ann)) == [("password", "WRONG_CREDENTIALS")]
    await exhausted(hub, limits.PASSWORD_CHECKS, 19, ann.id)
    assert (await hub.change("deleteMyAccount", guess, by=ann)).codes == ["RATE_LIMITED"]
    async with hub.later(hours=1) as then:
        await then.work()
        found = await entries(then)
    assert sorted(found) == [("LOCKED_OUT", None, ann.id, ann.id, 1), ("WRONG_PASSWORD", None, ann.id, ann.id, 1)]


async def test_deleting_the_account_does_not_hide_what_was_tried_on_it(hub: Hub) -> None:
    ann = await hub.mediator()
    await hub.try_to_sign_in(ann.email, "not the password")
    admin = await hub.person(Role.ADMIN)
    await hub.change("deleteAccount", {"id": str(ann.id), "email": ann.email}, by=admin)
    async with hub.later(hours=1) as then:
        await then.work()
        assert [one[0] for one in await entries(then)] == ["ACCOUNT_DELETED", "WRONG_PASSWORD"]
