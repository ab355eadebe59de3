"""What tests of reading need: rows of any day and state, added without the API, and the statements that were run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy import Table, insert

from jobs import audit
from models.case_session import case_sessions
from models.cpd import cpd_entries, cpd_private
from models.evidence import evidence_files
from models.feedback import feedback, feedback_answers, feedback_origins
from models.file_store import open_store
from models.folds import folds
from models.logbook import logbook_entries, logbook_private
from permissions.file_sealing import seal_file
from permissions.sealing import Origin, mailbox_hashes, seal_origin
from resolvers.survey import question
from tests.hub import Hub, Person

_CASE: dict[str, Any] = {
    "role": "LEAD_MEDIATOR",
    "medium": "ONLINE",
    "started_on": date(2024, 5, 6),
    "ended_on": date(2024, 5, 7),
    "minutes": 90,
    "outcome": "SETTLED",
    "simulated": False,
}
_CPD: dict[str, Any] = {
    "kind": "TRAINING_RECEIVED",
    "title": "Listening",
    "tags": [],
    "credits": [],
    "started_on": date(2024, 5, 6),
    "ended_on": date(2024, 5, 7),
    "minutes": 60,
}


async def put_cases(hub: Hub, mediator: Person, *facts: dict[str, Any]) -> list[UUID]:
    """Add logbook entries; return their ids."""
    return await _put(hub, mediator, logbook_entries, logbook_private, [_CASE | one for one in facts])


async def put_sessions(hub: Hub, case_id: UUID, *facts: dict[str, Any]) -> list[UUID]:
    """Add sessions of a case, and add them up; return their ids."""
    ids = [uuid4() for _ in facts]
    (case,) = await hub.rows("SELECT mediator_id, ended_on FROM logbook_entry WHERE id = $1", case_id)
    key = {"entry_id": case_id, "mediator_id": case["mediator_id"]}
    session = {"held_on": case["ended_on"], "minutes": 60, "kind": "MEDIATION", "medium": "ONLINE"}
    rows = [{"id": new_id} | key | session | one for new_id, one in zip(ids, facts, strict=True)]
    async with hub.database.transaction() as transaction:
        await transaction.run(insert(case_sessions).values(rows))
    await hub.rows("UPDATE logbook_entry SET version = version WHERE id = $1", case_id)
    return ids


async def put_cpd(hub: Hub, mediator: Person, *facts: dict[str, Any]) -> list[UUID]:
    """Add CPD entries; return their ids."""
    return await _put(hub, mediator, cpd_entries, cpd_private, [_CPD | one for one in facts])


async def _put(hub: Hub, mediator: Person, table: Table, private: Table, entries: list[dict[str, Any]]) -> list[UUID]:
    ids = [uuid4() for _ in entries]
    async with hub.database.transaction() as transaction:
        for into in (table, private):
            names = {column.name for column in into.c}
            every = {name for one in entries for name in one} & names
            texts = [{name: one.get(name) for name in every} for one in entries]
            rows = [
                {"id": new_id, "mediator_id": mediator.id} | one | folds(into, one)
                for new_id, one in zip(ids, texts, strict=True)
            ]
            if rows:
                await transaction.run(insert(into).values(rows))
    return ids


async def put_file(hub: Hub, mediator: Person, entry: UUID, name: str = "a file.pdf", **facts: Any) -> UUID:
    """Attach a file to a CPD entry; return its id."""
    new_id, content = uuid4(), name.encode()
    sealed, stored = seal_file(hub.settings, new_id, content)
    store = open_store(hub.settings)
    assert store
    await store.put(new_id, stored)
    row = {"kind": "CERTIFICATE", "name": name, "media_type": "application/pdf", "bytes": len(content)} | facts
    async with hub.database.transaction() as transaction:
        of = {"id": new_id, "mediator_id": mediator.id, "entry_id": entry, "sealed": sealed}
        await transaction.run(insert(evidence_files).values(of | row))
    return new_id


async def put_feedback(
    hub: Hub,
    about: Person,
    answers: dict[str, int | str | None] | None = None,
    *,
    shared: bool = True,
    released: bool = True,
    name: str | None = None,
    email: str | None = None,
    received_at: datetime = datetime(2024, 3, 4, 5, 6, tzinfo=UTC),
    **facts: Any,
) -> UUID:
    """Add one filled-in survey; ratings are numbers, texts are texts."""
    new_id = uuid4()
    answers = {"preparation": 4} if answers is None else answers
    async with hub.database.transaction() as transaction:
        await transaction.run(
            insert(feedback).values(
                **{
                    "id": new_id,
                    "mediator_id": about.id,
                    "capacity": "PARTY",
                    "acted_as": "MEDIATOR",
                    "shared": shared,
                    "released": shared and released,
                    "by_invitation": True,
                    "received_on": received_at.date(),
                }
                | facts
            )
        )
        for key, answer in answers.items():
            asked = question(key)
            assert asked is not None
            await transaction.run(
                insert(feedback_answers).values(
                    feedback_id=new_id,
                    mediator_id=about.id,
                    question=key,
                    reviewer_only=asked.reviewer_only,
                    admission=facts.get("admission", "ADMITTED"),
                    rating=answer if isinstance(answer, int) else None,
                    text=answer if isinstance(answer, str) else None,
                )
            )
        sealed = seal_origin(hub.settings, new_id, Origin(name, email, received_at))
        found_by = mailbox_hashes(hub.settings, email)[0] if email else None
        await transaction.run(insert(feedback_origins).values(id=new_id, sealed=sealed, mailbox_hash=found_by))
    return new_id


async def put_entries(hub: Hub, *entries: dict[str, Any]) -> None:
    """Add entries to the audit log, in one transaction."""
    async with hub.database.transaction() as transaction:
        await audit.write(transaction, hub.settings, entries)


async def put_token(hub: Hub, owner: Person) -> str:
    """Create an API token for somebody through the API itself; return its secret."""
    answer = await hub.change("createApiToken", {"name": "program"}, "token", by=owner)
    secret: str = answer.data["createApiToken"]["token"]
    return secret


@asynccontextmanager
async def statements(hub: Hub, values: list[tuple[Any, ...]] | None = None) -> AsyncIterator[list[str]]:
    """Collect the SQL that the application runs inside the block; it's complete when the block has ended.

    The parameters of the statements go into `values`.
    """
    run: list[str] = []

    def note(query: asyncpg.connection.LoggedQuery) -> None:
        # A new connection asks about PostgreSQL's types: those statements belong to the driver.
        if "typeinfo_tree" not in query.query and "'jit'" not in query.query:
            run.append(query.query)
            if values is not None:
                values.append(tuple(query.args))

    pool = hub.app.state.database._pool
    everything = [await pool.acquire() for _ in range(hub.settings.database_pool_size)]
    for connection in everything:
        connection.add_query_logger(note)
    for connection in everything:
        await pool.release(connection, sound=True)
    yield run
    await asyncio.sleep(0)  # asyncpg reports a statement a moment after it has run
    everything = [await pool.acquire() for _ in range(hub.settings.database_pool_size)]
    for connection in everything:
        connection.remove_query_logger(note)
        await pool.release(connection, sound=True)
