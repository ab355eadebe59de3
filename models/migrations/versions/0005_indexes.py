"""Indexes for the totals, for the orders that lists have by default."""

from alembic import op
from sqlalchemy import text

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_index(
        "logbook_entry_by_month",
        "logbook_entry",
        ["mediator_id", text("(date_trunc('month', ended_on::timestamp)::date)"), "id"],
    )
    op.create_index(
        "logbook_entry_sums",
        "logbook_entry",
        ["mediator_id"],
        postgresql_include=["role", "ended_on", "minutes", "simulated"],
    )
    op.create_index("account_by_name", "account", ["name_key", "id"])


def downgrade() -> None:
    op.drop_index("account_by_name", "account")
    op.drop_index("logbook_entry_sums", "logbook_entry")
    op.drop_index("logbook_entry_by_month", "logbook_entry")
