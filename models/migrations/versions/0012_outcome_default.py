"""A case's outcome is not known unless said."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute("ALTER TABLE logbook_entry ALTER outcome SET DEFAULT 'NOT_KNOWN'::text")


def downgrade() -> None:
    op.execute("ALTER TABLE logbook_entry ALTER outcome DROP DEFAULT")
