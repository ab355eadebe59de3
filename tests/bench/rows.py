"""The data of the benchmark, made by the database itself, so that a million mediators take minutes, not hours.

Every name consists of the word of a group and a number; twenty mediators share a word, so that a search finds a page.
"""

from dataclasses import dataclass
from uuid import UUID

import asyncpg

from permissions.secrets import hash_secret

GROUP = 20


@dataclass(frozen=True)
class Size:
    """How many mediators, and how many rows each of them has; `fed`: how many of them have feedback."""

    mediators: int
    entries: int
    fed: int
    feedback: int


@dataclass(frozen=True)
class Known:
    """Who asks, and about whom: secrets of sessions, ids of mediators, words to search for."""

    directory: str
    reviewer: str
    directory_id: UUID
    reviewer_id: UUID
    mediators: list[tuple[UUID, str]]  # with their own sessions
    fed: list[UUID]
    groups: list[str]


# In order. Several statements in one text can't have parameters, so sizes are written in: they're our own numbers.
_FILL = """
CREATE FUNCTION pg_temp.nth(kind text, number bigint) RETURNS uuid IMMUTABLE LANGUAGE sql
    AS $$ SELECT overlay(overlay(md5(kind || number) placing '4' from 13) placing '8' from 17)::uuid $$;
INSERT INTO account (id, name, name_key, name_words, email, email_key, password_hash, roles, email_verified_at)
    SELECT pg_temp.nth('m', n), name, lower(name), lower(name)::tsvector, email, email, 'none', '{{MEDIATOR}}', clock()
      FROM generate_series(1, {mediators}) AS n,
           LATERAL (SELECT 'Group' || lpad((n / {group})::text, 6, '0') || ' Person' || n AS name,
                           'mediator' || n || '@demo.example' AS email) AS made;
INSERT INTO account (id, name, name_key, name_words, email, email_key, password_hash, roles, email_verified_at) VALUES
    (pg_temp.nth('r', 1), 'Rob Reviewer', 'rob reviewer', 'rob reviewer', 'rob@demo.example', 'rob@demo.example',
     'none', '{{REVIEWER}}', clock()),
    (pg_temp.nth('d', 1), 'Dora Directory', 'dora directory', 'dora directory', 'dora@demo.example',
     'dora@demo.example', 'none', '{{DIRECTORY}}', clock());
INSERT INTO directory (id) VALUES (pg_temp.nth('d', 1));
INSERT INTO mediator (id, about, profile_url, visibility, feedback_link_hash)
    SELECT pg_temp.nth('m', n), 'Listens, and asks.', 'https://demo.example/' || n, 'DIRECTORIES',
           sha256(('link' || n)::bytea)
      FROM generate_series(1, {mediators}) AS n;
INSERT INTO logbook_entry (id, mediator_id, role, medium, started_on, ended_on, minutes, dispute_kind, country,
                           party_count, outcome, simulated)
    SELECT pg_temp.nth('e', m::bigint * 1000 + n), pg_temp.nth('m', m),
           (ARRAY['LEAD_MEDIATOR', 'CO_MEDIATOR', 'ASSISTANT_MEDIATOR', 'OBSERVER'])[1 + n % 4],
           (ARRAY['ONLINE', 'IN_PERSON', 'HYBRID'])[1 + (m + n) % 3], date '2018-01-01' + n * 31,
           date '2018-01-02' + n * 31, 45 + (m * 7 + n * 13) % 400,
           (ARRAY['NEIGHBOURS', 'FAMILY', 'COMMERCIAL', NULL])[1 + (m + n) % 4], 'Utopia', 2 + n % 3,
           'SETTLED', n % 10 = 0
      FROM generate_series(1, {mediators}) AS m, generate_series(1, {entries}) AS n;
UPDATE logbook_entry SET country_folded = lower(country);
INSERT INTO case_session (entry_id, mediator_id, held_on, minutes, kind, medium)
    SELECT id, mediator_id, day, minutes / 2, kind, medium
      FROM logbook_entry, unnest(ARRAY[started_on, ended_on], ARRAY['PREPARATION', 'MEDIATION']) AS held (day, kind)
     WHERE party_count = 2;
UPDATE logbook_entry SET version = version WHERE party_count = 2;
INSERT INTO logbook_private (id, mediator_id, reference, reference_folded, notes, notes_folded)
    SELECT id, mediator_id, 'case', 'case', note, lower(note)
      FROM logbook_entry, (SELECT 'They agreed in the end, after a long silence.' AS note) AS made;
INSERT INTO appointment (mediator_id, reviewer_id, in_force)
    SELECT pg_temp.nth('m', m), pg_temp.nth('r', 1), true FROM generate_series(1, {fed}) AS m;
INSERT INTO feedback (id, mediator_id, capacity, acted_as, shared, released, by_invitation, received_on)
    SELECT pg_temp.nth('f', m::bigint * 1000 + n), pg_temp.nth('m', m), 'PARTY', 'MEDIATOR', n % 2 = 0, n % 2 = 0,
           n % 3 = 0, date '2020-01-01' + n * 11
      FROM generate_series(1, {fed}) AS m, generate_series(1, {feedback}) AS n;
INSERT INTO feedback_answer (feedback_id, mediator_id, question, reviewer_only, rating, text)
    SELECT feedback.id, mediator_id, question, false, CASE WHEN question = 'listening' THEN 4 END,
           CASE WHEN question = 'impressed' THEN 'Patient from the first minute to the last' END
      FROM feedback, unnest(ARRAY['listening', 'impressed']) AS question;
"""


async def fill(admin: "asyncpg.Connection[asyncpg.Record]", size: Size, more: str = "") -> Known:
    """Fill an empty, migrated database, run the statements in `more`, too, and analyse it."""
    await admin.execute(
        _FILL.format(mediators=size.mediators, entries=size.entries, fed=size.fed, feedback=size.feedback, group=GROUP)
    )
    known = Known(
        directory="d" * 43,
        reviewer="r" * 43,
        directory_id=await _nth(admin, "d", 1),
        reviewer_id=await _nth(admin, "r", 1),
        mediators=[(await _nth(admin, "m", 1 + n), f"{n:043d}") for n in range(min(50, size.mediators))],
        fed=[await _nth(admin, "m", 1 + n) for n in range(min(50, size.fed))],
        groups=[f"Group{n:06d}" for n in range(1, min(50, size.mediators // GROUP))],
    )
    sessions = [(known.directory_id, known.directory), (known.reviewer_id, known.reviewer), *known.mediators]
    await admin.executemany(
        "INSERT INTO session (account_id, secret_hash, used_at) VALUES ($1, $2, clock())",
        [(owner, hash_secret(secret)) for owner, secret in sessions],
    )
    if more:
        await admin.execute(more)
    await admin.execute("VACUUM ANALYZE")
    return known


async def _nth(admin: "asyncpg.Connection[asyncpg.Record]", kind: str, number: int) -> UUID:
    found: UUID = await admin.fetchval("SELECT pg_temp.nth($1, $2)", kind, number)
    return UUID(int=found.int)
