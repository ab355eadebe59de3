"""The database's own rules on what somebody may do: only administrators change it, whatever the application forgets."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg
import pytest

from models.account import Role
from models.row_security import WORKER, Principal
from permissions.viewer import Standing
from tests.hub import Hub, Person, payload
from tests.permissions.test_row_security import asked, seen_by

ALL_BUT_ADMIN = Standing.SELF | Standing.REVIEWER | Standing.DIRECTORY | Standing.PUBLIC


@dataclass
class World:
    """A mediator whose choice of reviewer waits, somebody else, an administrator, and an unproven account."""

    hub: Hub
    ann: Person
    bea: Person
    admin: Person
    unproven: Person

    async def does(
        self, sql: str, by: Principal | None, of: UUID, *, worker: bool = False, owner: bool = False
    ) -> bool:
        """Whether the database lets somebody do that; it's rolled back."""
        services = self.hub.services
        url = services.database_owner_url if owner else services.database_url
        async with asked(services.database_worker_url if worker else url, by) as connection:
            try:
                return await connection.execute(sql, of) in {"UPDATE 1", "DELETE 1"}
            except asyncpg.InsufficientPrivilegeError:
                return False


@pytest.fixture
async def world(hub: Hub) -> World:
    ann, bea, admin = await hub.mediator(), await hub.person(Role.MEDIATOR, Role.REVIEWER), await hub.person(Role.ADMIN)
    unproven = await hub.person(Role.MEDIATOR, verified=False)
    waits = "INSERT INTO appointment (mediator_id, reviewer_id, approved) VALUES ($1, $2, false)"
    await hub.rows(waits, ann.id, bea.id)
    return World(hub, ann, bea, admin, unproven)


ADD = "UPDATE account SET roles = roles || ARRAY['ADMIN'] WHERE id = $1"
TAKE = "UPDATE account SET roles = ARRAY['DIRECTORY'] WHERE id = $1"
PAY = "UPDATE account SET paid_until = clock() + interval '1 day' WHERE id = $1"
APPROVE = "UPDATE appointment SET approved = true WHERE mediator_id = $1"
DELETE = "DELETE FROM account WHERE id = $1"


@pytest.mark.parametrize("sql", [ADD, TAKE, PAY, APPROVE, DELETE])
async def test_only_an_administrator_changes_what_somebody_may_do(world: World, sql: str) -> None:
    ann, bea, admin = world.ann, world.bea, world.admin
    for by in (None, Principal(), Principal(link=b"x"), seen_by(bea, ALL_BUT_ADMIN), seen_by(admin, ALL_BUT_ADMIN)):
        assert not await world.does(sql, by, ann.id)
    assert not await world.does(sql, WORKER, ann.id)
    assert not await world.does(sql, WORKER, ann.id, worker=True)
    assert await world.does(sql, seen_by(ann, ALL_BUT_ADMIN), ann.id) is (sql == DELETE)
    assert not await world.does(sql, seen_by(ann, ALL_BUT_ADMIN, by_token=True), ann.id)
    assert await world.does(sql, seen_by(admin, Standing.ADMIN), ann.id)
    by_token = seen_by(admin, Standing.ADMIN, by_token=True)
    assert await world.does(sql, by_token, ann.id) is (sql in {PAY, APPROVE})
    assert await world.does(sql, None, ann.id, owner=True)


async def test_anybody_may_become_a_reviewer_but_only_themselves_and_nothing_else(world: World) -> None:
    review = "UPDATE account SET roles = ARRAY['MEDIATOR', 'REVIEWER'] WHERE id = $1"
    instead = "UPDATE account SET roles = ARRAY['REVIEWER'] WHERE id = $1"
    assert await world.does(review, seen_by(world.ann, Standing.SELF), world.ann.id)
    assert not await world.does(review, seen_by(world.bea, Standing.SELF), world.ann.id)
    assert not await world.does(review, Principal(), world.ann.id)
    assert not await world.does(instead, seen_by(world.ann, Standing.SELF), world.ann.id)


async def test_an_account_that_never_proved_its_address_may_make_way_for_one_that_does(world: World) -> None:
    assert await world.does(DELETE, Principal(), world.unproven.id)
    facts = {"name": "N", "email": world.unproven.email, "password": "a long enough one"}
    payload(await world.hub.change("signUp", facts))


async def test_what_no_rule_is_about_is_written_by_everybody_as_before(world: World) -> None:
    for sql in (
        "UPDATE account SET name = 'N', roles = roles, paid_until = paid_until WHERE id = $1",
        "UPDATE appointment SET approved = approved, since = clock() WHERE mediator_id = $1",
    ):
        assert await world.does(sql, Principal(), world.ann.id)
