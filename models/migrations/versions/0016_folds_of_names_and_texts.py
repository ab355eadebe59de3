"""Folds of names and texts. `logbook refold` fills them, in small steps, once this is done."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    # The version before searches without it, more slowly.
    op.drop_index(op.f("account_name"), table_name="account", postgresql_using="gin")
    op.execute('ALTER TABLE account ALTER COLUMN name_key TYPE text COLLATE "C"')
    op.add_column("account", sa.Column("name_words", postgresql.TSVECTOR(), nullable=True))
    op.create_index("account_words", "account", ["name_words"], unique=False, postgresql_using="gin")
    op.add_column("cpd_entry", sa.Column("title_folded", sa.Text(collation="C"), nullable=True))
    op.add_column("cpd_entry", sa.Column("provider_folded", sa.Text(collation="C"), nullable=True))
    op.add_column("cpd_private", sa.Column("takeaways_folded", sa.Text(collation="C"), nullable=True))
    op.add_column("logbook_entry", sa.Column("dispute_kind_folded", sa.Text(collation="C"), nullable=True))
    op.add_column("logbook_entry", sa.Column("country_folded", sa.Text(collation="C"), nullable=True))
    op.add_column("logbook_private", sa.Column("reference_folded", sa.Text(collation="C"), nullable=True))
    op.add_column("logbook_private", sa.Column("parties_folded", sa.Text(collation="C"), nullable=True))
    op.add_column("logbook_private", sa.Column("did_well_folded", sa.Text(collation="C"), nullable=True))
    op.add_column("logbook_private", sa.Column("found_challenging_folded", sa.Text(collation="C"), nullable=True))
    op.add_column("logbook_private", sa.Column("notes_folded", sa.Text(collation="C"), nullable=True))


def downgrade() -> None:
    op.drop_column("logbook_private", "notes_folded")
    op.drop_column("logbook_private", "found_challenging_folded")
    op.drop_column("logbook_private", "did_well_folded")
    op.drop_column("logbook_private", "parties_folded")
    op.drop_column("logbook_private", "reference_folded")
    op.drop_column("logbook_entry", "country_folded")
    op.drop_column("logbook_entry", "dispute_kind_folded")
    op.drop_column("cpd_private", "takeaways_folded")
    op.drop_column("cpd_entry", "provider_folded")
    op.drop_column("cpd_entry", "title_folded")
    op.drop_index("account_words", table_name="account", postgresql_using="gin")
    op.create_index(
        op.f("account_name"),
        "account",
        [sa.literal_column("to_tsvector('simple'::regconfig, name_key)")],
        unique=False,
        postgresql_using="gin",
    )
    op.drop_column("account", "name_words")
    op.execute("ALTER TABLE account ALTER COLUMN name_key TYPE text")
