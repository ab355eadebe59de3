"""How long each table is locked while it's rewritten at night: `make bench-nightly`, 100,000 pieces of feedback."""

import asyncio
import tempfile
import time
from pathlib import Path

import asyncpg
import typer
from sqlalchemy import func

from demo.embedded import Services, embedded
from jobs.mixing import LONGEST, MIXED, mix
from models import migrate
from models.database import connect_worker
from tests.hub import settings_for

PIECES, QUESTIONS, CAME = 100_000, 12, 300  # in all, answers of each, and pieces that came since last night

FILL = f"""
INSERT INTO account (id, name, name_key, email, email_key, roles)
SELECT gen_random_uuid(), 'Demo', 'demo', n || '@demo.example', n || '@demo.example', '{{MEDIATOR}}'
  FROM generate_series(1, 1000) AS n;
INSERT INTO mediator (id, feedback_link_hash) SELECT id, uuid_send(id) FROM account;
INSERT INTO feedback (mediator_id, capacity, acted_as, shared, by_invitation, mixed, received_on)
SELECT (ARRAY(SELECT id FROM mediator))[1 + n % 1000], 'PARTY', 'MEDIATOR', true, true, n > {CAME}, '2024-01-01'
  FROM generate_series(1, {PIECES}) AS n;
INSERT INTO feedback_answer (feedback_id, mediator_id, question, reviewer_only, rating, text)
SELECT id, mediator_id, 'question' || n, false, CASE WHEN n > 3 THEN 4 END,
       CASE WHEN n <= 3 THEN repeat('They listened, and asked again. ', 10) END
  FROM feedback, generate_series(1, {QUESTIONS}) AS n;
INSERT INTO feedback_origin (id, sealed) SELECT id, uuid_send(id) || repeat('x', 100)::bytea FROM feedback;
INSERT INTO spent_link (mark, mixed)
SELECT uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), n > {CAME} FROM generate_series(1, {PIECES}) AS n;
"""


async def _measured(services: Services) -> None:
    settings = settings_for(services)
    owner = await asyncpg.connect(services.database_owner_url)
    await owner.execute(FILL)
    await owner.close()
    async with connect_worker(settings) as database:
        began = time.monotonic()
        async with database.transaction() as transaction:
            await mix(transaction, settings)
        typer.echo(f"{CAME} of {PIECES:,} pieces rewritten in {time.monotonic() - began:.1f} s; nobody waits for that")
        for table in MIXED:
            began = time.monotonic()
            async with database.transaction() as transaction:
                await transaction.call(func.rewrite(table), LONGEST)
            typer.echo(f"{table:18} locked for {time.monotonic() - began:.1f} s")


def main() -> None:
    """Fill a database, and write its tables again."""
    with tempfile.TemporaryDirectory() as folder, embedded(Path(folder)) as services:
        migrate.upgrade(settings_for(services))
        asyncio.run(_measured(services))


if __name__ == "__main__":
    main()
