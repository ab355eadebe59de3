"""Verifying an address ends the sessions of anyone who was signed in without having verified it."""

import re
from typing import Any

import pytest

from models.account import Role
from tests.hub import PASSWORD, Hub, Person, payload, problems, text_of


async def secret(hub: Hub, to: str, page: str) -> str:
    """The secret of the only link to that page that was mailed to an address."""
    await hub.work()
    # It's somewhere among their mails: mails sent at the same moment arrive in any order.
    (found,) = set(re.findall(rf"/{page}/([\w=-]+)", " ".join(map(text_of, hub.mails(to)))))
    return str(found)


async def open_sessions(hub: Hub, *people: Person) -> list[bool]:
    return [(await hub.ask("{ me { id } }", by=one)).status == 200 for one in people]


async def new_account(hub: Hub) -> tuple[Person, Person, str]:
    """Two browsers of a new account, and the link that verifies its address."""
    given = {"name": "Ann", "email": "ann@demo.example", "password": PASSWORD}
    payload(await hub.change("signUp", given))
    link = await secret(hub, "ann@demo.example", "verify")
    return await hub.sign_in("ann@demo.example"), await hub.sign_in("ann@demo.example"), link


async def moving_account(hub: Hub) -> tuple[Person, Person, str]:
    """Two browsers of an account that moves to another address, and the link that verifies the new one."""
    ann = await hub.mediator()
    elsewhere = await hub.sign_in(ann.email)
    payload(await hub.change("changeEmail", {"email": "new@demo.example", "password": PASSWORD}, by=ann))
    return ann, elsewhere, await secret(hub, "new@demo.example", "verify")


both = pytest.mark.parametrize("account", [new_account, moving_account])


@both
async def test_only_the_browser_that_opens_the_link_stays_signed_in(hub: Hub, account: Any) -> None:
    bystander = await hub.mediator()
    here, elsewhere, link = await account(hub)
    payload(await hub.change("verifyEmail", {"token": link}, by=here))
    assert await open_sessions(hub, here, elsewhere, bystander) == [True, False, True]


@both
@pytest.mark.parametrize("signed_in", [False, True])
async def test_a_link_opened_signed_out_or_as_somebody_else_ends_every_session(
    hub: Hub, account: Any, signed_in: bool
) -> None:
    other = await hub.mediator()
    here, elsewhere, link = await account(hub)
    payload(await hub.change("verifyEmail", {"token": link}, by=other if signed_in else None))
    assert await open_sessions(hub, here, elsewhere, other) == [False, False, True]


@both
async def test_a_link_that_does_not_work_ends_nothing(hub: Hub, account: Any) -> None:
    here, elsewhere, link = await account(hub)
    for token in ("x" * 43, link.swapcase()):
        assert problems(await hub.change("verifyEmail", {"token": token})) == [("token", "NOT_FOUND")]
    by_token = await hub.change("verifyEmail", {"token": link}, token="any")
    assert by_token.codes == ["UNAUTHENTICATED"]
    assert await open_sessions(hub, here, elsewhere) == [True, True]


@pytest.mark.parametrize("verified", [False, True])
async def test_an_invitation_that_verifies_an_address_ends_other_sessions_too(hub: Hub, verified: bool) -> None:
    ann = await hub.mediator()
    rob = await hub.person(Role.REVIEWER, verified=verified)
    elsewhere = await hub.sign_in(rob.email)
    payload(await hub.change("inviteReviewer", {"email": rob.email}, by=ann))
    link = await secret(hub, rob.email, "invitation")
    payload(await hub.change("acceptInvitation", {"token": link, "relation": "COLLEAGUE"}, by=rob))
    assert await open_sessions(hub, rob, elsewhere, ann) == [True, verified, True]
