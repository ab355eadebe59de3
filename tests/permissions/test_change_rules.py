"""The database's own rules on who changes what somebody may do, and who says yes to a reviewer."""

from dataclasses import dataclass
from uuid import UUID, uuid4

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
                return await connection.execute(sql, of) in {"INSERT 0 1", "UPDATE 1", "DELETE 1"}
            except asyncpg.InsufficientPrivilegeError:
                return False


@pytest.fixture
async def world(hub: Hub) -> World:
    ann, bea, admin = await hub.mediator(), await hub.person(Role.MEDIATOR, Role.REVIEWER), await hub.person(Role.ADMIN)
    unproven = await hub.person(Role.MEDIATOR, verified=False)
    await hub.waiting(ann, bea)
    return World(hub, ann, bea, admin, unproven)


ADD = "UPDATE account SET roles = roles || ARRAY['ADMIN'] WHERE id = $1"
TAKE = "UPDATE account SET roles = ARRAY['DIRECTORY'] WHERE id = $1"
PAY = "UPDATE account SET paid_until = clock() + interval '1 day' WHERE id = $1"
APPROVE = "UPDATE appointment SET approved_at = clock() WHERE mediator_id = $1"
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
        "UPDATE appointment SET accepted_at = accepted_at, relation = relation, since = clock() WHERE mediator_id = $1",
        "UPDATE appointment SET approved_at = approved_at, approval = approval WHERE mediator_id = $1",
    ):
        assert await world.does(sql, Principal(), world.ann.id)


CONFIRM = "UPDATE account SET reviewer_confirmed_at = clock() WHERE id = $1"
ACCEPT = "UPDATE appointment SET accepted_at = clock() WHERE mediator_id = $1"
RELATE = "UPDATE appointment SET relation = 'COLLEAGUE' WHERE mediator_id = $1"
EXPLAIN = "UPDATE appointment SET relation_details = 'We met' WHERE mediator_id = $1"
BEGIN = "UPDATE appointment SET in_force = true WHERE mediator_id = $1"
NEED_LESS = "UPDATE appointment SET approval = 'new' WHERE mediator_id = $1"
EVERYTHING = ~Standing(0)


async def test_only_an_administrator_confirms_a_reviewer_in_person_and_never_themselves(world: World) -> None:
    ann, bea, admin = world.ann, world.bea, world.admin
    for by in (None, Principal(), WORKER, seen_by(bea, ALL_BUT_ADMIN), seen_by(ann, ALL_BUT_ADMIN)):
        assert not await world.does(CONFIRM, by, bea.id)
    assert not await world.does(CONFIRM, seen_by(bea, EVERYTHING), bea.id)
    assert not await world.does(CONFIRM, seen_by(admin, Standing.ADMIN, by_token=True), bea.id)
    assert await world.does(CONFIRM, seen_by(admin, Standing.ADMIN), bea.id)
    assert await world.does(CONFIRM, None, bea.id, owner=True)


async def test_nobody_is_confirmed_without_being_a_reviewer_or_from_the_start(world: World) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await world.does(CONFIRM, seen_by(world.admin, Standing.ADMIN), world.ann.id)
    confirmed = (
        "INSERT INTO account (id, name, name_key, email, email_key, roles, reviewer_confirmed_at)"
        " VALUES ($1, 'N', 'n', 'n@demo.example', 'n@demo.example', '{REVIEWER}', clock())"
    )
    assert not await world.does(confirmed, seen_by(world.admin, EVERYTHING), uuid4())
    assert await world.does(confirmed, None, uuid4(), owner=True)


@pytest.mark.parametrize("sql", [ACCEPT, RELATE, EXPLAIN])
async def test_only_the_reviewer_says_yes_and_how_they_know_the_mediator(world: World, sql: str) -> None:
    ann, bea, admin = world.ann, world.bea, world.admin
    for by in (None, Principal(), WORKER, seen_by(ann, EVERYTHING), seen_by(admin, EVERYTHING)):
        assert not await world.does(sql, by, ann.id)
    assert not await world.does(sql, seen_by(bea, EVERYTHING, by_token=True), ann.id)
    assert await world.does(sql, seen_by(bea, Standing.REVIEWER), ann.id)
    assert await world.does(sql, None, ann.id, owner=True)


async def test_neither_side_approves_their_own_appointment(world: World) -> None:
    for side in (world.ann, world.bea):
        assert not await world.does(APPROVE, seen_by(side, EVERYTHING), world.ann.id)


async def test_what_an_appointment_needs_never_shrinks(world: World) -> None:
    for by in (seen_by(world.ann, EVERYTHING), seen_by(world.bea, EVERYTHING), seen_by(world.admin, EVERYTHING)):
        assert not await world.does(NEED_LESS, by, world.ann.id)
    await world.hub.rows("UPDATE appointment SET approval = 'none'")
    assert await world.does(NEED_LESS, seen_by(world.bea, Standing.REVIEWER), world.ann.id)


async def test_an_appointment_stays_between_the_two_it_was_made_for(world: World) -> None:
    other = await world.hub.person(Role.MEDIATOR, Role.REVIEWER)
    for side in ("mediator_id", "reviewer_id"):
        moved = f"UPDATE appointment SET {side} = $1"
        assert not await world.does(moved, seen_by(world.admin, EVERYTHING), other.id)
        assert await world.does(moved, None, other.id, owner=True)


@pytest.mark.parametrize(
    "yes", ["in_force", "accepted_at", "approved_at", "relation", "relation_details", "in_force, accepted_at"]
)
async def test_no_appointment_begins_with_a_yes(world: World, yes: str) -> None:
    value = {"in_force": "true", "accepted_at": "clock()", "approved_at": "clock()"}
    values = ", ".join(value.get(one, "'COLLEAGUE'") for one in yes.split(", "))
    made = f"INSERT INTO appointment (mediator_id, reviewer_id, {yes}) VALUES ('{world.bea.id}', $1, {values})"
    for by in (world.ann, world.bea, world.admin):
        assert not await world.does(made, seen_by(by, EVERYTHING), world.ann.id)
    plain = f"INSERT INTO appointment (mediator_id, reviewer_id) VALUES ('{world.bea.id}', $1)"
    assert await world.does(plain, seen_by(world.bea, Standing.SELF), world.ann.id)
    assert await world.does(made, None, world.ann.id, owner=True)


@pytest.mark.parametrize("approval", ["none", "new", "each"])
@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize("confirmed", [False, True])
@pytest.mark.parametrize("approved", [False, True])
async def test_an_appointment_comes_into_force_only_with_every_yes_that_it_needs(
    world: World, approval: str, accepted: bool, confirmed: bool, approved: bool
) -> None:
    if confirmed:
        await world.hub.confirmed(world.bea)
    await world.hub.rows(
        "UPDATE appointment SET approval = $1, accepted_at = CASE WHEN $2 THEN clock() END,"
        " approved_at = CASE WHEN $3 THEN clock() END",
        approval,
        accepted,
        approved,
    )
    needed = {"none": accepted, "new": accepted and confirmed, "each": accepted and confirmed and approved}
    for by in (world.ann, world.bea, world.admin):
        assert await world.does(BEGIN, seen_by(by, EVERYTHING), world.ann.id) is needed[approval]
