"""Opening balances."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.create_table(
        "opening_balance",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("mediator_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("cases", sa.Integer(), nullable=True),
        sa.Column("before", sa.Date(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("clock()"), nullable=False),
        sa.CheckConstraint(
            "role IN ('LEAD_MEDIATOR', 'CO_MEDIATOR', 'ASSISTANT_MEDIATOR', 'MEDIATION_ADVOCATE', 'OBSERVER', 'OTHER')",
            name="role_known",
        ),
        sa.ForeignKeyConstraint(["mediator_id"], ["mediator.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_opening_balance_mediator_id"), "opening_balance", ["mediator_id"], unique=False)
    op.execute("""
    CREATE OR REPLACE FUNCTION public.ids_of(owner uuid)
     RETURNS SETOF uuid
     LANGUAGE sql
     STABLE SECURITY DEFINER
     SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
     SELECT theirs.id
        FROM ( SELECT account.id
                FROM account
               WHERE (account.id = ids_of.owner)
             UNION ALL
              SELECT feedback.id
                FROM feedback
               WHERE (feedback.mediator_id = ids_of.owner)
             UNION ALL
              SELECT feedback_request.id
                FROM feedback_request
               WHERE (feedback_request.mediator_id = ids_of.owner)
             UNION ALL
              SELECT reviewer_invitation.id
                FROM reviewer_invitation
               WHERE (reviewer_invitation.mediator_id = ids_of.owner)
             UNION ALL
              SELECT account_link.id
                FROM account_link
               WHERE (account_link.account_id = ids_of.owner)
             UNION ALL
              SELECT data_export.id
                FROM data_export
               WHERE (data_export.account_id = ids_of.owner)
             UNION ALL
              SELECT api_token.id
                FROM api_token
               WHERE (api_token.account_id = ids_of.owner)
             UNION ALL
              SELECT logbook_entry.id
                FROM logbook_entry
               WHERE (logbook_entry.mediator_id = ids_of.owner)
             UNION ALL
              SELECT case_session.id
                FROM case_session
               WHERE (case_session.mediator_id = ids_of.owner)
             UNION ALL
              SELECT cpd_entry.id
                FROM cpd_entry
               WHERE (cpd_entry.mediator_id = ids_of.owner)
             UNION ALL
              SELECT opening_balance.id
                FROM opening_balance
               WHERE (opening_balance.mediator_id = ids_of.owner)) theirs
       WHERE (((ids_of.owner = viewer()) OR stands_as(8)) AND (NOT by_token()));
    END
    """)
    op.execute("ALTER TABLE opening_balance SET (autovacuum_vacuum_threshold=0, autovacuum_vacuum_scale_factor=0)")


def downgrade() -> None:
    op.execute("ALTER TABLE opening_balance RESET (autovacuum_vacuum_threshold, autovacuum_vacuum_scale_factor)")
    op.execute("""
    CREATE OR REPLACE FUNCTION public.ids_of(owner uuid)
     RETURNS SETOF uuid
     LANGUAGE sql
     STABLE SECURITY DEFINER
     SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
     SELECT theirs.id
        FROM ( SELECT account.id
                FROM account
               WHERE (account.id = ids_of.owner)
             UNION ALL
              SELECT feedback.id
                FROM feedback
               WHERE (feedback.mediator_id = ids_of.owner)
             UNION ALL
              SELECT feedback_request.id
                FROM feedback_request
               WHERE (feedback_request.mediator_id = ids_of.owner)
             UNION ALL
              SELECT reviewer_invitation.id
                FROM reviewer_invitation
               WHERE (reviewer_invitation.mediator_id = ids_of.owner)
             UNION ALL
              SELECT account_link.id
                FROM account_link
               WHERE (account_link.account_id = ids_of.owner)
             UNION ALL
              SELECT data_export.id
                FROM data_export
               WHERE (data_export.account_id = ids_of.owner)
             UNION ALL
              SELECT api_token.id
                FROM api_token
               WHERE (api_token.account_id = ids_of.owner)
             UNION ALL
              SELECT logbook_entry.id
                FROM logbook_entry
               WHERE (logbook_entry.mediator_id = ids_of.owner)
             UNION ALL
              SELECT case_session.id
                FROM case_session
               WHERE (case_session.mediator_id = ids_of.owner)
             UNION ALL
              SELECT cpd_entry.id
                FROM cpd_entry
               WHERE (cpd_entry.mediator_id = ids_of.owner)) theirs
       WHERE (((ids_of.owner = viewer()) OR stands_as(8)) AND (NOT by_token()));
    END
    """)
    op.drop_index(op.f("ix_opening_balance_mediator_id"), table_name="opening_balance")
    op.drop_table("opening_balance")
