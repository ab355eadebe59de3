"""Sealed storage: what's known of parties is encrypted, and nothing that's stored joins a request with its answer.

It seals with the service's key, as `permissions/sealing.py` did on the day it was written.
"""

import hmac
import json
import os
import re
from base64 import urlsafe_b64decode
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from alembic import op
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"

_TAG = r"(?<=.)[+][^@]*(?=@)"
_PLAIN = {
    "details": "SELECT id, party_name, party_email, reference, (made_at AT TIME ZONE 'UTC')::date AS day"
    " FROM feedback_request_details",
    "origins": "SELECT id, name, email, email_key, received_at FROM feedback_origin",
    "used": "SELECT secret_hash FROM feedback_request WHERE state = 'SPENT'",
    "factors": "SELECT account_id, sealed_secret FROM second_factor",
    "stopped": "SELECT address_hash FROM stopped_address",
}
# They hold earlier versions of their rows, in the clear, until a worker has rewritten them.
_REWRITTEN = (
    *("feedback_request", "feedback_request_details", "feedback", "feedback_answer", "feedback_origin", "spent_link"),
    *("outbox", "second_factor", "stopped_address"),
)


class _Keys:
    """The service's key, and what it makes."""

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self.id = self.keyed("key-id", b"")[:4]

    def keyed(self, purpose: str, message: bytes) -> bytes:
        return hmac.digest(self.secret, purpose.encode() + b"\0" + message, "sha256")

    def named(self, purpose: str, message: bytes) -> bytes:
        return self.id + self.keyed(purpose, message)

    def seal(self, place: str, row: object, text: bytes) -> bytes:
        return self.id + _encrypt(self.keyed(f"store {place}", b""), place, row, text)

    def factor(self, account_id: object, sealed: str) -> bytes | None:
        """Seal the secret of a second factor as it's sealed from now on; None if another key sealed it."""
        raw = urlsafe_b64decode(sealed.encode() + b"=" * (-len(sealed) % 4))
        try:
            secret = AESSIV(self.keyed("seal second factor", b"")).decrypt(raw, [str(account_id).encode()])
        except Exception:  # noqa: BLE001 - whatever it is, it can't be opened
            return None
        return self.seal("second-factor", account_id, secret)


def _encrypt(key: bytes, place: str, row: object, text: bytes) -> bytes:
    nonce = os.urandom(12)
    return nonce + AESGCM(key).encrypt(nonce, text, f"{place} {row}".encode())


def _json(**facts: Any) -> bytes:
    return json.dumps(facts, ensure_ascii=False, default=lambda moment: moment.isoformat()).encode()


def _run(statement: str, rows: Iterable[dict[str, Any]]) -> None:
    given = list(rows)
    if given:
        op.get_bind().execute(sa.text(statement), given)


def _seal_details(keys: _Keys, rows: list[Any]) -> None:
    day_keys = {day: os.urandom(32) for day in {row.day for row in rows}}
    _run(
        "INSERT INTO details_key (day, sealed) VALUES (:day, :sealed)",
        ({"day": day, "sealed": keys.seal("day-key", day, key)} for day, key in day_keys.items()),
    )
    facts = {row.id: _json(name=row.party_name, email=row.party_email, reference=row.reference) for row in rows}
    _run(
        "UPDATE feedback_request_details SET sealed = :sealed WHERE id = :id",
        (
            {"id": row.id, "sealed": _encrypt(day_keys[row.day], "request-details", row.id, facts[row.id])}
            for row in rows
        ),
    )


def _seal_origins(keys: _Keys, rows: list[Any]) -> None:
    _run(
        "UPDATE feedback_origin SET sealed = :sealed, mailbox_hash = :mailbox WHERE id = :id",
        (
            {
                "id": row.id,
                "sealed": keys.seal(
                    "origin", row.id, _json(name=row.name, email=row.email, received_at=row.received_at)
                ),
                "mailbox": row.email_key and keys.named("origin-mailbox", re.sub(_TAG, "", row.email_key).encode()),
            }
            for row in rows
        ),
    )


