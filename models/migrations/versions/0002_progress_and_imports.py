"""How far an export has come, and what a repeated import was answered."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("data_export", sa.Column("percent", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.create_check_constraint("percent_bounds", "data_export", "percent BETWEEN 0 AND 100")
    op.execute("UPDATE data_export SET percent = 100 WHERE ready_at IS NOT NULL")
    op.add_column("request_key", sa.Column("answer", postgresql.JSONB(), nullable=True))


def downgrade() -> None:
    op.drop_column("request_key", "answer")
    op.drop_column("data_export", "percent")
