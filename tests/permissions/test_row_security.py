"""Row-level security: without the application's own checks, the database still shows nobody what isn't theirs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import func, select, text

from models.account import Role
from models.database import connect
from models.row_security import WORKER, Principal
from permissions.sealing import mailbox_hashes
from permissions.secrets import hash_secret
from permissions.viewer import SIGNED_IN, Standing
from schema import cost
from settings import Pooler
from tests.hub import Hub, Person, payload
from tests.permissions.row_secured import ALL, FENCES, World, make_world, without
from tests.world import put_feedback, put_token

WALLED = (
    "logbook_private",
    "cpd_private",
    "evidence_file",
    "feedback_request",
    "feedback_request_details",
    "feedback",
    "feedback_answer",
    "feedback_origin",
    "data_export",
)
# Counts and years, which could give something away even where no text does.
EMPTY = """{ mediators(first: 30) { nodes {
    feedbackRequests { totalCount } feedbackSummary { years { count } } feedback { totalCount }
} } }"""


@pytest.fixture
async def world(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(cost, "MAX_ORIGINS", 10_000)  # this is about whose they are, not about how many
    return await make_world(hub)


@asynccontextmanager
async def wall_down(hub: Hub) -> AsyncIterator[None]:
    """Take away the database's own rules."""
    walled = (*WALLED, "details_key", "spent_link")
    for table in walled:
        await hub.rows(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    try:
        yield
    finally:
        for table in walled:
            await hub.rows(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")


async def test_without_any_fence_the_wall_shows_everybody_just_what_the_table_says(world: World) -> None:
    with without(*FENCES):
        for name in world.names:
            assert await world.read(name) == world.readable(name), name


async def test_without_fences_and_wall_everybody_signed_in_reads_everything(world: World) -> None:
    """Otherwise the test above wouldn't have taken the fences away."""
    with without(*FENCES):
        async with wall_down(world.hub):
            for name in set(world.names) - {"nobody"}:
                assert await world.read(name) == set(world.readers), name


@pytest.mark.parametrize("fence", FENCES)
async def test_with_one_fence_gone_nobody_reads_more_than_the_table_says(world: World, fence: str) -> None:
    asked = {name: _own(world, name) for name in world.names}
    with without(fence):
        for name, document in asked.items():
            assert await world.read(name, document) <= world.readable(name), name
        if fence == "projection":  # the second fence still holds: null where the row's standing is too low
            return
        async with wall_down(world.hub):
            leaks = [await world.read(name, document) - world.readable(name) for name, document in asked.items()]
        assert any(leaks), "taking this fence away makes no difference"


def _own(world: World, name: str) -> str:
    """The part of the document that's in somebody's own projection."""
    roles = {
        "ann": "S", "bea": "S", "gone": "S", "eve": "SA", "rob": "R", "ron": "R", "dora": "D", "admin": "A",
    }.get(name.removesuffix("'s program"), "")  # fmt: skip
    parts = {
        "logbook(first: 30) { nodes { reference parties didWell foundChallenging notes } }": "S",
        "cpd(first: 30) { nodes { takeaways } }": "S",
        "learnings(first: 30) { nodes { text } }": "S",
        "feedbackRequests(first: 30) { nodes { partyName partyEmail reference mediationEndedOn } }": "S",
        "feedback(first: 30) { nodes { id answers { text } } }": "SRA",
        "feedbackSummary { years { year } }": "RA",
    }
    if "program" not in name:
        parts['origins: feedback(first: 30) { nodes { origin(reason: "Ticket 1234") { name email } } }'] = "A"
    selected = " ".join(part for part, readers in parts.items() if set(readers) & set(roles))
    return f"{{ mediators(first: 30) {{ nodes {{ id {selected} }} }} }}"


async def test_counts_give_nothing_away_about_unshared_or_unreleased_feedback(world: World) -> None:
    async def counts() -> list[dict[str, Any]]:
        return [(await world.hub.ask(EMPTY, by=world.people[name])).data for name in ("ann", "bea", "dora", "ron")]

    with without(*FENCES):
        before = await counts()
        await put_feedback(world.hub, world.people["ann"], shared=False)
        await put_feedback(world.hub, world.people["ann"], released=False)
        assert await counts() == before


# Past the application: SQL as its role.


@asynccontextmanager
async def asked(url: str, principal: Principal | None = None) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A transaction with the role in that URL, begun as the application begins it, and rolled back."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(principal.begin if principal else "BEGIN")
        yield connection
    finally:
        await connection.close()


async def rows(url: str, principal: Principal | None = None) -> dict[str, int]:
    """How many rows of each guarded table somebody finds."""
    async with asked(url, principal) as connection:
        return {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in WALLED}


def seen_by(person: Person, standings: Standing, **facts: Any) -> Principal:
    return Principal(person.id, int(standings), **facts)


NOTHING = dict.fromkeys(WALLED, 0)


async def test_a_transaction_that_does_not_say_who_asks_finds_nothing(world: World) -> None:
    payload(await world.hub.change("exportMyData", {}, by=world.people["ann"]))
    for url in (world.hub.services.database_url, world.hub.services.database_worker_url):
        assert await rows(url) == NOTHING
        assert await rows(url, Principal()) == NOTHING
        assert await rows(url, Principal(uuid4(), int(SIGNED_IN & ~Standing.ADMIN))) == NOTHING
    assert all((await rows(world.hub.services.database_owner_url)).values())  # they are there


async def test_people_find_only_the_rows_that_they_may_read(world: World) -> None:
    url, people = world.hub.services.database_url, world.people
    payload(await world.hub.change("exportMyData", {}, by=people["ann"]))
    own = {"logbook_private": 1, "cpd_private": 1, "evidence_file": 1}
    own |= {"feedback_request": 2, "feedback_request_details": 1}
    shared = {"feedback": 1, "feedback_answer": 1, "feedback_origin": 0}
    assert await rows(url, seen_by(people["ann"], Standing.SELF)) == NOTHING | own | shared | {"data_export": 1}
    assert await rows(url, seen_by(people["bea"], Standing.SELF)) == NOTHING
    reviewed = {"feedback": 8, "feedback_answer": 12}
    assert await rows(url, seen_by(people["rob"], Standing.REVIEWER)) == NOTHING | reviewed
    assert await rows(url, seen_by(people["ron"], Standing.REVIEWER)) == NOTHING
    assert await rows(url, seen_by(people["admin"], Standing.ADMIN)) == NOTHING | reviewed | {"feedback_origin": 8}
    assert await rows(url, seen_by(people["admin"], Standing.ADMIN, by_token=True)) == NOTHING | reviewed
    not_own = {"feedback": 5, "feedback_answer": 7, "feedback_origin": 4}
    assert await rows(url, seen_by(people["eve"], Standing.SELF | Standing.ADMIN)) == NOTHING | own | not_own


async def test_neither_somebody_without_their_roles_nor_their_reviewer_finds_anything(world: World) -> None:
    url, ann, rob = world.hub.services.database_url, world.people["ann"], world.people["rob"]
    assert await rows(url, seen_by(ann, Standing.PUBLIC)) == NOTHING
    assert await rows(url, seen_by(rob, Standing.PUBLIC | Standing.DIRECTORY)) == NOTHING
    await world.hub.rows("UPDATE account SET roles = '{REVIEWER}' WHERE id = ANY($1)", [ann.id, world.people["eve"].id])
    assert await rows(url, seen_by(rob, Standing.REVIEWER)) == NOTHING


async def test_somebody_with_a_link_finds_only_its_row(world: World) -> None:
    url, hub = world.hub.services.database_url, world.hub
    payload(await hub.change("exportMyData", {}, by=world.people["ann"]))
    [request] = await hub.rows("SELECT secret_hash FROM feedback_request LIMIT 1")
    [export] = await hub.rows("SELECT secret_hash FROM data_export")
    assert await rows(url, Principal(link=request["secret_hash"])) == NOTHING | {"feedback_request": 1}
    assert await rows(url, Principal(link=export["secret_hash"])) == NOTHING  # its owner has to sign in as well
    assert await rows(url, Principal(link=hash_secret("another"))) == NOTHING


async def test_only_the_workers_role_finds_what_its_work_needs_and_no_private_text(world: World) -> None:
    hub = world.hub
    payload(await hub.change("exportMyData", {}, by=world.people["ann"]))
    assert await rows(hub.services.database_url, WORKER) == NOTHING
    at_work = await rows(hub.services.database_worker_url, WORKER)
    assert {table for table, number in at_work.items() if not number} == {
        "logbook_private",
        "cpd_private",
        "evidence_file",
        "feedback_answer",
    }
    # An export is made as its owner, with the same role.
    ann = seen_by(world.people["ann"], Standing.SELF)
    assert await rows(hub.services.database_worker_url, ann) == await rows(hub.services.database_url, ann)


async def test_the_keys_of_details_are_for_mediators_and_the_worker_and_the_marks_of_links_for_who_has_one(
    world: World,
) -> None:
    hub, people = world.hub, world.people
    await hub.rows("INSERT INTO spent_link (mark) VALUES ('mark')")
    tables = "SELECT (SELECT count(*) > 0 FROM details_key), (SELECT count(*) > 0 FROM spent_link)"

    async def found(url: str, principal: Principal | None) -> tuple[bool, bool]:
        async with asked(url, principal) as connection:
            [row] = await connection.fetch(tables)
            return bool(row[0]), bool(row[1])

    url = hub.services.database_url
    assert await found(url, None) == await found(url, Principal()) == await found(url, WORKER) == (False, False)
    assert await found(url, seen_by(people["admin"], SIGNED_IN & ~Standing.SELF)) == (False, False)
    assert await found(url, seen_by(people["bea"], Standing.SELF)) == (True, False)
    assert await found(url, Principal(link=hash_secret("any"))) == (False, True)
    assert await found(hub.services.database_worker_url, WORKER) == (True, True)
    for mark in ("INSERT INTO spent_link (mark) VALUES ('x')", "INSERT INTO details_key VALUES (current_date, 'x')"):
        async with asked(url, seen_by(people["admin"], SIGNED_IN & ~Standing.SELF)) as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                await connection.execute(mark)


TOUCH = {
    "logbook_private": "notes = 'x'",
    "cpd_private": "takeaways = 'x'",
    "details_key": "sealed = 'x'",
    "spent_link": "mixed = true",
    "feedback_request": "state = 'WITHDRAWN'",
    "feedback_request_details": "sealed = 'x'",
    "feedback": "released = true",
    "feedback_answer": "text = 'x'",
    "feedback_origin": "sealed = 'x'",
    "data_export": "archive = 'x'",
}


async def touched(url: str, principal: Principal | None) -> dict[str, tuple[int, int]]:
    """How many rows somebody changes and deletes when they try it with all of them."""
    found = {}
    async with asked(url, principal) as connection:
        for table, change in TOUCH.items():
            updated = await connection.execute(f"UPDATE {table} SET {change}")
            deleted = await connection.execute(f"DELETE FROM {table}")
            found[table] = (int(updated.split()[-1]), int(deleted.split()[-1]))
    return found


async def test_updates_and_deletions_by_others_touch_no_row(world: World) -> None:
    url, people = world.hub.services.database_url, world.people
    payload(await world.hub.change("exportMyData", {}, by=people["ann"]))
    nothing = dict.fromkeys(TOUCH, (0, 0))
    everybody = Standing.REVIEWER | Standing.DIRECTORY
    for principal in (
        None,
        Principal(),
        WORKER,
        seen_by(people["bea"], Standing.SELF),
        seen_by(people["rob"], everybody),
    ):
        assert await touched(url, principal) == nothing
    # Administrators remove feedback in person, but not what's about themselves.
    administrator, eve = seen_by(people["admin"], Standing.ADMIN), seen_by(people["eve"], Standing.ADMIN)
    assert await touched(url, administrator) == nothing | {"feedback": (0, 8)}
    assert await touched(url, eve) == nothing | {"feedback": (0, 4), "logbook_private": (0, 0)}
    assert await touched(url, seen_by(people["admin"], Standing.ADMIN, by_token=True)) == nothing
    # People change their own texts and requests; nobody edits feedback, not even those who may read it.
    assert await touched(url, seen_by(people["ann"], Standing.SELF)) == nothing | {
        "logbook_private": (1, 1),
        "cpd_private": (1, 1),
        "feedback_request": (2, 0),
        "feedback_request_details": (0, 2),
    }


INSERTS = {
    "logbook_private": "INSERT INTO logbook_private (id, mediator_id) SELECT id, mediator_id FROM logbook_entry",
    "cpd_private": "INSERT INTO cpd_private (id, mediator_id) SELECT id, mediator_id FROM cpd_entry",
    "evidence_file": "INSERT INTO evidence_file (mediator_id, entry_id, kind, name, media_type, bytes, sealed) "
    "SELECT mediator_id, id, 'OTHER', 'x', 'image/png', 1, 'x' FROM cpd_entry",
    "evidence_file at another's entry": "INSERT INTO evidence_file "
    "(mediator_id, entry_id, kind, name, media_type, bytes, sealed) "
    "SELECT viewer(), id, 'OTHER', 'x', 'image/png', 1, 'x' FROM cpd_entry",
    "feedback_request": "INSERT INTO feedback_request (mediator_id, mediation_ended_on, secret_hash) "
    "VALUES ($1, '2024-01-02', '\\x00')",
    "feedback_request_details": "INSERT INTO feedback_request_details (id, mediator_id, made_at, sealed) "
    "VALUES (gen_random_uuid(), $1, now(), 'x')",
    "data_export": "INSERT INTO data_export (account_id, secret_hash) VALUES ($1, '\\x00')",
}


async def test_files_are_deleted_by_their_mediator_alone_and_changed_by_nobody(world: World) -> None:
    url, people = world.hub.services.database_url, world.people
    others = (None, Principal(), WORKER, seen_by(people["bea"], Standing.SELF), seen_by(people["admin"], SIGNED_IN))
    for principal, deleted in (*((one, 0) for one in others), (seen_by(people["ann"], Standing.SELF), 1)):
        async with asked(url, principal) as connection:
            assert await connection.execute("DELETE FROM evidence_file") == f"DELETE {deleted}"
        for change in ("UPDATE evidence_file SET name = 'x'", "DELETE FROM deleted_file"):
            async with asked(url, principal) as connection:
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
                    await connection.execute(change)
        async with asked(url, principal) as connection:
            await connection.execute("DELETE FROM evidence_file")
            assert await connection.fetch("SELECT id FROM deleted_file") == []
    async with asked(world.hub.services.database_worker_url, WORKER) as connection:
        assert await connection.execute("DELETE FROM evidence_file") == "DELETE 0"


@pytest.mark.parametrize("table", INSERTS)
async def test_nobody_writes_into_somebody_elses_record(world: World, table: str) -> None:
    bea = seen_by(world.people["bea"], Standing.SELF | Standing.ADMIN)
    async with asked(world.hub.services.database_url, bea) as connection:
        arguments = [world.people["ann"].id] if "$1" in INSERTS[table] else []
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await connection.execute(INSERTS[table], *arguments)


async def test_nobody_gives_feedback_about_themselves_whatever_the_application_says(world: World) -> None:
    given = """INSERT INTO feedback (mediator_id, capacity, acted_as, shared, by_invitation)
        VALUES ($1, 'PARTY', 'MEDIATOR', true, false)"""
    ann = world.people["ann"]
    for principal, allowed in ((seen_by(ann, Standing.PUBLIC), False), (Principal(), True)):
        async with asked(world.hub.services.database_url, principal) as connection:
            if allowed:
                assert await connection.execute(given, ann.id) == "INSERT 0 1"
            else:
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                    await connection.execute(given, ann.id)


async def test_origins_are_erased_only_by_their_giver_in_person(world: World) -> None:
    hub, bea = world.hub, world.people["bea"]
    await put_feedback(hub, world.people["ann"], name="Bea", email=bea.email)
    others = (
        Principal(),
        seen_by(world.people["ann"], Standing.SELF),
        seen_by(bea, Standing.SELF, by_token=True),
        seen_by(world.people["admin"], Standing.ADMIN, by_token=True),
    )
    mailbox = mailbox_hashes(hub.settings, bea.email)
    for principal, left in (*((one, 1) for one in others), (seen_by(bea, Standing.SELF), 0)):
        async with asked(hub.services.database_url, principal) as connection:
            await connection.execute("SELECT erase_origins($1, $2)", bea.id, mailbox)
            await connection.execute("COMMIT")
        assert [origin.name for origin in (await hub.origins()).values()].count("Bea") == left


async def test_an_administrator_who_deletes_an_account_erases_origins_about_themselves_too(hub: Hub) -> None:
    eve = await hub.person(Role.MEDIATOR, Role.ADMIN)
    gil = await hub.person(Role.DIRECTORY)
    await put_feedback(hub, eve, name="Gil Giver", email=gil.email)
    payload(await hub.change("deleteAccount", {"id": str(gil.id), "email": gil.email}, by=eve))
    assert await hub.rows("SELECT * FROM feedback_origin") == []


async def test_deleting_an_account_deletes_even_what_its_owner_may_not_see(world: World) -> None:
    ann = world.people["ann"]
    payload(await world.hub.change("deleteMyAccount", {"password": "correct horse battery"}, by=ann))
    for table in set(WALLED) - {"data_export", "feedback_origin"}:
        assert await world.hub.rows(f"SELECT * FROM {table} WHERE mediator_id = $1", ann.id) == []
    assert len(await world.hub.rows("SELECT * FROM feedback_origin")) == 4  # Eve's


# What one transaction is told, the next doesn't know.


@pytest.mark.parametrize("pooler", Pooler)
async def test_a_connection_does_not_remember_who_asked(world: World, pooler: Pooler) -> None:
    ann = seen_by(world.people["ann"], Standing.SELF)
    own = select(func.count()).select_from(text("logbook_private"))
    told = text("SELECT string_agg(current_setting('logbook.' || name, true), '') FROM unnest(ARRAY["
                "'viewer', 'standings', 'by_token', 'link', 'at_work']) AS name")  # fmt: skip
    settings = world.hub.settings.model_copy(update={"database_pooler": pooler, "database_pool_size": 2})
    async with connect(settings) as database:
        anns = database.asked_by(ann)
        for _ in range(8):  # more runs than it takes for PostgreSQL to keep a statement's plan
            async with anns.reading() as first, anns.transaction() as second:  # both connections
                assert await first.value(own, int) == 1
                assert await second.value(own, int) == 1
            with suppress(LookupError):
                async with anns.transaction() as cut:
                    assert await cut.value(own, int) == 1
                    raise LookupError
            async with database.reading() as first, database.transaction() as second:
                for one in (first, second):
                    assert await one.value(own, int) == 0
                    assert not await one.value(told, str)


async def test_one_connection_serves_one_viewer_after_another(world: World) -> None:
    own = select(func.min(text("notes"))).select_from(text("logbook_private"))
    settings = world.hub.settings.model_copy(update={"database_pool_size": 2})
    async with connect(settings) as database:
        for name in ("ann", "eve", "bea", "ann", "rob", "eve") * 3:
            viewer = seen_by(world.people[name], Standing.SELF | Standing.REVIEWER)
            async with database.asked_by(viewer).reading() as reading:
                assert await reading.value(own, str) == (f"{name}-case-notes" if name in {"ann", "eve"} else None)


async def test_a_program_with_a_token_is_told_apart_from_its_owner(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "MAX_ORIGINS", 10_000)
    admin, ann = await hub.person(Role.ADMIN), await hub.mediator()
    await put_feedback(hub, ann, name="Gil Giver")
    token = await put_token(hub, admin)
    with without("projection"):
        by_session, by_token = await hub.ask(ALL, by=admin), await hub.ask(ALL, token=token)
    assert "Gil Giver" in str(by_session.body)
    assert "Gil Giver" not in str(by_token.body)


async def test_the_ids_of_what_belongs_to_an_account_are_given_only_to_its_owner(world: World) -> None:
    hub, ann = world.hub, world.people["ann"]
    await put_feedback(hub, ann, shared=False)
    everything = await hub.rows("SELECT count(*) FROM feedback WHERE mediator_id = $1", ann.id)
    others = (Principal(), seen_by(world.people["bea"], Standing.SELF), seen_by(ann, Standing.SELF, by_token=True))
    named = "SELECT count(*) FROM ids_of($1) AS theirs JOIN feedback ON feedback.id = theirs"
    whole = "SELECT count(*) FROM ids_of($1)"
    for principal in others:
        async with asked(hub.services.database_url, principal) as connection:
            assert await connection.fetchval(whole, ann.id) == 0
    async with asked(hub.services.database_url, seen_by(ann, Standing.SELF)) as connection:
        assert await connection.fetchval(whole, ann.id) > everything[0][0]
        # Their ids give nothing away: the rows stay out of reach.
        assert await connection.fetchval(named, ann.id) < everything[0][0]


async def test_an_invitation_is_there_for_its_mediator_its_link_and_the_worker_alone(world: World) -> None:
    hub, ann, bea = world.hub, world.people["ann"], world.people["bea"]
    for by in (ann, ann, bea):
        payload(await hub.change("inviteReviewer", {"email": f"{uuid4()}@demo.example"}, by=by))
    link = (await hub.rows("SELECT secret_hash FROM reviewer_invitation WHERE mediator_id = $1", ann.id))[0][0]
    holder, own, not_self = Principal(link=link), seen_by(ann, Standing.SELF), ~Standing.SELF
    others = [seen_by(world.people[name], not_self) for name in ("ann", "rob", "admin")]
    for url, principal, read, deleted in (
        *((hub.services.database_url, one, 0, 0) for one in (None, Principal(), Principal(link=b"x"), WORKER, *others)),
        (hub.services.database_url, own, 2, 2),
        (hub.services.database_url, holder, 1, 0),
        (hub.services.database_worker_url, WORKER, 3, 3),
    ):
        async with asked(url, principal) as connection:
            assert await connection.fetchval("SELECT count(*) FROM reviewer_invitation") == read
            assert await connection.execute("DELETE FROM reviewer_invitation") == f"DELETE {deleted}"
    for principal, ended in ((holder, 2), (Principal(link=b"x"), 0), (own, 0)):
        async with asked(hub.services.database_url, principal) as connection:
            assert await connection.fetchval("SELECT end_invitations()") == ended
