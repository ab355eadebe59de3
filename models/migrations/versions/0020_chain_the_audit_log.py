"""Chain the audit log, and say more in it.

Entries from before are chained in the order of their moments. What a MAC is made from is written down here once more,
because it has to stay as it was when this migration ran.
"""

import hmac
import json

import sqlalchemy as sa
from alembic import context, op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.execute("ALTER TABLE audit_entry DROP CONSTRAINT action_known")
    op.create_table(
        "sign_in_trouble",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("has_account", sa.Boolean(), nullable=False),
        sa.Column("count", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "action", "hour"),
    )
    op.add_column("audit_entry", sa.Column("account_id", sa.Uuid(), nullable=True))
    op.add_column("audit_entry", sa.Column("reason", sa.Text(), nullable=True))
    op.add_column("audit_entry", sa.Column("count", sa.Integer(), nullable=True))
    op.add_column("audit_entry", sa.Column("sequence", sa.BigInteger(), nullable=True))
    op.add_column("audit_entry", sa.Column("key_id", sa.LargeBinary(), nullable=True))
    op.add_column("audit_entry", sa.Column("mac", sa.LargeBinary(), nullable=True))
    op.alter_column("audit_entry", "actor_id", existing_type=sa.UUID(), nullable=True)
    op.alter_column("audit_entry", "subject_id", existing_type=sa.UUID(), nullable=True)
    op.create_index("audit_entry_by_account", "audit_entry", ["account_id", "at", "id"], unique=False)
    op.create_index("audit_entry_by_action", "audit_entry", ["action", "at", "id"], unique=False)
    op.create_index("audit_entry_by_actor", "audit_entry", ["actor_id", "at", "id"], unique=False)
    op.create_index("audit_entry_by_subject", "audit_entry", ["subject_id", "at", "id"], unique=False)
    op.create_unique_constraint("audit_entry_sequence_key", "audit_entry", ["sequence"])
    op.execute("""
    CREATE OR REPLACE FUNCTION public.lock_audit_log(OUT length bigint, OUT mac bytea, OUT now timestamp with time zone)
     RETURNS record
     LANGUAGE plpgsql
     SET search_path TO 'public', 'pg_temp'
    AS $function$
    BEGIN
        PERFORM pg_advisory_xact_lock(7203312);
        SELECT sequence, audit_entry.mac INTO length, mac
          FROM audit_entry WHERE sequence IS NOT NULL ORDER BY sequence DESC LIMIT 1;
        length := coalesce(length, 0);
        mac := coalesce(mac, decode(repeat('00', 32), 'hex'));
        now := clock();
    END
    $function$
    """)
    op.execute("""
    ALTER TABLE audit_entry ADD CONSTRAINT action_known CHECK (action IN ('ORIGIN_READ', 'ACCOUNT_DELETED', 'ROLES_CHANGED', 'DIRECTORY_CREATED', 'APPOINTMENT_APPROVED', 'PAID_ACCESS_CHANGED', 'SIGNED_OUT', 'ROLE_ADDED', 'ROLE_REMOVED', 'APPOINTMENT_DECLINED', 'REVIEWER_CONFIRMED', 'PAID_ACCESS_ENDED', 'ANSWERS_READ', 'DIRECTORY_CHANGED', 'API_TOKEN_CREATED', 'API_TOKEN_REVOKED', 'MAIL_RETRIED', 'SECOND_FACTOR_REMOVED', 'BACKUP_RESTORED', 'WRONG_PASSWORD', 'WRONG_CODE', 'LOCKED_OUT'))
    """)
    _chain_earlier()


# The account that a subject is or belongs to, as far as that's still known.
ACCOUNTS = """
UPDATE audit_entry SET account_id = coalesce(
    (SELECT mediator_id FROM feedback WHERE feedback.id = subject_id),
    (SELECT mediator_id FROM appointment WHERE appointment.id = subject_id),
    CASE WHEN action NOT IN ('ORIGIN_READ', 'APPOINTMENT_APPROVED', 'APPOINTMENT_DECLINED') THEN subject_id END
)
"""
EARLIER = """
SELECT id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') AS at, actor_id, action, subject_id, account_id
  FROM audit_entry ORDER BY audit_entry.at, id
"""
CHAINED = "UPDATE audit_entry SET sequence = :sequence, key_id = :key_id, mac = :mac WHERE id = :id"


def _chain_earlier() -> None:
    op.execute(ACCOUNTS)
    database = op.get_bind()
    entries = database.execute(sa.text(EARLIER)).all()
    if not entries:
        return
    key = context.config.attributes["secret_key"]
    key_id = hmac.digest(key, b"key-id\0", "sha256")[:4]
    mac, chained = bytes(32), []
    for sequence, entry in enumerate(entries, 1):
        at = entry.at.removesuffix(".000000") + "+00:00"
        ids = [one and str(one) for one in (entry.actor_id, entry.subject_id, entry.account_id)]
        facts = [sequence, str(entry.id), at, ids[0], entry.action, *ids[1:], None, None, f"\\x{key_id.hex()}"]
        mac = hmac.digest(key, b"audit\0" + mac + json.dumps(facts, separators=(",", ":")).encode(), "sha256")
        chained.append({"id": entry.id, "sequence": sequence, "key_id": key_id, "mac": mac})
    database.execute(sa.text(CHAINED), chained)


def downgrade() -> None:
    op.execute("ALTER TABLE audit_entry DROP CONSTRAINT action_known")
    op.execute("DROP ROUTINE lock_audit_log()")
    op.drop_constraint("audit_entry_sequence_key", "audit_entry", type_="unique")
    op.drop_index("audit_entry_by_subject", table_name="audit_entry")
    op.drop_index("audit_entry_by_actor", table_name="audit_entry")
    op.drop_index("audit_entry_by_action", table_name="audit_entry")
    op.drop_index("audit_entry_by_account", table_name="audit_entry")
    # Actors and subjects may go on missing: what an operator did has none, and nothing is lost.
    op.drop_column("audit_entry", "mac")
    op.drop_column("audit_entry", "key_id")
    op.drop_column("audit_entry", "sequence")
    op.drop_column("audit_entry", "count")
    op.drop_column("audit_entry", "reason")
    op.drop_column("audit_entry", "account_id")
    op.drop_table("sign_in_trouble")
    op.execute("""
    ALTER TABLE audit_entry ADD CONSTRAINT action_known CHECK ((action = ANY (ARRAY['ORIGIN_READ'::text, 'ACCOUNT_DELETED'::text, 'ROLES_CHANGED'::text, 'DIRECTORY_CREATED'::text, 'APPOINTMENT_APPROVED'::text, 'PAID_ACCESS_CHANGED'::text, 'SIGNED_OUT'::text, 'ROLE_ADDED'::text, 'ROLE_REMOVED'::text, 'APPOINTMENT_DECLINED'::text, 'REVIEWER_CONFIRMED'::text, 'PAID_ACCESS_ENDED'::text]))) NOT VALID
    """)