def _seal_everything() -> None:
    plain = {name: list(op.get_bind().execute(sa.text(query))) for name, query in _PLAIN.items()}
    if not any(plain.values()):
        return
    config = op.get_context().config
    secret = config.attributes.get("secret_key") if config else None
    if not secret:
        raise RuntimeError("SECRET_KEY is needed to seal what is stored: run it by `logbook migrate`")
    keys = _Keys(secret)
    _seal_details(keys, plain["details"])
    _seal_origins(keys, plain["origins"])
    marks = [keys.named("spent-link", bytes(row.secret_hash)) for row in plain["used"]]
    _run("INSERT INTO spent_link (mark, mixed) VALUES (:mark, true)", ({"mark": mark} for mark in sorted(marks)))
    factors = [(row.account_id, keys.factor(row.account_id, row.sealed_secret)) for row in plain["factors"]]
    _run(
        "UPDATE second_factor SET sealed = :sealed WHERE account_id = :id",
        ({"id": account_id, "sealed": sealed or b"cannot be opened"} for account_id, sealed in factors),
    )
    _run(
        "UPDATE stopped_address SET address_hash = :new WHERE address_hash = :old",
        ({"old": row.address_hash, "new": keys.id + bytes(row.address_hash)} for row in plain["stopped"]),
    )
    # In one transaction, as everything here: nothing tells any more what was written together.
    op.execute("UPDATE feedback_request SET state = CASE state WHEN 'SPENT' THEN 'OPEN' ELSE state END")
    op.execute("UPDATE feedback SET mixed = true")
    op.execute("UPDATE feedback_answer SET text = text || ''")
    op.execute(
        "UPDATE outbox SET subject_id = '00000000-0000-0000-0000-000000000000', other_id = NULL"
        " WHERE state IN ('DONE', 'DROPPED')"
    )
    op.execute("UPDATE request_key SET result_id = NULL WHERE account_id IS NULL")
    _run("INSERT INTO chore (name) VALUES (:name)", ({"name": f"rewrite {table}"} for table in _REWRITTEN))


