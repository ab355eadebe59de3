"""The first schema: every table, and the service's clock."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# The clock that every default and every expiry goes by: the database's, moved by a connection's start-up setting
# where a demo or a test asks for it.
CLOCK = """
CREATE FUNCTION clock() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT now() + coalesce(nullif(current_setting('logbook.clock_offset', true), ''), '0')::interval $$
"""


def upgrade() -> None:
    op.execute(CLOCK)
    op.create_table(
        "account",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_key", sa.String(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("roles", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("email_verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("clock()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("email_key"),
    )
    op.create_index(
        "account_name",
        "account",
        [sa.literal_column("to_tsvector('simple', name_key)")],
        unique=False,
        postgresql_using="gin",
    )
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock()"), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "action IN ('ORIGIN_READ', 'ACCOUNT_DELETED', 'ROLES_CHANGED', 'DIRECTORY_CREATED', 'APPOINTMENT_APPROVED', 'PAID_ACCESS_CHANGED')",
            name="action_known",
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("audit_entry_by_time", "audit_entry", ["at", "id"], unique=False)
    op.create_table(
        "chore",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("ran_at", sa.DateTime(timezone=True), server_default=sa.text("clock()"), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("other_id", sa.Uuid(), nullable=True),
        sa.Column("recipient", sa.Text(), nullable=True),
        sa.Column("recipient_name", sa.Text(), nullable=True),
        sa.Column("dedupe_key", sa.String(), nullable=False),
        sa.Column("state", sa.String(), server_default=sa.text("'QUEUED'"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), server_default=sa.text("clock()"), nullable=False),
        sa.Column("lease", sa.Uuid(), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("smtp_code", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("clock()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('QUEUED', 'DONE', 'DROPPED', 'DEAD')", name="state_known"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("dedupe_key"),
    )
    op.create_index("outbox_dead", "outbox", ["id"], unique=False, postgresql_where=sa.text("state = 'DEAD'"))
    op.create_index("outbox_due", "outbox", ["next_at"], unique=False, postgresql_where=sa.text("state = 'QUEUED'"))
    op.create_index(
        "outbox_finished", "outbox", ["finished_at"], unique=False, postgresql_where=sa.text("state <> 'QUEUED'")
    )
    op.create_table(
        "stopped_address",
        sa.Column("address_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("address_hash"),
    )
    op.create_table(
        "account_link",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("new_email", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "purpose IN ('VERIFY_EMAIL', 'CHANGE_EMAIL', 'RESET_PASSWORD', 'SET_PASSWORD')", name="purpose_known"
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("secret_hash"),
    )
    op.create_index(op.f("ix_account_link_account_id"), "account_link", ["account_id"], unique=False)
    op.create_table(
        "api_token",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("clock()"), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("secret_hash"),
    )
    op.create_index(op.f("ix_api_token_account_id"), "api_token", ["account_id"], unique=False)
    op.create_table(
        "data_export",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), server_default=sa.text("clock()"), nullable=False),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("archive", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("secret_hash"),
    )
    op.create_index(op.f("ix_data_export_account_id"), "data_export", ["account_id"], unique=False)
    op.create_table(
        "directory",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("website", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["id"], ["account.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "mediator",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("about", sa.Text(), nullable=True),
        sa.Column("profile_url", sa.Text(), nullable=True),
        sa.Column("visibility", sa.String(), server_default=sa.text("'PRIVATE'"), nullable=False),
        sa.Column("feedback_link_hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("visibility IN ('DIRECTORIES', 'PRIVATE')", name="visibility_known"),
        sa.ForeignKeyConstraint(["id"], ["account.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("feedback_link_hash"),
    )
    op.create_table(
        "request_key",
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("result_id", sa.Uuid(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("clock()"), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key_hash"),
    )
    op.create_index(op.f("ix_request_key_account_id"), "request_key", ["account_id"], unique=False)
    op.create_table(
        "session",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("clock()"), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), server_default=sa.text("clock()"), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("secret_hash"),
    )
    op.create_index(op.f("ix_session_account_id"), "session", ["account_id"], unique=False)
    op.create_table(
        "appointment",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("mediator_id", sa.Uuid(), nullable=False),
        sa.Column("reviewer_id", sa.Uuid(), nullable=False),
        sa.Column("approved", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("clock()"), nullable=False),
        sa.CheckConstraint("mediator_id <> reviewer_id", name="not_oneself"),
        sa.ForeignKeyConstraint(["mediator_id"], ["mediator.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["reviewer_id"], ["account.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "appointment_current", "appointment", ["mediator_id"], unique=True, postgresql_where=sa.text("approved")
    )
    op.create_index(
        "appointment_waiting", "appointment", ["mediator_id"], unique=True, postgresql_where=sa.text("NOT approved")
    )
    op.create_index(op.f("ix_appointment_mediator_id"), "appointment", ["mediator_id"], unique=False)
    op.create_index(op.f("ix_appointment_reviewer_id"), "appointment", ["reviewer_id"], unique=False)
    op.create_table(
        "cpd_entry",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("mediator_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("started_on", sa.Date(), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("evidence_url", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("clock()"), nullable=False),
        sa.CheckConstraint(
            "kind IN ('TRAINING_RECEIVED', 'TRAINING_GIVEN', 'PRESENTATION', 'CONFERENCE', 'PUBLICATION', 'SUPERVISION', 'SELF_STUDY', 'OTHER')",
            name="kind_known",
        ),
        sa.ForeignKeyConstraint(["mediator_id"], ["mediator.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("cpd_entry_by_day", "cpd_entry", ["mediator_id", "ended_on", "id"], unique=False)
    op.create_table(
        "feedback",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("mediator_id", sa.Uuid(), nullable=False),
        sa.Column("capacity", sa.Text(), nullable=False),
        sa.Column("acted_as", sa.Text(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("released", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("by_invitation", sa.Boolean(), nullable=False),
        sa.Column(
            "received_on", sa.Date(), server_default=sa.text("((clock() AT TIME ZONE 'UTC')::date)"), nullable=False
        ),
        sa.CheckConstraint("acted_as IN ('MEDIATOR', 'ADVOCATE')", name="acted_as_known"),
        sa.CheckConstraint("capacity IN ('PARTY', 'PARTY_ADVISER', 'PROFESSIONAL', 'OTHER')", name="capacity_known"),
        sa.ForeignKeyConstraint(["mediator_id"], ["mediator.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("feedback_by_day", "feedback", ["mediator_id", "received_on", "id"], unique=False)
    op.create_index(
        "feedback_released",
        "feedback",
        ["mediator_id", "id"],
        unique=False,
        postgresql_where=sa.text("released AND shared"),
    )
    op.create_index(
        "feedback_unreleased", "feedback", ["id"], unique=False, postgresql_where=sa.text("shared AND NOT released")
    )
    op.create_table(
        "feedback_request",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("mediator_id", sa.Uuid(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("clock()"), nullable=False),
        sa.Column("mediation_ended_on", sa.Date(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(), server_default=sa.text("'OPEN'"), nullable=False),
        sa.CheckConstraint("state IN ('OPEN', 'SPENT', 'WITHDRAWN')", name="state_known"),
        sa.ForeignKeyConstraint(["mediator_id"], ["mediator.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("secret_hash"),
    )
    op.create_index("feedback_request_by_time", "feedback_request", ["mediator_id", "made_at", "id"], unique=False)
    op.create_table(
        "logbook_entry",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("mediator_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("medium", sa.Text(), nullable=False),
        sa.Column("started_on", sa.Date(), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("dispute_kind", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("party_count", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("simulated", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("clock()"), nullable=False),
        sa.CheckConstraint("medium IN ('IN_PERSON', 'ONLINE', 'HYBRID')", name="medium_known"),
        sa.CheckConstraint(
            "outcome IN ('SETTLED', 'PARTLY_SETTLED', 'NOT_SETTLED', 'ONGOING', 'NOT_KNOWN')", name="outcome_known"
        ),
        sa.CheckConstraint(
            "role IN ('LEAD_MEDIATOR', 'CO_MEDIATOR', 'ASSISTANT_MEDIATOR', 'MEDIATION_ADVOCATE', 'OBSERVER', 'OTHER')",
            name="role_known",
        ),
        sa.ForeignKeyConstraint(["mediator_id"], ["mediator.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("logbook_entry_by_day", "logbook_entry", ["mediator_id", "ended_on", "id"], unique=False)
    op.create_index("logbook_entry_by_role", "logbook_entry", ["mediator_id", "role", "id"], unique=False)
    op.create_table(
        "reviewer_invitation",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("mediator_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_key", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["mediator_id"], ["mediator.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("secret_hash"),
    )
    op.create_index(op.f("ix_reviewer_invitation_mediator_id"), "reviewer_invitation", ["mediator_id"], unique=False)
    op.create_table(
        "cpd_private",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("mediator_id", sa.Uuid(), nullable=False),
        sa.Column("takeaways", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["id"], ["cpd_entry.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["mediator_id"], ["mediator.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_cpd_private_mediator_id"), "cpd_private", ["mediator_id"], unique=False)
    op.create_table(
        "feedback_answer",
        sa.Column("feedback_id", sa.Uuid(), nullable=False),
        sa.Column("question", sa.String(), nullable=False),
        sa.Column("mediator_id", sa.Uuid(), nullable=False),
        sa.Column("reviewer_only", sa.Boolean(), nullable=False),
        sa.Column("rating", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.CheckConstraint("rating BETWEEN 1 AND 5", name="rating_bounds"),
        sa.ForeignKeyConstraint(["feedback_id"], ["feedback.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["mediator_id"], ["mediator.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("feedback_id", "question"),
    )
    op.create_index(op.f("ix_feedback_answer_mediator_id"), "feedback_answer", ["mediator_id"], unique=False)
    op.create_table(
        "feedback_origin",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("email_key", sa.String(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("clock()"), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["feedback.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_feedback_origin_email_key"), "feedback_origin", ["email_key"], unique=False)
    op.create_table(
        "feedback_request_details",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("mediator_id", sa.Uuid(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("party_name", sa.Text(), nullable=False),
        sa.Column("party_email", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["id"], ["feedback_request.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["mediator_id"], ["mediator.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_feedback_request_details_made_at"), "feedback_request_details", ["made_at"], unique=False)
    op.create_index(
        op.f("ix_feedback_request_details_mediator_id"), "feedback_request_details", ["mediator_id"], unique=False
    )
    op.create_table(
        "logbook_private",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("mediator_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("parties", sa.Text(), nullable=True),
        sa.Column("did_well", sa.Text(), nullable=True),
        sa.Column("found_challenging", sa.Text(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["id"], ["logbook_entry.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["mediator_id"], ["mediator.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_logbook_private_mediator_id"), "logbook_private", ["mediator_id"], unique=False)


def downgrade() -> None:
    op.drop_table("logbook_private")
    op.drop_table("feedback_request_details")
    op.drop_table("feedback_origin")
    op.drop_table("feedback_answer")
    op.drop_table("cpd_private")
    op.drop_table("reviewer_invitation")
    op.drop_table("logbook_entry")
    op.drop_table("feedback_request")
    op.drop_table("feedback")
    op.drop_table("cpd_entry")
    op.drop_table("appointment")
    op.drop_table("session")
    op.drop_table("request_key")
    op.drop_table("mediator")
    op.drop_table("directory")
    op.drop_table("data_export")
    op.drop_table("api_token")
    op.drop_table("account_link")
    op.drop_table("stopped_address")
    op.drop_table("outbox")
    op.drop_table("chore")
    op.drop_table("audit_entry")
    op.drop_table("account")
    op.execute("DROP FUNCTION clock()")
