"""Home tells administrators, and nobody else, how much is waiting for them."""

import re

import pytest

from models.account import Role
from models.feedback import Admission
from tests.hub import Hub, Person
from tests.web.reading import get
from tests.world import put_feedback


async def support(hub: Hub, by: Person) -> list[str]:
    """The lines under "Support" on somebody's home page."""
    found = (await get(hub, by, "/")).text.partition('id="support"')[2].partition("</section>")[0]
    return [re.sub("<.*?>", "", line) for line in re.findall("<(?:li|p)>(.*?)</(?:li|p)>", found)]


async def test_home_counts_what_is_waiting_for_an_administrator_and_reads_nothing(hub: Hub) -> None:
    admin, ann = await hub.person(Role.ADMIN), await hub.mediator()
    graphiql = "GraphiQL, for everything support needs"
    assert await support(hub, admin) == ["Nothing is waiting for you.", graphiql]
    for _ in range(2):
        await put_feedback(hub, ann, shared=False, admission=Admission.HELD)
    await hub.waiting(ann, await hub.person(Role.REVIEWER))
    await hub.rows(
        """INSERT INTO outbox (kind, subject_id, dedupe_key, state)
        VALUES ('verify_email', gen_random_uuid(), 'one', 'DEAD')"""
    )
    assert await support(hub, admin) == [
        "2 pieces of feedback are held until you decide",
        "1 reviewer isn't confirmed",
        "1 appointment of a reviewer is waiting",
        "1 email couldn't be delivered",
        graphiql,
    ]
    assert not await hub.rows("SELECT FROM audit_entry")


async def test_held_feedback_about_an_administrator_is_not_counted_for_them(hub: Hub) -> None:
    both = await hub.person(Role.ADMIN, Role.MEDIATOR)
    await put_feedback(hub, both, shared=False, admission=Admission.HELD)
    assert (await support(hub, both))[0] == "Nothing is waiting for you."


@pytest.mark.parametrize("role", [Role.MEDIATOR, Role.REVIEWER, Role.DIRECTORY])
async def test_nobody_else_is_told(hub: Hub, role: Role) -> None:
    await put_feedback(hub, await hub.mediator(), shared=False, admission=Admission.HELD)
    assert await support(hub, await hub.person(role)) == []