def upgrade() -> None:
    op.execute("DROP POLICY link_is_spent ON feedback_request")
    op.execute("DROP ROUTINE erase_origins(uuid)")
    op.execute("ALTER TABLE feedback_request DROP CONSTRAINT state_known")
    op.create_table(
        "details_key",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("day"),
    )
    op.create_table(
        "spent_link",
        sa.Column("mark", sa.LargeBinary(), nullable=False),
        sa.Column("mixed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("mark"),
    )
    op.create_index("spent_link_unmixed", "spent_link", ["mark"], unique=False, postgresql_where=sa.text("NOT mixed"))
    op.add_column("feedback", sa.Column("mixed", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_index("feedback_unmixed", "feedback", ["id"], unique=False, postgresql_where=sa.text("NOT mixed"))
    op.add_column("feedback_origin", sa.Column("sealed", sa.LargeBinary(), nullable=True))
    op.add_column("feedback_origin", sa.Column("mailbox_hash", sa.LargeBinary(), nullable=True))
    op.drop_index(op.f("ix_feedback_origin_email_key"), table_name="feedback_origin")
    op.create_index(op.f("ix_feedback_origin_mailbox_hash"), "feedback_origin", ["mailbox_hash"], unique=False)
    op.add_column("feedback_request_details", sa.Column("sealed", sa.LargeBinary(), nullable=True))
    op.add_column("mediator", sa.Column("feedback_link_sealed", sa.LargeBinary(), nullable=True))
    op.add_column("second_factor", sa.Column("sealed", sa.LargeBinary(), nullable=True))
    _seal_everything()
    for table, gone in {
        "feedback_origin": ("name", "email_key", "received_at", "email"),
        "feedback_request_details": ("reference", "party_name", "party_email"),
        "second_factor": ("sealed_secret",),
    }.items():
        op.alter_column(table, "sealed", nullable=False)
        for column in gone:
            op.drop_column(table, column)
    op.execute("""
    CREATE OR REPLACE FUNCTION public.erase_origins(giver uuid, mailbox bytea[])
     RETURNS void
     LANGUAGE sql
     SECURITY DEFINER
     SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
     DELETE FROM feedback_origin
       WHERE ((feedback_origin.mailbox_hash = ANY (erase_origins.mailbox)) AND (EXISTS ( SELECT
                FROM account
               WHERE ((account.id = erase_origins.giver) AND (account.email_verified_at IS NOT NULL)))) AND ((erase_origins.giver = viewer()) OR stands_as(8)) AND (NOT by_token()));
    END
    """)
    op.execute("""
    CREATE OR REPLACE FUNCTION public.mix_answers(at_least integer)
     RETURNS integer
     LANGUAGE plpgsql
     SECURITY DEFINER
     SET search_path TO 'pg_catalog', 'pg_temp'
    AS $function$
    DECLARE
        recent int := (SELECT count(*) FROM public.feedback WHERE NOT mixed);
        used int := (SELECT count(*) FROM public.spent_link WHERE NOT mixed);
        piece uuid;
        used_link bytea;
    BEGIN
        IF NOT public.at_work() THEN
            RAISE insufficient_privilege;
        END IF;
        FOR piece IN
            SELECT id FROM (
                SELECT id FROM public.feedback WHERE NOT mixed
                UNION ALL
                (SELECT id FROM public.feedback WHERE mixed AND recent > 0 ORDER BY random() LIMIT greatest(0, at_least - recent))
            ) AS those ORDER BY random()
        LOOP
            UPDATE public.feedback SET mixed = true WHERE id = piece;
            -- A long value stays where it is, with its old mark, unless it's made again.
            UPDATE public.feedback_answer SET text = text || '' WHERE feedback_id = piece;
            UPDATE public.feedback_origin SET sealed = sealed || '' WHERE id = piece;
        END LOOP;
        FOR used_link IN
            SELECT mark FROM (
                SELECT mark FROM public.spent_link WHERE NOT mixed
                UNION ALL
                (SELECT mark FROM public.spent_link WHERE mixed AND used > 0 ORDER BY random() LIMIT greatest(0, at_least - used))
            ) AS those ORDER BY random()
        LOOP
            UPDATE public.spent_link SET mixed = true WHERE mark = used_link;
        END LOOP;
        RETURN recent + used;
    END
    $function$
    """)
    op.execute("""
    CREATE OR REPLACE FUNCTION public.rewrite(which text)
     RETURNS boolean
     LANGUAGE plpgsql
     SECURITY DEFINER
     SET search_path TO 'pg_catalog', 'pg_temp'
     SET lock_timeout TO '200ms'
    AS $function$
    BEGIN
        IF NOT public.at_work() THEN
            RAISE insufficient_privilege;
        END IF;
        EXECUTE format('CLUSTER public.%I USING %I', which, which || '_pkey');
        RETURN true;
    EXCEPTION WHEN lock_not_available THEN
        RETURN false;
    END
    $function$
    """)
    op.execute("REVOKE EXECUTE ON ROUTINE erase_origins(uuid,bytea[]) FROM PUBLIC")
    op.execute("REVOKE EXECUTE ON ROUTINE mix_answers(integer) FROM PUBLIC")
    op.execute("REVOKE EXECUTE ON ROUTINE rewrite(text) FROM PUBLIC")
    op.execute("ALTER TABLE account SET (autovacuum_vacuum_threshold=0, autovacuum_vacuum_scale_factor=0)")
    op.execute("ALTER TABLE details_key SET (autovacuum_vacuum_threshold=0, autovacuum_vacuum_scale_factor=0)")
    op.execute("ALTER TABLE feedback SET (autovacuum_vacuum_threshold=0, autovacuum_vacuum_scale_factor=0)")
    op.execute("ALTER TABLE feedback_answer SET (autovacuum_vacuum_threshold=0, autovacuum_vacuum_scale_factor=0)")
    op.execute("ALTER TABLE feedback_origin SET (autovacuum_vacuum_threshold=0, autovacuum_vacuum_scale_factor=0)")
    op.execute("""
    ALTER TABLE feedback_request_details SET (autovacuum_vacuum_threshold=0, autovacuum_vacuum_scale_factor=0)
    """)
    op.execute("ALTER TABLE outbox SET (autovacuum_vacuum_threshold=0, autovacuum_vacuum_scale_factor=0)")
    op.execute("""
    ALTER TABLE reviewer_invitation SET (autovacuum_vacuum_threshold=0, autovacuum_vacuum_scale_factor=0)
    """)
    op.execute("ALTER TABLE spent_link SET (autovacuum_vacuum_threshold=0, autovacuum_vacuum_scale_factor=0)")
    op.execute("ALTER TABLE feedback_request ADD CONSTRAINT state_known CHECK (state IN ('OPEN', 'WITHDRAWN'))")
    op.execute("ALTER TABLE details_key ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE spent_link ENABLE ROW LEVEL SECURITY")
    op.execute("""
    CREATE POLICY own ON details_key FOR SELECT TO PUBLIC
    USING (( SELECT stands_as(1) AS stands_as))
    """)
    op.execute("""
    CREATE POLICY own_is_made ON details_key FOR INSERT TO PUBLIC
    WITH CHECK (( SELECT stands_as(1) AS stands_as))
    """)
    op.execute("""
    CREATE POLICY work_erases ON details_key FOR DELETE TO CURRENT_USER
    USING (( SELECT at_work() AS at_work))
    """)
    op.execute("""
    CREATE POLICY work_mails ON details_key FOR SELECT TO CURRENT_USER
    USING (( SELECT at_work() AS at_work))
    """)
    op.execute("""
    CREATE POLICY by_link ON spent_link FOR SELECT TO PUBLIC
    USING ((( SELECT held_link() AS held_link) IS NOT NULL))
    """)
    op.execute("""
    CREATE POLICY link_is_spent ON spent_link FOR INSERT TO PUBLIC
    WITH CHECK ((( SELECT held_link() AS held_link) IS NOT NULL))
    """)
    op.execute("""
    CREATE POLICY work_forgets ON spent_link FOR ALL TO CURRENT_USER
    USING (( SELECT at_work() AS at_work))
    """)


def downgrade() -> None:
    if list(op.get_bind().execute(sa.text("SELECT 1 FROM feedback_origin UNION ALL SELECT 1 FROM second_factor"))):
        raise RuntimeError("what has been sealed stays sealed: there is no way back from here")
    op.execute("DROP POLICY work_forgets ON spent_link")
    op.execute("DROP POLICY link_is_spent ON spent_link")
    op.execute("DROP POLICY by_link ON spent_link")
    op.execute("DROP POLICY work_mails ON details_key")
    op.execute("DROP POLICY work_erases ON details_key")
    op.execute("DROP POLICY own_is_made ON details_key")
    op.execute("DROP POLICY own ON details_key")
    op.execute("ALTER TABLE spent_link DISABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE details_key DISABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE feedback_request DROP CONSTRAINT state_known")
    op.execute("ALTER TABLE spent_link RESET (autovacuum_vacuum_threshold, autovacuum_vacuum_scale_factor)")
    op.execute("ALTER TABLE reviewer_invitation RESET (autovacuum_vacuum_threshold, autovacuum_vacuum_scale_factor)")
    op.execute("ALTER TABLE outbox RESET (autovacuum_vacuum_threshold, autovacuum_vacuum_scale_factor)")
    op.execute("""
    ALTER TABLE feedback_request_details RESET (autovacuum_vacuum_threshold, autovacuum_vacuum_scale_factor)
    """)
    op.execute("ALTER TABLE feedback_origin RESET (autovacuum_vacuum_threshold, autovacuum_vacuum_scale_factor)")
    op.execute("ALTER TABLE feedback_answer RESET (autovacuum_vacuum_threshold, autovacuum_vacuum_scale_factor)")
    op.execute("ALTER TABLE feedback RESET (autovacuum_vacuum_threshold, autovacuum_vacuum_scale_factor)")
    op.execute("ALTER TABLE details_key RESET (autovacuum_vacuum_threshold, autovacuum_vacuum_scale_factor)")
    op.execute("ALTER TABLE account RESET (autovacuum_vacuum_threshold, autovacuum_vacuum_scale_factor)")
    op.execute("DROP ROUTINE rewrite(text)")
    op.execute("DROP ROUTINE mix_answers(integer)")
    op.execute("DROP ROUTINE erase_origins(uuid,bytea[])")
    op.add_column("second_factor", sa.Column("sealed_secret", sa.TEXT(), nullable=False))
    op.drop_column("second_factor", "sealed")
    op.drop_column("mediator", "feedback_link_sealed")
    op.add_column("feedback_request_details", sa.Column("party_email", sa.TEXT(), autoincrement=False, nullable=False))
    op.add_column("feedback_request_details", sa.Column("party_name", sa.TEXT(), autoincrement=False, nullable=False))
    op.add_column("feedback_request_details", sa.Column("reference", sa.TEXT(), autoincrement=False, nullable=True))
    op.drop_column("feedback_request_details", "sealed")
    op.add_column("feedback_origin", sa.Column("email", sa.TEXT(), autoincrement=False, nullable=True))
    op.add_column(
        "feedback_origin",
        sa.Column(
            "received_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("clock()"),
            autoincrement=False,
            nullable=False,
        ),
    )
    op.add_column("feedback_origin", sa.Column("email_key", sa.VARCHAR(), autoincrement=False, nullable=True))
    op.add_column("feedback_origin", sa.Column("name", sa.TEXT(), autoincrement=False, nullable=True))
    op.execute("""
    CREATE OR REPLACE FUNCTION public.erase_origins(giver uuid)
     RETURNS void
     LANGUAGE sql
     SECURITY DEFINER
     SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
     DELETE FROM feedback_origin
       WHERE (((feedback_origin.email_key)::text = (( SELECT account.email_key
                FROM account
               WHERE ((account.id = erase_origins.giver) AND (account.email_verified_at IS NOT NULL))))::text) AND ((erase_origins.giver = viewer()) OR stands_as(8)) AND (NOT by_token()));
    END
    """)
    op.execute("REVOKE EXECUTE ON ROUTINE erase_origins(uuid) FROM PUBLIC")
    op.drop_index(op.f("ix_feedback_origin_mailbox_hash"), table_name="feedback_origin")
    op.create_index(op.f("ix_feedback_origin_email_key"), "feedback_origin", ["email_key"], unique=False)
    op.drop_column("feedback_origin", "mailbox_hash")
    op.drop_column("feedback_origin", "sealed")
    op.drop_index("feedback_unmixed", table_name="feedback", postgresql_where=sa.text("NOT mixed"))
    op.drop_column("feedback", "mixed")
    op.drop_index("spent_link_unmixed", table_name="spent_link", postgresql_where=sa.text("NOT mixed"))
    op.drop_table("spent_link")
    op.drop_table("details_key")
    op.execute("""
    ALTER TABLE feedback_request ADD CONSTRAINT state_known CHECK (((state)::text = ANY ((ARRAY['OPEN'::character varying, 'SPENT'::character varying, 'WITHDRAWN'::character varying])::text[]))) NOT VALID
    """)
    op.execute("""
    CREATE POLICY link_is_spent ON feedback_request FOR UPDATE TO PUBLIC
    USING ((secret_hash = ( SELECT held_link() AS held_link)))
    """)
