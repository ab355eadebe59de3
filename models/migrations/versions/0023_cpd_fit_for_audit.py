"""CPD fit for audit."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.execute("ALTER TABLE cpd_entry DROP CONSTRAINT kind_known")
    op.add_column("cpd_entry", sa.Column("format", sa.Text(), nullable=True))
    op.add_column(
        "cpd_entry", sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False)
    )
    op.add_column(
        "cpd_entry",
        sa.Column("credits", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
    )
    op.add_column("cpd_private", sa.Column("supervised_case_id", sa.Uuid(), nullable=True))
    op.create_index(op.f("ix_cpd_private_supervised_case_id"), "cpd_private", ["supervised_case_id"], unique=False)
    op.create_foreign_key(
        "cpd_private_supervised_case_id_fkey",
        "cpd_private",
        "logbook_entry",
        ["supervised_case_id"],
        ["id"],
        ondelete="SET NULL",
    )
    op.execute("""
    ALTER TABLE cpd_entry ADD CONSTRAINT format_known CHECK (format IN ('LIVE', 'ONLINE', 'ON_DEMAND', 'SELF_STUDY'))
    """)
    op.execute("""
    ALTER TABLE cpd_entry ADD CONSTRAINT kind_known CHECK (kind IN ('TRAINING_RECEIVED', 'TRAINING_GIVEN', 'PRESENTATION', 'CONFERENCE', 'PUBLICATION', 'SUPERVISION', 'PEER_REFLECTION', 'DEBRIEF', 'MENTORING', 'ROLE_PLAY', 'SELF_STUDY', 'OTHER'))
    """)
    op.execute("""
    ALTER TABLE cpd_entry ADD CONSTRAINT tags_known CHECK (tags <@ ARRAY['ETHICS', 'DIVERSITY', 'INTERCULTURAL', 'FAMILY_VIOLENCE', 'CHILD_PROTECTION', 'FAMILY', 'POWER_IMBALANCE', 'TRAUMA', 'PSYCHOLOGY', 'LAW', 'PRACTICE_SKILLS', 'TECHNOLOGY', 'BUSINESS'])
    """)


def downgrade() -> None:
    op.execute("ALTER TABLE cpd_entry DROP CONSTRAINT tags_known")
    op.execute("ALTER TABLE cpd_entry DROP CONSTRAINT kind_known")
    op.execute("ALTER TABLE cpd_entry DROP CONSTRAINT format_known")
    op.drop_constraint("cpd_private_supervised_case_id_fkey", "cpd_private", type_="foreignkey")
    op.drop_index(op.f("ix_cpd_private_supervised_case_id"), table_name="cpd_private")
    op.drop_column("cpd_private", "supervised_case_id")
    op.drop_column("cpd_entry", "credits")
    op.drop_column("cpd_entry", "tags")
    op.drop_column("cpd_entry", "format")
    op.execute("""
    ALTER TABLE cpd_entry ADD CONSTRAINT kind_known CHECK ((kind = ANY (ARRAY['TRAINING_RECEIVED'::text, 'TRAINING_GIVEN'::text, 'PRESENTATION'::text, 'CONFERENCE'::text, 'PUBLICATION'::text, 'SUPERVISION'::text, 'SELF_STUDY'::text, 'OTHER'::text]))) NOT VALID
    """)
