"""What `docs/scaling.md` promises about tables: rows are found by mediator, and can be spread over servers that way."""

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import asyncpg

from demo.embedded import Services
from models import migrate
from tests.hub import Hub, opened, payload
from tests.models.test_migrations import empty_database, in_thread, owner_url
from tests.models.test_upgrades import contents, fill_every_table

PAGE = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text(encoding="utf-8")
INDEXES = """
SELECT i.indrelid::regclass::text AS of, c.relname AS name, i.indisunique AS is_unique,
       ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place)
               JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number ORDER BY place) AS columns
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
 WHERE c.relnamespace = 'public'::regnamespace
"""
TENANTS = """
SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'mediator_id'
"""
FOREIGN_KEYS = """
SELECT conrelid::regclass::text AS of, confrelid::regclass::text AS to,
       ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY (conkey)) AS columns
  FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace
"""
# Not for a mediator's lists: what the worker sweeps, what a link's secret, a reviewer or a case leads to, and
# single rows.
OTHERS = {
    "appointment_pkey",
    "case_session_of_case",
    "feedback_admission",
    "feedback_by_receipt",
    "feedback_receipt_hash_key",
    "feedback_request_by_secret",
    "feedback_request_secret_hash_key",
    "feedback_unmixed",
    "feedback_unreleased",
    "ix_appointment_reviewer_id",
    "ix_cpd_private_supervised_case_id",
    "ix_evidence_file_entry_id",  # what goes with an entry
    "ix_feedback_request_details_made_at",
    "reviewer_invitation_pkey",
    "reviewer_invitation_secret_hash_key",
}


def listed(kind: str) -> set[str]:
    """The tables named in a row of the page's table."""
    (row,) = re.findall(rf"^\| {kind}[^|]*\|([^|]*)\|", PAGE, re.MULTILINE)
    return set(re.findall(r"`(\w+)`", row))


async def test_every_index_for_a_mediators_lists_starts_with_the_mediator(hub: Hub) -> None:
    tenants = {row[0] for row in await hub.rows(TENANTS)}
    assert {"logbook_entry", "cpd_entry", "feedback", "feedback_request"} < tenants
    indexes = [index for index in await hub.rows(INDEXES) if index["of"] in tenants]
    for table in tenants:
        assert any(index["of"] == table and index["columns"][0] == "mediator_id" for index in indexes), table
    keys = {f"{table}_pkey" for table in tenants}  # by the row's own id
    astray = {index["name"] for index in indexes if index["columns"][0] != "mediator_id"}
    assert astray <= OTHERS | keys


async def test_every_table_has_its_place_on_the_page(hub: Hub) -> None:
    tables = {row[0] for row in await hub.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    spread, everywhere, coordinator = listed("distributed"), listed("reference"), listed("on the coordinator")
    assert (spread - {"mediator_id"}) | everywhere | coordinator == tables
    assert len(spread - {"mediator_id"}) + len(everywhere) + len(coordinator) == len(tables)


async def test_the_first_step_puts_the_mediator_into_every_key_and_the_service_still_works(services: Services) -> None:
    (script,) = re.findall(r"<!-- first step -->\n```sql\n(.*?)```", PAGE, re.DOTALL)
    spread = listed("distributed") - {"mediator_id"}
    async with empty_database(services) as settings:
        await in_thread(partial(migrate.upgrade, settings))
        await fill_every_table(settings)
        before = await contents(settings)
        owner = await asyncpg.connect(owner_url(settings))
        try:
            await owner.execute(script)
            indexes, keys = await owner.fetch(INDEXES), await owner.fetch(FOREIGN_KEYS)
        finally:
            await owner.close()
        assert {of: value for of, value in (await contents(settings)).items() if of in before} == before
        unique = [index for index in indexes if index["is_unique"] and index["of"] in spread]
        assert {index["of"] for index in unique} == spread
        assert all("mediator_id" in index["columns"] for index in unique)
        assert all("mediator_id" in key["columns"] for key in keys if key["of"] in spread)
        assert {key["to"] for key in keys if key["of"] not in spread} <= listed("reference")
        elsewhere = replace(
            services, database_url=settings.database_url.get_secret_value(), database_owner_url=owner_url(settings)
        )
        async with opened(elsewhere) as hub:
            ann = await hub.mediator()
            case = {"role": "OBSERVER", "medium": "ONLINE", "startedOn": "2024-05-06", "endedOn": "2024-05-06"}
            made = {"minutes": 60, "outcome": "SETTLED", "simulated": False, "notes": "Mine"}
            payload(await hub.change("addLogbookEntry", case | made, by=ann))
            read = "query($id: ID!) { mediator(id: $id) { logbook { nodes { minutes notes } } } }"
            answer = await hub.ask(read, {"id": str(ann.id)}, by=ann)
            assert answer.data["mediator"]["logbook"]["nodes"] == [{"minutes": 60, "notes": "Mine"}]
