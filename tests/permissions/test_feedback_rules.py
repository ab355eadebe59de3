"""The database's own rules on feedback that isn't admitted, on receipts, and on what administrators may do with it."""

from uuid import UUID

import asyncpg
import pytest

from models.account import Role
from models.row_security import WORKER, Principal
from permissions.sealing import open_origin
from permissions.viewer import EVERYBODY, Standing
from tests.hub import Hub, Person
from tests.permissions.test_row_security import asked, seen_by
from tests.world import put_feedback

HASH = b"r" * 32
RECEIPT = Principal(link=HASH)


@pytest.fixture
async def people(hub: Hub) -> dict[str, Person]:
    """Ann has one piece of each admission, all shared and released; Rob reviews her, Eve is both sides."""
    ann, rob = await hub.mediator(), await hub.person(Role.REVIEWER)
    await hub.appointed(ann, rob)
    for admission in ("ADMITTED", "HELD", "DISCARDED"):
        await put_feedback(hub, ann, admission=admission, name="Gil")
    admin, eve = await hub.person(Role.ADMIN), await hub.person(Role.MEDIATOR, Role.ADMIN)
    await put_feedback(hub, eve, admission="HELD", name="Gil")
    return {"ann": ann, "rob": rob, "admin": admin, "eve": eve}


async def found(hub: Hub, by: Principal) -> list[tuple[str, str]]:
    """The tables and admissions of all rows that somebody finds with SQL, past the application."""
    rows = set()
    async with asked(hub.services.database_url, by) as connection:
        for table in ("feedback", "feedback_answer"):
            rows |= {(table, row[0]) for row in await connection.fetch(f"SELECT admission FROM {table}")}
        for row in await connection.fetch("SELECT id, sealed FROM feedback_origin"):
            rows.add(("feedback_origin", str(open_origin(hub.settings, row["id"], row["sealed"]).name)))
    return sorted(rows)


async def test_what_is_held_is_for_administrators_and_what_is_discarded_for_nobody(
    hub: Hub, people: dict[str, Person]
) -> None:
    both = [(table, "ADMITTED") for table in ("feedback", "feedback_answer")]
    held = [(table, "HELD") for table in ("feedback", "feedback_answer")]
    assert await found(hub, seen_by(people["ann"], Standing.SELF)) == both
    assert await found(hub, seen_by(people["rob"], Standing.REVIEWER)) == both
    assert await found(hub, seen_by(people["admin"], Standing.ADMIN)) == sorted(
        [*both, *held, ("feedback_origin", "Gil")]
    )
    assert await found(hub, Principal()) == []
    async with asked(hub.services.database_url, seen_by(people["eve"], Standing.SELF | Standing.ADMIN)) as connection:
        seen = await connection.fetch("SELECT mediator_id FROM feedback")
    assert {row["mediator_id"] for row in seen} == {people["ann"].id}


@pytest.mark.parametrize("admission", ["ADMITTED", "HELD", "DISCARDED"])
async def test_a_receipt_shows_its_piece_and_answers_to_all_but_its_mediator(
    hub: Hub, people: dict[str, Person], admission: str
) -> None:
    await hub.rows("UPDATE feedback SET receipt_hash = $1 WHERE admission = $2 AND mediator_id = $3", HASH, admission,
                   people["ann"].id)  # fmt: skip
    assert await found(hub, RECEIPT) == [("feedback", admission), ("feedback_answer", admission)]
    assert await found(hub, Principal(link=b"x" * 32)) == []
    ann = Principal(people["ann"].id, int(Standing.PUBLIC), link=HASH)
    assert await found(hub, ann) == []


SHARE = "UPDATE feedback SET shared = NOT shared WHERE id = $1"
ALONE = "UPDATE feedback SET share_alone = NOT share_alone WHERE id = $1"
ADMIT = "UPDATE feedback SET admission = 'ADMITTED' WHERE id = $1"
HOLD = "UPDATE feedback SET admission = 'HELD' WHERE id = $1"
RELEASE = "UPDATE feedback SET released = NOT released WHERE id = $1"
ERASE = "DELETE FROM feedback WHERE id = $1"
FORGE = "UPDATE feedback SET receipt_hash = '\\x01' WHERE id = $1"
MOVE = "UPDATE feedback SET mediator_id = mediator_id WHERE id = $1"
ALL = (SHARE, ALONE, ADMIT, HOLD, RELEASE, ERASE, FORGE, MOVE)


async def allowed(hub: Hub, by: Principal, piece: UUID, *, worker: bool = False) -> set[str]:
    """The statements that the database lets somebody run on a piece; each is rolled back."""
    able = set()
    for sql in ALL:
        url = hub.services.database_worker_url if worker else hub.services.database_url
        async with asked(url, by) as connection:
            try:
                if await connection.execute(sql, piece) in {"UPDATE 1", "DELETE 1"}:
                    able.add(sql)
            except asyncpg.InsufficientPrivilegeError:
                pass
    return able


async def test_only_the_holder_of_a_receipt_shares_and_only_until_it_is_released(
    hub: Hub, people: dict[str, Person]
) -> None:
    piece = await put_feedback(hub, people["ann"], admission="DISCARDED", released=False, receipt_hash=HASH)
    assert await allowed(hub, RECEIPT, piece) == {SHARE, ALONE, ERASE}
    assert await allowed(hub, Principal(people["ann"].id, int(EVERYBODY), link=HASH), piece) == set()
    for by in (Principal(), seen_by(people["ann"], Standing.SELF), seen_by(people["rob"], Standing.REVIEWER)):
        assert await allowed(hub, by, piece) == set()
    await hub.rows("UPDATE feedback SET released = true WHERE id = $1", piece)
    assert await allowed(hub, RECEIPT, piece) == {ERASE}


async def test_only_administrators_admit_and_remove_and_nothing_else(hub: Hub, people: dict[str, Person]) -> None:
    admitted = await put_feedback(hub, people["ann"])
    held = await put_feedback(hub, people["ann"], admission="HELD")
    discarded = await put_feedback(hub, people["ann"], admission="DISCARDED")
    own = await put_feedback(hub, people["eve"], admission="HELD")
    admin, eve = seen_by(people["admin"], Standing.ADMIN), seen_by(people["eve"], Standing.ADMIN)
    assert await allowed(hub, admin, admitted) == {ERASE}
    assert await allowed(hub, admin, held) == {ADMIT, ERASE}
    assert await allowed(hub, seen_by(people["admin"], Standing.ADMIN, by_token=True), held) == {ADMIT}
    assert await allowed(hub, admin, discarded) == set()
    assert await allowed(hub, eve, own) == set()
    assert await allowed(hub, WORKER, discarded, worker=True) == {RELEASE}
    assert await allowed(hub, WORKER, discarded) == set()


async def test_an_answer_always_has_the_admission_of_its_piece(hub: Hub, people: dict[str, Person]) -> None:
    piece = await put_feedback(hub, people["ann"], admission="HELD")
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await hub.rows("UPDATE feedback_answer SET admission = 'ADMITTED' WHERE feedback_id = $1", piece)
